"""What OpenAPI says of an endpoint: its own answer, and the envelope of every error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiParameter, extend_schema

from config.schema import AllOf, Schema

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


def listed(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


def _error(status: int) -> dict[str, Any]:
    properties: dict[str, Any] = {"reqId": TEXT, "statusCode": {"type": "number", "enum": [status]}}
    properties["message"] = {} if status == 422 else TEXT
    properties["error"] = TEXT
    if status in (400, 403):
        properties["details"] = {}
    return closed(properties, optional=("details",))


_ERRORS = {status: _error(status) for status in (400, 401, 403, 404, 405, 413, 422, 429, 500)}


def described(
    operation_id: str,
    tag: str,
    summary: str,
    answer: dict[str, Any],
    *,
    body: Schema | AllOf | None = None,
    query: Schema | None = None,
    path: Sequence[tuple[str, str]] = (),
    public: bool = False,
) -> Callable[[F], F]:
    """Describe a method of a view. `path`: names of ids in the path, with what they are."""
    parameters = [
        OpenApiParameter(name, {**(UUID if name.endswith("Id") else TEXT)}, "path", description=said)
        for name, said in path
    ]
    if query:
        for field in query.fields:
            schema = {key: value for key, value in field.json_schema().items() if key != "description"}
            said = str(getattr(field, "help", ""))
            parameters.append(OpenApiParameter(field.name, schema, "query", required=field.required, description=said))
    return extend_schema(
        operation_id=operation_id,
        tags=[tag],
        description=summary,
        parameters=parameters,
        request={"application/json": body.json_schema()} if body else None,
        responses={200: {**answer}, **_ERRORS},
        auth=[] if public else None,
    )


def bare(view: F) -> F:
    """An endpoint that OpenAPI does not show."""
    hidden: Callable[[F], F] = extend_schema(exclude=True)
    return hidden(view)


class _IdentityToken(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Found by drf-spectacular through its base class."""

    target_class = "config.requests.IdentityTokenAuthentication"
    name = "bearerAuth"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "An access token of a machine identity."}
