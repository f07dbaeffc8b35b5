"""Logins by a static token, from their declaration alone."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import SecretStr

from config.schemas.model import Model
from config.schemas.types import Secret
from connections.errors import BadResponse
from connections.http.pages import Token
from connections.tokens import Picker, TokenProvider
from tests.destinations.serving import Answer, Ask, LoginOnly


class Key(Model):
    key: Annotated[SecretStr, Secret("Key")]


class Acme(TokenProvider):
    slug = "acme"
    label = "Acme"
    methods = {"key": Key}
    token = "key"
    header = ("X-Key", "key={}")
    check_path = "/me"
    choices_from = {
        "org": Picker("/orgs", member="orgs", value="slug", label=("title", "slug")),
        "app": Picker("/orgs/{org}/apps", "apps", Token("after", "next"), params={"kind": "app", "zone": "{zone}"}),
        "tag": Picker("/tags", optional=True),
    }


class Vendor(LoginOnly):
    method = "key"
    credentials = {"key": "canary-key"}

    def answer(self, ask: Ask) -> Answer:
        if ask.headers.get("x-key") != "key=canary-key":
            return Answer(401)
        match ask.path, ask.query:
            case "/me", _:
                return Answer(200, {"name": "ada"})
            case "/orgs", _:
                return Answer(200, {"orgs": [{"slug": "acme", "title": "Acme Inc."}, {"slug": "b"}]})
            case "/orgs/a%2Fb/apps", {"kind": "app", "after": "2"}:
                return Answer(200, {"apps": [{"id": 6, "name": "Shop"}, {"id": 7}]})
            case "/orgs/a%2Fb/apps", {"kind": "app", "zone": zone}:
                return Answer(200, {"apps": [{"id": 8, "name": f"in {zone}"}]})
            case "/orgs/a%2Fb/apps", {"kind": "app"}:
                return Answer(200, {"apps": [{"id": 6, "name": "Shop"}], "next": "2"})
        return Answer(404)


@pytest.fixture
def vendor() -> Any:
    vendor = Vendor()
    with vendor.running():
        yield vendor


def test_the_declared_header_carries_the_token_and_the_check_is_one_read(vendor: Vendor) -> None:
    provider = Acme(vendor.url)
    with provider.client("key", Key.model_validate(vendor.credentials)) as client:
        provider.check(client)
    assert vendor.asked() == [("GET", "/me")]


def test_a_check_that_is_of_another_shape_is_refused(vendor: Vendor) -> None:
    vendor.fault = lambda ask: Answer(200, ["no object"])
    provider = Acme(vendor.url)
    with (
        provider.client("key", Key.model_validate(vendor.credentials)) as client,
        pytest.raises(BadResponse, match="Acme: GET /me: unexpected response"),
    ):
        provider.check(client)


def test_pickers_read_their_lists_with_what_is_chosen_quoted(vendor: Vendor) -> None:
    provider = Acme(vendor.url)
    with provider.client("key", Key.model_validate(vendor.credentials)) as client:
        found = [(one.value, one.label) for one in provider.choices(client, "org", {})]
        assert found == [("acme", "Acme Inc."), ("b", "b")]
        found = [(one.value, one.label) for one in provider.choices(client, "app", {"org": "a/b"})]
        assert found == [("6", "Shop"), ("7", "7")]
        found = [(one.value, one.label) for one in provider.choices(client, "app", {"org": "a/b", "zone": "x&y"})]
        assert found == [("8", "in x&y")]
        assert provider.choices(client, "region", {}) == []


def test_a_list_that_a_plan_does_not_have_has_no_choices(vendor: Vendor) -> None:
    provider = Acme(vendor.url)
    with provider.client("key", Key.model_validate(vendor.credentials)) as client:
        assert provider.choices(client, "tag", {}) == []
        vendor.fault = lambda ask: Answer(200, {"not": "a list"})
        with pytest.raises(BadResponse):
            provider.choices(client, "tag", {})


def test_an_item_without_its_id_is_refused(vendor: Vendor) -> None:
    vendor.fault = lambda ask: Answer(200, {"orgs": [{"title": "canary"}]})
    provider = Acme(vendor.url)
    with (
        provider.client("key", Key.model_validate(vendor.credentials)) as client,
        pytest.raises(BadResponse, match=r"^Acme: GET /orgs: unexpected response: slug is missing$"),
    ):
        provider.choices(client, "org", {})
