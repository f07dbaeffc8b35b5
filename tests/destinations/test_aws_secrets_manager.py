"""AWS Secrets Manager against moto's server: vendor-specific behaviour beyond the laws of all destinations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from pytest_django import Settings

from config.errors import BadRequest, Invalid
from connections.aws import AwsClient
from connections.aws_signing import Keys
from connections.errors import BadResponse, Conflict, Forbidden, RateLimited, Rejected, Unauthorized, Unavailable
from syncs.destinations.aws_secrets_manager import AwsSecretsManager
from syncs.engine.types import Action, Outcome, Remote, Write
from syncs.models import SecretSync
from syncs.planning.preview import preview
from tests.fixtures.contract import Case, opened

from .aws_fake import REGION
from .aws_secrets_manager import NAME
from .aws_secrets_manager import AwsSecretsManager as Fake
from .serving import Answer, Ask

EACH, DOCUMENT = Fake.configs["one-to-one"], Fake.configs["many-to-one"]
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.fixture
def vendor() -> Iterator[Fake]:
    fake = Fake()
    with fake.running():
        yield fake


@pytest.fixture
def client(vendor: Fake) -> Iterator[AwsClient]:
    with AwsClient(Keys("AKIDEXAMPLE", "secret"), vendor.url, one_address=True, deadline=5) as line:
        yield line


def create(key: str, value: str = "v", **more: Any) -> Write:
    return Write(Action.CREATE, key, key, value, **more)


def listed(destination: AwsSecretsManager) -> dict[str, Remote]:
    """As planning sees them where all are wanted."""
    found = destination.listing()
    return {remote.key: remote for remote in destination.resolve_listing(found, {remote.key for remote in found})}


def apply(destination: AwsSecretsManager, *writes: Write) -> list[Outcome]:
    return list(destination.apply(iter(writes)))


def ours(vendor: Fake, config: Mapping[str, Any] = EACH) -> dict[str, Any]:
    return vendor.held(config)


def refusal(operation: str, code: str, message: str = "no") -> Callable[[Ask], Answer | None]:
    return lambda ask: Answer(400, {"__type": code, "message": message}) if ask.path == operation else None


def faults(*each: Callable[[Ask], Answer | None] | None) -> Callable[[Ask], Answer | None]:
    return lambda ask: next((answer for fault in each if fault and (answer := fault(ask))), None)


def operations(vendor: Fake) -> list[str]:
    return [operation for _, operation in vendor.asked() if operation != "GetCallerIdentity"]


def test_the_location_is_account_region_and_document_never_the_login(vendor: Fake, client: AwsClient) -> None:
    assert AwsSecretsManager(client, EACH).location() == f"aws|{vendor.url}|123456789012|{REGION}|"
    assert AwsSecretsManager(client, DOCUMENT).location().endswith(f"|123456789012|{REGION}|{NAME}")
    assert [path for _, path in vendor.asked()] == ["GetCallerIdentity"], "requested once per run"


def test_500_keys_with_one_changed_cost_31_requests(vendor: Fake, client: AwsClient) -> None:
    for number in range(500):
        vendor.by_hand("secretsmanager", "CreateSecret", Name=f"K{number}", SecretString="x")
    destination = AwsSecretsManager(client, EACH)
    remote = listed(destination)["K7"]
    apply(destination, Write(Action.UPDATE, "K7", "K7", "y", remote=remote))
    asked = operations(vendor)
    assert (asked.count("ListSecrets"), asked.count("BatchGetSecretValue"), asked.count("UpdateSecret")) == (5, 25, 1)
    assert len(asked) == 31


def test_a_deleted_secret_is_restored_when_created_again(vendor: Fake, client: AwsClient) -> None:
    destination = AwsSecretsManager(client, EACH)
    apply(destination, create("KEY", "old"))
    before = listed(destination)["KEY"]
    apply(destination, Write(Action.DELETE, "KEY", "KEY", remote=before))
    assert listed(destination) == {}
    vendor.asked()
    (outcome,) = apply(destination, create("KEY", "new"))
    assert outcome.error is None
    done = ["CreateSecret", "DescribeSecret", "RestoreSecret", "UntagResource", "UpdateSecret"]
    assert operations(vendor) == done
    assert ours(vendor) == {"KEY": "new"}
    assert outcome.written.object_id == before.object_id
    assert listed(destination)["KEY"].etag == outcome.written.etag


def test_a_secret_deleted_externally_is_not_restored(vendor: Fake, client: AwsClient) -> None:
    vendor.put(EACH, "KEY", "theirs")
    vendor.by_hand("secretsmanager", "DeleteSecret", SecretId="KEY")
    (outcome,) = apply(AwsSecretsManager(client, EACH), create("KEY", "ours"))
    assert isinstance(outcome.error, Rejected)
    assert "is scheduled for deletion, and not by this server" in str(outcome.error)
    vendor.by_hand("secretsmanager", "RestoreSecret", SecretId="KEY")
    assert ours(vendor) == {"KEY": "theirs"}


def test_a_secret_that_others_have_scheduled_for_deletion_is_blocked_in_the_plan(
    db: None, settings: Settings, no_pace: None
) -> None:
    fake = Fake()
    with opened(fake, "aws-secrets-manager", "one-to-one", settings) as case:
        fake.make("KEY", "theirs")
        fake.by_hand("secretsmanager", "DeleteSecret", SecretId="KEY")
        case.set(KEY="ours", OTHER="1")
        sync = case.sync()
        shown = {change.key: (change.action, change.reason) for change in preview(sync).changes}
        assert shown["KEY"][0] == "blocked"
        assert "scheduled for deletion, and not by this server" in shown["KEY"][1]
        assert case.run(sync).status == "failed"
        assert ours(fake) == {"OTHER": "1"}
        case.unset("OTHER")
        fake.by_hand("secretsmanager", "RestoreSecret", SecretId="KEY")
        case.run(sync)
        case.unset("KEY")
        case.run(sync)
        case.set(KEY="again")
        assert case.run(sync).status == "succeeded", "this server has deleted it"
        assert ours(fake) == {"KEY": "again"}


@pytest.mark.parametrize("action", [Action.CREATE, Action.DELETE])
@pytest.mark.parametrize("look", ["AccessDeniedException", "ThrottlingException", "not scheduled"])
def test_a_second_look_that_fails_never_replaces_the_first_error(
    vendor: Fake, client: AwsClient, action: Action, look: str
) -> None:
    destination = AwsSecretsManager(client, EACH)
    apply(destination, create("KEY"))
    remote = listed(destination)["KEY"] if action is Action.DELETE else None
    operation = "DeleteSecret" if remote else "CreateSecret"
    fault = refusal(operation, "InvalidRequestException", "wrong state")
    vendor.fault = fault if look == "not scheduled" else faults(fault, refusal("DescribeSecret", look))
    (outcome,) = apply(destination, Write(action, "KEY", "KEY", "v", remote=remote))
    name = remote.object_id if remote else "KEY"
    assert str(outcome.error) == f"AWS: {operation} {name} answered 400: InvalidRequestException: wrong state"


@pytest.mark.parametrize("code", ["InvalidParameterException", "LimitExceededException", "AccessDeniedException"])
def test_a_secret_that_cannot_be_marked_is_deleted_all_the_same(vendor: Fake, client: AwsClient, code: str) -> None:
    """One with 50 tags of its owner's takes no more."""
    destination = AwsSecretsManager(client, EACH)
    apply(destination, create("KEY"))
    vendor.refuse("TagResource", code, "no more tags")
    (outcome,) = apply(destination, Write(Action.DELETE, "KEY", "KEY", remote=listed(destination)["KEY"]))
    assert outcome.error is None
    assert ours(vendor) == {}


