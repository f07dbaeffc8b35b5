"""GitHub over real HTTP on loopback: vendor-specific behaviour."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from config.errors import ServiceError
from connections.errors import BadResponse, Conflict, NotFound, RateLimited, Rejected
from connections.http.client import ApiClient
from connections.providers.github import GitHub as Provider
from syncs.destinations.github import GitHub
from syncs.engine.types import Action, Outcome, Remote, Write
from tests.connections.logins import login

from .github import GitHub as Vendor
from .serving import Answer, Ask

ORG, SELECTED, REPO, ENV, DEPENDABOT, CODESPACES = Vendor.configs.values()


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    fake = Vendor()
    with fake.running():
        yield fake


@pytest.fixture
def client(vendor: Vendor) -> Iterator[ApiClient]:
    with Provider(vendor.url, deadline=2).client("pat", login(Provider, "pat", vendor.credentials)) as client:
        yield client


@pytest.fixture(params=Vendor.configs.values(), ids=list(Vendor.configs))
def destination(client: ApiClient, request: pytest.FixtureRequest) -> GitHub:
    return GitHub(client, request.param)


def create(key: str, value: str = "v") -> Write:
    return Write(Action.CREATE, key, key.upper(), value)


def update(key: str, value: str = "w", remote: Remote | None = None) -> Write:
    return Write(Action.UPDATE, key, key.upper(), value, remote=remote or Remote(key))


def apply(destination: GitHub, *writes: Write) -> list[Outcome]:
    return list(destination.apply(iter(writes)))


def test_values_are_sent_encrypted_for_the_private_key(vendor: Vendor, destination: GitHub) -> None:
    (outcome,) = apply(destination, create("KEY", "värde-canary\n"))
    assert outcome.error is None
    assert vendor.held(destination.config.stored()) == {"KEY": "värde-canary\n"}
    assert "canary" not in str([ask.body for ask, _ in vendor.exchanges])


def test_names_are_case_insensitive_and_stored_in_upper_case(vendor: Vendor, destination: GitHub) -> None:
    apply(destination, create("db_Url"))
    assert [remote.key for remote in destination.listing()] == ["DB_URL"]
    assert destination.normalize_key("db_Url") == destination.normalize_key("DB_URL")


def test_the_object_id_is_read_after_a_create(vendor: Vendor, destination: GitHub) -> None:
    (outcome,) = apply(destination, create("KEY"))
    (listed,) = destination.listing()
    assert (listed.object_id, listed.etag) == (outcome.written.object_id, outcome.written.etag)
    (outcome,) = apply(destination, update("KEY", remote=listed))
    (after,) = destination.listing()
    assert (after.object_id, after.etag) == (listed.object_id, outcome.written.etag)
    assert after.etag != listed.etag


def test_a_failing_read_after_a_write_does_not_fail_the_write(vendor: Vendor, destination: GitHub) -> None:
    def fault(ask: Ask) -> Answer | None:
        written = any(done.method == "PUT" for done, _ in vendor.exchanges)
        return Answer(500, {}) if ask.method == "GET" and written else None

    vendor.fault = fault
    (outcome,) = apply(destination, create("KEY"))
    assert (outcome.error, outcome.written.etag) == (None, None)
    assert vendor.held(destination.config.stored()) == {"KEY": "v"}


def test_a_key_that_appeared_since_the_list_is_not_overwritten(vendor: Vendor, destination: GitHub) -> None:
    vendor.put(destination.config.stored(), "KEY", "theirs")
    (outcome,) = apply(destination, create("key", "ours"))
    assert isinstance(outcome.error, Conflict)
    assert vendor.held(destination.config.stored()) == {"KEY": "theirs"}
    assert {method for method, _ in vendor.asked()} == {"GET"}


def test_an_update_of_a_deleted_key_does_not_create_it(vendor: Vendor, destination: GitHub) -> None:
    apply(destination, create("KEY"))
    (before,) = destination.listing()
    vendor.drop(destination.config.stored(), "KEY")
    (outcome,) = apply(destination, update("KEY", remote=before))
    assert isinstance(outcome.error, NotFound)
    assert vendor.held(destination.config.stored()) == {}


def test_a_delete_of_a_missing_key_succeeds(destination: GitHub) -> None:
    (outcome,) = apply(destination, Write(Action.DELETE, "KEY", "KEY", remote=Remote("KEY")))
    assert outcome.error is None


def test_the_public_key_is_requested_once_per_run_and_again_when_replaced(vendor: Vendor, destination: GitHub) -> None:
    apply(destination, *(create(f"K{number}") for number in range(6)))
    vendor.rotate()
    outcomes = apply(destination, *(update(f"K{number}", "new") for number in range(6)))
    assert [outcome.error for outcome in outcomes] == [None] * 6
    assert set(vendor.held(destination.config.stored()).values()) == {"new"}
    assert sum(path.endswith("/public-key") for _, path in vendor.asked()) == 2


def test_another_refusal_is_not_retried_with_the_same_key(vendor: Vendor, destination: GitHub) -> None:
    vendor.fault = lambda ask: Answer(422, {"message": "no"}) if ask.method == "PUT" else None
    (outcome,) = apply(destination, create("KEY"))
    assert isinstance(outcome.error, Rejected)
    assert sum(method == "PUT" for method, _ in vendor.asked()) == 1


@pytest.mark.parametrize("given", [{}, {"key_id": "1", "key": "not base64!"}, {"key_id": "1", "key": "AAAA"}, []])
def test_an_invalid_public_key_encrypts_nothing(vendor: Vendor, destination: GitHub, given: Any) -> None:
    vendor.fault = lambda ask: Answer(200, given) if ask.path.endswith("/public-key") else None
    (outcome,) = apply(destination, create("KEY"))
    assert isinstance(outcome.error, BadResponse)
    assert vendor.held(destination.config.stored()) == {}


def test_a_secondary_rate_limit_is_a_403_and_closes_the_gate(vendor: Vendor, destination: GitHub) -> None:
    limited = Answer(403, {"message": "You have exceeded a secondary rate limit."}, {"retry-after": "30"})
    vendor.fault = lambda ask: limited if ask.method == "PUT" else None
    (outcome,) = apply(destination, create("KEY"))
    assert isinstance(outcome.error, RateLimited)
    assert outcome.error.retry_after == 30


def test_a_long_list_is_read_by_pages_of_a_hundred(vendor: Vendor, destination: GitHub) -> None:
    for number in range(250):
        vendor.put(destination.config.stored(), f"K{number}", "x")
    assert len(destination.listing()) == 250
    assert len(vendor.asked()) == 3


def test_a_list_shorter_than_its_count_is_unexpected(vendor: Vendor, destination: GitHub) -> None:
    vendor.put(destination.config.stored(), "KEY", "x")
    vendor.fault = lambda ask: Answer(200, {"total_count": 2, "secrets": [{**ITEM, "name": "KEY"}]})
    with pytest.raises(BadResponse, match="1 items came, and its total is 2"):
        destination.listing()


def test_a_repeated_page_is_unexpected(vendor: Vendor, destination: GitHub) -> None:
    def fault(ask: Ask) -> Answer:
        more = {"link": '<http://127.0.0.1/?page=2>; rel="next"'} if "page" not in ask.query else {}
        return Answer(200, {"total_count": 2, "secrets": [{**ITEM, "name": "KEY"}]}, more)

    vendor.fault = fault
    with pytest.raises(BadResponse, match="the same page came twice"):
        destination.listing()


ITEM = {"name": "KEY", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize("part", [{"name": ""}, {"created_at": None}, {"updated_at": 5}])
def test_a_secret_of_another_shape_is_unexpected(vendor: Vendor, destination: GitHub, part: dict[str, Any]) -> None:
    vendor.fault = lambda ask: Answer(200, {"total_count": 1, "secrets": [{**ITEM, **part}]})
    with pytest.raises(BadResponse):
        destination.listing()


def test_a_repository_that_has_moved_is_not_followed(vendor: Vendor, client: ApiClient) -> None:
    vendor.fault = lambda ask: Answer(
        301, {"message": "Moved Permanently"}, {"location": f"{vendor.url}/repositories/1"}
    )
    with pytest.raises(BadResponse, match=r"301: it was moved or renamed, and is now at .*/repositories/1:"):
        GitHub(client, REPO).listing()
    assert len(vendor.asked()) == 1


def test_an_environment_may_have_a_slash_in_its_name(vendor: Vendor, client: ApiClient) -> None:
    GitHub(client, ENV).listing()
    assert vendor.asked() == [("GET", "/repos/acme/shop/environments/production%2Feu/secrets")]


def test_every_write_to_an_organization_sends_the_visibility(vendor: Vendor, client: ApiClient) -> None:
    destination = GitHub(client, SELECTED)
    apply(destination, create("KEY"))
    apply(destination, update("KEY"))
    sent = [ask.body for ask, _ in vendor.exchanges if ask.method == "PUT"]
    assert [(body["visibility"], body["selected_repository_ids"]) for body in sent] == [("selected", [1001, 1002])] * 2


def test_a_changed_visibility_of_an_organization_secret_is_drift(vendor: Vendor, client: ApiClient) -> None:
    destination = GitHub(client, SELECTED)
    apply(destination, create("KEY"))
    (before,) = destination.listing()
    vendor.secrets["orgs/acme/actions"]["KEY"].more["visibility"] = "all"
    (after,) = destination.listing()
    assert after.etag != before.etag


def selected_of(vendor: Vendor, ids: list[int]) -> None:
    vendor.secrets["orgs/acme/actions"]["KEY"].more["selected_repository_ids"] = ids


def etag_of(destination: GitHub) -> str | None:
    (remote,) = destination.read_values(destination.listing(), values=False)
    return remote.etag


@pytest.mark.parametrize("changed", [[1001], [1001, 1002, 1003], []])
def test_a_changed_selection_of_repositories_is_drift(vendor: Vendor, client: ApiClient, changed: list[int]) -> None:
    destination = GitHub(client, SELECTED)
    (outcome,) = apply(destination, create("KEY"))
    selected_of(vendor, [1002, 1001])
    assert etag_of(destination) == outcome.written.etag
    selected_of(vendor, changed)
    assert etag_of(destination) != outcome.written.etag
    (outcome,) = apply(destination, update("KEY"))
    assert etag_of(destination) == outcome.written.etag


def test_a_selection_that_may_not_be_read_blocks_its_key_alone(vendor: Vendor, client: ApiClient) -> None:
    destination = GitHub(client, SELECTED)
    apply(destination, create("KEY"), create("OTHER"), create("GONE"))
    answers = {"KEY": Answer(403, {"message": "Must be an owner"}), "GONE": Answer(404, {"message": "Not Found"})}
    vendor.fault = lambda ask: answers.get(ask.parts[-2]) if ask.parts[-1] == "repositories" else None
    read = {remote.key: remote.unreadable for remote in destination.read_values(destination.listing(), values=False)}
    assert read.keys() == {"KEY", "OTHER"}
    assert (read["OTHER"], "Must be an owner" in read["KEY"]) == ("", True)


def test_only_selections_are_read(vendor: Vendor, client: ApiClient) -> None:
    for config in (ORG, REPO, DEPENDABOT):
        destination = GitHub(client, config)
        apply(destination, create("KEY"))
        vendor.asked()
        destination.read_values(destination.listing(), values=False)
        assert len(vendor.asked()) == 1


def test_a_changed_visibility_option_is_written_to_every_secret(client: ApiClient) -> None:
    fingerprints = {
        GitHub(client, config).write_fingerprint()
        for config in (ORG, SELECTED, {**SELECTED, "selectedRepositoryIds": [1]})
    }
    assert len(fingerprints) == 3
    assert GitHub(client, {**SELECTED, "selectedRepositoryIds": [1002, 1001]}).write_fingerprint() in fingerprints
    assert GitHub(client, REPO).write_fingerprint() == ""


@pytest.mark.parametrize(
    ("visibility", "ids", "message"),
    [
        ("selected", None, "name at least one repository"),
        ("selected", [], "name at least one repository"),
        ("all", [1], "leave it out"),
        ("private", [1], "leave it out"),
        ("some", None, "Invalid enum value"),
        ("selected", ["x"], "Expected number"),
    ],
)
def test_repositories_are_selected_with_that_visibility_and_only_then(visibility: str, ids: Any, message: str) -> None:
    given = {"scope": "organization", "org": "acme", "visibility": visibility}
    with pytest.raises(ServiceError, match=message):
        GitHub.Config.parse(given if ids is None else {**given, "selectedRepositoryIds": ids})


def test_an_empty_list_of_repositories_equals_none() -> None:
    given = {"scope": "organization", "org": "acme", "visibility": "all"}
    assert GitHub.Config.parse({**given, "selectedRepositoryIds": []}).stored() == given


def test_the_location_ignores_the_case_of_account_names(client: ApiClient) -> None:
    assert GitHub(client, REPO).location() == GitHub(client, {**REPO, "owner": "Acme", "repo": "SHOP"}).location()
    assert len({GitHub(client, config).location() for config in (ORG, REPO, ENV, DEPENDABOT, CODESPACES)}) == 5
    assert GitHub(client, ORG).location() == GitHub(client, SELECTED).location()


def test_the_stores_take_different_numbers_of_secrets() -> None:
    configs = (ORG, REPO, ENV, {**ORG, "scope": "organization-codespaces"}, CODESPACES, DEPENDABOT)
    assert [GitHub.limits_of(config).max_keys for config in configs] == [1000, 100, 100, 100, 100, None]


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ("organization", "/orgs/acme/actions/secrets"),
        ("organization-dependabot", "/orgs/acme/dependabot/secrets"),
        ("organization-codespaces", "/orgs/acme/codespaces/secrets"),
        ("repository", "/repos/acme/shop/actions/secrets"),
        ("repository-dependabot", "/repos/acme/shop/dependabot/secrets"),
        ("repository-codespaces", "/repos/acme/shop/codespaces/secrets"),
        ("repository-environment", "/repos/acme/shop/environments/production%2Feu/secrets"),
    ],
)
def test_each_scope_has_a_store_of_its_own(vendor: Vendor, client: ApiClient, scope: str, path: str) -> None:
    config = {**(ORG if "organization" in scope else ENV if scope == ENV["scope"] else REPO), "scope": scope}
    assert GitHub.Config.parse(config).stored() == config
    destination = GitHub(client, config)
    assert [outcome.error for outcome in apply(destination, create("KEY"))] == [None]
    assert [remote.key for remote in destination.listing()] == ["KEY"]
    assert {asked.removesuffix("/KEY").removesuffix("/public-key") for _, asked in vendor.asked()} == {path}
    assert vendor.held(config) == {"KEY": "v"}


def test_an_external_write_within_the_same_second_is_undetectable(vendor: Vendor, client: ApiClient) -> None:
    """As the note says: the vendor keeps times to the second, and nothing else changes."""
    destination = GitHub(client, REPO)
    (outcome,) = apply(destination, create("KEY"))
    vendor.still = True
    vendor.put(REPO, "KEY", "theirs")
    assert destination.listing()[0].etag == outcome.written.etag
    vendor.still = False
    vendor.put(REPO, "KEY", "theirs again")
    assert destination.listing()[0].etag != outcome.written.etag


def test_two_writes_of_ours_within_a_second_both_arrive(vendor: Vendor, client: ApiClient) -> None:
    destination = GitHub(client, REPO)
    apply(destination, create("KEY", "1"))
    vendor.still = True
    (listed,) = destination.listing()
    (outcome,) = apply(destination, update("KEY", "2", listed))
    assert vendor.held(REPO) == {"KEY": "2"}
    assert outcome.written.etag == listed.etag


def test_of_500_secrets_one_changed_costs_nine_requests(vendor: Vendor, client: ApiClient) -> None:
    for number in range(500):
        vendor.put(ORG, f"K{number}", "x")
    destination = GitHub(client, ORG)
    remote = next(each for each in destination.listing() if each.key == "K7")
    apply(destination, update("K7", remote=remote))
    asked = vendor.asked()
    assert [method for method, _ in asked] == ["GET"] * 5 + ["GET", "GET", "PUT", "GET"]
    assert sum(path.endswith("/K7") for _, path in asked) == 3


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({**ORG, "org": "gone"}, ": the organization gone does not exist, or the login may not see it"),
        ({**REPO, "owner": "gone"}, ": the owner gone does not exist, or the login may not see it"),
        ({**REPO, "repo": "gone"}, ": the repository acme/gone does not exist, or the login may not see it"),
        ({**ENV, "env": "gone"}, ": its environment gone does not exist, or the login may not see it"),
    ],
)
def test_a_missing_target_is_no_empty_list_and_its_missing_part_is_named(
    vendor: Vendor, client: ApiClient, config: dict[str, Any], reason: str
) -> None:
    with pytest.raises(NotFound) as caught:
        GitHub(client, config).listing()
    assert "secrets answered 404: Not Found" in str(caught.value)
    assert str(caught.value).endswith(reason)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (ORG, "the organization acme exists, but the login may not see its secrets"),
        (REPO, "the repository acme/shop exists, but the login may not see its secrets"),
        (ENV, "its environment production/eu exists, but the login may not see its secrets"),
    ],
)
def test_a_target_whose_secrets_are_hidden_exists(
    vendor: Vendor, client: ApiClient, config: dict[str, Any], reason: str
) -> None:
    vendor.fault = lambda ask: Answer(404, {"message": "Not Found"}) if ask.parts[-1] == "secrets" else None
    with pytest.raises(NotFound, match=reason):
        GitHub(client, config).listing()


def test_a_failing_look_leaves_the_first_error(vendor: Vendor, destination: GitHub) -> None:
    vendor.fault = lambda ask: Answer(404 if ask.parts[-1] == "secrets" else 403, {"message": "no"})
    with pytest.raises(NotFound, match=r"secrets answered 404: no$"):
        destination.listing()


def test_a_public_key_that_cannot_be_read_again_leaves_the_refusal(vendor: Vendor, destination: GitHub) -> None:
    apply(destination, create("KEY"))
    vendor.fault = lambda ask: (
        Answer(422, {"message": "too large"})
        if ask.method == "PUT"
        else Answer(403, {"message": "no"})
        if ask.parts[-1] == "public-key"
        else None
    )
    (outcome,) = apply(destination, update("KEY"))
    assert isinstance(outcome.error, Rejected)
    assert "too large" in str(outcome.error)
