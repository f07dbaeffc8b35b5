"""Logins at GitHub: a personal access token, and an App that signs for a token of its installation."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pytest_django import Settings

from config import encryption
from config.access.models import User
from config.access.roles import actor_of_user
from config.errors import BadRequest, ServiceError
from connections.credentials import credentials_of, shown_credentials
from connections.errors import AddressRefused, BadResponse, RateLimited, Unauthorized
from connections.http.waits import LONGEST
from connections.models import AppConnection
from connections.provider import Choice, Rights, Session
from connections.providers.github import GitHub, classify
from connections.services import check_connection, choices, create_connection, update_connection
from tests.connections.logins import login
from tests.destinations.github import APP_ID, CLIENT_ID, CLIENT_SECRET, INSTALLATION, TOKEN
from tests.destinations.github import GitHub as Vendor
from tests.destinations.serving import Answer


@pytest.fixture(scope="module")
def pair() -> tuple[str, str]:
    """An App's private key and its public half, in PEM form, as GitHub gives it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    return private, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture
def vendor(pair: tuple[str, str]) -> Iterator[Vendor]:
    fake = Vendor()
    fake.app_key = pair[1]
    with fake.running():
        yield fake


@pytest.fixture
def app(pair: tuple[str, str]) -> dict[str, str]:
    return {"privateKey": pair[0], "appId": APP_ID, "installationId": INSTALLATION}


def test_a_token_is_checked_with_one_request(vendor: Vendor) -> None:
    provider = GitHub(vendor.url)
    with provider.client("pat", login(provider, "pat", vendor.credentials)) as client:
        provider.check(client)
    assert vendor.asked() == [("GET", "/user")]
    assert provider.renew("pat", login(provider, "pat", vendor.credentials)) is None


def test_a_refused_token_reports_the_vendors_message_and_not_the_token(vendor: Vendor) -> None:
    provider = GitHub(vendor.url)
    with (
        provider.client("pat", login(provider, "pat", {"personalAccessToken": "canary-wrong"})) as client,
        pytest.raises(Unauthorized) as caught,
    ):
        provider.check(client)
    assert str(caught.value) == "GitHub: GET /user answered 401: Bad credentials"


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        (None, Rights()),
        ("repo", Rights()),
        ("admin:org, read:org", Rights()),
        ("gist, repo, workflow", Rights(excess=("gist", "workflow"))),
        ("", Rights(missing=("repo or admin:org",))),
        ("public_repo", Rights(missing=("repo or admin:org",), excess=("public_repo",))),
    ],
)
def test_the_scopes_of_a_classic_token_are_judged(vendor: Vendor, scopes: str | None, expected: Rights) -> None:
    vendor.scopes = scopes
    provider = GitHub(vendor.url)
    with provider.client("pat", login(provider, "pat", vendor.credentials)) as client:
        assert provider.check(client) == expected


@pytest.mark.parametrize(
    ("granted", "expected"),
    [
        ({"secrets": "write", "metadata": "read", "actions": "read"}, Rights()),
        ({"organization_secrets": "write"}, Rights()),
        ({"organization_codespaces_secrets": "read"}, Rights(missing=("organization_codespaces_secrets: write",))),
        (
            {"dependabot_secrets": "write", "secret_scanning_alerts": "read"},
            Rights(excess=("secret_scanning_alerts: read",)),
        ),
        ({}, Rights()),
        ({"secrets": "read", "environments": "write"}, Rights(missing=("secrets: write",))),
        (
            {"secrets": "write", "contents": "read", "actions": "write"},
            Rights(excess=("actions: write", "contents: read")),
        ),
        (
            {"metadata": "read"},
            Rights(missing=("secrets: write or organization_secrets: write",)),
        ),
    ],
)
def test_the_permissions_of_an_installation_are_judged(
    vendor: Vendor, app: dict[str, str], granted: dict[str, str], expected: Rights
) -> None:
    vendor.permissions = granted
    provider, credentials = GitHub(vendor.url), login(GitHub, "github-app", app)
    with provider.client("github-app", credentials, provider.renew("github-app", credentials)) as client:
        assert provider.check(client) == expected


