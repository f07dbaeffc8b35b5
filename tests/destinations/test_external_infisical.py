"""Another server of the modelled API over real HTTP on loopback: vendor-specific behaviour."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from config.access import tokens
from config.errors import Invalid
from config.schemas.json_schema import openapi
from connections.errors import AddressRefused, BadResponse, Conflict, NotFound, Rejected, Unauthorized
from connections.http.client import ApiClient
from connections.provider import Choice
from connections.providers.external_infisical import ExternalInfisical as Provider
from syncs.destinations.external_infisical import ExternalInfisical
from syncs.engine.types import Action, Outcome, Remote, Write
from tests.connections.logins import login

from .external_infisical import CLIENT_ID, LOGIN, PROJECT
from .external_infisical import ExternalInfisical as Server
from .serving import Answer, Ask

ROOT, FOLDER = Server.configs.values()


@pytest.fixture
def server() -> Iterator[Server]:
    fake = Server()
    with fake.running():
        yield fake


@pytest.fixture
def client(server: Server) -> Iterator[ApiClient]:
    provider = Provider(server.url, deadline=2)
    with provider.client(
        server.method,
        login(provider, server.method, server.credentials),
        provider.renew(server.method, login(provider, server.method, server.credentials)),
    ) as client:
        server.asked()
        yield client


@pytest.fixture(params=["v4", "v3"])
def destination(server: Server, client: ApiClient, request: pytest.FixtureRequest) -> ExternalInfisical:
    """After its list: that is where it finds out what the server knows."""
    server.versions = {request.param}
    found = ExternalInfisical(client, FOLDER)
    found.listing()
    server.asked()
    return found


def create(key: str, value: str = "v", comment: str = "") -> Write:
    return Write(Action.CREATE, key, key, value, comment)


def update(key: str, value: str = "w") -> Write:
    return Write(Action.UPDATE, key, key, value, remote=Remote(key))


def delete(key: str) -> Write:
    return Write(Action.DELETE, key, key, remote=Remote(key))


def apply(destination: ExternalInfisical, *writes: Write) -> list[Outcome]:
    return sorted(destination.apply(iter(writes)), key=lambda outcome: outcome.write.key)


# -- the login -----------------------------------------------------------------------------------------------------


def test_a_login_returns_an_expiring_token_and_the_check_is_one_request(server: Server) -> None:
    provider = Provider(server.url)
    session = provider.renew(server.method, login(provider, server.method, server.credentials))
    assert session
    assert timedelta(days=29) < session.expires_at - datetime.now(UTC) <= timedelta(days=30)
    with provider.client(server.method, login(provider, server.method, server.credentials), session) as client:
        provider.check(client)
    assert server.asked() == [("POST", LOGIN), ("GET", "/api/v1/projects")]


def test_a_token_without_expiry_is_renewed_after_a_day(server: Server) -> None:
    server.token_life = 0
    session = Provider(server.url).renew(server.method, login(Provider, server.method, server.credentials))
    assert session
    assert timedelta(hours=23) < session.expires_at - datetime.now(UTC) <= timedelta(days=1)


def test_a_wrong_client_secret_is_refused_and_not_shown(server: Server) -> None:
    wrong = {**server.credentials, "machineIdentityClientSecret": "canary-secret"}
    with pytest.raises(Unauthorized) as caught:
        Provider(server.url).renew(server.method, login(Provider, server.method, wrong))
    assert str(caught.value) == f"Infisical: POST {LOGIN} answered 401: Invalid credentials"


def test_a_token_signed_by_this_server_identifies_this_server(server: Server) -> None:
    for ends in ({}, {"exp": 1}):
        ours = jwt.encode(ends, tokens._signing_key(), tokens.ALGORITHM)
        server.fault = lambda ask, ours=ours: Answer(200, {"accessToken": ours, "expiresIn": 60})
        with pytest.raises(Rejected, match="this very server"):
            Provider(server.url).renew(server.method, login(Provider, server.method, server.credentials))


@pytest.mark.parametrize(
    "body", [{}, {"accessToken": "", "expiresIn": 5}, {"accessToken": "x", "expiresIn": "soon"}, []]
)
def test_a_response_without_a_token_is_unexpected(server: Server, body: Any) -> None:
    server.fault = lambda ask: Answer(200, body)
    with pytest.raises(BadResponse):
        Provider(server.url).renew(server.method, login(Provider, server.method, server.credentials))


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://secrets.example.com", True),
        ("https://example.com:8443/infisical/", True),
        ("http://[::1]:8080", True),
        ("https://user:word@example.com", False),
        ("https://example.com/?a=b", False),
        ("ftp://example.com", False),
        ("https://example.com/\x01", False),
        ("example.com", False),
    ],
)
def test_the_address_is_only_that_of_a_server(url: str, good: bool) -> None:
    given = {"instanceUrl": url, "machineIdentityClientId": CLIENT_ID, "machineIdentityClientSecret": "x"}
    model = Provider.methods["machine-identity"]
    described = openapi(model)["properties"]["instanceUrl"]["pattern"]
    assert (re.search(described, url) is not None) == good
    if good:
        assert model.parse(given).stored() == given
    else:
        with pytest.raises(Invalid, match=r"Invalid url|control character"):
            model.parse(given)


def test_a_private_address_is_not_called(server: Server) -> None:
    with pytest.raises(AddressRefused, match=r"127\.0\.0\.1 is not a public address"):
        Provider().renew(
            server.method, login(Provider, server.method, {**server.credentials, "instanceUrl": server.url})
        )
    assert server.asked() == []


def test_pickers_list_what_the_identity_can_access(server: Server, client: ApiClient) -> None:
    provider = Provider(server.url)
    assert provider.choices(client, "projectId", {}) == [Choice(PROJECT, "Shop")]
    assert provider.choices(client, "environment", {"projectId": PROJECT}) == [Choice("prod", "Production")]
    chosen = {"projectId": PROJECT, "environment": "prod"}
    folders = ["/", "/services", "/services/api"]
    assert provider.choices(client, "secretPath", chosen) == [Choice(path, path) for path in folders]
    (project,) = provider.pick(client, "projects")["projects"]
    assert project == {
        "id": PROJECT,
        "name": "Shop",
        "slug": "shop",
        "environments": [{"id": "e1", "name": "Production", "slug": "prod"}],
    }


# -- the secrets -----------------------------------------------------------------------------------------------------


def test_written_secrets_have_their_comment_and_are_read_back(server: Server, destination: ExternalInfisical) -> None:
    (outcome,) = apply(destination, create("KEY", "värde\n", "why"))
    (listed,) = destination.listing()
    assert (listed.key, listed.value, listed.comment) == ("KEY", "värde\n", "why")
    assert (listed.object_id, listed.etag) == (outcome.written.object_id, outcome.written.etag)
    (outcome,) = apply(destination, update("KEY"))
    (after,) = destination.listing()
    assert (after.object_id, after.value, after.etag) == (listed.object_id, "w", outcome.written.etag)
    assert after.etag != listed.etag


def test_a_server_without_v4_is_called_with_v3(server: Server, client: ApiClient) -> None:
    server.versions = {"v3"}
    destination = ExternalInfisical(client, FOLDER)
    destination.listing()
    apply(destination, create("KEY"))
    asked = [path for _, path in server.asked()]
    assert asked == ["/api/v4/secrets", "/api/v3/secrets/raw", "/api/v3/secrets/batch/raw"]
    assert server.held(FOLDER) == {"KEY": "v"}


@pytest.mark.parametrize("versions", [{"v3"}, {"v4"}, {"v3", "v4"}])
def test_a_missing_folder_is_a_line_of_the_plan_and_made_once(
    server: Server, client: ApiClient, versions: set[str]
) -> None:
    server.versions = versions
    config = {**FOLDER, "secretPath": "/new/deep"}
    destination = ExternalInfisical(client, config, concurrency=2)
    assert destination.listing() == ()
    assert destination.makes([create("A")]) == ["the folder /new/deep"]
    assert (PROJECT, "prod", "/new/deep") not in server.secrets
    server.asked()
    outcomes = apply(destination, *(create(f"K{number}") for number in range(150)))
    assert [outcome.error for outcome in outcomes] == [None] * 150
    assert len(server.held(config)) == 150
    assert [path for method, path in server.asked() if method == "POST" and "folders" in path] == [
        "/api/v1/folders" if versions == {"v3"} else "/api/v2/folders"
    ]
    again = ExternalInfisical(client, config)
    assert len(again.listing()) == 150
    assert again.makes([create("B")]) == []


@pytest.mark.parametrize(
    "config", [{"environment": "gone"}, {"projectId": "gone"}, {"environment": "gone", "secretPath": "/"}]
)
def test_a_missing_environment_is_not_an_empty_list(server: Server, client: ApiClient, config: dict[str, str]) -> None:
    with pytest.raises(NotFound, match="Folder with path"):
        ExternalInfisical(client, {**FOLDER, **config}).listing()


def test_a_folder_that_may_not_be_looked_for_is_not_an_empty_list(server: Server, client: ApiClient) -> None:
    """The first error is the one that is shown."""
    server.fault = lambda ask: Answer(403, {"message": "no folders"}) if "folders" in ask.path else None
    with pytest.raises(NotFound, match="Folder with path '/gone'"):
        ExternalInfisical(client, {**FOLDER, "secretPath": "/gone"}).listing()


def test_tags_and_metadata_go_along(server: Server, destination: ExternalInfisical) -> None:
    server.tags = {"db": "tag-1"}
    write = replace(create("A"), tags=frozenset({"db", "new"}), metadata=(("owner", "core"), ("team", "x")))
    assert destination.makes([write]) == ["the tag new"]
    assert set(server.tags) == {"db"}
    assert [outcome.error for outcome in apply(destination, write, create("B"))] == [None, None]
    held = server.secrets[PROJECT, "prod", "/services/api"]
    assert {tag["slug"] for tag in held["A"]["tags"]} == {"db", "new"}
    assert held["A"]["secretMetadata"] == [{"key": "owner", "value": "core"}, {"key": "team", "value": "x"}]
    assert (held["B"]["tags"], held["B"]["secretMetadata"]) == ([], [])
    apply(destination, update("A"))
    assert len(held["A"]["tags"]) == 2


def test_tags_and_metadata_may_stay(client: ApiClient) -> None:
    for policy, sends in (({}, True), ({"tagsAndMetadata": True}, True), ({"tagsAndMetadata": False}, False)):
        destination = ExternalInfisical(client, FOLDER, policy=policy)
        assert (destination.sends_tags(), destination.sends_metadata()) == (sends, sends)


def test_untagged_secrets_need_no_right_for_tags(server: Server, destination: ExternalInfisical) -> None:
    server.fault = lambda ask: Answer(403, {"message": "no tags"}) if ask.path.endswith("/tags") else None
    assert destination.makes([create("A")]) == []
    assert [outcome.error for outcome in apply(destination, create("A"))] == [None]


def test_of_500_secrets_one_changed_costs_two_requests(server: Server, client: ApiClient) -> None:
    for number in range(500):
        server.put(FOLDER, f"K{number}", "x")
    destination = ExternalInfisical(client, FOLDER)
    assert len(destination.listing()) == 500
    apply(destination, update("K7"))
    assert server.asked() == [("GET", "/api/v4/secrets"), ("PATCH", "/api/v4/secrets/batch")]


def test_250_new_keys_take_three_requests(server: Server, destination: ExternalInfisical) -> None:
    outcomes = apply(destination, *(create(f"K{number}") for number in range(250)))
    assert [outcome.error for outcome in outcomes] == [None] * 250
    assert len(server.asked()) == 3
    assert all(outcome.written.object_id for outcome in outcomes)


def test_a_batch_that_is_refused_for_one_key_is_sent_again_key_by_key(
    server: Server, destination: ExternalInfisical
) -> None:
    server.put(FOLDER, "TAKEN", "theirs")
    outcomes = apply(destination, create("A"), create("REFERS", "${NOWHERE}"), create("TAKEN", "ours"), create("Z"))
    assert [type(outcome.error) for outcome in outcomes] == [type(None), Rejected, Conflict, type(None)]
    assert server.held(FOLDER) == {"A": "v", "TAKEN": "theirs", "Z": "v"}


def test_a_batch_too_large_for_one_request_is_split(server: Server, destination: ExternalInfisical) -> None:
    outcomes = apply(destination, *(create(f"K{number}", "ä" * 30_000) for number in range(100)))
    assert [outcome.error for outcome in outcomes] == [None] * 100
    assert len(server.asked()) == 8
    assert len(server.held(FOLDER)) == 100


def test_an_update_of_a_missing_key_does_not_create_it(server: Server, destination: ExternalInfisical) -> None:
    server.put(FOLDER, "HERE", "x")
    gone, here = apply(destination, update("GONE"), update("HERE"))
    assert isinstance(gone.error, NotFound)
    assert here.error is None
    assert server.held(FOLDER) == {"HERE": "w"}


def test_a_delete_of_a_missing_key_succeeds_and_its_neighbours_are_deleted(
    server: Server, destination: ExternalInfisical
) -> None:
    for key in ("A", "B"):
        server.put(FOLDER, key, "x")
    outcomes = apply(destination, delete("A"), delete("B"), delete("GONE"))
    assert [outcome.error for outcome in outcomes] == [None] * 3
    assert server.held(FOLDER) == {}


def test_a_masked_value_is_not_read_as_value(server: Server, destination: ExternalInfisical) -> None:
    server.put(FOLDER, "KEY", "x")
    server.unreadable = {"KEY"}
    (listed,) = destination.listing()
    assert (listed.key, listed.value) == ("KEY", None)
    assert listed.etag


def test_personal_overrides_are_ignored(server: Server, destination: ExternalInfisical) -> None:
    server.put(FOLDER, "KEY", "shared")
    own = {**server.secrets[PROJECT, "prod", "/services/api"]["KEY"], "type": "personal", "secretValue": "mine"}

    def fault(ask: Ask) -> Answer | None:
        answer = server.answer(ask)
        if ask.method == "GET" and answer.status == 200:
            return Answer(200, {"secrets": [*answer.body["secrets"], own]})
        return None

    server.fault = fault
    assert [remote.value for remote in destination.listing()] == ["shared"]


def test_references_and_imports_are_listed_unresolved(server: Server, destination: ExternalInfisical) -> None:
    destination.listing()
    asks = [ask.query for ask, answer in server.exchanges if ask.method == "GET" and answer.status == 200]
    for asked in asks:
        assert (asked["expandSecretReferences"], asked["include_imports"], asked["includeImports"]) == ("false",) * 3


def test_values_are_normalized_like_the_server_trims_them(server: Server, destination: ExternalInfisical) -> None:
    for value in (" x ", "x\n\n", "", "\n", "line 1\nline 2\n", "\tx"):
        server.secrets[PROJECT, "prod", "/services/api"].clear()
        apply(destination, create("KEY", value))
        assert server.held(FOLDER) == {"KEY": destination.normalize_value(value)}


def test_writes_waiting_for_approval_at_the_server_are_not_applied(
    server: Server, destination: ExternalInfisical
) -> None:
    server.put(FOLDER, "OLD", "x")
    server.approvals = True
    outcomes = [
        *apply(destination, create("NEW")),
        *apply(destination, update("OLD")),
        *apply(destination, delete("OLD")),
    ]
    assert [type(outcome.error) for outcome in outcomes] == [Rejected] * 3
    assert server.held(FOLDER) == {"OLD": "x"}


def test_an_empty_response_to_a_write_is_no_failure(server: Server, destination: ExternalInfisical) -> None:
    server.late_fault = lambda ask: Answer(200, {}) if ask.method == "POST" else None
    (outcome,) = apply(destination, create("KEY"))
    assert (outcome.error, outcome.written.etag) == (None, None)
    assert server.held(FOLDER) == {"KEY": "v"}


@pytest.mark.parametrize("body", [{"secrets": None}, [], {"secrets": ["A"]}, {"secrets": [{"secretKey": "A"}]}, None])
def test_a_list_of_another_shape_is_unexpected(server: Server, destination: ExternalInfisical, body: Any) -> None:
    server.fault = lambda ask: Answer(200, body)
    with pytest.raises(BadResponse):
        destination.listing()


def test_the_location_is_the_folder_for_every_login(client: ApiClient) -> None:
    location = ExternalInfisical(client, FOLDER).location()
    assert location == f"external-infisical|{client.base_url}|{PROJECT}/prod/services/api"
    assert ExternalInfisical(client, ROOT).location() != location
    deep = [ExternalInfisical(client, {**FOLDER, "secretPath": "/long" * 300 + end}).location() for end in ("/a", "/b")]
    assert len(set(deep)) == 2
    assert max(map(len, deep)) < 512


@pytest.mark.parametrize("path", ["/services/api/", "services//api", " /services/api "])
def test_a_path_has_one_form(path: str) -> None:
    assert ExternalInfisical.Config.parse({**FOLDER, "secretPath": path}).stored() == FOLDER


def test_names_are_written_unchanged() -> None:
    given = {"initialSyncBehavior": "overwrite-destination", "keySchema": "A_{{secretKey}}"}
    with pytest.raises(Invalid, match="keySchema"):
        ExternalInfisical.Options.parse(given)
