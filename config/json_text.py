"""Reads JSON strictly, and where needed without losing anything of it.

The json module of the standard library takes NaN and Infinity, keeps the last of two members of one name, turns `1.10`
into 1.1 and raises RecursionError when a text is nested too deeply. Its public hooks correct all of that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Literal:
    """A number as it is typed: 1.10 stays 1.10. NaN and Infinity, which some writers emit, are kept likewise."""

    text: str = field(repr=False)


class Members(list[tuple[str, Any]]):
    """The members of an object in their order; a name may be there twice."""


def read(text: str | bytes) -> Any:
    """The value of a JSON text. Raises ValueError for all else, NaN, Infinity and deep nesting included."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_exactly(text: str) -> Any:
    """The same with each object as `Members` and each number as a `Literal`. Raises ValueError."""
    try:
        return json.loads(
            text, object_pairs_hook=Members, parse_int=Literal, parse_float=Literal, parse_constant=Literal
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def write_exactly(value: Any) -> str:
    """The text that `read_exactly` reads the same value from. Raises RecursionError when it is nested too deeply."""
    if isinstance(value, Literal):
        return value.text
    if isinstance(value, Members):
        members = [f"{write_exactly(name)}: {write_exactly(member)}" for name, member in value]
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list):
        return "[" + ", ".join([write_exactly(item) for item in value]) + "]"
    return json.dumps(value, ensure_ascii=not is_text(value))


def is_text(value: object) -> bool:
    """Whether it is text that UTF-8 can encode: JSON can also escape one half of a surrogate pair alone."""
    return isinstance(value, str) and not re.search(r"[\ud800-\udfff]", value)


def lines_of_members(text: str) -> Iterator[int]:
    """The line, from 1, of each member's name of the outermost object. `text` is JSON that was read before."""
    depth, line, at = 0, 1, 0
    for token in _TOKEN.finditer(text):
        if token["name"] is not None and depth == 1:
            line += text.count("\n", at, token.start())
            at = token.start()
            yield line
        elif token["bracket"]:
            depth += 1 if token["bracket"] in "{[" else -1


_TOKEN = re.compile(r'(?P<name>"(?:[^"\\]|\\.)*"(?=\s*:))|"(?:[^"\\]|\\.)*"|(?P<bracket>[\[\]{}])')


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
