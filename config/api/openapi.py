"""What OpenAPI says of an endpoint: its own answer, and the envelope of every error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiParameter, extend_schema

from config.api.autoschema import shared_responses, shared_schemas
from config.schemas import json_schema, unions
from config.schemas.examples import example_of
from config.schemas.model import Model
from config.schemas.schema import AllOf, Schema

F = TypeVar("F", bound=Callable[..., Any])

UUID = {"type": "string", "format": "uuid"}
TEXT = {"type": "string"}
TEXT_OR_NULL = {"type": "string", "nullable": True}
TIME = {"type": "string", "format": "date-time"}
TIME_OR_NULL = {"type": "string", "format": "date-time", "nullable": True}
FLAG = {"type": "boolean"}
WHOLE = {"type": "integer"}


def closed(properties: dict[str, Any], *, optional: Sequence[str] = (), **more: Any) -> dict[str, Any]:
    """An object with just these members."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False, **more}


def component(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The same, to be found under this name wherever it is used."""
    return {**schema, "x-component": name}


def hoisted(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """drf-spectacular's hook: what has a name is described once, under `components`, and referred to."""
    known = result.setdefault("components", {}).setdefault("schemas", {})

    def walk(node: Any) -> Any:
        if isinstance(node, list):
            return [walk(each) for each in node]
        if not isinstance(node, dict):
            return node
        plain = {key: walk(value) for key, value in node.items() if key != "x-component"}
        if (name := node.get("x-component")) is None:
            return plain
        nullable = plain.pop("nullable", False)
        if known.setdefault(name, plain) != plain:
            raise ValueError(f"two schemas are named {name}")
        reference = {"$ref": f"#/components/schemas/{name}"}
        return {"allOf": [reference], "nullable": True} if nullable else reference

    for operations in result["paths"].values():
        for operation in operations.values():
            if body := operation.pop("x-body", None):
                needed = bool(body.get("required")) or "allOf" in body
                example = operation.pop("x-example", None) or example_of(body)
                content = {"application/json": {"schema": body, "example": example}}
                operation["requestBody"] = {"content": content, "required": needed}
            for answer in operation["responses"]["200"].get("content", {}).values():
                answer.setdefault("example", example_of(answer["schema"]))
    result["paths"] = walk(result["paths"])
    known |= shared_schemas()
    result["components"]["responses"] = shared_responses()
    result["components"]["schemas"] = dict(sorted(known.items()))
    return result


def listed(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


def _error(status: int) -> dict[str, Any]:
    properties: dict[str, Any] = {"reqId": TEXT, "statusCode": {"type": "number", "enum": [status]}}
    properties["message"] = {} if status == 422 else TEXT
    properties["error"] = TEXT
    if status in (400, 403):
        properties["details"] = {}
    return closed(properties, optional=("details",))


_ASKED = {
    (304, "application/json"): {"description": "Nothing has changed since the ETag that If-None-Match names."},
    (414, "text/html"): {"type": "string", "description": "The address is longer than 8 KiB."},
}
_STATUSES = (400, 401, 403, 404, 405, 413, 415, 422, 429, 500)
_ERRORS = {status: component(f"Error{status}", _error(status)) for status in _STATUSES}


def described(
    operation_id: str,
    tag: str,
    summary: str,
    answer: dict[str, Any],
    *,
    body: Schema | AllOf | unions.Shape | None = None,
    query: Schema | type[Model] | None = None,
    path: Sequence[tuple[str, str] | tuple[str, str, dict[str, Any]]] = (),
    public: bool = False,
) -> Callable[[F], F]:
    """Describe a method of a view. `path`: names in the path, with what they are; a UUID where one ends in Id."""
    parameters = [
        OpenApiParameter(
            name, {**(shape[0] if shape else UUID if name.endswith("Id") else TEXT)}, "path", description=said
        )
        for name, said, *shape in path
    ]
    for name, schema, required in _query_parameters(query):
        said = schema.get("description", "")
        plain = {key: value for key, value in schema.items() if key != "description"}
        parameters.append(OpenApiParameter(name, plain, "query", required=required, description=said))
    described_so = extend_schema(
        operation_id=operation_id,
        tags=[tag],
        summary=summary,
        parameters=parameters,
        request=None,
        extensions=_request_body(body) if body else None,
        responses={200: {**answer}, **_ERRORS, **({} if body else _ASKED)},
        auth=[] if public else None,
    )

    def decorate(method: F) -> F:
        made: F = described_so(method)
        # What the browsable API makes its forms from.
        made.body_schema, made.query_schema, made.summary = body, query, summary  # type: ignore[attr-defined]
        return made

    return decorate


def _query_parameters(query: Schema | type[Model] | None) -> list[tuple[str, dict[str, Any], bool]]:
    if isinstance(query, Schema):
        return [(field.name, field.json_schema(), field.required) for field in query.fields]
    return json_schema.parameters(query) if query else []


def _request_body(body: Schema | AllOf | unions.Shape) -> dict[str, Any]:
    """As an extension that `hoisted` puts in its place: drf-spectacular takes no body for DELETE."""
    if isinstance(body, Schema | AllOf):
        return {"x-body": body.json_schema()}
    return {"x-body": json_schema.openapi(body), "x-example": json_schema.example_of(json_schema.described(body))}


def bare(view: F) -> F:
    """An endpoint that OpenAPI does not show."""
    hidden: Callable[[F], F] = extend_schema(exclude=True)
    return hidden(view)


class _IdentityToken(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Found by drf-spectacular through its base class."""

    target_class = "config.api.authentication.IdentityTokenAuthentication"
    name = "bearerAuth"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "An access token of a machine identity."}