def test_an_existing_secret_is_never_overwritten_by_a_create(vendor: Fake, client: AwsClient) -> None:
    vendor.put(EACH, "KEY", "theirs")
    (outcome,) = apply(AwsSecretsManager(client, EACH), create("KEY", "ours"))
    assert isinstance(outcome.error, Conflict)
    assert ours(vendor) == {"KEY": "theirs"}


def test_a_recreated_secret_is_neither_changed_nor_deleted(vendor: Fake, client: AwsClient) -> None:
    destination = AwsSecretsManager(client, EACH)
    apply(destination, create("A"), create("B"))
    before = listed(destination)
    for name in "AB":
        vendor.drop(EACH, name)
        vendor.put(EACH, name, "theirs")
    update = Write(Action.UPDATE, "A", "A", "new", remote=before["A"])
    outcomes = apply(destination, update, Write(Action.DELETE, "B", "B", remote=before["B"]))
    assert {outcome.write.key: type(outcome.error).__name__ for outcome in outcomes} == {
        "A": "NotFound",
        "B": "NoneType",
    }
    assert ours(vendor) == {"A": "theirs", "B": "theirs"}


def test_a_lagging_list_hides_no_change_and_lists_no_deleted_secret(vendor: Fake, client: AwsClient) -> None:
    """The list may be minutes old; values are read as they are now."""
    destination = AwsSecretsManager(client, EACH)
    apply(destination, create("STAYS", "1"), create("GOES", "1"))
    old = vendor.by_hand("secretsmanager", "ListSecrets")
    vendor.put(EACH, "STAYS", "2")
    vendor.drop(EACH, "GOES")

    def lag(operation: str, sent: Mapping[str, Any], answer: dict[str, Any]) -> None:
        if operation == "ListSecrets":
            answer.update(old)

    vendor.change = lag
    seen = listed(destination)
    vendor.change = None
    assert seen.keys() == {"STAYS"}
    assert seen["STAYS"].value == "2"
    assert seen["STAYS"].etag == listed(destination)["STAYS"].etag


