"""AWS Parameter Store against moto's server: vendor-specific behaviour beyond the laws of all destinations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from pytest_django import Settings

from config.errors import Invalid
from connections.aws import AwsClient
from connections.aws_signing import Keys
from connections.errors import BadResponse, Conflict, Forbidden, RateLimited, Rejected, Unavailable
from syncs.destinations.aws_parameter_store import AwsParameterStore
from syncs.engine.types import Action, Outcome, Remote, Write
from syncs.models import SecretSync
from syncs.planning.overlaps import warnings_of
from syncs.services.deletion import delete_sync
from syncs.source.selectors import syncs
from tests.fixtures.contract import Case, opened

from .aws_fake import REGION
from .aws_parameter_store import AwsParameterStore as Fake
from .serving import Answer

PATH, ROOT = Fake.configs["path"], Fake.configs["root"]
PLAIN = {"keySchema": ""}  # options as a sync has them; without any it is a removal


@pytest.fixture
def vendor() -> Iterator[Fake]:
    fake = Fake()
    with fake.running():
        yield fake


@pytest.fixture
def client(vendor: Fake) -> Iterator[AwsClient]:
    with AwsClient(Keys("AKIDEXAMPLE", "secret"), vendor.url, one_address=True, deadline=5) as line:
        yield line


@pytest.fixture(params=[PATH, ROOT], ids=["path", "root"])
def destination(client: AwsClient, request: pytest.FixtureRequest) -> AwsParameterStore:
    return AwsParameterStore(client, request.param, PLAIN)


def create(key: str, value: str = "v") -> Write:
    return Write(Action.CREATE, key, key, value)


def delete(*keys: str) -> list[Write]:
    return [Write(Action.DELETE, key, key, remote=Remote(key)) for key in keys]


def listed(destination: AwsParameterStore) -> dict[str, Remote]:
    return {remote.key: remote for remote in destination.listing()}


def apply(destination: AwsParameterStore, *writes: Write) -> list[Outcome]:
    return list(destination.apply(iter(writes)))


def operations(vendor: Fake) -> list[str]:
    return [operation for _, operation in vendor.asked() if operation != "GetCallerIdentity"]


def names(vendor: Fake) -> list[str]:
    return sorted(each["Name"] for each in vendor.by_hand("ssm", "DescribeParameters")["Parameters"])


def test_the_location_is_account_region_and_path_never_the_login(vendor: Fake, client: AwsClient) -> None:
    found = AwsParameterStore(client, PATH, PLAIN).location()
    assert found == f"aws|{vendor.url}|123456789012|{REGION}|/shop/production/"


def test_values_are_written_as_secure_strings(vendor: Fake, destination: AwsParameterStore) -> None:
    apply(destination, create("KEY", "ä"))
    (held,) = vendor.by_hand("ssm", "DescribeParameters")["Parameters"]
    assert (held["Type"], held["KeyId"]) == ("SecureString", "alias/aws/ssm")
    assert listed(destination)["KEY"].value == "ä"


def test_500_keys_with_one_changed_cost_50_pages_a_read_and_one_write(vendor: Fake, client: AwsClient) -> None:
    for number in range(500):
        vendor.put(PATH, f"K{number}", "x")

    def exact(operation: str, sent: Mapping[str, Any], answer: dict[str, Any]) -> None:
        if answer.get("NextToken") == "500":  # moto knows only after a full page that it was the last
            del answer["NextToken"]

    vendor.change = exact
    destination = AwsParameterStore(client, PATH, PLAIN)
    remote = listed(destination)["K7"]
    apply(destination, Write(Action.UPDATE, "K7", "K7", "y", remote=remote))
    assert operations(vendor) == ["GetParametersByPath"] * 50 + ["GetParameters", "PutParameter"]


def test_deletes_are_batched_by_ten_and_missing_keys_succeed(vendor: Fake, destination: AwsParameterStore) -> None:
    keys = [f"K{number}" for number in range(23)]
    apply(destination, *(create(key) for key in keys))
    vendor.drop(destination.config.stored(), "K5")
    vendor.asked()
    outcomes = apply(destination, *delete(*keys))
    assert [outcome.error for outcome in outcomes] == [None] * 23
    assert operations(vendor) == ["DeleteParameters"] * 3
    assert names(vendor) == []


def test_a_delete_result_without_a_key_is_unexpected(vendor: Fake, client: AwsClient) -> None:
    destination = AwsParameterStore(client, PATH, PLAIN)
    apply(destination, create("A"), create("B"))
    vendor.change = lambda operation, sent, answer: answer.update(DeletedParameters=["/shop/production/A"])
    outcomes = apply(destination, *delete("A", "B"))
    assert {outcome.write.key: type(outcome.error).__name__ for outcome in outcomes} == {
        "A": "NoneType",
        "B": "OutcomeUnknown",
    }


def test_an_empty_page_is_not_the_last(vendor: Fake, destination: AwsParameterStore) -> None:
    apply(destination, create("A"))
    pages = 0

    def empty_first(operation: str, sent: Mapping[str, Any], answer: dict[str, Any]) -> None:
        nonlocal pages
        pages += 1
        if pages <= 2:
            answer.update(Parameters=[], NextToken=f"more-{pages}")

    vendor.change = empty_first
    vendor.fault = None
    served = vendor.answer

    def without_token(ask: Any) -> Any:
        ask.body.pop("NextToken", None)  # moto's tokens are its own
        return served(ask)

    vendor.answer = without_token  # type: ignore[method-assign]
    assert listed(destination).keys() == {"A"}
    assert pages == 3


def test_parameters_outside_the_path_are_neither_listed_nor_changed(vendor: Fake, client: AwsClient) -> None:
    for name in ("/shop/production/sub/A", "/shop/productionB/A", "/shop/staging/A", "A", "/shop/A"):
        vendor.by_hand("ssm", "PutParameter", Name=name, Value="theirs", Type="SecureString")
    before = names(vendor)
    destination = AwsParameterStore(client, PATH, PLAIN)
    assert listed(destination) == {}
    apply(destination, create("A"))
    apply(destination, *delete("A"))
    assert names(vendor) == before


def test_at_the_root_only_names_without_a_path_are_listed(vendor: Fake, client: AwsClient) -> None:
    """Deleting by a key that lost its first letter once took all of somebody's parameters."""
    for name in ("PLAIN", "/SLASHED", "/shop/production/A"):
        vendor.by_hand("ssm", "PutParameter", Name=name, Value="x", Type="SecureString")
    destination = AwsParameterStore(client, ROOT, PLAIN)
    assert listed(destination).keys() == {"PLAIN", "SLASHED"}
    apply(destination, *delete("PLAIN", "SLASHED"))
    assert names(vendor) == ["/shop/production/A"]


