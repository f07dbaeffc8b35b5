"""Machines signing in: lifetimes, uses, addresses, lockout, and rate limits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from config.access.identities import NewIdentity, create_identity, register_identity, unlock, update_universal_auth
from config.access.models import AccessToken, AuditEvent, ClientSecret, Identity
from config.access.roles import PLATFORM
from config.access.tokens import forget_ended
from config.api.throttling import forget_old
from tests.fixtures.api import Api
from tests.fixtures.world import World

LOGIN = "/v1/auth/universal-auth/login"
RENEW = "/v1/auth/token/renew"


@pytest.fixture
def made(world: World) -> NewIdentity:
    return create_identity(PLATFORM, "ci", role="member", project=world.project)


def login(made: NewIdentity, secret: str = "", **headers: str) -> tuple[int, Any]:
    given = {"clientId": str(made.identity.client_id), "clientSecret": secret or made.client_secret}
    response = Client(**headers).post(f"/api{LOGIN}", given, content_type="application/json")  # type: ignore[arg-type]
    return response.status_code, response.json()


def configure(made: NewIdentity, **settings: Any) -> None:
    update_universal_auth(PLATFORM, Identity.objects.get(pk=made.identity.pk), settings)


def test_lifetimes(made: NewIdentity) -> None:
    configure(made, accessTokenTTL=100, accessTokenMaxTTL=150)
    given = login(made)[1]
    assert (given["expiresIn"], given["accessTokenMaxTTL"]) == (100, 150)
    AccessToken.objects.update(created_at=timezone.now() - timedelta(seconds=90))
    renewed = Api(None)("POST", RENEW, {"accessToken": given["accessToken"]})[1]
    assert renewed["accessToken"] != given["accessToken"]
    assert 58 <= renewed["expiresIn"] <= 60
    AccessToken.objects.update(created_at=timezone.now() - timedelta(seconds=151))
    for status, answer in (
        Api(renewed["accessToken"])("GET", "/v1/projects"),
        Api(None)("POST", RENEW, {"accessToken": renewed["accessToken"]}),
    ):
        assert (status, "maximum life" in answer["message"]) == (401, True)


def test_tokens_without_an_end(made: NewIdentity) -> None:
    configure(made, accessTokenTTL=0, accessTokenMaxTTL=0)
    given = login(made)[1]
    assert "exp" not in jwt.decode(given["accessToken"], options={"verify_signature": False})
    configure(made, accessTokenPeriod=60)
    given = login(made)[1]
    assert (given["expiresIn"], given["accessTokenMaxTTL"]) == (60, 1_000_000_000)


@pytest.mark.parametrize(
    ("claims", "key", "algorithm"),
    [
        ({"exp": 1}, "right", "HS256"),
        ({}, "another-key-that-is-long-enough-for-it", "HS256"),
        ({}, "right", "HS512"),
        ({}, "", "none"),
        ({"authTokenType": "accessToken"}, "right", "HS256"),
        ({"identityAccessTokenId": "nonsense"}, "right", "HS256"),
    ],
)
def test_tokens_that_do_not_verify(made: NewIdentity, claims: Any, key: str, algorithm: str) -> None:
    from config.access.tokens import _signing_key

    good = jwt.decode(login(made)[1]["accessToken"], options={"verify_signature": False})
    forged = jwt.encode({**good, **claims}, _signing_key() if key == "right" else key, algorithm)
    status, answer = Api(forged)("GET", "/v1/projects")
    assert (status, answer["error"]) == (403, "TokenError")


def test_a_token_wears_out(made: NewIdentity) -> None:
    configure(made, accessTokenNumUsesLimit=2)
    token = login(made)[1]["accessToken"]
    assert [Api(token)("GET", "/v1/projects")[0] for _ in range(3)] == [200, 200, 401]
    status, answer = Api(None)("POST", RENEW, {"accessToken": token})
    assert (status, "usage limit" in answer["message"]) == (400, True)


def test_lockout(made: NewIdentity) -> None:
    configure(made, lockoutThreshold=2, lockoutDurationSeconds=30, lockoutCounterResetSeconds=5)
    assert login(made, "0" * 64)[0] == 401
    Identity.objects.update(last_failed_at=timezone.now() - timedelta(seconds=6))
    assert login(made, "0" * 64)[1]["message"] == "Invalid credentials"  # counted again
    assert login(made, "0" * 64)[1]["message"] == "Invalid credentials"
    locked = "This identity auth method is temporarily locked, please try again later"
    assert login(made)[1]["message"] == locked
    assert AuditEvent.objects.filter(event="lock-identity-universal-auth").count() == 1
    unlock(PLATFORM, made.identity)
    assert login(made)[0] == 200
    for _ in range(2):
        login(made, "0" * 64)
    Identity.objects.update(locked_until=timezone.now() - timedelta(seconds=1))
    assert login(made)[0] == 200
    configure(made, lockoutEnabled=False)
    assert {login(made, "0" * 64)[1]["message"] for _ in range(5)} == {"Invalid credentials"}


def test_trusted_addresses(made: NewIdentity, settings: Settings) -> None:
    configure(made, clientSecretTrustedIps=[{"ipAddress": "10.0.0.0/8"}])
    status, answer = login(made)
    assert (status, answer["error"]) == (403, "ForbiddenError")
    assert login(made, REMOTE_ADDR="10.1.2.3")[0] == 200
    assert login(made, REMOTE_ADDR="::ffff:10.1.2.3")[0] == 200
    # What a proxy says counts only where the operator trusts it.
    assert login(made, HTTP_X_FORWARDED_FOR="10.1.2.3")[0] == 403
    settings.TRUSTED_PROXIES = ["127.0.0.1/32"]
    assert login(made, HTTP_X_FORWARDED_FOR="10.1.2.3")[0] == 200
    assert login(made, HTTP_X_FORWARDED_FOR="10.1.2.3, 192.0.2.1")[0] == 403
    token = login(made, HTTP_X_FORWARDED_FOR="10.1.2.3")[1]["accessToken"]
    configure(made, accessTokenTrustedIps=[{"ipAddress": "192.0.2.7"}])
    assert Api(token)("GET", "/v1/projects")[0] == 403


def test_without_universal_auth(made: NewIdentity, world: World) -> None:
    from config.access.identities import remove_universal_auth

    token = login(made)[1]["accessToken"]
    remove_universal_auth(PLATFORM, Identity.objects.get(pk=made.identity.pk))
    assert Api(token)("GET", "/v1/projects")[0] == 401
    assert login(made)[0] == 401


def test_a_project_admin_manages_only_machines_of_their_project(world: World) -> None:
    mine = create_identity(PLATFORM, "mine", role="admin", project=world.project)
    hers = create_identity(PLATFORM, "hers", role="member", project=world.project).identity
    root = create_identity(PLATFORM, "root", role="admin").identity
    token = login(mine)[1]["accessToken"]
    secrets = "/v1/auth/universal-auth/identities/{}/client-secrets"
    assert Api(token)("POST", secrets.format(hers.pk), {})[0] == 200
    assert Api(token)("POST", secrets.format(root.pk), {})[0] == 404
    assert Api(token)("POST", secrets.format(mine.identity.pk), {})[0] == 403
    assert Api(token)("PATCH", f"/v1/identities/{hers.pk}", {"role": "admin"})[0] == 403
    assert Api(token)("POST", "/v1/identities", {"name": "x"})[0] == 403
    # Nor may they take over a machine without a project: it may get rights elsewhere later.
    bare = register_identity(PLATFORM, "bare", "no-access")
    where = f"/v2/workspace/{world.project.pk}/identity-memberships/{bare.pk}"
    assert Api(token)("POST", where, {"role": "viewer"})[0] == 200
    assert Api(token)("POST", f"/v1/auth/universal-auth/identities/{bare.pk}", {})[0] == 404
    # Taking an instance admin's machine into the project gives nothing over it.
    where = f"/v2/workspace/{world.project.pk}/identity-memberships/{root.pk}"
    assert Api(token)("POST", where, {"role": "viewer"})[0] == 200
    assert Api(token)("POST", secrets.format(root.pk), {})[0] == 404


def test_expired_tokens_are_purged(made: NewIdentity) -> None:
    configure(made, accessTokenTTL=60)
    old, new = (login(made)[1]["accessToken"] for _ in range(2))
    first = AccessToken.objects.order_by("created_at").first()
    assert first
    AccessToken.objects.filter(pk=first.pk).update(ends_at=timezone.now() - timedelta(days=2))
    forget_ended()
    assert AccessToken.objects.count() == 1
    assert (Api(old)("GET", "/v1/projects")[0], Api(new)("GET", "/v1/projects")[0]) == (401, 200)


# -- how often -------------------------------------------------------------------------------------------------


def test_logins_from_one_address(made: NewIdentity, settings: Settings) -> None:
    settings.LOGIN_RATE_LIMIT = 2
    assert [login(made)[0] for _ in range(3)] == [200, 200, 429]
    assert login(made, REMOTE_ADDR="192.0.2.1")[0] == 200
    response = Client().post(f"/api{LOGIN}", {}, content_type="application/json")
    answer = response.json()
    assert (answer["statusCode"], answer["error"]) == (429, "RateLimitExceeded")
    assert 1 <= int(response["Retry-After"]) <= 60
    assert f"try again in {response['Retry-After']} seconds" in answer["message"]
    assert (response["x-ratelimit-limit"], response["x-ratelimit-remaining"]) == ("2", "0")


def test_a_caller_and_an_address(made: NewIdentity, settings: Settings) -> None:
    token = login(made)[1]["accessToken"]
    assert "x-ratelimit-limit" not in Api(token).raw("GET", "/v1/projects")
    settings.RATE_LIMIT, settings.ADDRESS_RATE_LIMIT = 3, 5
    first = Api(token).raw("GET", "/v1/projects")
    assert (first["x-ratelimit-limit"], first["x-ratelimit-remaining"]) == ("3", "2")
    assert [Api(token)("GET", "/v1/projects")[0] for _ in range(3)] == [200, 200, 429]
    # Requests without a token count for their address, so guessing one is slow too.
    assert [Api("guess")("GET", "/v1/projects")[0] for _ in range(2)] == [403, 429]
    forget_old()


def test_a_client_secret_is_shown_once(world: World) -> None:
    root = create_identity(PLATFORM, "root", role="admin")
    api = Api(login(root)[1]["accessToken"])
    identity = api("POST", "/v1/identities", {"name": "new"})[1]["identity"]
    where = f"/v1/auth/universal-auth/identities/{identity['id']}"
    assert api("GET", where)[0] == 400
    auth = api("POST", where, {"accessTokenTTL": 60})[1]["identityUniversalAuth"]
    assert (auth["accessTokenTTL"], auth["lockoutThreshold"]) == (60, 3)
    assert api("POST", where, {})[0] == 400
    text = api("POST", f"{where}/client-secrets", {"numUsesLimit": 1, "ttl": 60})[1]["clientSecret"]
    assert text not in str(api("GET", f"{where}/client-secrets")[1])
    assert text not in str(ClientSecret.objects.values())
    given = {"clientId": auth["clientId"], "clientSecret": text}
    assert [Api(None)("POST", LOGIN, given)[0] for _ in range(2)] == [200, 401]