def test_paged_values_are_all_read(vendor: Fake, client: AwsClient) -> None:
    destination = AwsSecretsManager(client, EACH)
    apply(destination, create("A", "1"), create("B", "2"))

    later: list[Any] = []

    def page(operation: str, sent: Mapping[str, Any], answer: dict[str, Any]) -> None:
        if operation == "BatchGetSecretValue" and "NextToken" in sent:
            answer["SecretValues"] = later
        elif operation == "BatchGetSecretValue":
            later.append(answer["SecretValues"].pop())
            answer["NextToken"] = "2"

    vendor.change = page
    assert {key: remote.value for key, remote in listed(destination).items()} == {"A": "1", "B": "2"}


def test_a_secret_missing_in_a_response_is_not_deleted(vendor: Fake, client: AwsClient) -> None:
    destination = AwsSecretsManager(client, EACH)
    apply(destination, create("A"), create("B"))

    def cut(operation: str, sent: Mapping[str, Any], answer: dict[str, Any]) -> None:
        if operation == "BatchGetSecretValue":
            del answer["SecretValues"][1:]

    vendor.change = cut
    with pytest.raises(BadResponse, match="no result for"):
        listed(destination)


def test_a_refused_delete_is_no_success_while_the_secret_exists(vendor: Fake, client: AwsClient) -> None:
    """As of one that has copies in other regions, which is refused with the same name as one that waits already."""
    destination = AwsSecretsManager(client, EACH)
    apply(destination, create("KEY"))
    remote = listed(destination)["KEY"]
    vendor.refuse("DeleteSecret", "InvalidRequestException", "You can't delete a secret that has replica regions.")
    (outcome,) = apply(destination, Write(Action.DELETE, "KEY", "KEY", remote=remote))
    assert isinstance(outcome.error, Rejected)


def test_an_unreadable_value_is_compared_by_version(vendor: Fake, client: AwsClient) -> None:
    destination = AwsSecretsManager(client, EACH)
    (outcome,) = apply(destination, create("KEY"))
    vendor.refuse("BatchGetSecretValue", "AccessDeniedException")
    seen = listed(destination)["KEY"]
    assert (seen.value, seen.etag) == (None, outcome.written.etag)


