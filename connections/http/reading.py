"""How the responses of one vendor are read: their format, their error classes, and errors inside a good answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import httpx

from config import json_text
from connections.errors import BadResponse, IntegrationError, RateLimited

from .exchange import HttpResponse, Request
from .failures import failure_of, quote_of, redirect, reference
from .waits import wait_of

MAX_BODY = 32 * 1024 * 1024  # bytes of a response

Classified = type[IntegrationError] | tuple[type[RateLimited], float] | int | None
"""The class of an error, or the status that it amounts to. None: no error, or the one of its status.

How long a `RateLimited` asks to wait is read from the headers (see `waits`); given with the class are the seconds that
the vendor's documentation asks for where they do not say.
"""
Classify = Callable[[int, httpx.Headers, Any], Classified]
"""(status, headers, parsed body) of a response -> what error it is."""


def body_of(response: httpx.Response, label: str) -> bytes:
    """Raises BadResponse for a body that is too large."""
    parts, size = [], 0
    for part in response.iter_bytes():
        size += len(part)
        if size > MAX_BODY:
            raise BadResponse(f"{label} answered with more than {MAX_BODY // 1024**2} MiB")
        parts.append(part)
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Reader:
    """The parts of `ApiClient` with these names."""

    parse: Callable[[bytes], Any] = json_text.read
    classify: Classify | None = None
    inspect: Classify | None = None

    def read(
        self, request: Request, label: str, response: httpx.Response, body: bytes, secrets: Iterable[str]
    ) -> HttpResponse:
        """The response, if it is a good one. Raises IntegrationError."""
        status, headers = response.status_code, response.headers
        succeeded = 200 <= status < 300 or status in request.accept
        hidden = (*secrets, *request.hidden)
        data: Any = None
        try:
            data = self.parse(body) if body.strip() else None
        except ValueError:
            if succeeded:
                what = "that is not JSON" if self.parse is json_text.read else "of an unknown format"
                end = reference(headers, hidden)
                raise BadResponse(f"{label} answered {status} with a body {what}{end}") from None
        look = self.inspect if succeeded else self.classify
        found = look(status, headers, data) if look else None
        if succeeded and found is None:
            return HttpResponse(status, headers, data, body)
        quoted = redirect(status, response.url, headers, hidden) or quote_of(data, hidden)
        message = f"{label} answered {status}" + (" with an error" if succeeded else "")
        message += (f": {quoted}" if quoted else "") + reference(headers, hidden)
        raise _error(found, status, headers, message, read=request.read)


def _error(found: Classified, status: int, headers: httpx.Headers, message: str, *, read: bool) -> IntegrationError:
    if isinstance(found, tuple):
        return found[0](message, wait_of(headers) or found[1])
    if isinstance(found, type):
        return found(message, wait_of(headers)) if issubclass(found, RateLimited) else found(message)
    return failure_of(found or status, headers, message, read=read)
