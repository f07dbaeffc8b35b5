"""Requests to GitHub, and responses of our fake, validated against GitHub's published description."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from connections.providers.github import GitHub as Provider
from syncs.destinations.github import GitHub
from syncs.engine.types import Action, Write
from tests.connections.logins import login
from tests.destinations.github import APP_ID, INSTALLATION
from tests.destinations.github import GitHub as Vendor
from tests.destinations.serving import Answer, Ask

DESCRIPTIONS = Path(__file__).parent / "node_modules/@octokit/openapi/generated"
pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(not DESCRIPTIONS.exists(), reason="@octokit/openapi is not installed (npm ci in tests/clients)"),
]
PATHS = (
    "/actions/secrets",
    "/dependabot/secrets",
    "/codespaces/secrets",
    "/environments",
    "/user",
    "/installation",
    "/app/installations",
    "/orgs",
)


class Description:
    """One published description, and whether an exchange is as it says."""

    def __init__(self, name: str) -> None:
        self.whole = json.loads((DESCRIPTIONS / name).read_text())
        self.paths = {
            re.compile(re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(path))): item
            for path, item in self.whole["paths"].items()
            if any(part in path for part in PATHS)
        }

    def check(self, ask: Ask, answer: Answer) -> None:
        operation = self.operation(ask)
        known = {
            each["name"]: each["schema"]
            for each in self.plain(operation.get("parameters", []))
            if each["in"] == "query"
        }
        for name, value in ask.query.items():
            jsonschema.validate(int(value) if known[name]["type"] == "integer" else value, known[name])
        if ask.body is not None:
            schema = self.plain(operation["requestBody"]["content"]["application/json"]["schema"])
            jsonschema.validate(ask.body, schema)
            assert set(ask.body) <= set(schema["properties"])
        else:
            assert not operation.get("requestBody", {}).get("required")
        if answer.status < 400:
            content = operation["responses"][str(answer.status)].get("content")
            if (
                content and "secrets" in ask.path
            ):  # the other lists have long items, of which the stand-in gives what is used
                jsonschema.validate(answer.body, self.plain(content["application/json"]["schema"]))

    def operation(self, ask: Ask) -> dict[str, Any]:
        """The most specific path that fits, as a server would route it."""
        fitting = [(pattern.pattern, item) for pattern, item in self.paths.items() if pattern.fullmatch(ask.path)]
        _, item = min(fitting, key=lambda each: each[0].count("[^/]+"))
        found: dict[str, Any] = item[ask.method.lower()]
        return found

    def plain(self, schema: Any) -> Any:
        """Without references, and with `nullable` as JSON Schema says it."""
        if isinstance(schema, list):
            return [self.plain(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        if "$ref" in schema:
            found = self.whole
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            return self.plain(found)
        made = {key: self.plain(value) for key, value in schema.items() if key not in ("example", "examples")}
        return {"anyOf": [made, {"type": "null"}]} if schema.get("nullable") is True else made


CLOUD, SERVER = "api.github.com.json", "ghes-3.17.json"
DESCRIBED = [
    (description, variant)
    for description in (CLOUD, SERVER)
    for variant in Vendor.configs
    if description == CLOUD or "codespaces" not in variant  # GitHub Enterprise Server has none
]


@pytest.fixture(scope="module", params=[CLOUD, SERVER])
def description(request: pytest.FixtureRequest) -> Description:
    return Description(request.param)


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    fake = Vendor()
    with fake.running():
        yield fake


@pytest.mark.parametrize(("description", "variant"), DESCRIBED, indirect=["description"])
def test_every_request_of_a_sync_matches_githubs_description(
    description: Description, vendor: Vendor, variant: str
) -> None:
    config = Vendor.configs[variant]
    for number in range(120):
        vendor.put(config, f"OLD{number}", "x")
    with Provider(vendor.url).client("pat", login(Provider, "pat", vendor.credentials)) as client:
        destination = GitHub(client, config)
        (made,) = destination.apply([Write(Action.CREATE, "KEY", "KEY", "ä")])
        remote = next(each for each in destination.listing() if each.key == "KEY")
        vendor.rotate()
        (changed,) = destination.apply([Write(Action.UPDATE, "KEY", "KEY", "", remote=remote)])
        assert vendor.held(config)["KEY"] == ""
        (gone,) = destination.apply([Write(Action.DELETE, "KEY", "KEY", remote=remote)])
    assert [outcome.error for outcome in (made, changed, gone)] == [None] * 3
    assert {ask.method for ask, _ in vendor.exchanges} == {"GET", "PUT", "DELETE"}
    for ask, answer in vendor.exchanges:
        description.check(ask, answer)


def test_every_request_of_a_login_matches_githubs_description(description: Description, vendor: Vendor) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    vendor.app_key = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    app = {"privateKey": pem, "appId": APP_ID, "installationId": INSTALLATION}
    provider = Provider(vendor.url)
    for method, credentials in (("pat", dict(vendor.credentials)), ("github-app", app)):
        with provider.client(
            method, login(provider, method, credentials), provider.renew(method, login(provider, method, credentials))
        ) as client:
            provider.check(client)
            for field in ("org", "owner", "repo", "env", "selectedRepositoryIds"):
                assert provider.choices(client, field, {"org": "acme", "owner": "acme", "repo": "shop"})
    for ask, answer in vendor.exchanges:
        assert answer.status < 300
        description.check(ask, answer)