def test_one_unreadable_value_blocks_its_key_only(vendor: Fake, client: AwsClient) -> None:
    destination = AwsSecretsManager(client, EACH)
    apply(destination, create("A"), create("B"))

    def withheld(operation: str, sent: Mapping[str, Any], answer: dict[str, Any]) -> None:
        if operation == "BatchGetSecretValue":
            kept = [each for each in answer["SecretValues"] if each["Name"] != "A"]
            (arn,) = {each["ARN"] for each in answer["SecretValues"]} - {each["ARN"] for each in kept}
            error = {"SecretId": arn, "ErrorCode": "DecryptionFailure", "Message": "no"}
            answer.update({"SecretValues": kept, "Errors": [error]})

    vendor.change = withheld
    seen = listed(destination)
    assert {key: (remote.value, remote.unreadable) for key, remote in seen.items()} == {
        "A": (None, "AWS answered DecryptionFailure: no"),
        "B": ("v", ""),
    }


def test_a_comment_becomes_the_description(vendor: Fake, client: AwsClient) -> None:
    destination = AwsSecretsManager(client, EACH)
    apply(destination, create("KEY", comment="for the shop"))
    remote = listed(destination)["KEY"]
    assert remote.comment == "for the shop"
    vendor.asked()
    (outcome,) = apply(destination, Write(Action.UPDATE, "KEY", "KEY", "v", comment="other", remote=remote))
    assert outcome.error is None
    assert operations(vendor) == ["UpdateSecret"]
    sent = vendor.exchanges[-1][0].body
    assert (sent["Description"], "SecretString" in sent) == ("other", False)
    after = listed(destination)["KEY"]
    assert (after.comment, after.value, after.etag) == ("other", "v", outcome.written.etag)


@pytest.mark.parametrize(
    ("days", "sent"),
    [(None, {}), (7, {"RecoveryWindowInDays": 7}), (0, {"ForceDeleteWithoutRecovery": True})],
)
def test_a_secret_is_deleted_as_the_policy_says(
    vendor: Fake, client: AwsClient, days: int | None, sent: dict[str, Any]
) -> None:
    policy = {} if days is None else {"recoveryWindowInDays": days}
    destination = AwsSecretsManager(client, EACH, policy=policy)
    apply(destination, create("KEY"))
    remote = listed(destination)["KEY"]
    vendor.asked()
    (outcome,) = apply(destination, Write(Action.DELETE, "KEY", "KEY", remote=remote))
    assert outcome.error is None
    asked = operations(vendor)
    assert asked == (["DeleteSecret"] if days == 0 else ["TagResource", "DeleteSecret"])
    assert destination.request_cost(Action.DELETE) == len(asked)
    assert vendor.exchanges[-1][0].body == {"SecretId": remote.object_id, **sent}


def test_a_secret_that_is_being_deleted_for_good_is_created_later(vendor: Fake, client: AwsClient) -> None:
    """AWS keeps the name for a while."""
    vendor.refuse("CreateSecret", "InvalidRequestException", "already scheduled for deletion")
    destination = AwsSecretsManager(client, EACH, policy={"recoveryWindowInDays": 0})
    (outcome,) = apply(destination, create("KEY"))
    assert isinstance(outcome.error, Unavailable)


@pytest.mark.parametrize("days", [1, 6, 31, -1])
def test_a_recovery_window_as_aws_has_it(days: int) -> None:
    with pytest.raises((BadRequest, Invalid)):
        AwsSecretsManager.Policy.parse({"recoveryWindowInDays": days})


def test_secrets_of_other_services_and_regions_are_never_changed(vendor: Fake, client: AwsClient) -> None:
    for name in ("RDS", "REPLICA", "OURS"):
        vendor.put(EACH, name, "x")

    def owned(operation: str, sent: Mapping[str, Any], answer: dict[str, Any]) -> None:
        for each in answer.get("SecretList", ()):
            each.update(
                {"RDS": {"OwningService": "rds"}, "REPLICA": {"PrimaryRegion": "us-east-1"}}.get(each["Name"], {})
            )

    vendor.change = owned
    seen = listed(AwsSecretsManager(client, EACH))
    assert {key: remote.locked for key, remote in seen.items()} == {
        "RDS": "it belongs to AWS's service rds",
        "REPLICA": "it is a copy of one in us-east-1",
        "OURS": "",
    }