def test_a_session_of_an_earlier_version_has_no_permissions(vendor: Vendor, app: dict[str, str]) -> None:
    provider = GitHub(vendor.url)
    old = Session(TOKEN, datetime.now(UTC) + timedelta(hours=1))
    with provider.client("github-app", login(provider, "github-app", app), old) as client:
        assert provider.check(client) == Rights()


def test_an_app_signs_for_a_token_that_ends_and_works_with_it(vendor: Vendor, app: dict[str, str]) -> None:
    provider = GitHub(vendor.url)
    session = provider.renew("github-app", login(provider, "github-app", app))
    assert session
    assert session.token not in repr(session)
    assert timedelta(minutes=59) < session.expires_at - datetime.now(UTC) <= timedelta(hours=1)
    with provider.client("github-app", login(provider, "github-app", app), session) as client:
        provider.check(client)
    assert vendor.asked() == [
        ("POST", f"/app/installations/{INSTALLATION}/access_tokens"),
        ("GET", "/installation/repositories"),
    ]


@pytest.mark.parametrize("change", [lambda pem: pem.replace("\n", " "), lambda pem: pem.replace("\n", "\\n")])
def test_a_private_key_without_line_breaks_is_read(vendor: Vendor, app: dict[str, str], change: Any) -> None:
    assert GitHub(vendor.url).renew(
        "github-app", login(GitHub, "github-app", {**app, "privateKey": change(app["privateKey"])})
    )


@pytest.mark.parametrize("text", ["nonsense", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----"])
def test_an_invalid_private_key_is_reported_and_not_shown(vendor: Vendor, app: dict[str, str], text: str) -> None:
    with pytest.raises(Unauthorized, match="not an RSA key in PEM form") as caught:
        GitHub(vendor.url).renew("github-app", login(GitHub, "github-app", {**app, "privateKey": text}))
    assert text not in str(caught.value)
    assert vendor.asked() == []


def test_an_app_that_is_not_installed_is_refused_with_the_vendors_message(vendor: Vendor, app: dict[str, str]) -> None:
    with pytest.raises(Unauthorized, match="answered 401"):
        GitHub(vendor.url).renew("github-app", login(GitHub, "github-app", {**app, "installationId": "1"}))


@pytest.mark.parametrize("body", [{}, {"token": "ghs_x"}, {"token": "ghs_x", "expires_at": "soon"}, ["ghs_x"]])
def test_a_response_without_a_token_is_unexpected(vendor: Vendor, app: dict[str, str], body: Any) -> None:
    vendor.fault = lambda ask: Answer(201, body)
    with pytest.raises(BadResponse):
        GitHub(vendor.url).renew("github-app", login(GitHub, "github-app", app))


@pytest.mark.parametrize(
    ("where", "address"),
    [
        ({}, "https://api.github.com"),
        ({"instanceType": "cloud", "host": "acme.ghe.com"}, "https://api.acme.ghe.com"),
        ({"instanceType": "server", "host": "github.example.com"}, "https://github.example.com/api/v3"),
    ],
)
def test_the_address_follows_the_instance(where: dict[str, str], address: str) -> None:
    credentials = {"personalAccessToken": "x", **where}
    with GitHub().client("pat", login(GitHub, "pat", credentials)) as client:
        assert client.base_url == address
    with GitHub("http://127.0.0.1:9").client("pat", login(GitHub, "pat", credentials)) as client:
        assert client.base_url == "http://127.0.0.1:9"  # the operator's setting takes precedence


def test_a_host_with_a_private_address_is_not_called(vendor: Vendor) -> None:
    host = vendor.url.removeprefix("http://")
    credentials = {**vendor.credentials, "instanceType": "server", "host": host}
    with (
        GitHub().client("pat", login(GitHub, "pat", credentials)) as client,
        pytest.raises(AddressRefused, match="not a public address"),
    ):
        client.request("GET", "/user")
    assert vendor.asked() == []


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"instanceType": "server"}, "required for a GitHub Enterprise Server"),
        ({"host": "evil.example/x?y="}, "must be a host's name"),
        ({"host": "user@evil.example"}, "must be a host's name"),
    ],
)
def test_an_invalid_address_is_reported(where: dict[str, str], message: str) -> None:
    with pytest.raises(ServiceError, match=message):
        GitHub.methods["pat"].parse({"personalAccessToken": "x", **where})


