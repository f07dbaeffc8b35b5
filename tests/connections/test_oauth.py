"""Logins by client credentials, from their declaration alone."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Annotated, Any

import pytest
from pydantic import SecretStr

from config.schemas.model import Model
from config.schemas.types import Secret, Text
from connections import errors
from connections.oauth import ClientCredentialsProvider
from tests.destinations.serving import Answer, Ask, LoginOnly

SECRET = "canary-secret"


class Client(Model):
    tenantId: Annotated[str, Text("Tenant")]
    clientId: Annotated[str, Text("Client")]
    clientSecret: Annotated[SecretStr, Secret("Secret")]


class Azure(ClientCredentialsProvider):
    slug = "azure"
    label = "Azure"
    methods = {"client-secret": Client}
    login_path = "/{tenantId}/oauth2/v2.0/token"
    login_form = {"scope": "https://vault.azure.net/.default"}
    check_path = "/me"


class Basic(Azure):
    login_basic = True


class Vendor(LoginOnly):
    method = "client-secret"
    credentials = {"tenantId": "t/1", "clientId": "one", "clientSecret": SECRET}
    grant: Any = {"access_token": "canary-token", "expires_in": "3599", "token_type": "Bearer"}

    def answer(self, ask: Ask) -> Answer:
        if ask.path == "/t%2F1/oauth2/v2.0/token":
            return Answer(200, self.grant)
        return Answer(200 if ask.headers.get("authorization") == "Bearer canary-token" else 401, {})


@pytest.fixture
def vendor() -> Any:
    vendor = Vendor()
    with vendor.running():
        yield vendor


def given(vendor: Vendor) -> Client:
    return Client.model_validate(vendor.credentials)


def test_an_id_and_a_secret_are_exchanged_for_a_token_that_is_used(vendor: Vendor) -> None:
    provider = Azure(vendor.url)
    session = provider.renew("client-secret", given(vendor))
    assert session.token == "canary-token"
    assert 3500 < (session.expires_at - datetime.now(UTC)).total_seconds() < 3600
    ((ask, _),) = vendor.exchanges
    assert ask.body == {
        "grant_type": "client_credentials",
        "scope": "https://vault.azure.net/.default",
        "client_id": "one",
        "client_secret": SECRET,
    }
    with provider.client("client-secret", given(vendor), session) as client:
        provider.check(client)


def test_the_pair_may_go_into_a_header(vendor: Vendor) -> None:
    Basic(vendor.url).renew("client-secret", given(vendor))
    ((ask, _),) = vendor.exchanges
    assert ask.headers["authorization"] == "Basic " + base64.b64encode(f"one:{SECRET}".encode()).decode()
    assert SECRET not in str(ask.body)


@pytest.mark.parametrize("grant", [{"access_token": "x"}, {"access_token": "x", "expires_in": 0}])
def test_a_token_without_an_end_is_renewed_after_an_hour(vendor: Vendor, grant: Any) -> None:
    vendor.grant = grant
    session = Azure(vendor.url).renew("client-secret", given(vendor))
    assert 3500 < (session.expires_at - datetime.now(UTC)).total_seconds() <= 3600


@pytest.mark.parametrize(
    "grant", [{}, [], {"access_token": ""}, {"access_token": 5}, {"access_token": "x", "expires_in": -1}]
)
def test_an_answer_without_a_token_is_unexpected(vendor: Vendor, grant: Any) -> None:
    vendor.grant = grant
    with pytest.raises(errors.BadResponse, match=r"^Azure: POST /t%2F1/oauth2/v2.0/token: unexpected response"):
        Azure(vendor.url).renew("client-secret", given(vendor))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(400, {"error": "invalid_client", "error_description": f"bad {SECRET}"}), errors.Unauthorized),
        (Answer(401, {"error": "invalid_client", "error_description": f"bad {SECRET}"}), errors.Unauthorized),
        (Answer(400, {"error": "invalid_scope", "error_description": f"bad {SECRET}"}), errors.Rejected),
    ],
)
def test_wrong_credentials_are_a_refused_login(vendor: Vendor, answer: Answer, expected: type[Exception]) -> None:
    vendor.fault = lambda ask: answer
    with pytest.raises(expected, match=r"answered 40.: bad \[redacted\]$") as caught:
        Azure(vendor.url).renew("client-secret", given(vendor))
    assert SECRET not in repr(caught.value)


def test_the_host_of_the_login_is_the_declared_one_unless_the_operator_gives_another(vendor: Vendor) -> None:
    class Elsewhere(Azure):
        base_url = "http://127.0.0.1:9"
        login_url = vendor.url

    assert Elsewhere().renew("client-secret", given(vendor)).token == "canary-token"
    Elsewhere.login_url = "http://127.0.0.1:9"
    assert Elsewhere(vendor.url).renew("client-secret", given(vendor)).token == "canary-token"
