"""The description of the API itself: valid, complete, with valid examples."""

from __future__ import annotations

import json
import re
from collections import Counter

import jsonschema
import pytest
from django.test import Client
from django.urls import get_resolver
from openapi_spec_validator import validate

from connections.provider import providers
from syncs.destination.base import destinations
from tests.api.openapi import described, operations, plain, referred
from tests.fixtures.api import api_for
from tests.fixtures.world import World

UNDESCRIBED = {"schema", "docs", "docs/json", "v1/secret-imports/secrets/raw"}


def test_it_is_valid_and_served_where_clients_look() -> None:
    validate(described())
    assert described()["openapi"].startswith("3.")
    assert Client().get("/api/docs/json").json() == described() == Client().get("/api/schema/").json()


def test_operation_ids_are_those_of_the_modelled_api() -> None:
    ids = Counter(operation["operationId"] for _, _, operation in operations())
    assert not [name for name, count in ids.items() if count > 1]
    of_syncs = "list{}Syncs get{}Sync get{}SyncByName create{}Sync update{}Sync delete{}Sync sync{}Sync "
    of_syncs += "import{}SyncSecrets remove{}SyncSecrets check{}SyncDestination"
    assert {name.replace("{}", "HumanitecSecret") for name in of_syncs.split()} <= set(ids)


def test_every_route_is_described() -> None:
    known = {path.removeprefix("/api/") for _, path, _ in operations()}
    pickers = {picker for provider in providers for picker in provider.pickers}
    missing = []
    for group in [each for each in get_resolver().url_patterns if str(each.pattern) == "api/"]:
        for route in group.url_patterns:
            text = str(route.pattern)
            for converter in ("str:", "uuid:"):
                text = text.replace(f"<{converter}", "{").replace(">", "}")
            is_picker = text.startswith("v1/app-connections/") and text.rpartition("/")[2] in pickers
            if text not in known | UNDESCRIBED and "/<" not in text and not is_picker:
                missing.append(text)
    assert not missing


@pytest.mark.parametrize("operation", operations(), ids=lambda each: each[2]["operationId"])
def test_examples_fit(operation: tuple[str, str, dict[str, object]]) -> None:
    said = operation[2]
    contents = [said["responses"]["200"], said.get("requestBody", {})]  # type: ignore[index,attr-defined]
    for content in contents:
        for found in content.get("content", {}).values():
            jsonschema.Draft202012Validator(plain(found["schema"])).validate(found["example"])


def test_variants_are_distinguished() -> None:
    schemas = described()["components"]["schemas"]
    config = referred(schemas["HumanitecSecretSync"]["properties"]["destinationConfig"])
    assert config["discriminator"]["propertyName"] == "scope"
    for value, reference in config["discriminator"]["mapping"].items():
        variant = schemas[reference.rsplit("/", 1)[-1]]
        assert referred(variant["properties"]["scope"])["enum"] == [value]
        assert variant["additionalProperties"] is False


def test_a_destination_adds_at_most_30_kilobytes() -> None:
    """Its paths, and the components that nothing else refers to."""
    for destination in destinations:
        own, others = {}, {}
        for path, item in described()["paths"].items():
            (own if re.match(rf"/api/v1/secret-syncs/{destination.slug}(/|$)", path) else others)[path] = item
        del others["/api/v1/secret-syncs"]  # lists syncs of every destination
        components = {name: referred({"$ref": name}) for name in reached(own) - reached(others)}
        size = sum(len(json.dumps(part, separators=(",", ":"))) for part in (own, *components.values()))
        assert 10 * 1024 < size < 30 * 1024, destination.slug


def reached(node: object) -> set[str]:
    """The components that a part of the document refers to, through others too."""
    found: set[str] = set()
    left = [node]
    while left:
        each = left.pop()
        if isinstance(each, list):
            left += each
        elif isinstance(each, dict):
            name = each.get("$ref")
            if isinstance(name, str) and name not in found:
                found.add(name)
                left.append(referred(each))
            left += each.values()
    return found


def test_an_operation_that_describes_no_body_reads_none(world: World) -> None:
    """So that 415 and, of a GET, 413 are not among its responses."""
    api = api_for("admin", world)
    headers = {**api.headers, "content-type": "text/plain"}
    for method, path, operation in operations():
        if "requestBody" not in operation and operation.get("security") != []:
            assert "415" not in operation["responses"], path
            filled = re.sub(r"\{\w+\}", str(world.project.pk), path)
            response = Client(raise_request_exception=False).generic(method, filled, b"text", headers=headers)
            assert str(response.status_code) in operation["responses"], (method, path, response.status_code)
