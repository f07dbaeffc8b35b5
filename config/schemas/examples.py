"""Examples for OpenAPI: what a request or an answer looks like, by the names of its members."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

ID = "3f0c2a9e-5b1d-4c7e-9a64-0d2b8f6e1c35"
MOMENT = "2026-02-01T09:30:00.000Z"
ADDRESSES = [{"ipAddress": "0.0.0.0/0"}]

EXAMPLES: Mapping[str, Any] = {
    "name": "shop-dev",
    "slug": "shop-dev",
    "projectName": "Shop",
    "projectDescription": "The web shop",
    "projectSlug": "shop-dev",
    "environment": "dev",
    "sourceEnvironment": "dev",
    "destinationEnvironment": "prod",
    "path": "/services/api",
    "secretPath": "/services/api",
    "importPath": "/shared",
    "sourceSecretPath": "/",
    "destinationSecretPath": "/services/api",
    "secretKey": "DB_URL",
    "key": "DB_URL",
    "secretValue": "postgres://shop@db.internal/shop",
    "secretComment": "Read replica",
    "newSecretName": "DATABASE_URL",
    "tagSlugs": ["db"],
    "secretIds": [ID],
    "tagIds": [ID],
    "color": "#ff8800",
    "description": "What the shop needs",
    "message": "Done",
    "org": "acme",
    "app": "humanitec",
    "env": "development",
    "roleArn": "arn:aws:iam::123456789012:role/keyferry",
    "stsEndpoint": "https://sts.eu-west-1.amazonaws.com",
    "initialSyncBehavior": "overwrite-destination",
    "keySchema": "SHOP_{{secretKey}}",
    "emails": ["grace@example.com"],
    "usernames": ["grace"],
    "include": ["DB_*"],
    "exclude": ["*_LOCAL"],
    "tags": ["db"],
    "type": "shared",
    "accessToken": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...",
    "tokenType": "Bearer",
    "expiresIn": 2592000,
    "accessTokenMaxTTL": 2592000,
    "clientId": ID,
    "clientSecret": "5d0c...",
    "apiToken": "a token of a service user",
    "accessTokenTrustedIps": ADDRESSES,
    "clientSecretTrustedIps": ADDRESSES,
    "credentialsHash": "b1f0...",
    "ipAddress": "10.0.0.0/8",
    "syncStatus": "succeeded",
}


SHAPES = ("text", "4711", "https://example.com", "person@example.com", "/services/api/")
"""What is tried in turn where a pattern asks for more than a text."""


def example_of(schema: Mapping[str, Any], name: str = "") -> Any:
    """Something that fits the schema, as a reader would expect it; of variants the first."""
    for several in ("oneOf", "anyOf"):
        if several in schema:
            return example_of(schema[several][0], name)
    if "allOf" in schema:
        made: dict[str, Any] = {}
        for part in schema["allOf"]:
            made |= example_of(part)
        return made
    if "enum" in schema:
        known = EXAMPLES.get(name)
        return known if known in schema["enum"] else schema["enum"][0]
    if "properties" in schema:
        return {key: example_of(each, key) for key, each in schema["properties"].items() if key != "directory"}
    kind = schema.get("type")
    if kind == "array":
        known = EXAMPLES.get(name)
        return (
            known if isinstance(known, list) and "properties" not in schema["items"] else [example_of(schema["items"])]
        )
    if kind == "string":
        return _text(schema, name)
    if kind in ("integer", "number"):
        known = EXAMPLES.get(name, schema.get("default", schema.get("minimum", 1)))
        return known if isinstance(known, int) else 1
    return {"boolean": bool(schema.get("default", False)), "object": {}}.get(str(kind))


def _text(schema: Mapping[str, Any], name: str) -> str:
    if schema.get("format") == "uuid" or (name.endswith("Id") and _fits(schema, ID)):
        return ID
    if schema.get("format") == "date-time":
        return MOMENT
    known = EXAMPLES.get(name, schema.get("default", "text"))
    fitting = [text for text in (known, *SHAPES) if isinstance(text, str) and _fits(schema, text)]
    return fitting[0] if fitting else "text"


def _fits(schema: Mapping[str, Any], text: str) -> bool:
    return re.search(schema.get("pattern", ""), text, re.ASCII) is not None