@pytest.mark.parametrize(
    ("schema", "path", "recursive"),
    [
        ("", "/shop/production/", False),
        ("P_{{secretKey}}", "/shop/production/", False),
        ("api/{{secretKey}}", "/shop/production/api/", False),
        ("api/P_{{secretKey}}", "/shop/production/api/", False),
        ("api/{{environment}}/{{secretKey}}", "/shop/production/api/", True),
        ("x{{environment}}/{{secretKey}}", "/shop/production/", True),
    ],
)
def test_the_list_is_as_deep_as_the_key_schema(
    vendor: Fake, client: AwsClient, schema: str, path: str, recursive: bool
) -> None:
    AwsParameterStore(client, PATH, {"keySchema": schema}).listing()
    sent = vendor.exchanges[-1][0].body
    assert (sent["Path"], sent["Recursive"]) == (path, recursive)


def test_keys_of_an_earlier_key_schema_are_found(vendor: Fake, client: AwsClient) -> None:
    """Else they were taken for gone, and stood there for ever."""
    apply(AwsParameterStore(client, PATH, {"keySchema": "old/{{secretKey}}"}), create("old/A"), create("old/B"))
    destination = AwsParameterStore(client, PATH, {"keySchema": "new/{{secretKey}}"})
    apply(destination, create("new/A"))
    seen = destination.resolve_listing(destination.listing(), {"old/A", "new/A", "new/B", "gone/A", "no name/A"})
    assert {remote.key for remote in seen} == {"old/A", "new/A"}


