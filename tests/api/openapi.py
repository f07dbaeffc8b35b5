"""The API's own description, against which responses are validated."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import jsonschema
from django.test import Client


@cache
def described() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Client(headers={"host": "localhost"}).get("/api/schema").content)
    return found


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path and operation."""
    return [
        (method.upper(), path, _whole(operation))
        for path, item in described()["paths"].items()
        for method, operation in item.items()
    ]


def _whole(operation: dict[str, Any]) -> dict[str, Any]:
    """The operation with the components that it refers to."""
    found = {
        **operation,
        "parameters": [referred(each) for each in operation.get("parameters", ())],
        "responses": {status: referred(each) for status, each in operation["responses"].items()},
    }
    return {**found, "requestBody": referred(found["requestBody"])} if "requestBody" in found else found


def operation_of(method: str, path: str) -> dict[str, Any]:
    """The one that a request to `path` (as /api/v1/...) is answered by: literal parts win over names."""
    fitting = [
        (pattern, found)
        for verb, pattern, found in operations()
        if verb == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path)
    ]
    assert fitting, f"{method} {path} is not described"
    return min(fitting, key=lambda each: each[0].count("{"))[1]


def referred(node: dict[str, Any]) -> dict[str, Any]:
    """The component that a reference names; what is no reference stays."""
    if "$ref" not in node:
        return node
    _, section, name = node["$ref"].rsplit("/", 2)
    found: dict[str, Any] = described()["components"][section][name]
    return found


def plain(schema: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema: references followed, `nullable` a type of its own."""
    if isinstance(schema, list):
        return [plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return plain(referred(schema))
    found = {key: plain(value) for key, value in schema.items() if key not in ("nullable", "discriminator")}
    return {"anyOf": [found, {"type": "null"}]} if schema.get("nullable") else found


def require_fit(method: str, path: str, status: int, answer: Any) -> None:
    """Raises if the response does not match the description."""
    responses = operation_of(method, path)["responses"]
    assert str(status) in responses, f"{method} {path} says nothing of {status}"
    schema = plain(responses[str(status)]["content"]["application/json"]["schema"])
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(answer)
