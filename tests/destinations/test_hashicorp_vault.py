"""Vault over real HTTP on loopback: one document, no lost external writes, vendor-specific behaviour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from config.errors import BadRequest, Invalid, ServiceError
from connections.errors import BadResponse, Conflict, NotFound, Unauthorized, Unavailable
from connections.http.client import ApiClient
from connections.provider import Choice
from connections.providers.hashicorp_vault import HashicorpVault as Provider
from syncs.destinations.hashicorp_vault import HashicorpVault
from syncs.engine.types import Action, Outcome, Remote, Write
from tests.connections.answering import Vendor, reply
from tests.connections.logins import login
from tests.connections.test_tls import issue

from .hashicorp_vault import ROLE, SECRET, STALE, Stored
from .hashicorp_vault import HashicorpVault as Fake
from .serving import Answer, Ask

SECOND, FIRST = Fake.configs["version-2"], Fake.configs["version-1"]


@pytest.fixture
def vault() -> Iterator[Fake]:
    fake = Fake()
    with fake.running():
        yield fake


def opened(vault: Fake, **credentials: str) -> ApiClient:
    return Provider(vault.url).client(
        "access-token", login(Provider, "access-token", {**vault.credentials, **credentials})
    )


@pytest.fixture
def client(vault: Fake) -> Iterator[ApiClient]:
    with opened(vault) as client:
        yield client


def create(key: str, value: str = "v") -> Write:
    return Write(Action.CREATE, key, key, value)


def update(key: str, before: str, value: str) -> Write:
    return Write(Action.UPDATE, key, key, value, remote=Remote(key, before))


def delete(key: str, before: str) -> Write:
    return Write(Action.DELETE, key, key, remote=Remote(key, before))


def apply(destination: HashicorpVault, *writes: Write) -> list[Outcome]:
    return list(destination.apply(iter(writes)))


def good(outcomes: list[Outcome]) -> bool:
    assert [str(outcome.error) for outcome in outcomes if outcome.error] == []
    return True


@pytest.mark.parametrize("config", [SECOND, FIRST], ids=["version-2", "version-1"])
def test_foreign_keys_and_values_that_are_no_text_are_kept_unchanged(
    vault: Fake, client: ApiClient, config: Mapping[str, str]
) -> None:
    vault.put(config, "FOREIGN", "theirs")
    vault.put(config, "PORT", 5432)
    vault.put(config, "DEEP", {"list": [1, None, {"a": "b"}]})
    destination = HashicorpVault(client, config)
    listed = {remote.key: (remote.value, remote.is_secret) for remote in destination.listing()}
    assert listed == {"FOREIGN": ("theirs", True), "PORT": (None, False), "DEEP": (None, False)}
    assert good(apply(destination, create("A", "1")))
    deep = {"list": [1, None, {"a": "b"}]}
    assert vault.held(config) == {"FOREIGN": "theirs", "PORT": 5432, "DEEP": deep, "A": "1"}


def test_a_change_takes_one_read_and_one_patch_that_sends_the_change_alone(vault: Fake, client: ApiClient) -> None:
    for number in range(500):
        vault.put(SECOND, f"K{number}", "x")
    destination = HashicorpVault(client, SECOND)
    destination.listing()
    vault.asked()
    vault.exchanges.clear()
    assert good(apply(destination, update("K7", "x", "y"), delete("K8", "x")))
    (ask, _), (note, _) = vault.exchanges
    assert (ask.method, ask.body) == ("PATCH", {"data": {"K7": "y", "K8": None}, "options": {"cas": 500}})
    assert note.path == "/v1/secret/metadata/dev/shop"
    assert len(vault.held(SECOND)) == 499


def test_without_the_right_to_patch_all_keys_are_sent_after_another_read(vault: Fake, client: ApiClient) -> None:
    vault.may_patch = False
    vault.put(SECOND, "A", "1")
    destination = HashicorpVault(client, SECOND)
    destination.listing()
    vault.asked()
    assert good(apply(destination, create("B")))
    assert [method for method, _ in vault.asked()] == ["PATCH", "GET", "POST", "PATCH"]
    assert good(apply(destination, create("C")))
    assert [method for method, _ in vault.asked()] == ["POST"]
    assert vault.held(SECOND) == {"A": "1", "B": "v", "C": "v"}


@pytest.mark.parametrize("may_patch", [True, False])
def test_an_external_write_between_read_and_write_is_never_lost(
    vault: Fake, client: ApiClient, may_patch: bool
) -> None:
    vault.may_patch = may_patch
    vault.put(SECOND, "A", "1")
    destination = HashicorpVault(client, SECOND)
    destination.listing()
    raced: list[str] = []

    def meanwhile(ask: Ask) -> Answer | None:
        if ask.method in ("PATCH", "POST") and len(raced) < 2:
            raced.append(ask.method)
            vault.put(SECOND, f"FOREIGN{len(raced)}", "theirs")
        return None

    vault.fault = meanwhile
    assert good(apply(destination, update("A", "1", "2")))
    assert vault.held(SECOND) == {"A": "2", "FOREIGN1": "theirs", "FOREIGN2": "theirs"}


@pytest.mark.parametrize("may_patch", [True, False])
def test_an_externally_deleted_secret_is_not_recreated(vault: Fake, client: ApiClient, may_patch: bool) -> None:
    """Deleting does not count the version up, so check-and-set alone would not notice."""
    vault.may_patch = may_patch
    vault.put(SECOND, "THEIRS", "1")
    destination = HashicorpVault(client, SECOND)
    destination.listing()
    vault.stored["secret", "dev/shop"].data = None
    assert good(apply(destination, create("OURS")))
    assert vault.held(SECOND) == {"OURS": "v"}


def test_a_secret_that_keeps_changing_is_a_conflict(vault: Fake, client: ApiClient) -> None:
    destination = HashicorpVault(client, SECOND)
    destination.listing()
    vault.fault = lambda ask: STALE if ask.method == "POST" else None
    (outcome,) = apply(destination, create("A"))
    assert isinstance(outcome.error, Conflict)


def test_a_deleted_secret_is_overwritten_by_its_last_version(vault: Fake, client: ApiClient) -> None:
    vault.put(SECOND, "OLD", "1")
    vault.stored["secret", "dev/shop"].data = None
    destination = HashicorpVault(client, SECOND)
    assert destination.listing() == ()
    assert good(apply(destination, create("A")))
    assert vault.held(SECOND) == {"A": "v"}


def test_a_version_1_secret_is_deleted_with_its_last_key(vault: Fake, client: ApiClient) -> None:
    vault.put(FIRST, "A", "1")
    destination = HashicorpVault(client, FIRST)
    destination.listing()
    assert good(apply(destination, delete("A", "1")))
    assert vault.stored["old/kv", "dev/shop"].data is None


def test_a_version_1_mount_is_detected_once(vault: Fake, client: ApiClient) -> None:
    destination = HashicorpVault(client, FIRST)
    destination.listing()
    assert good(apply(destination, create("A")))
    assert vault.asked() == [
        ("GET", "/v1/old/kv/data/dev/shop"),
        ("GET", "/v1/sys/internal/ui/mounts/old/kv"),
        ("GET", "/v1/old/kv/dev/shop"),
        ("GET", "/v1/old/kv/dev/shop"),
        ("POST", "/v1/old/kv/dev/shop"),
    ]


def test_a_token_of_a_version_1_mount_may_be_refused_the_path_of_version_2(vault: Fake, client: ApiClient) -> None:
    vault.put(FIRST, "A", "1")
    denied = Answer(403, {"errors": ["permission denied"]})
    vault.fault = lambda ask: denied if "/data/" in ask.path else None
    assert [remote.key for remote in HashicorpVault(client, FIRST).listing()] == ["A"]


def test_a_missing_right_at_version_2_is_reported(vault: Fake, client: ApiClient) -> None:
    denied = Answer(403, {"errors": ["1 error occurred:\n\t* permission denied\n\n"]})
    vault.fault = lambda ask: denied if "/data/" in ask.path else None
    with pytest.raises(Unauthorized, match=r"GET /secret/data/dev/shop answered 403: 1 error occurred: \* permission"):
        HashicorpVault(client, SECOND).listing()


@pytest.mark.parametrize(
    "answer",
    [
        Answer(404, {"errors": ["no handler for route"]}),
        Answer(404, {"errors": ["namespace not found"]}),
        Answer(404, None),
        Answer(404, {"message": "not found"}),
    ],
)
def test_a_404_that_is_not_vaults_absent_is_no_empty_list(vault: Fake, client: ApiClient, answer: Answer) -> None:
    vault.fault = lambda ask: answer if "/data/" in ask.path else None
    with pytest.raises(NotFound):
        HashicorpVault(client, SECOND).listing()


@pytest.mark.parametrize("body", [{"data": {}}, {"data": None}, {}, {"data": {"data": [], "metadata": {"version": 1}}}])
def test_a_response_that_is_no_secret_is_unexpected(vault: Fake, client: ApiClient, body: Any) -> None:
    vault.fault = lambda ask: Answer(200, body) if "/data/" in ask.path else None
    with pytest.raises(BadResponse):
        HashicorpVault(client, SECOND).listing()


@pytest.mark.parametrize("status", [412, 472, 473, 503])
def test_a_standby_node_is_retried(vault: Fake, client: ApiClient, status: int) -> None:
    vault.fault = lambda ask: Answer(status, {"errors": ["standby"]}) if "/data/" in ask.path else None
    with pytest.raises(Unavailable):
        HashicorpVault(client, SECOND).listing()


def test_namespaces_are_separate_locations(vault: Fake) -> None:
    vault.namespace = "team/shop"
    with opened(vault, namespace="/team/shop/") as inside, opened(vault) as outside:
        assert good(apply(HashicorpVault(inside, SECOND), create("A")))
        assert HashicorpVault(inside, SECOND).location() != HashicorpVault(outside, SECOND).location()
        with pytest.raises(NotFound):
            HashicorpVault(outside, SECOND).listing()
    assert vault.held(SECOND) == {"A": "v"}


def test_a_namespace_is_the_same_location_in_login_and_mount(vault: Fake) -> None:
    with opened(vault, namespace="team") as inside, opened(vault) as outside:
        location = HashicorpVault(inside, SECOND).location()
        assert HashicorpVault(outside, {**SECOND, "mount": f"team/{SECOND['mount']}"}).location() == location


@pytest.mark.parametrize("namespace", ["..", "team/..", "../sys", "./team", "."])
def test_an_invalid_namespace_is_refused(namespace: str) -> None:
    method = Provider.methods["access-token"]
    given = {"instanceUrl": "https://vault.example.com", "accessToken": "x"}
    assert method.parse({**given, "namespace": "/team/sh.op/"})
    with pytest.raises(Invalid) as refused:
        method.parse({**given, "namespace": namespace})
    assert "only dots" in refused.value.issues[0]["message"]


LOGINS: dict[str, tuple[dict[str, str], str, dict[str, str]]] = {
    "app-role": ({"roleId": ROLE, "secretId": SECRET}, "approle/login", {"role_id": ROLE, "secret_id": SECRET}),
    "kubernetes": ({"role": "sync", "jwt": "canary-jwt"}, "kubernetes/login", {"role": "sync", "jwt": "canary-jwt"}),
    "jwt": ({"role": "sync", "jwt": "canary-jwt"}, "jwt/login", {"role": "sync", "jwt": "canary-jwt"}),
    "userpass": (
        {"username": "a b", "password": "canary-password"},
        "userpass/login/a b",
        {"password": "canary-password"},
    ),
    "certificate": ({"role": "sync"}, "cert/login", {"name": "sync"}),
}


def signing_in(vault: Fake, method: str, **more: str) -> tuple[Provider, Any]:
    given, path, body = LOGINS[method]
    provider = Provider(vault.url)
    if method == "certificate":
        made = issue("client")
        given = {**given, "clientCertificate": made.pem, "clientKey": made.key_pem}
    mount = more.get("authMount", "").strip("/")
    vault.logins = {f"{mount}/{path.partition('/')[2]}" if mount else path: body}
    return provider, login(provider, method, {"instanceUrl": "https://v.example", **given, **more})


@pytest.mark.parametrize("method", LOGINS)
@pytest.mark.parametrize("mount", ["", "/team/own mount/"])
def test_a_login_at_any_mount_gets_an_expiring_token(vault: Fake, method: str, mount: str) -> None:
    provider, credentials = signing_in(vault, method, **({"authMount": mount} if mount else {}))
    session = provider.renew(method, credentials)
    assert session
    assert 1100 < (session.expires_at - datetime.now(UTC)).total_seconds() <= 1200
    assert session.token == vault.given[0]
    with provider.client(method, credentials, session) as client:
        assert provider.check(client).excess == ()


@pytest.mark.parametrize("method", LOGINS)
@pytest.mark.parametrize("status", [400, 403])
def test_a_refused_login_is_unauthorized_and_shows_nothing_that_was_sent(vault: Fake, method: str, status: int) -> None:
    provider, credentials = signing_in(vault, method)
    sent = " ".join(LOGINS[method][2].values())
    vault.fault = lambda ask: Answer(status, {"errors": [f"invalid {sent}"]})
    with pytest.raises(Unauthorized, match=f"answered {status}: invalid") as refused:
        provider.renew(method, credentials)
    assert type(refused.value) is Unauthorized
    assert "canary" not in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("body", [{}, [], {"auth": None}, {"auth": {"client_token": "", "lease_duration": 1}}])
def test_a_login_without_a_token_is_unexpected(vault: Fake, body: Any) -> None:
    provider, credentials = signing_in(vault, "jwt")
    vault.fault = lambda ask: Answer(200, body)
    with pytest.raises(BadResponse, match="POST /auth/jwt/login: unexpected response"):
        provider.renew("jwt", credentials)


def test_a_certificate_login_needs_the_certificate() -> None:
    with pytest.raises(BadRequest, match="clientCertificate: it is the credential of this method"):
        Provider.methods["certificate"].parse({"instanceUrl": "https://v.example"})


@pytest.mark.parametrize("mount", ["..", "a/../b", "."])
def test_an_auth_mount_that_is_another_address_is_refused(mount: str) -> None:
    given = {"instanceUrl": "https://v.example", "role": "a", "jwt": "b"}
    assert Provider.methods["jwt"].parse({**given, "authMount": "a/b.c/"})
    with pytest.raises(Invalid) as refused:
        Provider.methods["jwt"].parse({**given, "authMount": mount})
    assert "only dots" in refused.value.issues[0]["message"]


def test_an_access_token_is_used_as_it_is_and_root_is_more_than_needed(vault: Fake, client: ApiClient) -> None:
    provider = Provider(vault.url)
    assert provider.renew("access-token", login(provider, "access-token", dict(vault.credentials))) is None
    vault.policies = ["root"]
    assert provider.check(client).excess == ("root",)


FOREIGN = r'{"NUMBER": 1.10, "BIG": 1E+05, "ESC": "caf\u00e9\/", "DEEP": {"b": 1.0, "a": [ ]}}'


@pytest.mark.parametrize("config", [SECOND, FIRST], ids=["version-2", "version-1"])
def test_foreign_members_are_sent_back_byte_for_byte(config: Mapping[str, str]) -> None:
    """With the complete secret in each write: version 1, and version 2 without the right to patch."""
    vendor, written = Vendor(), list[str]()

    def answer(handler: BaseHTTPRequestHandler, count: int) -> None:
        if handler.command == "POST":
            written.append(vendor.body.decode())
            reply(204)(handler, count)
        elif handler.command == "PATCH":
            reply(403)(handler, count)
        elif handler.path.startswith("/sys/internal"):
            reply(200, b'{"data": {"type": "kv", "options": {"version": "1"}}}')(handler, count)
        elif "/data/" not in handler.path:
            reply(200, f'{{"data": {FOREIGN}}}'.encode())(handler, count)
        elif config == FIRST:
            reply(404, b'{"errors": []}')(handler, count)
        else:
            reply(200, f'{{"data": {{"data": {FOREIGN}, "metadata": {{"version": 1}}}}}}'.encode())(handler, count)

    vendor.answer = answer
    try:
        with ApiClient("Hashicorp Vault", vendor.url) as client:
            destination = HashicorpVault(client, config)
            destination.listing()
            assert good(apply(destination, create("OURS", "1")))
    finally:
        vendor.stop()
    held = FOREIGN[:-1] + ', "OURS": "1"}'
    assert written == [held if config == FIRST else f'{{"options": {{"cas": 1}}, "data": {held}}}']


def test_a_renamed_key_is_one_patch(vault: Fake, client: ApiClient) -> None:
    vault.put(SECOND, "OLD", "1")
    destination = HashicorpVault(client, SECOND)
    destination.listing()
    vault.exchanges.clear()
    assert good(apply(destination, create("NEW", "1"), delete("OLD", "1")))
    patches = [ask.body for ask, _ in vault.exchanges if "/data/" in ask.path]
    assert patches == [{"data": {"NEW": "1", "OLD": None}, "options": {"cas": 1}}]
    assert vault.stored["secret", "dev/shop"].version == 2


def test_the_writer_is_noted_once_beside_the_metadata_of_others(vault: Fake, client: ApiClient) -> None:
    stored = vault.stored["secret", "dev/shop"] = Stored({"A": "1"}, 1, {"owner": "team"})
    destination = HashicorpVault(client, SECOND)
    destination.listing()
    assert destination.requests({Action.CREATE: 3}) == 2
    assert good(apply(destination, create("B")))
    assert stored.custom == {"owner": "team", "keyferry": "Keyferry writes keys of this secret"}
    again = HashicorpVault(client, SECOND)
    again.listing()
    assert again.requests({Action.CREATE: 3}) == 1
    vault.exchanges.clear()
    assert good(apply(again, create("C")))
    assert [ask.method for ask, _ in vault.exchanges] == ["PATCH"]


@pytest.mark.parametrize("status", [403, 405, 429, 500, 503])
def test_a_note_that_fails_is_no_failure_of_a_write(vault: Fake, client: ApiClient, status: int) -> None:
    vault.fault = lambda ask: Answer(status, {"errors": ["no"]}) if "/metadata/" in ask.path else None
    destination = HashicorpVault(client, SECOND)
    destination.listing()
    assert good(apply(destination, create("A")))
    assert good(apply(destination, create("B")))
    assert [path for _, path in vault.asked() if "/metadata/" in path] == ["/v1/secret/metadata/dev/shop"]
    assert vault.held(SECOND) == {"A": "v", "B": "v"}


def test_nothing_is_noted_where_nothing_was_written(vault: Fake, client: ApiClient) -> None:
    destination = HashicorpVault(client, SECOND)
    destination.listing()
    assert good(apply(destination, delete("A", "1")))
    assert [path for _, path in vault.asked() if "/metadata/" in path] == []


def test_a_path_may_have_blanks(vault: Fake, client: ApiClient) -> None:
    config = HashicorpVault.Config.parse({"mount": "secret", "path": "dev team/the shop"}).stored()
    destination = HashicorpVault(client, config)
    assert good(apply(destination, create("A")))
    assert vault.held(config) == {"A": "v"}
    assert [remote.key for remote in destination.listing()] == ["A"]
    assert ("GET", "/v1/secret/data/dev%20team/the%20shop") in vault.asked()


def test_pickers_list_key_value_mounts_and_their_top_level(vault: Fake, client: ApiClient) -> None:
    provider = Provider(vault.url)
    assert provider.choices(client, "mount", {}) == [Choice("old/kv", "old/kv"), Choice("secret", "secret")]
    assert provider.choices(client, "path", {"mount": "secret"}) == []
    vault.put({"mount": "secret", "path": "shop"}, "A", "1")
    vault.put({"mount": "old/kv", "path": "blog"}, "A", "1")
    assert provider.choices(client, "path", {"mount": "secret"}) == [Choice("shop", "shop")]
    assert provider.choices(client, "path", {"mount": "old/kv"}) == [Choice("blog", "blog")]


def test_a_path_is_stored_without_outer_slashes() -> None:
    given = {"mount": " secret/ ", "path": "/dev/shop/"}
    assert HashicorpVault.Config.parse(given).stored() == {"mount": "secret", "path": "dev/shop"}


@pytest.mark.parametrize("path", ["", "/", "a//b", "a /b", "a/ b", "a\tb", "../b", "a/./b", "ä", "x" * 129])
def test_a_path_outside_the_mount_is_refused(path: str) -> None:
    with pytest.raises(ServiceError):
        HashicorpVault.Config.parse({"mount": "secret", "path": path})
