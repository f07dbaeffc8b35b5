"""Requests to Google, and responses of our fake, validated against Google's published descriptions."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from connections.http.client import ApiClient
from connections.http.exchange import HttpResponse
from connections.providers.gcp import Gcp
from syncs.destinations.gcp_secret_manager import GcpSecretManager
from syncs.engine.types import Action, Write
from tests.connections.logins import login
from tests.connections.test_gcp_federation import configuration, impersonating
from tests.destinations import gcp_secret_manager as gcp
from tests.destinations.serving import Answer, Ask

FOUND = importlib.util.find_spec("googleapiclient")
pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(FOUND is None, reason="google-api-python-client is not installed (extra `clients`)"),
]
APIS = ("secretmanager.v1", "iamcredentials.v1", "cloudresourcemanager.v1", "sts.v1")


class Descriptions:
    """The methods of the APIs, each with its verb, its address as a pattern, and the schemas it refers to."""

    def __init__(self) -> None:
        assert FOUND
        assert FOUND.submodule_search_locations
        folder = Path(FOUND.submodule_search_locations[0], "discovery_cache", "documents")
        self.methods: list[tuple[dict[str, Any], dict[str, Any]]] = []
        for api in APIS:
            described = json.loads((folder / f"{api}.json").read_text())
            self._gather(described, described)

    def _gather(self, part: dict[str, Any], described: dict[str, Any]) -> None:
        self.methods += [(method, described) for method in part.get("methods", {}).values()]
        for below in part.get("resources", {}).values():
            self._gather(below, described)

    def of(self, ask: Ask) -> tuple[dict[str, Any], dict[str, Any]]:
        for method, described in self.methods:
            pattern = re.sub(r"\\\{[^}]+\\\}", "[^/:]+", re.escape("/" + method["flatPath"]))
            if method["httpMethod"] == ask.method and re.fullmatch(pattern, ask.path):
                return method, described
        raise AssertionError(f"Google describes no {ask.method} {ask.path}")


def fits(value: Any, schema: dict[str, Any], described: dict[str, Any], path: str = "") -> None:
    """Raises where a value is not what is described; members that nobody described are refused too."""
    if "$ref" in schema:
        schema = described["schemas"][schema["$ref"]]
    kind = schema["type"]
    types: dict[str, type] = {"string": str, "boolean": bool, "integer": int, "array": list, "object": dict}
    assert isinstance(value, types[kind]), f"{path}: {kind}"
    if kind == "array":
        for index, each in enumerate(value):
            fits(each, schema["items"], described, f"{path}[{index}]")
    if kind == "object":
        for name, each in value.items():
            member = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
            assert member, f"{path}.{name} is not described"
            fits(each, member, described, f"{path}.{name}")
    if "enum" in schema:
        assert value in schema["enum"], f"{path}: {value}"


def hold(descriptions: Descriptions, ask: Ask, answer: Answer) -> None:
    method, described = descriptions.of(ask)
    known = {**described["parameters"], **method.get("parameters", {})}
    assert set(ask.query) <= {name for name, one in known.items() if one["location"] == "query"}, ask
    if "request" in method:
        fits(ask.body, method["request"], described, "request")
        assert not _read_only(ask.body, method["request"], described), ask
    else:
        assert ask.body is None, ask
    if answer.status == 200:
        fits(answer.body, method["response"], described, "response")


def _read_only(body: dict[str, Any], schema: dict[str, Any], described: dict[str, Any]) -> list[str]:
    properties = described["schemas"][schema["$ref"]].get("properties", {})
    return [name for name in body if properties[name].get("readOnly")]


@pytest.fixture(scope="module")
def descriptions() -> Descriptions:
    return Descriptions()


@pytest.mark.parametrize("variant", gcp.GcpSecretManager.configs)
@pytest.mark.parametrize("policy", ["keep", "disable", "destroy"])
def test_every_request_and_response_matches_googles_description(
    descriptions: Descriptions, variant: str, policy: str
) -> None:
    vendor = gcp.GcpSecretManager()
    with vendor.running() as url:
        provider = Gcp(url)
        credentials = {"serviceAccountEmail": gcp.TARGET, **vendor.credentials}
        session = provider.renew(
            "service-account-impersonation", login(provider, "service-account-impersonation", credentials)
        )
        with provider.client(
            "service-account-impersonation", login(provider, "service-account-impersonation", credentials), session
        ) as client:
            for field in ("projectId", "locationId"):
                assert provider.choices(client, field, {"projectId": "shop-prod"})
            _all_there_is(GcpSecretManager(client, vendor.configs[variant], {"oldVersions": policy}), vendor)
    seen = [(ask, answer) for ask, answer in vendor.exchanges if ask.path != "/token"]
    for ask, answer in seen:
        hold(descriptions, ask, answer)
    assert len(seen) > 15


def _all_there_is(destination: GcpSecretManager, vendor: gcp.GcpSecretManager) -> None:
    vendor.page = 2

    def apply(*writes: Write) -> None:
        list(destination.apply(iter(writes)))

    apply(*(Write(Action.CREATE, key, key, "1") for key in "ABC"))
    apply(Write(Action.CREATE, "A", "A", "taken"))
    listing = destination.resolve_listing(destination.listing(), set("ABC"))
    apply(*(Write(Action.UPDATE, one.key, one.key, "2", remote=one) for one in listing))
    apply(*(Write(Action.DELETE, one.key, one.key, remote=one) for one in listing))


def test_an_exchanged_token_and_asked_rights_match_googles_description(
    descriptions: Descriptions, tmp_path: Path
) -> None:
    vendor = gcp.GcpSecretManager()
    file = tmp_path / "token"
    file.write_text(gcp.WORKLOAD_TOKEN)
    method = "workload-identity-federation"
    with vendor.running() as url:
        provider = Gcp(url, operator={"GCP_TOKEN_FILES": [str(file)]})
        credentials = login(
            provider, method, {"credentialConfiguration": configuration({"file": str(file)}, **impersonating())}
        )
        with provider.client(method, credentials, provider.renew(method, credentials)) as client:
            provider.check(client)
    for ask, answer in vendor.exchanges:
        hold(descriptions, ask, answer)
    paths = ["/v1/token", ":generateAccessToken", "/v1/projects", ":testIamPermissions"]
    assert all(ask.path.endswith(path) for (ask, _), path in zip(vendor.exchanges, paths, strict=True))


def test_an_undescribed_request_is_reported(descriptions: Descriptions) -> None:
    with pytest.raises(AssertionError, match="describes no"):
        descriptions.of(Ask("PUT", "/v1/projects/p/secrets/s", {}, {}, None))
    ask = Ask("POST", "/v1/projects/p/secrets", {"secretId": "A"}, {}, {"label": {}})
    with pytest.raises(AssertionError, match="label is not described"):
        hold(descriptions, ask, Answer(500))


def test_regional_hosts_match_googles_description(monkeypatch: pytest.MonkeyPatch) -> None:
    assert FOUND
    assert FOUND.submodule_search_locations
    folder = Path(FOUND.submodule_search_locations[0], "discovery_cache", "documents")
    endpoints = json.loads((folder / "secretmanager.v1.json").read_text())["endpoints"]
    asked: list[str] = []

    def answer(self: ApiClient, method: str, path: str, *, base_url: str = "", **_: Any) -> HttpResponse:
        asked.append(f"{base_url}/")
        return HttpResponse(200, httpx.Headers(), {})

    monkeypatch.setattr(ApiClient, "send", answer)
    with Gcp().client("service-account-key", login(Gcp, "service-account-key", {"serviceAccountKey": ""})) as client:
        for one in endpoints:
            config = {"scope": "region", "projectId": "p", "locationId": one["location"]}
            GcpSecretManager(client, GcpSecretManager.Config.parse(config)).listing()
    assert asked == [one["endpointUrl"] for one in endpoints]
    assert len(asked) > 40