def test_only_relevant_secrets_are_read(vendor: Fake, client: AwsClient) -> None:
    """AWS keeps when a secret was last read, and people look for those that nobody reads."""
    for name in ("OURS", "THEIRS"):
        vendor.put(EACH, name, "x")
    destination = AwsSecretsManager(client, EACH)
    seen = destination.resolve_listing(destination.listing(), {"OURS"})
    assert {remote.key: remote.value for remote in seen} == {"OURS": "x", "THEIRS": None}
    (read,) = [ask.body["SecretIdList"] for ask, _ in vendor.exchanges if ask.path == "BatchGetSecretValue"]
    assert [arn.rpartition(":")[2][:-7] for arn in read] == ["OURS"]


def test_a_secret_that_never_had_a_value_is_listed(vendor: Fake, client: AwsClient) -> None:
    vendor.by_hand("secretsmanager", "CreateSecret", Name="BARE")
    destination = AwsSecretsManager(client, EACH)
    bare = listed(destination)["BARE"]
    assert bare.value is None
    apply(destination, Write(Action.UPDATE, "BARE", "BARE", "v", remote=bare))
    assert ours(vendor) == {"BARE": "v"}


def test_tags_and_kms_key_are_sent_and_only_if_different(vendor: Fake, client: AwsClient) -> None:
    options = {"keyId": KEY, "tags": [{"key": "team", "value": "shop"}, {"key": "env", "value": "prod"}]}
    destination = AwsSecretsManager(client, EACH, options)
    apply(destination, create("KEY"))
    described = vendor.by_hand("secretsmanager", "DescribeSecret", SecretId="KEY")
    assert described["KmsKeyId"] == KEY
    assert {tag["Key"]: tag["Value"] for tag in described["Tags"]} == {"team": "shop", "env": "prod"}
    vendor.by_hand("secretsmanager", "TagResource", SecretId="KEY", Tags=[{"Key": "theirs", "Value": "1"}])
    more = {**options, "tags": [{"key": "team", "value": "blog"}, {"key": "env", "value": "prod"}]}
    destination = AwsSecretsManager(client, EACH, more)
    remote = listed(destination)["KEY"]
    vendor.asked()
    (outcome,) = apply(destination, Write(Action.UPDATE, "KEY", "KEY", "v", remote=remote))
    assert operations(vendor) == ["TagResource"], "the value is the same: no new version"
    assert outcome.written.etag == remote.etag
    described = vendor.by_hand("secretsmanager", "DescribeSecret", SecretId="KEY")
    assert {tag["Key"]: tag["Value"] for tag in described["Tags"]} == {"team": "blog", "env": "prod", "theirs": "1"}


def test_metadata_of_a_secret_becomes_tags_if_enabled(vendor: Fake, client: AwsClient) -> None:
    options = {"syncSecretMetadataAsTags": True, "tags": [{"key": "team", "value": "shop"}]}
    destination = AwsSecretsManager(client, EACH, options)
    assert destination.sends_metadata()
    assert not AwsSecretsManager(client, DOCUMENT, options).sends_metadata()
    apply(destination, create("KEY", metadata=(("team", "of metadata"), ("owner", "ada"))))
    described = vendor.by_hand("secretsmanager", "DescribeSecret", SecretId="KEY")
    assert {tag["Key"]: tag["Value"] for tag in described["Tags"]} == {"team": "shop", "owner": "ada"}


def test_the_default_kms_key_is_known_by_its_alias(vendor: Fake, client: AwsClient) -> None:
    """AWS leaves the key out of its list where it is its own: a naive comparison would write in each run."""
    destination = AwsSecretsManager(client, EACH, {"keyId": "alias/aws/secretsmanager"})
    vendor.put(EACH, "KEY", "v")
    remote = listed(destination)["KEY"]
    vendor.asked()
    apply(destination, Write(Action.UPDATE, "KEY", "KEY", "v", remote=remote))
    assert operations(vendor) == []


