"""Types for the members of responses, which are TypedDicts: what OpenAPI needs besides the Python type.

    class Tag(TypedDict):
        id: Uuid
        slug: Annotated[str, text(example="shop-dev")]
        createdAt: Time

Nothing is validated on the way out; mypy checks what presenters return.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import WithJsonSchema

EXAMPLE_ID = "3f0c2a9e-5b1d-4c7e-9a64-0d2b8f6e1c35"


def text(**keywords: Any) -> WithJsonSchema:
    """A string with these keywords of OpenAPI; `example` is its part of the response's example."""
    return WithJsonSchema({"type": "string", **keywords})


def whole(**keywords: Any) -> WithJsonSchema:
    """An integer with these keywords of OpenAPI."""
    return WithJsonSchema({"type": "integer", **keywords})


def one_of(choices: Sequence[str], **keywords: Any) -> WithJsonSchema:
    """One of these texts."""
    return text(enum=list(choices), **keywords)


def members(of: dict[str, Any]) -> WithJsonSchema:
    """A dictionary with just these keys, each with its schema."""
    return WithJsonSchema({"type": "object", "properties": of, "required": list(of), "additionalProperties": False})


Uuid = Annotated[str, text(format="uuid")]
Time = Annotated[str, text(format="date-time")]
IdText = Annotated[str, text(example=EXAMPLE_ID)]
"""An id whose form is not promised."""

Name = Annotated[str, text(example="shop-dev")]
Description = Annotated[str, text(example="What the shop needs")]
Message = Annotated[str, text(example="Done")]
Environment = Annotated[str, text(example="dev")]
FolderPath = Annotated[str, text(example="/services/api")]
