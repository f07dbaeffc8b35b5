"""Conventions of all endpoints: authentication first, the error envelope, trailing slashes, malformed bodies."""

from __future__ import annotations

import re
from typing import Any

import jwt
import pytest
from django.test import Client
from pytest_django import Settings

from config.access.identities import create_identity
from config.access.models import AccessToken, ClientSecret, Identity
from config.access.roles import PLATFORM
from tests.fixtures.api import Api
from tests.fixtures.world import World

LOGIN = "/v1/auth/universal-auth/login"
SYNCS = "/v1/secret-syncs/humanitec"


def test_a_machine_signs_in(world: World) -> None:
    made = create_identity(PLATFORM, "ci", role="member", project=world.project)
    given = {"clientId": str(made.identity.client_id), "clientSecret": made.client_secret, "organizationSlug": None}
    status, answer = Api(None)("POST", LOGIN + "/", given)
    assert status == 200
    assert set(answer) == {"accessToken", "expiresIn", "accessTokenMaxTTL", "tokenType"}
    assert (answer["expiresIn"], answer["tokenType"]) == (2592000, "Bearer")
    claims = jwt.decode(answer["accessToken"], options={"verify_signature": False})
    assert claims["authTokenType"] == "identityAccessToken"
    assert Api(answer["accessToken"])("GET", SYNCS, projectId=str(world.project.pk))[0] == 200
    renewed = Api(None)("POST", "/v1/auth/token/renew", {"accessToken": answer["accessToken"]})[1]["accessToken"]
    assert Api(None)("POST", "/v1/auth/token/revoke", {"accessToken": renewed})[0] == 200
    status, envelope = Api(answer["accessToken"])("GET", "/v1/app-connections")
    assert (status, envelope["error"]) == (401, "UnauthorizedError")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"clientId": "x"}, "Invalid credentials"),
        ({"clientId": "00000000-0000-4000-8000-000000000000"}, "Invalid credentials"),
        ({"clientSecret": "0" * 64}, "Invalid credentials"),
    ],
)
def test_a_wrong_login(world: World, change: dict[str, str], said: str) -> None:
    made = create_identity(PLATFORM, "ci", role="member", project=world.project)
    given = {"clientId": str(made.identity.client_id), "clientSecret": made.client_secret, **change}
    status, envelope = Api(None)("POST", LOGIN, given)
    assert (status, envelope["message"]) == (401, said)


def test_a_client_secret_wears_out(world: World) -> None:
    made = create_identity(PLATFORM, "ci", role="member", project=world.project)
    given = {"clientId": str(made.identity.client_id), "clientSecret": made.client_secret}
    ClientSecret.objects.update(num_uses_limit=1)
    assert Api(None)("POST", LOGIN, given)[0] == 200
    status, envelope = Api(None)("POST", LOGIN, given)
    assert (status, envelope["message"]) == (401, "Access denied due to client secret usage limit reached")
    ClientSecret.objects.update(num_uses_limit=0, ttl=1, created_at="2020-01-01T00:00:00Z")
    assert Api(None)("POST", LOGIN, given)[1]["message"] == "Access denied due to expired client secret"


def test_tokens_that_are_no_good(world: World, settings: Settings) -> None:
    made = create_identity(PLATFORM, "ci", role="member", project=world.project)
    given = {"clientId": str(made.identity.client_id), "clientSecret": made.client_secret}
    token = Api(None)("POST", LOGIN, given)[1]["accessToken"]
    assert Api(None)("GET", SYNCS)[0] == 401
    status, envelope = Api("not-a-token")("GET", SYNCS)
    assert (status, envelope["error"]) == (403, "TokenError")
    assert "malformed" in envelope["message"]
    AccessToken.objects.update(created_at="2020-01-01T00:00:00Z")
    assert Api(token)("GET", SYNCS)[0] == 401
    Identity.objects.update(access_token_ttl=1)
    settings.SECRET_KEY = "another-secret-key-of-a-decent-length"
    assert Api(token)("GET", SYNCS)[0] == 403


