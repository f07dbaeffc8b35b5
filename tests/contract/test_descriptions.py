"""What holds exchanges to a published description sees each way in which they can differ."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fixtures.contract import VARIANTS, Case, fake_of

from .descriptions import Description, folder

OPENAPI = {
    "openapi": "3.0.3",
    "servers": [{"url": "https://api.acme.example/v1"}],
    "paths": {
        "/apps/{app}/values": {
            "parameters": [{"name": "app", "in": "path", "required": True}],
            "get": {
                "parameters": [
                    {"$ref": "#/components/parameters/page"},
                    {"name": "kind", "in": "query", "required": True, "schema": {"enum": ["secret"]}},
                ],
                "responses": {
                    "200": {
                        "content": {
                            "application/json": {
                                "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Value"}}
                            }
                        }
                    },
                    "4XX": {"description": "refused"},
                },
            },
            "post": {
                "requestBody": {"$ref": "#/components/requestBodies/value"},
                "responses": {"201": {"description": "created"}},
            },
        },
        "/apps/{app}/values/{key}": {"delete": {"responses": {"204": {"description": "deleted"}}}},
    },
    "components": {
        "parameters": {"page": {"name": "page", "in": "query", "schema": {"type": "integer"}}},
        "requestBodies": {
            "value": {
                "required": True,
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Value"}}},
            }
        },
        "schemas": {
            "Value": {
                "type": "object",
                "required": ["key"],
                "properties": {
                    "key": {"type": "string"},
                    "value": {"type": "string", "nullable": True},
                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                    "parts": {"type": "array", "items": {"allOf": [{"properties": {"name": {"type": "string"}}}]}},
                },
            }
        },
    },
}
SWAGGER = {
    "swagger": "2.0",
    "basePath": "/v1",
    "paths": {
        "/apps/{app}/values": {
            "get": {
                "parameters": [
                    {"name": "page", "in": "query", "type": "integer"},
                    {"name": "kind", "in": "query", "required": True, "type": "string", "enum": ["secret"]},
                ],
                "responses": {"200": {"schema": {"type": "array", "items": {"$ref": "#/definitions/Value"}}}},
            },
            "post": {
                "parameters": [
                    {"name": "body", "in": "body", "required": True, "schema": {"$ref": "#/definitions/Value"}}
                ],
                "responses": {"201": {"description": "created"}},
            },
        },
        "/apps/{app}/values/{key}": {"delete": {"responses": {"204": {"description": "deleted"}}}},
    },
    "definitions": OPENAPI["components"]["schemas"],  # type: ignore[index]
}
LIST = {"method": "GET", "path": "/v1/apps/a%2Fb/values", "query": {"kind": "secret", "page": "2"}, "body": None}
LISTED = {"status": 200, "response": [{"key": "A", "value": None, "labels": {"x": "y"}, "more": 1}]}
CREATE = {"method": "POST", "path": "/apps/a/values", "query": {}, "body": {"key": "A", "value": "1"}}
CREATED = {"status": 201, "response": {"any": "thing"}}
DELETE = {"method": "DELETE", "path": "/v1/apps/a/values/B", "query": {}, "body": None, "status": 204, "response": None}


@pytest.fixture(params=[OPENAPI, SWAGGER], ids=["openapi", "swagger"])
def description(request: pytest.FixtureRequest) -> Description:
    return Description(request.param)


@pytest.mark.parametrize(
    "exchange", [{**LIST, **LISTED}, {**CREATE, **CREATED}, DELETE, {**LIST, **LISTED, "status": 404}]
)
def test_valid_exchanges_have_no_problem(description: Description, exchange: dict[str, Any]) -> None:
    assert list(description.problems(**exchange)) == []


@pytest.mark.parametrize(
    ("exchange", "problem"),
    [
        ({**DELETE, "path": "/v2/apps/a"}, "DELETE /v2/apps/a: is not described"),
        ({**DELETE, "method": "PUT"}, "PUT /v1/apps/a/values/B: is not described"),
        ({**LIST, **LISTED, "query": {"kind": "secret", "pages": "2"}}, "the parameter pages is not described"),
        ({**LIST, **LISTED, "query": {}}, "the parameter kind is required"),
        ({**LIST, **LISTED, "query": {"kind": "plain"}}, "the parameter kind is none of ['secret']"),
        ({**LIST, **LISTED, "body": {}}, "no body is described"),
        ({**LIST, **LISTED, "response": {}}, "the response 200's body: {} is not of type 'array'"),
        ({**LIST, **LISTED, "response": [{"key": None}]}, "the response 200's 0.key: None is not of type 'string'"),
        ({**LIST, **LISTED, "response": [{}]}, "the response 200's 0: 'key' is a required property"),
        ({**LIST, "status": 202, "response": []}, "the status 202 is not described"),
        ({**CREATE, **CREATED, "body": None}, "a body is required"),
        ({**CREATE, **CREATED, "body": {"key": 1}}, "the request's key: 1 is not of type 'string'"),
        ({**CREATE, **CREATED, "body": {"key": "A", "note": ""}}, "the request's body.note is not described"),
        (
            {**CREATE, **CREATED, "body": {"key": "A", "parts": [{"name": "n", "odd": 1}]}},
            "the request's body.parts[].odd is not described",
        ),
    ],
)
def test_each_difference_is_reported(description: Description, exchange: dict[str, Any], problem: str) -> None:
    (found,) = description.problems(**exchange)
    assert found.endswith(problem)


DESCRIBED = [(slug, variant) for slug, variant in VARIANTS if fake_of(slug).description]


@pytest.mark.skipif(folder() is None, reason="KEYFERRY_VENDOR_SPECS names no directory")
@pytest.mark.parametrize("case", DESCRIBED, indirect=True, ids=[f"{slug}-{variant}" for slug, variant in DESCRIBED])
def test_every_ordinary_exchange_matches_the_vendors_description(case: Case) -> None:
    """The `case` fixture holds the exchanges of every contract test to the description; here there surely are some."""
    case.put("FOREIGN", "x")
    case.set(A="1", B="2")
    sync = case.sync()
    case.run(sync)
    case.set(A="3")
    case.unset("B")
    case.run(sync)
    case.run(sync, "remove")
    assert {each.status for each in case.fake.exchanged()} >= {200}
    assert case.fake.checked() > 6
    assert case.fake.problems() == []