@pytest.mark.parametrize(
    ("field", "chosen", "expected"),
    [
        ("org", {}, [Choice("acme", "acme")]),
        ("owner", {}, [Choice("acme", "acme"), Choice("ada", "ada")]),
        ("repo", {"owner": "ACME"}, [Choice("blog", "blog"), Choice("shop", "shop")]),
        ("selectedRepositoryIds", {"org": "acme"}, [Choice("1002", "blog"), Choice("1001", "shop")]),
        ("env", {"owner": "acme", "repo": "shop"}, [Choice("production/eu", "production/eu"), Choice("test", "test")]),
    ],
)
@pytest.mark.parametrize("method", ["pat", "github-app"])
def test_pickers_offer_what_the_login_reaches(
    vendor: Vendor, app: dict[str, str], method: str, field: str, chosen: dict[str, str], expected: list[Choice]
) -> None:
    provider = GitHub(vendor.url)
    credentials = app if method == "github-app" else dict(vendor.credentials)
    with provider.client(
        method, login(provider, method, credentials), provider.renew(method, login(provider, method, credentials))
    ) as client:
        assert provider.choices(client, field, chosen) == expected


def test_the_modelled_lists_have_numbers_names_and_owners(vendor: Vendor) -> None:
    provider = GitHub(vendor.url)
    with provider.client("pat", login(provider, "pat", vendor.credentials)) as client:
        assert provider.pick(client, "organizations") == {"organizations": [{"id": 9, "login": "acme"}]}
        first = provider.pick(client, "repositories")["repositories"][0]
    assert first == {"id": 1002, "name": "blog", "owner": {"id": 9, "login": "acme"}}


RESET = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9999999999"}
ABUSE = "You have triggered an abuse detection mechanism. Please wait a few minutes before you try again."
CONTENT = "You have been temporarily blocked from content creation. Please retry your request again later."


@pytest.mark.parametrize(
    ("status", "headers", "body", "seconds"),
    [
        (403, {"retry-after": "7"}, {"message": "no"}, 7),
        (429, {"retry-after": "7"}, {"message": "no"}, 7),
        (429, {}, {"message": "no"}, 60),
        (403, {}, {"message": "You have exceeded a secondary rate limit. Please wait."}, 60),
        (403, {"x-ratelimit-remaining": "4513", "x-ratelimit-reset": "9999999999"}, {"message": ABUSE}, 60),
        (403, {}, {"message": CONTENT}, 60),
        (403, {}, {"documentation_url": "https://docs.github.com/rest/overview#abuse-rate-limits"}, 60),
        (403, {"retry-after": "0"}, {"message": "no"}, 60),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, {"message": "no"}, 60),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "5"}, {"message": "no"}, 5),
        (403, RESET, {"message": "no"}, LONGEST),
    ],
)
def test_every_form_of_a_rate_limit_has_a_waiting_time(
    vendor: Vendor, status: int, headers: dict[str, str], body: dict[str, str], seconds: float
) -> None:
    vendor.fault = lambda ask: Answer(status, body, headers)
    client = GitHub(vendor.url).client("pat", login(GitHub, "pat", dict(vendor.credentials)))
    with client, pytest.raises(RateLimited) as caught:
        client.request("PUT", "/x")
    assert caught.value.retry_after == pytest.approx(seconds, abs=5)


def test_another_403_is_a_missing_right() -> None:
    body = {"message": "Resource not accessible by personal access token"}
    assert classify(403, httpx.Headers({"x-ratelimit-remaining": "4999"}), body) is None
    assert classify(404, httpx.Headers(RESET), body) is None


def test_the_jwt_is_backdated_to_allow_for_clock_skew(vendor: Vendor, app: dict[str, str]) -> None:
    GitHub(vendor.url).renew("github-app", login(GitHub, "github-app", app))
    ask, _ = vendor.exchanges[0]
    claims = jwt.decode(ask.headers["authorization"].removeprefix("Bearer "), options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] <= 600
    assert claims["iat"] <= time.time() - 50


