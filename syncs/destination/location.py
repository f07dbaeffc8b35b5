"""The part of a location that identifies the target: the members of a config that are marked with `location=True`.

    org: Annotated[str, Text("Org ID", location=True)]

Their values in the order of the model, with slashes between. A discriminator is marked too where its variants would
otherwise be the same, such as a group and a project by a number. A member whose values may have a slash
comes last.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from config.schemas.member import Member
from config.schemas.model import Model


def target_of(config: Model) -> str:
    """The values of the marked members; those without a value are left out at the end."""
    parts = [_text(value, mark) for value, mark in _marked(config)]
    while parts and not parts[-1]:
        parts.pop()
    return "/".join(parts)


def _marked(config: Model) -> Iterator[tuple[Any, Member]]:
    for name, field in type(config).model_fields.items():
        for mark in field.metadata:
            if isinstance(mark, Member) and mark.location:
                yield getattr(config, name), mark


def _text(value: Any, mark: Member) -> str:
    """A list has no order, and no value is as good as none."""
    if value is None:
        return ""
    text = "+".join(sorted(map(str, value))) if isinstance(value, list) else str(value)
    return text.lower() if mark.ignores_case else text
