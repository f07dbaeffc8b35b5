"""Google Secret Manager over real HTTP on loopback: vendor-specific behaviour."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from config.errors import BadRequest, Invalid
from connections.errors import (
    BadResponse,
    Conflict,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
)
from connections.gcp import WrongState
from connections.http.client import ApiClient
from connections.http.exchange import HttpResponse
from connections.providers.gcp import Gcp
from syncs.destinations.gcp_secret_manager import GcpSecretManager
from syncs.engine.types import Action, Outcome, Remote, Write
from tests.connections.logins import login

from . import gcp_secret_manager as gcp
from .serving import Answer, Ask

CONFIGS = gcp.GcpSecretManager.configs
GLOBAL, REPLICAS, REGION = (CONFIGS[name] for name in ("global", "global-replicas", "region"))
MARK = {"managed-by": "keyferry"}


@pytest.fixture
def vendor() -> Iterator[gcp.GcpSecretManager]:
    fake = gcp.GcpSecretManager()
    with fake.running():
        yield fake


@pytest.fixture
def client(vendor: gcp.GcpSecretManager) -> Iterator[ApiClient]:
    provider = Gcp(vendor.url, deadline=2)
    session = provider.renew(vendor.method, login(provider, vendor.method, vendor.credentials))
    with provider.client(vendor.method, login(provider, vendor.method, vendor.credentials), session) as client:
        vendor.asked()
        yield client


def create(key: str, value: str = "v") -> Write:
    return Write(Action.CREATE, key, key, value)


def change(remote: Remote, value: str = "new") -> Write:
    return Write(Action.UPDATE, remote.key, remote.key, value, remote=remote)


def apply(destination: GcpSecretManager, *writes: Write) -> dict[str, Outcome]:
    return {outcome.write.key: outcome for outcome in destination.apply(iter(writes))}


def looked(destination: GcpSecretManager, *keys: str) -> dict[str, Remote]:
    listing = destination.listing()
    return {one.key: one for one in destination.resolve_listing(listing, keys or {one.key for one in listing})}


def states(vendor: gcp.GcpSecretManager, key: str, config: Mapping[str, Any] = GLOBAL) -> list[str]:
    return [version["state"] for version in vendor.of(config)[key]["versions"]]


# -- a secret in two writes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "replication"),
    [
        (GLOBAL, {"automatic": {}}),
        (REPLICAS, {"userManaged": {"replicas": [{"location": "europe-west1"}, {"location": "us-east1"}]}}),
        (REGION, None),
    ],
    ids=["global", "replicas", "region"],
)
def test_a_new_secret_is_labelled_and_replicated_as_configured(
    vendor: gcp.GcpSecretManager, client: ApiClient, config: dict[str, Any], replication: Any
) -> None:
    destination = GcpSecretManager(client, config)
    outcome = apply(destination, create("KEY", "value ä"))["KEY"]
    made = vendor.of(config)["KEY"]
    assert (made["labels"], made.get("replication")) == (MARK, replication)
    remote = looked(destination)["KEY"]
    assert (remote.value, remote.etag, remote.object_id) == ("value ä", "1", made["createTime"])
    assert (outcome.written.object_id, outcome.written.etag) == (remote.object_id, remote.etag)


def test_a_new_secret_has_the_labels_of_the_policy_and_existing_ones_keep_theirs(
    vendor: gcp.GcpSecretManager, client: ApiClient
) -> None:
    vendor.put(GLOBAL, "THEIRS", "x")
    labels = [{"key": "team", "value": "boats"}, {"key": "größe", "value": ""}]
    destination = GcpSecretManager(client, GLOBAL, policy={"labels": labels})
    apply(destination, create("KEY"), change(looked(destination)["THEIRS"]))
    held = vendor.of(GLOBAL)
    assert held["KEY"]["labels"] == {"team": "boats", "größe": "", **MARK}
    assert held["THEIRS"]["labels"] == {"team": "theirs"}


@pytest.mark.parametrize(
    "labels",
    [
        [{"key": "Team", "value": "boats"}],
        [{"key": "team", "value": "Boats"}],
        [{"key": "1team", "value": ""}],
        [{"key": "", "value": ""}],
        [{"key": "team boats", "value": ""}],
        [{"key": "managed-by", "value": "me"}],
        [{"key": "Größe", "value": ""}],
        [{"key": "größe", "value": "Ärger"}],
        [{"key": "x" * 64, "value": ""}],
        [{"key": "x", "value": "y" * 64}],
        [{"key": "水" * 43, "value": ""}],
        [{"key": "x", "value": ""}, {"key": "x", "value": "y"}],
        [{"key": f"x{number}", "value": ""} for number in range(64)],
    ],
)
def test_labels_that_google_refuses_are_refused_before_a_run(labels: list[dict[str, str]]) -> None:
    with pytest.raises((BadRequest, Invalid)):
        GcpSecretManager.Policy.parse({"labels": labels})


def test_a_secret_without_value_is_absent_and_completed_by_the_next_create(
    vendor: gcp.GcpSecretManager, client: ApiClient
) -> None:
    destination = GcpSecretManager(client, GLOBAL)
    vendor.fault = lambda ask: gcp.error(429, "RESOURCE_EXHAUSTED", "no") if "addVersion" in ask.path else None
    assert isinstance(apply(destination, create("KEY"))["KEY"].error, RateLimited)
    vendor.fault = None
    assert looked(destination) == {}  # so it is created
    made = vendor.of(GLOBAL)["KEY"]["createTime"]
    outcome = apply(destination, create("KEY", "late"))["KEY"]
    assert (outcome.error, outcome.written.object_id) == (None, made)
    assert vendor.held(GLOBAL) == {"KEY": "late"}


def test_a_foreign_secret_without_value_is_kept(vendor: gcp.GcpSecretManager, client: ApiClient) -> None:
    vendor.put(GLOBAL, "KEY", "x")
    vendor.of(GLOBAL)["KEY"]["versions"].clear()
    destination = GcpSecretManager(client, GLOBAL)
    assert (looked(destination)["KEY"].value, looked(destination)["KEY"].etag) == (None, None)
    assert isinstance(apply(destination, create("KEY"))["KEY"].error, Conflict)
    assert vendor.held(GLOBAL) == {}


def test_a_refused_create_is_not_turned_into_a_new_version(vendor: gcp.GcpSecretManager, client: ApiClient) -> None:
    destination = GcpSecretManager(client, GLOBAL)
    vendor.put(GLOBAL, "THEIRS", "theirs")
    apply(destination, create("OURS", "first"))
    outcomes = apply(destination, create("THEIRS", "x"), create("OURS", "x"))
    assert [type(outcome.error) for outcome in outcomes.values()] == [Conflict, Conflict]
    assert vendor.held(GLOBAL) == {"THEIRS": "theirs", "OURS": "first"}


@pytest.mark.parametrize("status", [403, 404, 503])
def test_the_first_error_of_a_create_is_shown_whatever_a_look_says(
    vendor: gcp.GcpSecretManager, client: ApiClient, status: int
) -> None:
    vendor.put(GLOBAL, "KEY", "theirs")
    vendor.fault = lambda ask: gcp.error(status, "OTHER", "second look") if ask.method == "GET" else None
    error = apply(GcpSecretManager(client, GLOBAL), create("KEY"))["KEY"].error
    assert isinstance(error, Conflict)
    assert "already exists" in str(error)


def test_a_failed_precondition_of_a_create_keeps_its_words(vendor: gcp.GcpSecretManager, client: ApiClient) -> None:
    said = "Constraint constraints/gcp.resourceLocations violated"
    vendor.fault = lambda ask: gcp.error(400, "FAILED_PRECONDITION", said) if ask.method == "POST" else None
    error = apply(GcpSecretManager(client, GLOBAL), create("KEY"))["KEY"].error
    assert isinstance(error, WrongState)
    assert str(error) == f"GCP: POST /v1/projects/shop-prod/secrets answered 400: {said}"
    assert [method for method, _ in vendor.asked()] == ["POST"]


def test_a_disabled_encryption_key_is_named_by_the_write(vendor: gcp.GcpSecretManager, client: ApiClient) -> None:
    said = "Cloud KMS key projects/p/locations/l/keyRings/r/cryptoKeys/k is disabled"
    destination = GcpSecretManager(client, GLOBAL)
    apply(destination, create("KEY"))
    vendor.fault = lambda ask: gcp.error(400, "FAILED_PRECONDITION", said) if "ersion" in ask.path else None
    remote = looked(destination)["KEY"]
    assert remote.value is None
    error = apply(destination, change(remote))["KEY"].error
    assert isinstance(error, WrongState)
    assert said in str(error)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "INVALID_ARGUMENT", Rejected),
        (400, "FAILED_PRECONDITION", WrongState),
        (400, "OUT_OF_RANGE", Rejected),
        (401, "UNAUTHENTICATED", Unauthorized),
        (403, "PERMISSION_DENIED", Forbidden),
        (403, "RESOURCE_EXHAUSTED", RateLimited),
        (404, "NOT_FOUND", NotFound),
        (409, "ALREADY_EXISTS", Conflict),
        (409, "ABORTED", Unavailable),
        (429, "RESOURCE_EXHAUSTED", RateLimited),
        (499, "CANCELLED", Unavailable),
        (500, "INTERNAL", OutcomeUnknown),
        (500, "UNKNOWN", OutcomeUnknown),
        (501, "UNIMPLEMENTED", Rejected),
        (503, "UNAVAILABLE", Unavailable),
        (504, "DEADLINE_EXCEEDED", OutcomeUnknown),
    ],
)
def test_the_class_of_an_error_is_that_of_googles_code(
    vendor: gcp.GcpSecretManager, client: ApiClient, status: int, code: str, expected: type[Exception]
) -> None:
    vendor.fault = lambda ask: gcp.error(status, code, "said") if "addVersion" in ask.path else None
    error = apply(GcpSecretManager(client, GLOBAL), create("KEY"))["KEY"].error
    assert type(error) is expected


# -- versions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "left"),
    [(None, "ENABLED"), ("keep", "ENABLED"), ("disable", "DISABLED"), ("destroy", "DESTROYED")],
)
def test_the_handling_of_old_versions_is_an_option(
    vendor: gcp.GcpSecretManager, client: ApiClient, policy: str | None, left: str
) -> None:
    destination = GcpSecretManager(client, GLOBAL, {"oldVersions": policy} if policy else {})
    apply(destination, create("KEY", "old"))
    vendor.asked()
    outcome = apply(destination, change(looked(destination)["KEY"]))["KEY"]
    assert (outcome.error, outcome.written.etag) == (None, "2")
    assert states(vendor, "KEY") == [left, "ENABLED"]
    assert destination.request_cost(Action.UPDATE) == sum(method == "POST" for method, _ in vendor.asked())


def test_only_the_replaced_version_is_disabled(vendor: gcp.GcpSecretManager, client: ApiClient) -> None:
    for value in ("first", "pinned", "newest"):
        vendor.put(GLOBAL, "KEY", value)
    destination = GcpSecretManager(client, GLOBAL, {"oldVersions": "destroy"})
    apply(destination, change(looked(destination)["KEY"]))
    assert states(vendor, "KEY") == ["ENABLED", "ENABLED", "DESTROYED", "ENABLED"]


def test_a_remaining_old_version_is_reported_and_the_new_value_is_kept(
    vendor: gcp.GcpSecretManager, client: ApiClient
) -> None:
    destination = GcpSecretManager(client, GLOBAL, {"oldVersions": "disable"})
    apply(destination, create("KEY", "old"))
    remote = looked(destination)["KEY"]
    vendor.fault = lambda ask: gcp.error(403, "PERMISSION_DENIED", "denied") if ":disable" in ask.path else None
    error = apply(destination, change(remote))["KEY"].error
    assert isinstance(error, OutcomeUnknown)
    assert "version 1 still exists" in str(error)
    assert looked(destination)["KEY"].value == "new"


@pytest.mark.parametrize("state", ["DISABLED", "DESTROYED"])
def test_a_disabled_latest_version_has_no_value_and_is_drift(
    vendor: gcp.GcpSecretManager, client: ApiClient, state: str
) -> None:
    destination = GcpSecretManager(client, GLOBAL, {"oldVersions": "destroy"})
    before = apply(destination, create("KEY"))["KEY"].written.etag
    vendor.of(GLOBAL)["KEY"]["versions"][-1]["state"] = state
    remote = looked(destination)["KEY"]
    assert remote.value is None
    assert remote.etag not in (before, None)
    assert apply(destination, change(remote))["KEY"].error is None
    assert looked(destination)["KEY"].value == "new"


def test_a_lagging_latest_version_costs_a_version_and_no_value(vendor: gcp.GcpSecretManager, client: ApiClient) -> None:
    destination = GcpSecretManager(client, GLOBAL)
    apply(destination, create("KEY", "old"))
    apply(destination, change(looked(destination)["KEY"]))
    vendor.lagging["KEY"] = 1
    assert looked(destination)["KEY"].value == "old"
    apply(destination, change(looked(destination)["KEY"]))
    vendor.lagging.clear()
    assert looked(destination)["KEY"].value == "new"
    assert len(states(vendor, "KEY")) == 3


def test_an_import_reports_why_there_is_no_value(vendor: gcp.GcpSecretManager, client: ApiClient) -> None:
    destination = GcpSecretManager(client, GLOBAL)
    apply(destination, create("KEY"))
    vendor.of(GLOBAL)["KEY"]["versions"][-1]["state"] = "DISABLED"
    (remote,) = destination.read_values(destination.listing(), values=True)
    assert remote.unreadable.endswith("answered 400: Secret Version is in DISABLED state.")


def test_a_refused_access_makes_one_key_unreadable(vendor: gcp.GcpSecretManager, client: ApiClient) -> None:
    for key in ("A", "B"):
        vendor.put(GLOBAL, key, key.lower())
    denied = gcp.error(403, "PERMISSION_DENIED", "Permission 'secretmanager.versions.access' denied")
    vendor.fault = lambda ask: denied if "/A/versions/latest:access" in ask.path else None
    seen = looked(GcpSecretManager(client, GLOBAL))
    assert seen["A"].unreadable == (
        "GCP: GET /v1/projects/shop-prod/secrets/A/versions/latest:access answered 403:"
        " Permission 'secretmanager.versions.access' denied"
    )
    assert (seen["B"].value, seen["B"].unreadable) == ("b", "")


def test_binary_values_are_compared_by_version(vendor: gcp.GcpSecretManager, client: ApiClient) -> None:
    vendor.put(GLOBAL, "KEY", "x")
    vendor.of(GLOBAL)["KEY"]["versions"][-1]["data"] = b"\xff\xfe"
    remote = looked(GcpSecretManager(client, GLOBAL))["KEY"]
    assert (remote.value, remote.etag) == (None, "1")


# -- what is read --------------------------------------------------------------------------------------------------


def test_foreign_secrets_are_listed_and_not_read(vendor: gcp.GcpSecretManager, client: ApiClient) -> None:
    for key in ("OURS", "THEIRS", "ELSE"):
        vendor.put(GLOBAL, key, "x")
    destination = GcpSecretManager(client, GLOBAL)
    seen = looked(destination, "OURS")
    assert {key: one.value for key, one in seen.items()} == {"OURS": "x", "THEIRS": None, "ELSE": None}
    read = [path for _, path in vendor.asked() if ":access" in path]
    assert read == ["/v1/projects/shop-prod/secrets/OURS/versions/latest:access"]


def test_every_page_is_read(vendor: gcp.GcpSecretManager, client: ApiClient) -> None:
    vendor.page = 3
    for number in range(7):
        vendor.put(GLOBAL, f"K{number}", "x")
    assert len(GcpSecretManager(client, GLOBAL).listing()) == 7
    assert len(vendor.asked()) == 3


def test_a_page_listed_again_is_unexpected(vendor: gcp.GcpSecretManager, client: ApiClient) -> None:
    vendor.fault = lambda ask: Answer(200, {"nextPageToken": "again"})
    with pytest.raises(BadResponse, match="the same page would come again"):
        GcpSecretManager(client, GLOBAL).listing()


@pytest.mark.parametrize("body", [{"items": []}, None, {"secrets": [{"name": "A"}]}, {"secrets": ["A"]}, []])
def test_a_list_of_another_shape_is_unexpected(vendor: gcp.GcpSecretManager, client: ApiClient, body: object) -> None:
    vendor.fault = lambda ask: Answer(200, body)
    with pytest.raises(BadResponse):
        GcpSecretManager(client, GLOBAL).listing()


def test_a_project_without_secrets_returns_an_empty_object(vendor: gcp.GcpSecretManager, client: ApiClient) -> None:
    vendor.fault = lambda ask: Answer(200, {})
    assert GcpSecretManager(client, GLOBAL).listing() == ()


def test_what_google_rotates_for_a_database_is_locked(vendor: gcp.GcpSecretManager, client: ApiClient) -> None:
    vendor.put(GLOBAL, "DB", "x")
    vendor.of(GLOBAL)["DB"]["secretType"] = "CLOUD_SQL_DB_CREDENTIALS"
    assert GcpSecretManager(client, GLOBAL).listing()[0].locked


def test_the_read_quota_delays_the_connection(vendor: gcp.GcpSecretManager, client: ApiClient) -> None:
    vendor.put(GLOBAL, "KEY", "x")
    vendor.fault = lambda ask: gcp.error(429, "RESOURCE_EXHAUSTED", "Quota exceeded") if ":access" in ask.path else None
    with pytest.raises(RateLimited, match="Quota exceeded"):
        looked(GcpSecretManager(client, GLOBAL))


def test_a_refused_login_does_not_make_a_key_missing(vendor: gcp.GcpSecretManager, client: ApiClient) -> None:
    vendor.fault = lambda ask: gcp.error(401, "UNAUTHENTICATED", "no") if ":access" in ask.path else None
    destination = GcpSecretManager(client, GLOBAL)
    with pytest.raises(Unauthorized):
        destination.find_unlisted({"KEY"})


@pytest.mark.parametrize(
    ("details", "wait"),
    [
        ([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}], 34.5),
        ([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED"}], None),
        ([{"retryDelay": "-1s"}], None),
        ([{"retryDelay": "soon"}, "odd"], None),
        ("odd", None),
        (None, None),
    ],
)
def test_a_limit_may_say_how_long_to_wait(
    vendor: gcp.GcpSecretManager, client: ApiClient, details: Any, wait: float | None
) -> None:
    said = {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Quota exceeded", "details": details}
    vendor.fault = lambda ask: Answer(429, {"error": said})
    with pytest.raises(RateLimited) as caught:
        GcpSecretManager(client, GLOBAL).listing()
    assert caught.value.retry_after == wait


# -- deletes and names ---------------------------------------------------------------------------------------------


def test_a_delete_affects_only_the_listed_secret(vendor: gcp.GcpSecretManager, client: ApiClient) -> None:
    destination = GcpSecretManager(client, GLOBAL)
    vendor.put(GLOBAL, "KEY", "theirs")
    remote = looked(destination)["KEY"]
    vendor.drop(GLOBAL, "KEY")
    vendor.put(GLOBAL, "KEY", "another's")
    gone = Write(Action.DELETE, "KEY", "KEY", remote=remote)
    assert isinstance(apply(destination, gone)["KEY"].error, Conflict)
    vendor.drop(GLOBAL, "KEY")
    assert apply(destination, gone)["KEY"].error is None


def test_an_update_of_a_missing_secret_creates_nothing(vendor: gcp.GcpSecretManager, client: ApiClient) -> None:
    destination = GcpSecretManager(client, GLOBAL)
    vendor.put(GLOBAL, "KEY", "x")
    remote = looked(destination)["KEY"]
    vendor.drop(GLOBAL, "KEY")
    assert isinstance(apply(destination, change(remote))["KEY"].error, NotFound)
    assert vendor.held(GLOBAL) == {}


def test_long_names_are_written_unchanged(vendor: gcp.GcpSecretManager, client: ApiClient) -> None:
    long = "x" * 255
    destination = GcpSecretManager(client, GLOBAL)
    outcomes = apply(destination, create(long), create("a-B_1"), create("A-b_1"), create(long + "x"))
    assert {key: type(one.error) for key, one in outcomes.items() if one.error} == {long + "x": Rejected}
    assert vendor.held(GLOBAL).keys() == {long, "a-B_1", "A-b_1"}


@pytest.mark.parametrize("path", ["/secrets", ":addVersion"])
def test_a_value_echoed_by_the_vendor_is_redacted(vendor: gcp.GcpSecretManager, client: ApiClient, path: str) -> None:
    refusal = gcp.error(400, "INVALID_ARGUMENT", "no canary-value")
    vendor.fault = lambda ask: refusal if ask.path.endswith(path) and ask.method == "POST" else None
    error = apply(GcpSecretManager(client, GLOBAL), create("KEY", "canary-value"))["KEY"].error
    assert "no [redacted]" in str(error)


# -- locations -----------------------------------------------------------------------------------------------------


def test_a_region_has_a_host_of_its_own_and_its_own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def answer(self: ApiClient, method: str, path: str, *, base_url: str = "", **_: Any) -> HttpResponse:
        asked.append((base_url or self.base_url, path))
        return HttpResponse(200, httpx.Headers(), {})

    monkeypatch.setattr(ApiClient, "send", answer)
    with Gcp().client("service-account-key", login(Gcp, "service-account-key", {"serviceAccountKey": ""})) as client:
        for config in (GLOBAL, REGION):
            GcpSecretManager(client, config).listing()
        assert GcpSecretManager(client, GLOBAL).location() != GcpSecretManager(client, REGION).location()
    assert asked == [
        ("https://secretmanager.googleapis.com", "/v1/projects/shop-prod/secrets"),
        (
            "https://secretmanager.europe-west1.rep.googleapis.com",
            "/v1/projects/shop-prod/locations/europe-west1/secrets",
        ),
    ]


@pytest.mark.parametrize("location", ["evil.example/", "europe-west1.evil", "", "EUROPE-WEST1", "a-b"])
def test_a_region_that_would_change_the_host_is_refused(location: str) -> None:
    with pytest.raises(Invalid):
        GcpSecretManager.Config.parse({**REGION, "locationId": location})
    with pytest.raises(Invalid):
        GcpSecretManager.Config.parse({**REPLICAS, "userReplicaLocationIds": [location]})


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_a_project_given_by_its_number_is_the_same_location(
    vendor: gcp.GcpSecretManager, client: ApiClient, config: dict[str, Any]
) -> None:
    by_id = GcpSecretManager(client, config)
    assert by_id.location().rpartition("|")[2].startswith("projects/shop-prod")
    assert vendor.asked() == []
    by_number = GcpSecretManager(client, {**config, "projectId": gcp.NUMBER})
    assert {by_number.location(), by_number.location(), by_id.location()} == {by_id.location()}
    assert vendor.asked() == [("GET", f"/v1/projects/{gcp.NUMBER}")]
    assert apply(by_number, create("KEY", "v"))["KEY"].error is None
    assert {one.key: one.value for one in by_id.read_values(by_id.listing(), values=True)} == {"KEY": "v"}


def test_the_number_of_an_unseen_project_is_no_location(vendor: gcp.GcpSecretManager, client: ApiClient) -> None:
    with pytest.raises(Forbidden, match=r"does not have permission\. Give the project's ID instead of its number"):
        GcpSecretManager(client, {**GLOBAL, "projectId": "987"}).location()


@pytest.mark.parametrize("project", ["123456789012", "example.com:shop-1", "shop-prod"])
def test_a_project_may_be_given_by_its_id_or_number(project: str) -> None:
    config = {**GLOBAL, "projectId": project}
    assert GcpSecretManager.Config.parse(config).stored() == config


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_every_variant_is_stored_unchanged(config: dict[str, Any]) -> None:
    assert GcpSecretManager.Config.parse(config).stored() == config


def test_default_options_are_the_modelled_ones() -> None:
    plain = {"initialSyncBehavior": "overwrite-destination"}
    assert GcpSecretManager.Options.parse(plain).stored() == plain
    with pytest.raises(Invalid):
        GcpSecretManager.Options.parse({**plain, "oldVersions": "forget"})


def test_values_are_read_concurrently(vendor: gcp.GcpSecretManager, client: ApiClient) -> None:
    going, most, lock = 0, 0, threading.Lock()

    def slow(ask: Ask) -> Answer | None:
        nonlocal going, most
        if ":access" in ask.path:
            with lock:
                going += 1
                most = max(most, going)
            time.sleep(0.02)
            with lock:
                going -= 1
        return None

    for number in range(60):
        vendor.put(GLOBAL, f"K{number}", "x")
    vendor.fault = slow
    looked(GcpSecretManager(client, GLOBAL))
    assert most > 4
