"""Google Cloud logins: credentials, sign-in, impersonation, pickers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from config.errors import BadRequest, Invalid
from connections.errors import BadResponse, Unauthorized
from connections.http.client import ApiClient
from connections.http.exchange import HttpResponse
from connections.provider import Choice, Rights
from connections.providers._gcp_rights import NEEDED, rights_of
from connections.providers._gcp_sign_in import IMPERSONATED, OWN_KEY_FILE
from connections.providers.gcp import Gcp
from connections.services import verify
from tests.connections.logins import login
from tests.destinations import gcp_secret_manager as gcp
from tests.destinations.serving import Answer

OWN = {"serviceAccountKey": gcp.key_file()}
STAND_IN = {"serviceAccountEmail": gcp.TARGET, **OWN}
KEY, IMPERSONATION = "service-account-key", "service-account-impersonation"


@pytest.fixture
def vendor() -> Iterator[gcp.GcpSecretManager]:
    fake = gcp.GcpSecretManager()
    with fake.running():
        yield fake


def client_of(vendor: gcp.GcpSecretManager) -> ApiClient:
    provider = Gcp(vendor.url)
    return provider.client(KEY, login(provider, KEY, OWN), provider.renew(KEY, login(provider, KEY, OWN)))


# -- signing in ----------------------------------------------------------------------------------------------------


def test_a_key_signs_in_with_one_request_and_its_token_ends_in_an_hour(vendor: gcp.GcpSecretManager) -> None:
    session = Gcp(vendor.url).renew(KEY, login(Gcp, KEY, OWN))
    assert [session.token] == vendor.tokens
    assert timedelta(minutes=58) < session.expires_at - datetime.now(UTC) < timedelta(minutes=61)
    assert vendor.asked() == [("POST", "/token")]
    assert session.token not in repr(session)


def test_the_address_in_a_key_file_is_ignored(vendor: gcp.GcpSecretManager) -> None:
    assert json.loads(OWN["serviceAccountKey"])["token_uri"] == "http://127.0.0.1:9/token"
    assert Gcp(vendor.url).renew(KEY, login(Gcp, KEY, OWN)).token


def test_tokens_are_requested_from_googles_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    answers: dict[str, Any] = {
        "/token": {"access_token": "t1", "expires_in": 3599},
        f"/v1/projects/-/serviceAccounts/{gcp.TARGET.replace('@', '%40')}:generateAccessToken": {
            "accessToken": "t2",
            "expireTime": "2099-01-01T00:00:00Z",
        },
    }

    def answer(self: ApiClient, method: str, path: str, *, base_url: str = "", **_: Any) -> Any:
        asked.append(base_url or self.base_url)
        return HttpResponse(200, httpx.Headers(), answers[path])

    monkeypatch.setattr(ApiClient, "send", answer)
    assert Gcp().renew(IMPERSONATION, login(Gcp, IMPERSONATION, STAND_IN)).token == "t2"
    assert asked == ["https://oauth2.googleapis.com", "https://iamcredentials.googleapis.com"]


def test_an_account_is_impersonated_with_the_token_of_the_operators_account(vendor: gcp.GcpSecretManager) -> None:
    session = Gcp(vendor.url).renew(IMPERSONATION, login(Gcp, IMPERSONATION, STAND_IN))
    assert [session.token] == vendor.tokens[1:]
    assert session.expires_at == datetime(2099, 1, 1, tzinfo=UTC)
    ask, _ = vendor.exchanges[-1]
    assert ask.headers["authorization"] == f"Bearer {vendor.tokens[0]}"
    assert ask.body == {"scope": ["https://www.googleapis.com/auth/cloud-platform"], "lifetime": "3600s"}


def test_an_untrusting_account_is_not_impersonated(vendor: gcp.GcpSecretManager) -> None:
    other = {**STAND_IN, "serviceAccountEmail": "other@blog-prod.iam.gserviceaccount.com"}
    with pytest.raises(Unauthorized, match="getAccessToken' denied"):
        Gcp(vendor.url).renew(IMPERSONATION, login(Gcp, IMPERSONATION, other))


def test_an_unknown_signature_is_a_bad_login_and_not_shown(
    vendor: gcp.GcpSecretManager,
) -> None:
    wrong = {"serviceAccountKey": gcp.key_file("nobody@shop-prod.iam.gserviceaccount.com")}
    with pytest.raises(Unauthorized) as caught:
        Gcp(vendor.url).renew(KEY, login(Gcp, KEY, wrong))
    assert str(caught.value) == "GCP: POST /token answered 400: Invalid JWT Signature."


@pytest.mark.parametrize("body", [None, {"access_token": "x"}, {"access_token": "x", "expires_in": "soon"}, []])
def test_a_response_that_is_no_token_is_unexpected(vendor: gcp.GcpSecretManager, body: object) -> None:
    vendor.fault = lambda ask: Answer(200, body)
    with pytest.raises(BadResponse):
        Gcp(vendor.url).renew(KEY, login(Gcp, KEY, OWN))


# -- whom the operator's account may stand in for ------------------------------------------------------------------


@pytest.fixture
def operator(tmp_path: Path) -> dict[str, Any]:
    """What the operator's settings say."""
    file = tmp_path / "key.json"
    file.write_text(gcp.key_file())
    return {"GCP_SERVICE_ACCOUNT_FILE": str(file), "GCP_IMPERSONATED": ["x@y.iam.gserviceaccount.com", gcp.TARGET]}


