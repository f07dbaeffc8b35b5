"""The declaration of an operation: its id and summary in OpenAPI, its body and query, and its response.

    class Identities(ViewSet):
        @operation("createIdentity", "Create a machine identity.", body=NewIdentity)
        def create(self, request: Request) -> TypedResponse[OneIdentity]: ...

The shape of the response is the return annotation of the method.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Generic, TypeVar, get_args, get_type_hints

from rest_framework.response import Response

from config.schemas import unions
from config.schemas.json_schema import JsonSchema

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

Shape = unions.Shape | str
"""A model, or the name of the view's attribute that holds it."""


class TypedResponse(Generic[T], Response):  # Generic first: REST framework's own `Response[...]` forgets its argument
    """A response whose data is a TypedDict."""

    def __init__(self, data: T) -> None:
        super().__init__(data)


@dataclass(frozen=True)
class Operation:
    """`id` and `summary` may have `{names}`, which the view's `terms` fill in."""

    id: str
    summary: str
    body: Shape | None
    query: Shape | None
    response: Any
    """If the annotation does not say it: the shape, or the name of the view's attribute that holds it."""
    parameters: Mapping[str, JsonSchema]
    """Of names in the path, in place of the view's."""
    has_etag: bool
    """Whether the response has an ETag, and may be 304."""


def operation(
    id: str,
    summary: str,
    *,
    body: Shape | None = None,
    query: Shape | None = None,
    response: Any = None,
    parameters: Mapping[str, JsonSchema] | None = None,
    has_etag: bool = False,
) -> Callable[[F], F]:
    """Declare a view's method an operation of the API; OpenAPI describes declared methods only."""

    def decorate(method: F) -> F:
        method.operation = Operation(id, summary, body, query, response, parameters or {}, has_etag)  # type: ignore[attr-defined]
        return method

    return decorate


def operation_of(handler: Any) -> Operation | None:
    found: Operation | None = getattr(handler, "operation", None)
    return found


def response_of(view: Any, handler: Any) -> Any:
    """The shape of the response of a declared method."""
    declared = operation_of(handler)
    if declared and declared.response is not None:
        return shape_of(view, declared.response)
    (shape,) = get_args(get_type_hints(handler, include_extras=True)["return"])
    return shape


def shape_of(view: Any, shape: Any) -> Any:
    """The shape of a body, query or response as this view has it."""
    return attrgetter(shape)(view) if isinstance(shape, str) else shape