def test_no_further_requests_if_all_keys_are_listed(vendor: Fake, client: AwsClient) -> None:
    for schema in ("", "api/{{secretKey}}", "api/{{environment}}/{{secretKey}}"):
        destination = AwsParameterStore(client, PATH, {"keySchema": schema})
        vendor.asked()
        key = schema.replace("{{environment}}", "dev").replace("{{secretKey}}", "A") or "A"
        destination.resolve_listing(destination.listing(), {key})
        assert operations(vendor) == ["GetParametersByPath"]


def test_a_removal_finds_its_keys_however_deep_they_are(vendor: Fake, client: AwsClient) -> None:
    apply(AwsParameterStore(client, PATH, {"keySchema": "api/{{secretKey}}"}), create("api/A"))
    assert listed(AwsParameterStore(client, PATH)).keys() == {"api/A"}


@pytest.fixture
def account(db: None, settings: Settings, no_pace: None) -> Iterator[Case]:
    """A folder with one secret, and a login at an account that holds nothing."""
    with opened(Fake(), "aws-parameter-store", "path", settings) as case:
        case.set(A="1")
        yield case


def synced(case: Case, name: str, path: str, schema: str) -> SecretSync:
    case.config = {"region": REGION, "path": path}
    sync = case.sync(keySchema=schema)
    SecretSync.objects.filter(pk=sync.pk).update(name=name)
    return SecretSync.objects.get(pk=sync.pk)


@pytest.mark.parametrize(
    ("first", "second", "held"),
    [
        (("/shop/api/", "D_{{secretKey}}"), ("/shop/", "api/{{secretKey}}"), "D_A"),
        (("/shop/", "api/W_{{secretKey}}"), ("/shop/api/", ""), "W_A"),
    ],
)
def test_a_first_overwrite_keeps_keys_of_another_sync_below_its_path(
    account: Case, first: tuple[str, str], second: tuple[str, str], held: str
) -> None:
    """Path and key schema of one sync may lead to where the path of another does."""
    assert isinstance(account.fake, Fake)
    assert account.run(synced(account, "first", *first)).status == "succeeded"
    account.fake.by_hand("ssm", "PutParameter", Name="/shop/api/STRANGER", Value="x", Type="SecureString")
    assert account.run(synced(account, "second", *second)).status == "succeeded"
    assert names(account.fake) == ["/shop/api/A", f"/shop/api/{held}"]


@pytest.mark.parametrize("order", [1, -1])
def test_two_syncs_overlapping_by_path_and_schema_do_not_contest_a_parameter(account: Case, order: int) -> None:
    assert isinstance(account.fake, Fake)
    roads = [("/shop/api/", ""), ("/shop/", "api/{{secretKey}}")][::order]
    first, second = (synced(account, name, *road) for name, road in zip(("first", "second"), roads, strict=True))
    assert "first writes the same key: " in " ".join(warnings_of(account.actor, syncs().get(pk=second.pk)))
    assert account.run(first).status == "succeeded"
    account.set(A="2")
    refused = account.run(second)
    assert (refused.status, refused.changes.get().error_code) == ("failed", "owned-by-other")
    assert "owned by the sync first" in (refused.message or "")
    assert account.run(first).status == "succeeded"
    delete_sync(account.actor, syncs().get(pk=first.pk))
    assert account.run(second).status == "succeeded"
    assert names(account.fake) == ["/shop/api/A"]