def test_a_changed_option_changes_the_write_fingerprint(client: AwsClient) -> None:
    texts = {
        AwsSecretsManager(client, EACH, options).write_fingerprint()
        for options in ({}, {"keyId": "a"}, {"tags": [{"key": "a", "value": "b"}]}, {"keySchema": "x_{{secretKey}}"})
    }
    assert len(texts) == 3


def test_a_document_without_value_gets_its_first_value(vendor: Fake, client: AwsClient) -> None:
    vendor.by_hand("secretsmanager", "CreateSecret", Name=NAME)
    destination = AwsSecretsManager(client, DOCUMENT, {"tags": [{"key": "team", "value": "core"}]})
    assert destination.listing() == ()
    (outcome,) = apply(destination, create("KEY", "1"))
    assert (outcome.error, ours(vendor, DOCUMENT)) == (None, {"KEY": "1"})


def test_a_first_value_written_externally_meanwhile_is_kept(vendor: Fake, client: AwsClient) -> None:
    vendor.by_hand("secretsmanager", "CreateSecret", Name=NAME)
    destination = AwsSecretsManager(client, DOCUMENT)
    assert destination.listing() == ()
    vendor.by_hand("secretsmanager", "PutSecretValue", SecretId=NAME, SecretString='{"FOREIGN": "x"}')
    apply(destination, create("KEY", "1"))
    assert ours(vendor, DOCUMENT) == {"FOREIGN": "x", "KEY": "1"}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ThrottlingException", RateLimited),
        ("TooManyRequestsException", RateLimited),
        ("com.amazon.coral.service#AccessDeniedException", Forbidden),
        ("ExpiredTokenException", Unauthorized),
        ("ResourceExistsException", Conflict),
        ("LimitExceededException", Rejected),
        ("EncryptionFailure", Rejected),
    ],
)
def test_errors_are_recognised_by_name_because_the_status_is_always_400(
    vendor: Fake, client: AwsClient, code: str, expected: type[Exception]
) -> None:
    vendor.refuse("CreateSecret", code)
    (outcome,) = apply(AwsSecretsManager(client, EACH), create("KEY"))
    assert isinstance(outcome.error, expected)


def test_a_message_contains_operation_and_key_and_never_the_value(vendor: Fake, client: AwsClient) -> None:
    vendor.refuse("CreateSecret", "InvalidParameterException", "bad: canary-value")
    (outcome,) = apply(AwsSecretsManager(client, EACH), create("KEY", "canary-value"))
    assert str(outcome.error) == "AWS: CreateSecret KEY answered 400: InvalidParameterException: bad: [redacted]"


@pytest.mark.parametrize("page", [{"SecretList": None}, {"SecretList": [{"Name": "A"}]}, {"SecretList": ["A"]}])
def test_a_list_of_another_shape_is_unexpected(vendor: Fake, client: AwsClient, page: dict[str, Any]) -> None:
    vendor.change = lambda operation, sent, answer: answer.update(page)
    with pytest.raises(BadResponse):
        AwsSecretsManager(client, EACH).listing()


def test_circular_pages_are_unexpected(vendor: Fake, client: AwsClient) -> None:
    vendor.change = lambda operation, sent, answer: answer.update(NextToken="1")
    with pytest.raises(BadResponse, match="the same page would come again"):
        AwsSecretsManager(client, EACH).listing()


# -- all keys in one secret --------------------------------------------------------------------------------------------


def test_foreign_members_are_kept_byte_for_byte(vendor: Fake, client: AwsClient) -> None:
    foreign = r'''"port": 5432 , "ratio":1.10,  "list": [1.50, {"a": null, "a": []}],
        "escaped": "\u00e4\/\u0001", "big": 1e400, "twice": "1", "on": true, "twice": "2"'''
    vendor.by_hand("secretsmanager", "CreateSecret", Name=NAME, SecretString=f'{{ {foreign}, "A": "1", "last": 0 }}')
    destination = AwsSecretsManager(client, DOCUMENT)
    seen = listed(destination)
    assert {key for key, remote in seen.items() if not remote.is_secret} == {
        *("port", "ratio", "list", "big", "twice", "on", "last")
    }
    apply(destination, Write(Action.UPDATE, "A", "A", "2", remote=seen["A"]), create("B", 'q"ä\n'))
    assert vendor.value(NAME) == f'{{ {foreign}, "A": "2", "last": 0 , "B": "q\\"ä\\n" }}'
    apply(destination, Write(Action.DELETE, "A", "A", remote=listed(destination)["A"]))
    assert vendor.value(NAME) == f'{{ {foreign}, "last": 0 , "B": "q\\"ä\\n" }}'


