"""Humanitec logins: credentials, check, pickers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from config.errors import Invalid
from connections.errors import BadResponse, Unauthorized
from connections.http.client import ApiClient
from connections.provider import Choice, providers
from connections.sandbox import HumanitecSandbox
from tests.connections.logins import login


@pytest.fixture
def vendor() -> Iterator[HumanitecSandbox]:
    with HumanitecSandbox(token="canary-token") as sandbox:
        yield sandbox


def open_client(vendor: HumanitecSandbox, token: str) -> ApiClient:
    provider = providers.get("humanitec")
    assert provider
    return provider(vendor.url).client("api-token", login(provider, "api-token", {"apiToken": token}))


def test_a_good_token_passes_the_check_with_one_request(vendor: HumanitecSandbox) -> None:
    provider = providers.get("humanitec")
    assert provider
    with open_client(vendor, "canary-token") as client:
        provider().check(client)
    assert vendor.asked == [("GET", "/orgs")]


def test_a_refused_token_reports_the_vendors_message_and_not_the_token(vendor: HumanitecSandbox) -> None:
    provider = providers.get("humanitec")
    assert provider
    with open_client(vendor, "canary-wrong") as client, pytest.raises(Unauthorized) as caught:
        provider().check(client)
    assert str(caught.value) == "Humanitec: GET /orgs answered 403: Could not validate token"


@pytest.mark.parametrize(
    ("field", "chosen", "expected"),
    [
        ("org", {}, [Choice("acme", "Acme")]),
        ("app", {"org": "acme"}, [Choice("shop", "Shop"), Choice("blog", "Blog")]),
        (
            "env",
            {"org": "acme", "app": "shop"},
            [Choice("development", "Development"), Choice("production", "Production")],
        ),
    ],
)
def test_pickers_list_the_vendors_choices(
    vendor: HumanitecSandbox, field: str, chosen: dict[str, str], expected: list[Choice]
) -> None:
    provider = providers.get("humanitec")
    assert provider
    with open_client(vendor, "canary-token") as client:
        assert provider().choices(client, field, chosen) == expected


def test_a_check_rejects_a_response_that_is_no_list(vendor: HumanitecSandbox) -> None:
    provider = providers.get("humanitec")
    assert provider
    vendor.fault = lambda method, path: (200, {"hello": "world"})
    with open_client(vendor, "canary-token") as client, pytest.raises(BadResponse):
        provider().check(client)


def test_an_empty_token_is_reported() -> None:
    provider = providers.get("humanitec")
    assert provider
    with pytest.raises(Invalid, match="API Token required"):
        provider.methods["api-token"].parse({"apiToken": "  "})