def test_a_plain_parameter_is_distinguished(vendor: Fake, destination: AwsParameterStore) -> None:
    vendor.put_as(destination.config.stored(), "PLAIN", "x", "String")
    vendor.put_as(destination.config.stored(), "LIST", "a,b", "StringList")
    assert [remote.is_secret for remote in destination.listing()] == [False, False]


def test_a_create_never_overwrites(vendor: Fake, destination: AwsParameterStore) -> None:
    vendor.put(destination.config.stored(), "KEY", "theirs")
    (outcome,) = apply(destination, create("KEY", "ours"))
    assert isinstance(outcome.error, Conflict)
    assert vendor.held(destination.config.stored()) == {"KEY": "theirs"}


def test_a_value_over_4_KB_is_written_and_one_with_braces_is_blocked(
    vendor: Fake, destination: AwsParameterStore
) -> None:
    outcomes = apply(destination, create("SMALL"), create("BIG", "x" * 8192), create("REFERENCE", "{{ssm:other}}"))
    assert {outcome.write.key: type(outcome.error) for outcome in outcomes} == {
        "SMALL": type(None),
        "BIG": type(None),
        "REFERENCE": Rejected,
    }
    assert vendor.held(destination.config.stored()) == {"SMALL": "v", "BIG": "x" * 8192}


@pytest.mark.parametrize(
    ("path", "key", "allowed"),
    [
        ("/", "KEY", True),
        ("/", "a b", False),
        ("/", "awsKEY", False),
        ("/", "SSM_KEY", False),
        ("/", "aws/KEY", False),
        ("/", "myaws/KEY", True),
        ("/shop/", "awsKEY", True),
        ("/AWS-shop/", "KEY", False),
        ("/ssm/", "KEY", False),
        ("/shop/", "/".join("abcdefghijklmn"), True),
        ("/shop/", "/".join("abcdefghijklmno"), False),
        (f"/{'a/' * 14}", "KEY", True),
        (f"/{'a/' * 14}", "a/KEY", False),
        (f"/{'a/' * 15}", "KEY", False),
    ],
)
def test_names_that_aws_refuses_are_known_before_the_run(vendor: Fake, path: str, key: str, allowed: bool) -> None:
    """As AWS refuses them: the stand-in has its documented rules."""
    config = {"region": REGION, "path": path}
    assert AwsParameterStore.limits_of(config).allows(key) is allowed
    with AwsClient(Keys("AKIDEXAMPLE", "secret"), vendor.url, one_address=True, deadline=5) as client:
        (outcome,) = apply(AwsParameterStore(client, config, PLAIN), create(key))
    assert (outcome.error is None) is allowed


def test_a_name_has_1011_characters_with_its_arn() -> None:
    found = AwsParameterStore.limits_of({"region": "us-east-2", "path": "/shop/"}).max_key_length
    assert found == 1011 - len("arn:aws:ssm:us-east-2:111122223333:parameter/shop/")
    china = AwsParameterStore.limits_of({"region": "cn-north-1", "path": "/shop/"}).max_key_length
    assert china == 1011 - len("arn:aws-cn:ssm:cn-north-1:111122223333:parameter/shop/")


def test_a_value_with_a_reference_is_blocked_before_the_run(account: Case) -> None:
    account.set(REFERENCE="a {{ssm:canary}} b", EMPTY="{{}}", GOOD="{ {} }")
    run = account.run(account.sync())
    blocked = {row.key: (row.error_code, row.reason) for row in run.changes.filter(outcome="blocked")}
    assert {key: code for key, (code, _) in blocked.items()} == dict.fromkeys(("REFERENCE", "EMPTY"), "value-refused")
    assert "{{...}}" in blocked["REFERENCE"][1]
    assert "canary" not in str(blocked)
    assert account.held == {"A": "1", "GOOD": "{ {} }"}


