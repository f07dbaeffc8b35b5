"""The OpenAPI of each operation, for drf-spectacular: from its declaration, its models and the response's TypedDict."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema

from config.api.operations import Operation, operation_of, response_of, shape_of
from config.schemas.json_schema import JsonSchema, described, example_of, parameters, public

STATUSES = (400, 401, 403, 404, 413, 415, 422, 429)
"""Not 405, which is for methods that are not described, nor 500, which is a fault. Both have the same envelope."""


class AutoSchema(SpectacularAutoSchema):
    view: Any  # a config.api.base.View, which imports what imports this module

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any
    ) -> dict[str, Any] | None:
        handler = getattr(self.view, getattr(self.view, "action", None) or method.lower())
        declared = operation_of(handler)
        if declared is None:
            return None
        self.registry, self.path, self.method = registry, path, method.upper()
        body, query = shape_of(self.view, declared.body), shape_of(self.view, declared.query)
        found: dict[str, Any] = {
            "operationId": declared.id.format(**self.view.terms),
            "summary": declared.summary.format(**self.view.terms),
            "tags": [self.view.tag],
        }
        if members := [*self._path_parameters(declared.parameters), *(_query_parameters(query) if query else ())]:
            found["parameters"] = members
        if body:
            found["requestBody"] = _request_body(body)
        if self.view.authentication_classes:
            self.get_auth()  # registers the schemes; the document's own security applies
        else:
            found["security"] = []
        found["responses"] = {"200": self._response(handler)} | _errors(self.method, declared)
        return found

    def _path_parameters(self, own: Mapping[str, JsonSchema]) -> list[dict[str, Any]]:
        known = {**self.view.parameters, **own}
        return [path_parameter(name, known) for name in re.findall(r"{(\w+)}", self.path)]

    def _response(self, handler: Any) -> dict[str, Any]:
        schema = self.view.specialized(described(response_of(self.view, handler)))
        content = {"schema": public(schema), "example": example_of(schema)}
        return {"description": "", "content": {"application/json": content}}


def path_parameter(name: str, own: dict[str, JsonSchema]) -> dict[str, Any]:
    """A parameter in the path: a UUID if its name ends in Id. `own`: schemas of the view, by name."""
    parts = re.fullmatch(r"(\w+)(Id|Slug|Name)", name)
    schema: JsonSchema = {"type": "string"}
    if parts and parts[2] == "Id":
        schema["format"] = "uuid"
    if parts:
        owner = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", parts[1]).lower()
        what = "ID" if parts[2] == "Id" else parts[2].lower()
        schema["description"] = f"The {owner}'s {what}."
    schema = own.get(name, schema)
    text = {"description": schema["description"]} if "description" in schema else {}
    plain = {key: value for key, value in schema.items() if key != "description"}
    return {"in": "path", "name": name, "schema": plain, "required": True, **text}


def _query_parameters(model: Any) -> list[dict[str, Any]]:
    found = []
    for name, schema, required in parameters(model):
        plain = {key: value for key, value in schema.items() if key != "description"}
        parameter: dict[str, Any] = {"in": "query", "name": name, "schema": plain}
        if "description" in schema:
            parameter["description"] = schema["description"]
        if required:
            parameter["required"] = True
        found.append(parameter)
    return found


def _request_body(model: Any) -> dict[str, Any]:
    schema = described(model)
    content = {"schema": public(schema), "example": example_of(schema)}
    needed = bool(schema.get("required")) or "allOf" in schema
    return {"content": {"application/json": content}, "required": needed}


def _errors(method: str, declared: Operation) -> dict[str, Any]:
    """The responses besides 200: 304 with an ETag, 415 if a body is read, 414 if everything is in the URL."""
    statuses = set(STATUSES) | ({304} if declared.has_etag else set())
    if not declared.body:
        statuses = statuses - {415} | {414}
    if method == "GET":
        statuses.remove(413)
    return {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(statuses)}


def _error(status: int) -> JsonSchema:
    text = {"type": "string"}
    properties: dict[str, JsonSchema] = {
        "reqId": text,
        "statusCode": {"type": "number", "enum": [status]},
        "message": {} if status == 422 else text,
        "error": text,
    }
    required = list(properties)
    if status in (400, 403):
        properties["details"] = {}
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _as_json(schema: JsonSchema) -> dict[str, Any]:
    return {"description": "", "content": {"application/json": {"schema": schema}}}


def shared_responses() -> dict[str, Any]:
    """The responses that operations have in common, as components."""
    unchanged = {"description": "Not modified since the ETag in If-None-Match."}
    too_long = {"type": "string", "description": "The URL is longer than 8 KiB."}
    return {
        "304": _as_json(unchanged),
        **{str(status): _as_json({"$ref": f"#/components/schemas/Error{status}"}) for status in STATUSES},
        "414": {"description": "", "content": {"text/html": {"schema": too_long}}},
    }


def shared_schemas() -> dict[str, JsonSchema]:
    return {f"Error{status}": _error(status) for status in STATUSES}


class IdentityTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Found by drf-spectacular through its base class."""

    target_class = "config.api.authentication.IdentityTokenAuthentication"
    name = "bearerAuth"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "An access token of a machine identity."}