def test_one_change_of_a_document_costs_one_read_and_two_writes(vendor: Fake, client: AwsClient) -> None:
    vendor.write({f"K{number}": "x" for number in range(500)})
    destination = AwsSecretsManager(client, DOCUMENT)
    remote = listed(destination)["K7"]
    apply(destination, Write(Action.UPDATE, "K7", "K7", "y", remote=remote))
    assert operations(vendor) == ["GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"]
    assert vendor.document()["K7"] == "y"


def test_an_external_write_between_read_and_write_of_a_document_is_never_lost(vendor: Fake, client: AwsClient) -> None:
    vendor.write({"A": "1", "B": "1"})
    destination = AwsSecretsManager(client, DOCUMENT)
    seen = listed(destination)
    asked = []

    def meanwhile(operation: str, sent: Mapping[str, Any], answer: dict[str, Any]) -> None:
        asked.append(operation)
        if operation == "PutSecretValue" and asked.count(operation) == 1:
            vendor.write({"A": "1", "B": "theirs", "NEW": "theirs"})

    vendor.change = meanwhile
    outcomes = apply(
        destination,
        Write(Action.UPDATE, "A", "A", "2", remote=seen["A"]),
        Write(Action.UPDATE, "B", "B", "2", remote=seen["B"]),
    )
    vendor.change = None
    assert {outcome.write.key: type(outcome.error) for outcome in outcomes} == {"A": type(None), "B": Conflict}
    assert vendor.document() == {"A": "2", "B": "theirs", "NEW": "theirs"}


@pytest.mark.parametrize("lacking", ["PutSecretValue", "UpdateSecretVersionStage"])
def test_a_document_is_written_with_the_rights_of_a_role_made_for_another_product(
    vendor: Fake, client: AwsClient, lacking: str
) -> None:
    vendor.write({"A": "1", "B": "1"})
    destination = AwsSecretsManager(client, DOCUMENT)
    vendor.refuse(lacking, "AccessDeniedException")
    for value in ("2", "3"):
        (outcome,) = apply(destination, Write(Action.UPDATE, "A", "A", value, remote=listed(destination)["A"]))
        assert outcome.error is None
    assert vendor.document() == {"A": "3", "B": "1"}
    seen = listed(destination)
    vendor.write({"A": "3", "B": "theirs"})
    (outcome,) = apply(destination, Write(Action.UPDATE, "B", "B", "2", remote=seen["B"]))
    assert isinstance(outcome.error, Conflict)
    vendor.fault = faults(vendor.fault, refusal("UpdateSecret", "AccessDeniedException", "second"))
    (outcome,) = apply(destination, Write(Action.UPDATE, "A", "A", "4", remote=listed(destination)["A"]))
    assert str(outcome.error) == f"AWS: {lacking} {NAME} answered 400: AccessDeniedException: no"


def test_a_document_that_is_scheduled_for_deletion_is_not_restored(vendor: Fake, client: AwsClient) -> None:
    vendor.write({"THEIRS": "1"})
    destination = AwsSecretsManager(client, DOCUMENT)
    destination.listing()
    vendor.by_hand("secretsmanager", "DeleteSecret", SecretId=NAME)
    (outcome,) = apply(destination, create("A", "1"))
    assert isinstance(outcome.error, Rejected)
    with pytest.raises(Rejected, match=f"GetSecretValue {NAME} .*InvalidRequest.*It is scheduled for deletion and is"):
        destination.listing()
    vendor.by_hand("secretsmanager", "RestoreSecret", SecretId=NAME)
    assert vendor.document() == {"THEIRS": "1"}