def test_metadata_that_cannot_be_tags_is_not_sent(vendor: Fake, client: AwsClient) -> None:
    destination = AwsParameterStore(client, PATH, {**PLAIN, "syncSecretMetadataAsTags": True})
    (outcome,) = apply(destination, replace(create("KEY"), metadata=(("a?", "canary"),)))
    assert str(outcome.error) == "AWS does not take the metadata as tags: a? cannot be the key of a tag"
    assert operations(vendor) == []


def denying(*names: str, code: str = "AccessDeniedException") -> Any:
    """AWS decrypts all parameters of a request or none."""

    def fault(ask: Any) -> Answer | None:
        asked = ask.path == "GetParametersByPath" or set(ask.body.get("Names", ())) & set(names)
        if asked and ask.body.get("WithDecryption") and ask.path.startswith("GetParameters"):
            return Answer(400, {"__type": code, "Message": "kms:Decrypt denied"})
        return None

    return fault


@pytest.mark.parametrize("code", ["AccessDeniedException", "InvalidKeyId"])
def test_a_value_that_may_not_be_decrypted_blocks_its_key_only(account: Case, code: str) -> None:
    fake = account.fake
    assert isinstance(fake, Fake)
    account.set(**{f"K{number}": "1" for number in range(12)})
    sync = account.sync()
    account.run(sync)
    fake.put_as(account.config, "PLAIN", "x", "String")
    account.set(K3="2", K5="2")
    account.unset("K7")
    fake.fault = denying("/shop/production/K3", "/shop/production/STRANGER", code=code)
    run = account.run(sync)
    assert run.status == "failed"
    blocked = run.changes.get(outcome="blocked")
    assert (blocked.key, "GetParameters /shop/production/K3 answered 400" in blocked.reason) == ("K3", True)
    assert {key: account.held.get(key) for key in ("K3", "K5", "K7")} == {"K3": "1", "K5": "2", "K7": "1"}
    fake.fault = None
    assert account.run(sync).status == "succeeded"
    assert {key: account.held.get(key) for key in ("K3", "K5", "K7")} == {"K3": "2", "K5": "2", "K7": None}


def test_a_list_that_is_refused_as_a_whole_fails_with_the_first_error(vendor: Fake, client: AwsClient) -> None:
    destination = AwsParameterStore(client, PATH, PLAIN)
    apply(destination, create("A"), create("B"))
    vendor.fault = denying("/shop/production/A", "/shop/production/B")
    with pytest.raises(Forbidden, match="GetParametersByPath answered 400: AccessDeniedException: kms:Decrypt"):
        destination.listing()
    vendor.refuse("GetParametersByPath", "AccessDeniedException", "ssm:GetParametersByPath denied")
    with pytest.raises(Forbidden, match="ssm:GetParametersByPath denied"):
        destination.listing()


def test_a_comment_becomes_the_description(vendor: Fake, client: AwsClient) -> None:
    destination = AwsParameterStore(client, PATH, PLAIN)
    apply(destination, replace(create("KEY"), comment="for the shop"))
    assert described(vendor) == "for the shop"
    update = Write(Action.UPDATE, "KEY", "KEY", "v", comment="", remote=listed(destination)["KEY"])
    apply(destination, update)
    assert described(vendor) == ""


def described(vendor: Fake) -> str:
    (held,) = vendor.by_hand("ssm", "DescribeParameters")["Parameters"]
    return str(held.get("Description") or "")


