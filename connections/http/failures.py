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
    Forbidden,
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
REQUEST_IDS = (
    "x-github-request-id",
    "x-amzn-requestid",
    "x-amz-request-id",
    "x-vercel-id",
    "x-ms-request-id",
    "x-goog-request-id",
    "x-request-id",
    "request-id",
    "x-correlation-id",
    "cf-ray",
)
"""Headers with the vendor's own id of a request, which its support asks for; a vendor's own before general ones."""
SHORTEST_TEXT = 4  # characters of a text of the request that is redacted in a quote
SHORTEST_WORD = 8  # and of a word within one


def failure_of(status: int, headers: httpx.Headers, message: str, *, read: bool) -> IntegrationError:
    """The error for a status, unless the vendor's adapter classifies it itself. `read`: the request changes nothing."""
    wait = wait_of(headers) if status in (429, 503) else None
    if status == 429 or wait is not None:
        return RateLimited(message, wait)
    if status >= 500 and status not in (501, 503, 505) and not read:
        return OutcomeUnknown(message)
    return _class_of(status)(message)


def _class_of(status: int) -> type[IntegrationError]:
    if status in (401, 407):
        return Unauthorized
    if status == 403:
        return Forbidden
    if status in (404, 410):
        return NotFound
    if status in (409, 412):
        return Conflict
    if status < 400:
        return BadResponse
    # What a server does not implement (501, 505) it will refuse again.
    return Unavailable if status in (408, 425) or (status >= 500 and status not in (501, 505)) else Rejected


def reference(headers: httpx.Headers, hidden: Iterable[str] = ()) -> str:
    """The vendor's id of the request as the end of a message; "" if the response has none."""
    for name in REQUEST_IDS:
        value = headers.get(name, "")
        if re.fullmatch(r"[\w.:/+=|-]{1,128}", value, re.ASCII) and not any(each in value for each in hidden if each):
            return f" (request id {value})"
    return ""


def redirect(status: int, url: httpx.URL, headers: httpx.Headers, hidden: Iterable[str]) -> str:
    """What a redirect means, with where it leads to; "" for any other status.

    Of the address only host and path are shown: parameters may hold a token.
    """
    if status not in (301, 302, 303, 307, 308):
        return ""
    try:
        target = url.join(headers["location"])
    except (KeyError, httpx.InvalidURL, ValueError):
        target = url
    where = _redacted(f"{target.host}{target.path}", hidden)
    if status in (301, 308):
        return f"it was moved or renamed, and is now at {_shortened(where)}: use its present name or address"
    return f"it redirects to {_shortened(where)}, which is not followed: check the address and the target's names"


def quote_of(data: Any, hidden: Iterable[str]) -> str:
    """The vendor's error text on one line, redacted and shortened; "" if there is none."""
    return _shortened(_redacted(_error_text(data), hidden))


def _redacted(text: str, hidden: Iterable[str]) -> str:
    for secret in sorted(hidden, key=len, reverse=True):
        text = text.replace(secret, "[redacted]")
    return text


def _shortened(text: str) -> str:
    text = re.sub(r"[\x00-\x1f\x7f\s]+", " ", text).strip()
    return text if len(text) <= MAX_QUOTE else text[: MAX_QUOTE - 3] + "..."


def _error_text(data: Any) -> str:
    """The first text in the members that vendors use, such as `message` or `errors`; nested ones too."""
    if isinstance(data, str):
        return data
    if isinstance(data, list):
        return next((text for item in data if (text := _error_text(item))), "")
    if isinstance(data, Mapping):
        if "code" in data and all(isinstance(data.get(name), str) for name in ("message", "data")):
            return f"{data['message']} {data['data']}"  # an error of JSON-RPC, whose message is general
        members = (data.get(name) for name in ("message", "Message", "error_description", "error", "detail", "errors"))
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