def test_an_allowed_account_needs_no_key_of_its_own(vendor: gcp.GcpSecretManager, operator: dict[str, Any]) -> None:
    checked = Gcp.methods[IMPERSONATION].parse({"serviceAccountEmail": gcp.TARGET})
    assert checked.stored() == {"serviceAccountEmail": gcp.TARGET}
    assert Gcp(vendor.url, operator=operator).renew(IMPERSONATION, checked).token


@pytest.mark.parametrize(
    "changed", [{"GCP_IMPERSONATED": ["x@y.iam.gserviceaccount.com"]}, {"GCP_SERVICE_ACCOUNT_FILE": ""}]
)
def test_an_account_that_is_not_allowed_is_refused(
    vendor: gcp.GcpSecretManager, operator: dict[str, Any], changed: dict[str, Any]
) -> None:
    provider = Gcp(vendor.url, operator={**operator, **changed})
    with pytest.raises(BadRequest, match=IMPERSONATED):  # when the connection is created
        verify(provider, IMPERSONATION, login(provider, IMPERSONATION, {"serviceAccountEmail": gcp.TARGET}))
    with pytest.raises(Unauthorized, match=IMPERSONATED):  # and in every run
        provider.renew(IMPERSONATION, login(provider, IMPERSONATION, {"serviceAccountEmail": gcp.TARGET}))
    assert vendor.asked() == []


def test_a_missing_key_file_is_reported(vendor: gcp.GcpSecretManager, operator: dict[str, Any]) -> None:
    Path(operator["GCP_SERVICE_ACCOUNT_FILE"]).unlink()
    with pytest.raises(Unauthorized, match=OWN_KEY_FILE):
        Gcp(vendor.url, operator=operator).renew(
            IMPERSONATION, login(Gcp, IMPERSONATION, {"serviceAccountEmail": gcp.TARGET})
        )


# -- credentials ---------------------------------------------------------------------------------------------------


def broken(**changes: str) -> str:
    return json.dumps({**json.loads(gcp.key_file()), **changes})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("canary {", "must be the complete JSON file"),
        ('{"type": "service_account"}', r"service account key (client_email is missing)"),
        (broken(type="authorized_user"), "(type: input should be 'service_account')"),
        (broken(private_key="-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n"), "cannot be read"),
        (broken(universe_domain="evil.example"), "(universe_domain: input should be 'googleapis.com')"),
    ],
)
def test_an_invalid_key_is_refused_without_its_text(given: str, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        Gcp.methods[KEY].parse({"serviceAccountKey": given})
    text = str(caught.value)
    assert message in text
    assert "canary" not in text
    assert "evil" not in text


def test_a_key_is_stored_as_pasted() -> None:
    assert Gcp.methods[KEY].parse({"serviceAccountKey": f"  {gcp.key_file()}\n"}).stored() == OWN


@pytest.mark.parametrize(
    "email", ["ada@example.com", "a/../b@x.iam.gserviceaccount.com", "x@evil.com#.gserviceaccount.com"]
)
def test_only_the_email_of_a_service_account_is_taken(email: str) -> None:
    with pytest.raises((BadRequest, Invalid), match="email of a service account"):
        Gcp.methods[IMPERSONATION].parse({"serviceAccountEmail": email, **OWN})


# -- rights --------------------------------------------------------------------------------------------------------


def test_a_check_reports_rights_on_the_projects_that_are_seen(vendor: gcp.GcpSecretManager) -> None:
    with client_of(vendor) as client:
        assert Gcp().check(client) == Rights()
        vendor.rights = {*NEEDED, "resourcemanager.projects.setIamPolicy"} - {"secretmanager.secrets.delete"}
        assert Gcp().check(client) == Rights(
            missing=("secretmanager.secrets.delete on shop-prod",),
            excess=("resourcemanager.projects.setIamPolicy on shop-prod",),
        )
        vendor.rights = set()
        assert len(Gcp().check(client).missing) == len(NEEDED)


@pytest.mark.parametrize("status", [403, 404])
def test_rights_are_unknown_where_projects_may_not_be_listed(vendor: gcp.GcpSecretManager, status: int) -> None:
    vendor.rights = set()
    with client_of(vendor) as client:
        vendor.fault = lambda ask: gcp.error(status, "SAID", "Cloud Resource Manager API has not been used")
        assert Gcp().check(client) == Rights()
        vendor.fault, vendor.project = None, {}
        assert Gcp().check(client) == Rights()


def test_a_right_that_one_of_several_projects_gives_is_not_missing(vendor: gcp.GcpSecretManager) -> None:
    with client_of(vendor) as client:
        vendor.fault = lambda ask: Answer(200, {}) if "blog:test" in ask.path else None
        assert rights_of(client, ["shop-prod", "blog"]) == Rights()
        vendor.rights -= {"secretmanager.versions.add"}
        assert rights_of(client, ["shop-prod", "blog"]).missing == ("secretmanager.versions.add on every project",)


# -- pickers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "chosen", "expected"),
    [
        ("projectId", {}, [Choice("shop-prod", "Shop")]),
        (
            "locationId",
            {"projectId": "shop-prod"},
            [Choice("europe-west1", "europe-west1 (Belgium)"), Choice("us-east1", "us-east1")],
        ),
        ("scope", {}, []),
    ],
)
def test_pickers_list_the_vendors_choices(
    vendor: gcp.GcpSecretManager, field: str, chosen: dict[str, str], expected: list[Choice]
) -> None:
    with client_of(vendor) as client:
        assert Gcp().choices(client, field, chosen) == expected


def test_the_modelled_picker_has_projects(vendor: gcp.GcpSecretManager) -> None:
    with client_of(vendor) as client:
        assert Gcp().pick(client, "secret-manager-projects") == [{"id": "shop-prod", "name": "Shop"}]