@pytest.fixture
def server_app(app: dict[str, str], tmp_path: Path, settings: Settings, vendor: Vendor) -> Path:
    """The App of this server, in the operator's file."""
    file = tmp_path / "app.json"
    known = {"appId": APP_ID, "clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET, "privateKey": app["privateKey"]}
    file.write_text(json.dumps(known))
    settings.GITHUB_APP_FILE = str(file)
    settings.BASE_URLS = {"github": vendor.url}
    encryption.forget()
    return file


def by_code(code: str = "code-1", installation: str = INSTALLATION) -> AppConnection:
    actor = actor_of_user(User.objects.get_or_create(username="ada", is_superuser=True)[0])
    credentials = {"code": code, "installationId": installation}
    return create_connection(actor, "github", name="app", method="github-app", credentials=credentials)


@pytest.mark.django_db
def test_the_code_of_a_redirect_makes_a_connection_of_the_servers_app(vendor: Vendor, server_app: Path) -> None:
    vendor.codes = {"code-1"}
    connection = by_code()
    assert vendor.codes == set()
    assert credentials_of(GitHub, connection).stored() == {"installationId": INSTALLATION}
    actor = actor_of_user(User.objects.get())
    assert choices(actor, connection, "org", {}) == [Choice("acme", "acme")]
    check_connection(actor, connection)
    assert update_connection(actor, connection, name="renamed").name == "renamed"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("code", "installation", "reason"),
    [
        ("code-2", INSTALLATION, "The code is incorrect"),
        ("code-1", "1", "may not use the installation 1"),
    ],
)
def test_a_code_that_does_not_prove_the_installation_is_refused(
    vendor: Vendor, server_app: Path, code: str, installation: str, reason: str
) -> None:
    vendor.codes = {"code-1"}
    with pytest.raises(BadRequest, match=f"Failed to validate credentials: .*{reason}") as caught:
        by_code(code, installation)
    assert CLIENT_SECRET not in str(caught.value)
    assert code not in str(caught.value)


@pytest.mark.django_db
@pytest.mark.parametrize("text", [None, "", "{}", "not JSON canary"])
def test_a_missing_or_broken_file_of_the_servers_app_is_named(server_app: Path, text: str | None) -> None:
    server_app.unlink()
    if text is not None:
        server_app.write_text(text)
    with pytest.raises(BadRequest, match="KEYFERRY_GITHUB_APP_FILE") as caught:
        by_code()
    assert "canary" not in str(caught.value)


@pytest.mark.django_db
def test_a_code_without_an_app_of_this_server_says_what_to_give(server_app: Path, settings: Settings) -> None:
    settings.GITHUB_APP_FILE = ""
    with pytest.raises(BadRequest, match="give appId and privateKey, or set KEYFERRY_GITHUB_APP_FILE"):
        by_code()


@pytest.mark.parametrize(
    ("credentials", "message"),
    [
        ({}, "Private key required"),
        ({"privateKey": "x"}, "App ID required"),
        ({"code": "x", "appId": "1"}, "Give either"),
        ({"code": "x", "host": "evil.example"}, "leave host out"),
        ({"code": "x", "instanceType": "server", "host": "evil.example"}, "leave host out"),
    ],
)
def test_an_installation_alone_or_a_code_for_another_host_is_refused(credentials: dict[str, str], message: str) -> None:
    """An installation of the server's App needs the proof of a code, and the App's secret goes to GitHub alone."""
    with pytest.raises(ServiceError, match=message):
        GitHub.methods["github-app"].parse({"installationId": INSTALLATION, **credentials})


@pytest.mark.django_db
def test_an_apps_connection_signs_in_once_and_again_after_revocation(
    vendor: Vendor, app: dict[str, str], settings: Settings
) -> None:
    encryption.forget()
    settings.BASE_URLS = {"github": vendor.url}
    actor = actor_of_user(User.objects.create_superuser("ada"))
    connection = create_connection(actor, "github", name="app", method="github-app", credentials=app)
    for _ in range(3):
        assert choices(actor, connection, "org", {}) == [Choice("acme", "acme")]
    assert len(vendor.issued()) == 1
    vendor.tokens.clear()
    assert choices(actor, connection, "org", {}) == [Choice("acme", "acme")]
    assert len(vendor.issued()) == 1
    signed = [path for method, path in vendor.asked() if method == "POST"]
    assert signed == [f"/app/installations/{INSTALLATION}/access_tokens"] * 2
    assert shown_credentials(connection) == {"appId": APP_ID, "installationId": INSTALLATION}
