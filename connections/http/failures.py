"""The error class of a response, and what its message may quote of the vendor's.

Status codes are mapped to error classes here and nowhere else. A message quotes at most `MAX_QUOTE` characters of the
vendor's, without secrets and without what the request contained.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import httpx

from connections.errors import (
    BadResponse,
    Conflict,
    IntegrationError,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
)

from .waits import wait_of

MAX_QUOTE = 200
SHORTEST_TEXT = 4  # characters of a text of the request that is redacted in a quote
SHORTEST_WORD = 8  # and of a word within one


def failure_of(status: int, headers: httpx.Headers, message: str, *, read: bool) -> IntegrationError:
    """The error for a status, unless the vendor's adapter classifies it itself. `read`: the request changes nothing."""
    wait = wait_of(headers) if status in (429, 503) else None
    if status == 429 or wait is not None:
        return RateLimited(message, wait)
    if status >= 500 and status not in (501, 503) and not read:
        return OutcomeUnknown(message)
    return _class_of(status)(message)


def _class_of(status: int) -> type[IntegrationError]:
    if status in (401, 403):
        return Unauthorized
    if status in (404, 410):
        return NotFound
    if status in (409, 412):
        return Conflict
    if status in (408, 425) or status >= 500:
        return Unavailable
    if status < 400:
        return BadResponse
    return Rejected


def quote_of(data: Any, hidden: Iterable[str]) -> str:
    """The vendor's error text on one line, redacted and shortened; "" if there is none."""
    text = _error_text(data)
    for secret in sorted(hidden, key=len, reverse=True):
        text = text.replace(secret, "[redacted]")
    text = re.sub(r"[\x00-\x1f\x7f\s]+", " ", text).strip()
    return text if len(text) <= MAX_QUOTE else text[: MAX_QUOTE - 3] + "..."


def _error_text(data: Any) -> str:
    """The first text in the members that vendors use: `message`, `error`, `detail`, `errors`; nested ones too."""
    if isinstance(data, str):
        return data
    if isinstance(data, list):
        return next((text for item in data if (text := _error_text(item))), "")
    if isinstance(data, Mapping):
        members = (data.get(name) for name in ("message", "Message", "error", "detail", "errors"))
        return next((text for member in members if (text := _error_text(member))), "")
    return ""


def texts_of(body: object) -> Iterator[str]:
    """Every text in a request's body, and its longer words; shorter ones could be part of any message."""
    if isinstance(body, bytes):
        body = body.decode(errors="replace")
    if isinstance(body, str):
        if len(body) >= SHORTEST_TEXT:
            yield body
            yield from (word for word in body.split() if SHORTEST_WORD <= len(word) < len(body))
    elif isinstance(body, Mapping):
        for value in body.values():
            yield from texts_of(value)
    elif isinstance(body, list | tuple):
        for value in body:
            yield from texts_of(value)
