"""Vercel logins: check and pickers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connections.errors import BadResponse, Unauthorized
from connections.http.client import ApiClient
from connections.provider import Choice, Rights
from connections.providers.vercel import Vercel
from tests.connections.logins import login
from tests.destinations import vercel
from tests.destinations.serving import Answer


@pytest.fixture
def vendor() -> Iterator[vercel.Vercel]:
    fake = vercel.Vercel()
    with fake.running():
        yield fake


def client_of(vendor: vercel.Vercel, token: str = "contract-token") -> ApiClient:
    return Vercel(vendor.url).client("api-token", login(Vercel, "api-token", {"apiToken": token}))


def test_a_good_token_passes_the_check_and_its_scope_is_read(vendor: vercel.Vercel) -> None:
    with client_of(vendor) as client:
        assert Vercel().check(client) == Rights()
    assert vendor.asked() == [("GET", "/v2/user"), ("GET", "/v5/user/tokens/current")]


def test_a_token_of_the_full_account_is_more_than_needed(vendor: vercel.Vercel) -> None:
    vendor.scopes.append({"type": "user", "createdAt": 1})
    with client_of(vendor) as client:
        assert Vercel().check(client) == Rights(excess=("Full Account",))


@pytest.mark.parametrize(
    "answer",
    [
        vercel.error(403, "forbidden", "Not authorized"),
        vercel.error(404, "not_found", "Token not found"),
        Answer(200, {"token": {"id": "t1"}}),
    ],
    ids=["refused", "missing", "without-scopes"],
)
def test_a_token_whose_scopes_are_unknown_passes_the_check(vendor: vercel.Vercel, answer: Answer) -> None:
    vendor.fault = lambda ask: answer if "/tokens/" in ask.path else None
    with client_of(vendor) as client:
        assert Vercel().check(client) == Rights()


def test_a_refused_token_reports_the_vendors_message_and_not_the_token(vendor: vercel.Vercel) -> None:
    with client_of(vendor, "canary-wrong") as client, pytest.raises(Unauthorized) as caught:
        Vercel().check(client)
    assert str(caught.value) == "Vercel: GET /v2/user answered 403: Not authorized"


def test_a_check_rejects_a_response_that_is_no_user(vendor: vercel.Vercel) -> None:
    vendor.fault = lambda ask: Answer(200, {"hello": "world"})
    with client_of(vendor) as client, pytest.raises(BadResponse):
        Vercel().check(client)


@pytest.mark.parametrize(
    ("field", "chosen", "expected"),
    [
        ("teamId", {}, [Choice("u1", "Ada"), Choice("team_acme", "Acme")]),
        ("teamId", {"scope": "team"}, [Choice("team_acme", "Acme")]),
        ("app", {"teamId": "team_acme"}, [Choice("prj_shop", "shop")]),
        ("app", {"teamId": "u1"}, []),
        ("targetProjects", {"teamId": "team_acme"}, [Choice("prj_shop", "shop")]),
        (
            "env",
            {"teamId": "team_acme", "app": "prj_shop"},
            [
                Choice("production", "Production"),
                Choice("preview", "Preview"),
                Choice("development", "Development"),
                Choice("env_staging", "staging"),
            ],
        ),
        ("branch", {"teamId": "team_acme", "app": "prj_shop"}, [Choice("main", "main"), Choice("next", "next")]),
        ("appName", {}, []),
    ],
)
def test_pickers_list_the_vendors_choices(
    vendor: vercel.Vercel, field: str, chosen: dict[str, str], expected: list[Choice]
) -> None:
    with client_of(vendor) as client:
        assert Vercel().choices(client, field, chosen) == expected


@pytest.mark.parametrize("field", ["env", "branch"])
def test_unavailable_choices_are_left_out(vendor: vercel.Vercel, field: str) -> None:
    vendor.fault = lambda ask: vercel.error(403, "forbidden", "not in this plan")
    with client_of(vendor) as client:
        offered = [choice.value for choice in Vercel().choices(client, field, {"app": "prj_shop"})]
    assert offered == (["production", "preview", "development"] if field == "env" else [])


def test_the_modelled_picker_has_accounts_with_their_projects(vendor: vercel.Vercel) -> None:
    with client_of(vendor) as client:
        assert Vercel().pick(client, "projects") == [
            {"id": "u1", "name": "Ada", "slug": "Ada", "apps": []},
            {"id": "team_acme", "name": "Acme", "slug": "Acme", "apps": [{"id": "prj_shop", "name": "shop"}]},
        ]