def test_tags_are_sent_with_a_create_and_after_an_update(vendor: Fake, client: AwsClient) -> None:
    tags = [{"key": "team", "value": "shop"}]
    destination = AwsParameterStore(client, PATH, {**PLAIN, "tags": tags})
    apply(destination, create("KEY"))
    assert _tags(vendor) == {"team": "shop"}
    vendor.by_hand(
        "ssm", "AddTagsToResource", ResourceType="Parameter", ResourceId="/shop/production/KEY",
        Tags=[{"Key": "theirs", "Value": "1"}],
    )  # fmt: skip
    destination = AwsParameterStore(client, PATH, {**PLAIN, "tags": [{"key": "team", "value": "blog"}]})
    remote = listed(destination)["KEY"]
    vendor.asked()
    apply(destination, Write(Action.UPDATE, "KEY", "KEY", "v", remote=remote))
    assert operations(vendor) == ["GetParameters", "PutParameter", "AddTagsToResource"]
    assert _tags(vendor) == {"team": "blog", "theirs": "1"}
    assert destination.request_cost(Action.UPDATE) == 2


def test_metadata_of_a_secret_becomes_tags_if_enabled(vendor: Fake, client: AwsClient) -> None:
    destination = AwsParameterStore(client, PATH, {**PLAIN, "syncSecretMetadataAsTags": True})
    assert destination.sends_metadata()
    write = Write(Action.CREATE, "KEY", "KEY", "v", metadata=(("owner", "ada"),))
    apply(destination, write)
    assert _tags(vendor) == {"owner": "ada"}


def _tags(vendor: Fake) -> dict[str, str]:
    sent = {"ResourceType": "Parameter", "ResourceId": "/shop/production/KEY"}
    return {tag["Key"]: tag["Value"] for tag in vendor.by_hand("ssm", "ListTagsForResource", **sent)["TagList"]}


def test_a_kms_key_is_sent_with_each_write(vendor: Fake, client: AwsClient) -> None:
    destination = AwsParameterStore(client, PATH, {**PLAIN, "keyId": "alias/own"})
    apply(destination, create("KEY"))
    apply(destination, Write(Action.UPDATE, "KEY", "KEY", "v", remote=listed(destination)["KEY"]))
    puts = [ask.body for ask, _ in vendor.exchanges if ask.path == "PutParameter"]
    assert [put["KeyId"] for put in puts] == ["alias/own", "alias/own"]


@pytest.mark.parametrize(("code", "expected"), [("ThrottlingException", RateLimited), ("TooManyUpdates", Unavailable)])
def test_retryable_errors_are_recognised_by_name(
    vendor: Fake, destination: AwsParameterStore, code: str, expected: type[Exception]
) -> None:
    vendor.refuse("PutParameter", code, "Rate exceeded")
    (outcome,) = apply(destination, create("KEY"))
    assert isinstance(outcome.error, expected)


@pytest.mark.parametrize("page", [{"Parameters": None}, {"Parameters": [{"Name": "A"}]}, {"Parameters": ["A"]}])
def test_a_list_of_another_shape_is_unexpected(
    vendor: Fake, destination: AwsParameterStore, page: dict[str, Any]
) -> None:
    vendor.change = lambda operation, sent, answer: answer.update(page)
    with pytest.raises(BadResponse):
        destination.listing()


def test_a_name_outside_the_path_is_unexpected(vendor: Fake, client: AwsClient) -> None:
    stranger = {"Name": "/other/A", "Type": "SecureString", "Value": "x", "Version": 1}
    vendor.change = lambda operation, sent, answer: answer.update(Parameters=[stranger])
    with pytest.raises(BadResponse):
        AwsParameterStore(client, PATH, PLAIN).listing()


@pytest.mark.parametrize("path", ["/", "/a/", "/a/b-c/D_1/"])
def test_a_path_as_the_modelled_api_has_it(path: str) -> None:
    assert AwsParameterStore.Config.parse({"region": REGION, "path": f" {path} "}).path == path


@pytest.mark.parametrize("path", ["", "a/", "/a", "//", "/a//b/", "/a b/"])
def test_an_invalid_path_is_refused(path: str) -> None:
    with pytest.raises(Invalid):
        AwsParameterStore.Config.parse({"region": REGION, "path": path})