@pytest.mark.parametrize("look", ["refused", "not scheduled"])
def test_a_document_in_another_state_is_refused_in_the_words_of_aws(vendor: Fake, client: AwsClient, look: str) -> None:
    vendor.write({"THEIRS": "1"})
    vendor.refuse("GetSecretValue", "InvalidRequestException", "wrong state")
    if look == "refused":
        vendor.fault = faults(vendor.fault, refusal("DescribeSecret", "ResourceNotFoundException"))
    with pytest.raises(Rejected) as caught:
        AwsSecretsManager(client, DOCUMENT).listing()
    assert str(caught.value) == f"AWS: GetSecretValue {NAME} answered 400: InvalidRequestException: wrong state"


@pytest.mark.parametrize("text", ["plain", "[1]", '"text"', "7", '{"A": "1"', "[" * 100_000])
def test_a_secret_that_is_no_object_is_kept(vendor: Fake, client: AwsClient, text: str) -> None:
    vendor.by_hand("secretsmanager", "CreateSecret", Name=NAME, SecretString=text[:65536])
    with pytest.raises(Rejected, match="not changed"):
        AwsSecretsManager(client, DOCUMENT).listing()


def test_deleting_the_last_key_leaves_an_empty_object(vendor: Fake, client: AwsClient) -> None:
    destination = AwsSecretsManager(client, DOCUMENT)
    apply(destination, create("A"))
    apply(destination, Write(Action.DELETE, "A", "A", remote=listed(destination)["A"]))
    assert vendor.value(NAME) == "{}"


def test_tags_and_kms_key_of_a_document_are_set_if_different(vendor: Fake, client: AwsClient) -> None:
    vendor.write({"A": "1"})
    destination = AwsSecretsManager(client, DOCUMENT, {"keyId": KEY, "tags": [{"key": "team", "value": "shop"}]})
    for value in ("2", "3"):
        remote = listed(destination)["A"]
        vendor.asked()
        apply(destination, Write(Action.UPDATE, "A", "A", value, remote=remote))
        asked = operations(vendor)
        assert ("UpdateSecret" in asked, "TagResource" in asked) == (value == "2", value == "2")
    described = vendor.by_hand("secretsmanager", "DescribeSecret", SecretId=NAME)
    assert (described["KmsKeyId"], described["Tags"]) == (KEY, [{"Key": "team", "Value": "shop"}])
    assert vendor.document() == {"A": "3"}


# -- both at once, through a run ---------------------------------------------------------------------------------------


def test_a_renamed_key_of_a_document_is_one_new_version(db: None, settings: Settings, no_pace: None) -> None:
    fake = Fake()
    with opened(fake, "aws-secrets-manager", "many-to-one", settings) as case:
        case.set(OLD="1", B="2")
        sync = case.sync()
        case.run(sync)
        case.unset("OLD")
        case.set(NEW="1")
        fake.asked()
        assert case.run(sync).status == "succeeded"
        assert operations(fake) == ["GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"]
        assert fake.document() == {"NEW": "1", "B": "2"}


def test_a_first_overwrite_keeps_the_document_of_another_sync(db: None, settings: Settings, no_pace: None) -> None:
    """One to one, the whole region is in scope, and with it the secret that holds another sync's keys."""
    fake, slug = Fake(), "aws-secrets-manager"
    with opened(fake, slug, "one-to-one", settings) as each:
        documents = Case(fake, slug, "many-to-one", each.actor, each.connection, each.project)
        documents.config, each.config = DOCUMENT, EACH
        documents.set(A="1")
        first = documents.sync(keySchema="D_{{secretKey}}")
        assert documents.run(first).status == "succeeded"
        SecretSync.objects.update(name="documents")
        fake.put(EACH, "STRANGER", "x")
        run = each.run(each.sync(keySchema=""))
        assert {row.key: row.action for row in run.changes.all()} == {"A": "create", "STRANGER": "delete"}
        assert fake.document() == {"D_A": "1"}