def test_client_secrets_and_tokens_are_not_stored(world: World) -> None:
    made = create_identity(PLATFORM, "ci", role="member", project=world.project)
    row = ClientSecret.objects.get(identity=made.identity)
    assert made.client_secret not in (row.secret_mac, row.prefix, repr(made))


def test_authentication_comes_before_validation() -> None:
    status, envelope = Api(None)("POST", SYNCS, {"name": 5})
    assert status == 401
    assert re.fullmatch(r"req-[\w-]+", envelope["reqId"])


@pytest.mark.parametrize(
    ("method", "path", "data", "status", "error"),
    [
        ("GET", "/v1/no-such-route", None, 404, "NotFound"),
        ("PUT", SYNCS, "{}", 405, "MethodNotAllowed"),
        ("POST", SYNCS, "{nope", 400, "BadRequest"),
        ("POST", SYNCS, '{"a": NaN}', 400, "BadRequest"),
        ("POST", SYNCS, "[" * 100_000, 400, "BadRequest"),
        ("POST", SYNCS, "[]", 422, "ValidationFailure"),
        ("POST", SYNCS, '"text"', 422, "ValidationFailure"),
        ("POST", SYNCS, "", 422, "ValidationFailure"),
        ("POST", SYNCS, b"\xff\xfe", 400, "BadRequest"),
        ("POST", SYNCS, " " * (16 * 1024 * 1024 + 1), 413, "PayloadTooLarge"),
        ("GET", SYNCS, None, 422, "ValidationFailure"),
    ],
)
def test_the_envelope(api: Api, method: str, path: str, data: str | bytes | None, status: int, error: str) -> None:
    for spelled in (path, f"{path}/"):
        response = api.raw(method, spelled, data)
        assert (response.status_code, response.json()["error"]) == (status, error)
        assert response.json()["statusCode"] == status
        if status == 405:
            assert {"GET", "POST"} <= set(response["Allow"].split(", "))


def test_a_defect_is_an_envelope_without_details(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("the value is hunter2")

    monkeypatch.setattr("syncs.source.selectors.syncs_of_project", broken)
    status, envelope = api("GET", SYNCS, projectId="x")
    assert (status, envelope["message"]) == (500, "Something went wrong")
    assert envelope["reqId"] in caplog.text
    assert "hunter2" not in caplog.text


def test_a_body_on_a_get_is_ignored(api: Api, world: World) -> None:
    assert api("GET", SYNCS, {"stray": 1}, projectId=str(world.project.pk))[0] == 200


def test_a_session_needs_its_csrf_token(world: World) -> None:
    browser = Client(enforce_csrf_checks=True)
    assert browser.login(username="ada", password="a long password")
    project = str(world.project.pk)
    assert browser.get("/api/v1/secret-syncs", query_params={"projectId": project}).status_code == 200
    refused = browser.post("/api/v1/secret-syncs/humanitec", {}, content_type="application/json")
    assert (refused.status_code, refused.json()["error"]) == (403, "PermissionDenied")


def test_pages_next_to_the_api(client: Client, db: None) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert b"keyferry_syncs_behind 0.0" in client.get("/metrics").content
    ready = client.get("/readyz")
    assert (ready.status_code, list(ready.json()["reasons"])) == (503, ["workers"])
    assert client.get("/api/status/").json()["message"] == "Ok"
    assert client.get("/api/docs/").status_code == 200


SMTP = "django.core.mail.backends.smtp.EmailBackend"


@pytest.mark.parametrize(
    ("backend", "host", "expected"),
    [
        (SMTP, "mail.example.com", True),
        (SMTP, "", False),
        ("django.core.mail.backends.filebased.EmailBackend", "", True),
    ],
)
def test_the_status_says_whether_email_can_be_sent(
    client: Client, settings: Settings, backend: str, host: str, expected: bool
) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_HOST = backend, host
    assert client.get("/api/status").json()["emailConfigured"] is expected
