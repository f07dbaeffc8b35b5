"""The one place that sends a request: it times out, retries, classifies and redacts.

A read that failed for a passing reason is tried again; a write only if it surely was not sent. Every request ends
within its deadline, a slow drip of bytes included. Redirects are not followed.
"""

from __future__ import annotations

import email.utils
import functools
import json as jsonlib
import re
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal
from urllib.parse import quote as percent_encode

import httpx

from .errors import (
    BadResponse,
    Conflict,
    IntegrationError,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
    Unreachable,
)

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

MAX_BODY = 32 * 1024 * 1024  # bytes of an answer
MAX_WORDS = 200  # characters of the vendor's own words in a message
SHORTEST = 4  # characters of a sent text that is looked for in the vendor's words
SHORTEST_WORD = 8  # and of a part of one
READ_ATTEMPTS = 3
PAUSE = 0.2  # seconds before the second attempt of a read; doubled before the third


def quote(part: str) -> str:
    """One part of a path, percent-encoded. A part that would name another resource is refused with ValueError."""
    if part in ("", ".", ".."):
        raise ValueError(f"{part!r} cannot be a part of an address")
    return percent_encode(part, safe="")


@functools.cache
def _tls() -> ssl.SSLContext:
    """One for all clients: reading the certificates of every authority takes 20 ms, and a run opens two clients."""
    return httpx.create_ssl_context(trust_env=False)


class ApiClient:
    """An open line to one vendor, safe to share between threads. `secrets` are cut out of every message."""

    def __init__(
        self,
        service: str,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        secrets: Iterable[str] = (),
        deadline: float = 10.0,
    ) -> None:
        self.service = service
        self.base_url = base_url.rstrip("/")
        self._deadline = deadline
        self._secrets = tuple(sorted((secret for secret in secrets if secret), key=len, reverse=True))
        self._http = httpx.Client(
            # A pasted token may hold anything; the vendor, not this client, says that it is wrong.
            headers={name.encode(): value.encode() for name, value in (headers or {}).items()},
            timeout=httpx.Timeout(deadline),
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=64),
            follow_redirects=False,
            trust_env=False,
            verify=_tls(),
        )

    def __repr__(self) -> str:
        return f"<ApiClient {self.service} {self.base_url}>"

    def __enter__(self) -> ApiClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def request(
        self,
        method: Method,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: object = None,
        visible: Iterable[str] = (),
    ) -> Any:
        """The parsed JSON of the answer, or None where it has no body. Raises IntegrationError.

        A vendor may say back what it was sent: whatever text `json` holds is cut out of the error's message, but for
        what is `visible`, such as a key's name.
        """
        hidden = self._secrets + tuple(text for text in _texts(json) if text not in set(visible))
        attempt = 1
        while True:
            try:
                return self._send(method, path, params, json, hidden)
            except IntegrationError as error:
                if method != "GET" or not error.retryable or attempt == READ_ATTEMPTS:
                    raise
                if isinstance(error, RateLimited):
                    raise  # the whole connection must wait, not this one request
            time.sleep(PAUSE * 2 ** (attempt - 1))
            attempt += 1

    def _send(
        self, method: Method, path: str, params: Mapping[str, str] | None, json: object, hidden: tuple[str, ...]
    ) -> Any:
        named = f"{self.service}: {method} {path}"
        lost: type[IntegrationError] = Unreachable if method == "GET" else OutcomeUnknown
        ends_at = time.monotonic() + self._deadline
        try:
            with self._http.stream(method, self.base_url + path, params=params, json=json) as response:
                body = self._body(response, ends_at, lost, named)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Unreachable(f"{named} could not connect ({type(error).__name__})") from None
        except httpx.TimeoutException:
            raise lost(f"{named} got no answer within {self._deadline:g} s") from None
        except httpx.HTTPError as error:
            raise lost(f"{named} lost its answer ({type(error).__name__})") from None
        return self._parsed(method, named, response, body, hidden)

    def _body(self, response: httpx.Response, ends_at: float, lost: type[IntegrationError], named: str) -> bytes:
        parts, size = [], 0
        for part in response.iter_bytes():
            size += len(part)
            if size > MAX_BODY:
                raise BadResponse(f"{named} answered with more than {MAX_BODY // 1024**2} MiB")
            if time.monotonic() > ends_at:
                raise lost(f"{named} did not finish its answer within {self._deadline:g} s")
            parts.append(part)
        return b"".join(parts)

    def _parsed(
        self, method: Method, named: str, response: httpx.Response, body: bytes, hidden: tuple[str, ...]
    ) -> Any:
        status = response.status_code
        if 200 <= status < 300:
            if not body.strip():
                return None
            try:
                return jsonlib.loads(body)
            except ValueError:
                raise BadResponse(f"{named} answered {status} with something that is not JSON") from None
        said = _words(body, hidden)
        message = f"{named} answered {status}" + (f": {said}" if said else "")
        if status == 429:
            raise RateLimited(message, _seconds(response.headers.get("retry-after")))
        if status == 503 and (wait := _seconds(response.headers.get("retry-after"))) is not None:
            raise RateLimited(message, wait)
        if status >= 500 and status not in (501, 503) and method != "GET":
            raise OutcomeUnknown(message)
        raise _class_of(status)(message)


def _words(body: bytes, hidden: Iterable[str]) -> str:
    """The vendor's own `message`, `error` or `detail`, without what is hidden, on one line, cut short."""
    try:
        answer = jsonlib.loads(body)
    except ValueError:
        return ""
    if not isinstance(answer, dict):
        return ""
    words = next((answer[key] for key in ("message", "error", "detail") if isinstance(answer.get(key), str)), "")
    for text in sorted(hidden, key=len, reverse=True):
        words = words.replace(text, "[redacted]")
    words = re.sub(r"[\x00-\x1f\x7f\s]+", " ", words).strip()
    return words if len(words) <= MAX_WORDS else words[: MAX_WORDS - 3] + "..."


def _texts(sent: object) -> Iterator[str]:
    """Every text within a body, and its longer words, as far as they can be told from chance."""
    if isinstance(sent, str):
        if len(sent) >= SHORTEST:
            yield sent
            yield from (word for word in sent.split() if SHORTEST_WORD <= len(word) < len(sent))
    elif isinstance(sent, Mapping):
        for value in sent.values():
            yield from _texts(value)
    elif isinstance(sent, list | tuple):
        for value in sent:
            yield from _texts(value)


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


def _seconds(header: str | None) -> float | None:
    """`Retry-After` as seconds from now; it is a number or an HTTP date (RFC 9110, 10.2.3)."""
    if not header:
        return None
    if re.fullmatch(r"\d{1,9}(\.\d+)?", header.strip()):
        return float(header)
    try:
        at = email.utils.parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, at.timestamp() - time.time())
