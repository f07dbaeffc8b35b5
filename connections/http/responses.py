"""Vendors' responses as pydantic models, so that no adapter checks a shape by hand.

A response of another shape is `BadResponse`, which names the request and the field, and never what it held.
"""

from __future__ import annotations

import functools
import re
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from connections.errors import BadResponse

T = TypeVar("T")

Text = Annotated[str, Field(min_length=1)]
"""A text that is never empty, such as a key, an id or a time that is compared for equality only."""

Number = Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)]
"""An id that a vendor writes as a number or as a text."""


class Response(BaseModel):
    """What an adapter reads of an object in a response. Other members are ignored: vendors add some at any time."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True, populate_by_name=True)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    __str__ = __repr__


class Identified(Response):
    id: Text


def validate(kind: type[T], data: Any, request: str) -> T:
    """`data` as `kind`, a model or a type such as `list[Value]`. Raises BadResponse, which names `request`."""
    try:
        result: T = _adapter(kind).validate_python(data)  # type: ignore[arg-type]  # types are hashable
    except ValidationError as error:
        raise BadResponse(f"{request}: unexpected response: {reason(error)}") from None
    return result


def fitting(kind: type[T], data: Any) -> T | None:
    """`data` as `kind`; None if it is of another shape, as the response to a write that is done all the same."""
    try:
        return validate(kind, data, "")
    except BadResponse:
        return None


def member(data: Any, path: str, request: str) -> Any:
    """The value at a dotted `path` of a response; "" is the response itself. Raises BadResponse."""
    at: list[str] = []
    for name in filter(None, path.split(".")):
        at.append(name)
        if not isinstance(data, dict) or name not in data:
            raise BadResponse(f"{request}: unexpected response: {'.'.join(at)} is missing")
        data = data[name]
    return data


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def reason(error: ValidationError) -> str:
    """The first error as text, without its input. Names with unusual characters may be values, and are left out."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    parts = (str(part) if re.fullmatch(r"[\w.-]{1,64}", str(part)) else "?" for part in first["loc"])
    at = ".".join(parts) or "the body"
    if first["type"] == "missing":
        return f"{at} is missing"
    return f"{at}: {first['msg'][:1].lower()}{first['msg'][1:]}"
