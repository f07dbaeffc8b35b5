"""Formats of slugs and timestamps in the modelled API."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import overload

from config.errors import Issue, problem

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)


def slug_issues(field: str, text: str, *, least: int = 1, most: int = 64) -> list[Issue]:
    """The issues of the modelled slug rule for `text`, with its messages."""
    label = field[:1].upper() + field[1:]
    if len(text) < least:
        return [problem([field], f"{label} field must be at least {least} lowercase character(s)")]
    if len(text) > most:
        return [problem([field], f"{label} field must be at most {most} lowercase character(s)")]
    if not SLUG.fullmatch(text):
        return [problem([field], f"{label} field can only contain lowercase letters, numbers, and hyphens")]
    return []


@overload
def timestamp(moment: datetime) -> str: ...
@overload
def timestamp(moment: datetime | None) -> str | None: ...
def timestamp(moment: datetime | None) -> str | None:
    """ISO 8601, UTC, milliseconds, Z."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_moment(text: str) -> datetime:
    """RFC 3339 has a 60th second, a year 0 and moments that are another year in UTC; Python has none of them."""
    text = re.sub(r":60(?=[.Zz+-]|$)", ":59", text.upper())
    if re.match(r"0000-", text):
        return datetime.min.replace(tzinfo=UTC)
    found = datetime.fromisoformat(text)
    try:
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except OverflowError:
        edge = datetime.min if found.year == 1 else datetime.max
        return edge.replace(tzinfo=UTC)
