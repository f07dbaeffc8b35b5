"""The one place that sends a request: it times out, retries, classifies and redacts.

A read that failed for a passing reason is tried again; a write only if it surely was not sent. Every request ends
within its deadline, a slow drip of bytes included. Redirects are not followed.
"""

from __future__ import annotations

import email.utils
import re
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self, TypeVar
from urllib.parse import quote as percent_encode

import httpx

from config import json_text
from connections.errors import (
    AddressRefused,
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

from .deadline import TimedBackend, within
from .egress import guard
from .pages import Pages, read
from .responses import validate
from .tls import PLAIN, Tls, context, failure
from .transport import Transport

T = TypeVar("T")

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


def _plain(url: str) -> str:
    """In the one form that all spellings of an address have: places are told apart by it."""
    try:
        return str(httpx.URL(url)).rstrip("/")
    except httpx.InvalidURL:
        return url.rstrip("/")  # each request says so


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer. `headers` are looked up in any case; `data` is its parsed JSON, None where it has no body."""

    status: int
    headers: httpx.Headers = field(repr=False)
    data: Any = field(repr=False)


Classified = type[IntegrationError] | tuple[type[RateLimited], float | None] | None
Classify = Callable[[int, httpx.Headers, Any], Classified]
"""(status, headers, parsed body) of an answer that is not good -> its class, one with the seconds to wait, or None."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """A request as it goes out. `read`: it changes nothing, whatever its method; `named` is what messages call it."""

    method: Method
    url: str
    named: str
    read: bool
    hidden: tuple[str, ...] = field(repr=False)
    arguments: Mapping[str, Any] = field(repr=False)
    accept: Collection[int] = ()

    @property
    def lost(self) -> type[IntegrationError]:
        return Unreachable if self.read else OutcomeUnknown


class ApiClient:
    """An open line to one vendor, safe to share between threads. `secrets` are cut out of every message.

    `auth` signs requests. `classify` is for vendors whose status does not tell what went wrong; where it answers None,
    the common table holds. `guarded`: the address was given by a user, so that it must not lead inside (see `egress`).
    `parse` reads a body that is not JSON; it raises ValueError for what it cannot read. `tls`: certificates to trust
    and to show. Raises Unreachable where the operator's file of certificates cannot be read.
    """

    def __init__(
        self,
        service: str,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        secrets: Iterable[str] = (),
        deadline: float = 10.0,
        auth: httpx.Auth | None = None,
        classify: Classify | None = None,
        guarded: bool = False,
        tls: Tls = PLAIN,
        parse: Callable[[bytes], Any] = json_text.read,
    ) -> None:
        self.service = service
        self.base_url = _plain(base_url)
        self._deadline = deadline
        self._secrets = tuple(sorted((secret for secret in secrets if secret), key=len, reverse=True))
        self._classify = classify
        self._parse = parse
        try:
            trusted = context(tls)
        except (OSError, ValueError) as error:
            raise Unreachable(f"{service}: {error}") from None
        self._sign_in: Callable[[bool], ApiClient | None] | None = None
        self._signing_in = threading.Lock()
        self._replaced: list[httpx.Client] = []
        self._http = httpx.Client(
            # A pasted token may hold anything; the vendor, not this client, says that it is wrong.
            headers={name.encode(): value.encode() for name, value in (headers or {}).items()},
            timeout=httpx.Timeout(deadline),
            follow_redirects=False,
            trust_env=False,
            auth=auth,
            transport=Transport(guard(service, self.base_url) if guarded else TimedBackend(), trusted),
        )

    def __repr__(self) -> str:
        return f"<ApiClient {self.service} {self.base_url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for http in (self._http, *self._replaced):
            http.close()

    def signs_in(self, sign_in: Callable[[bool], ApiClient | None]) -> None:
        """From now on go on as the client that `sign_in` gives; None: as before.

        It is asked with False before each request, and with True once a request was answered Unauthorized.
        """
        self._sign_in = sign_in

    def request(self, method: Method, path: str, **arguments: Any) -> Any:
        """The data of `answer`, which tells the arguments."""
        return self.answer(method, path, **arguments).data

    def get(self, path: str, kind: type[T], **arguments: Any) -> T:
        """What is read at `path`, as `kind`: a `Response` model or a type such as `list[Value]`. As `answer`.

        Raises IntegrationError; BadResponse names the field that is missing or of another type.
        """
        return validate(kind, self.answer("GET", path, **arguments).data, self._named("GET", path, arguments))

    def read_list(
        self,
        path: str,
        kind: type[T],
        style: Pages,
        *,
        at: str = "",
        total: str = "",
        optional: bool = False,
        params: Mapping[str, str] | None = None,
        **arguments: Any,
    ) -> list[T]:
        """Every item of a list that comes in pages; see `connections.http.pages.read`. As `answer` for each page."""

        def send(more: Mapping[str, str]) -> tuple[Any, httpx.Headers]:
            answer = self.answer("GET", path, params={**(params or {}), **more}, **arguments)
            return answer.data, answer.headers

        request = self._named("GET", path, arguments)
        return read(send, kind, style, request, at=at, total=total, optional=optional)

    def _named(self, method: Method, path: str, arguments: Mapping[str, Any]) -> str:
        return f"{self.service}: {arguments.get('named') or f'{method} {path}'}"

    def answer(
        self,
        method: Method,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: object = None,
        visible: Iterable[str] = (),
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        content: str | bytes | None = None,
        read: bool = False,
        hidden: Iterable[str] = (),
        named: str = "",
        at: str = "",
        accept: Collection[int] = (),
    ) -> Answer:
        """Send one of `json`, `form` and `content`. Raises IntegrationError, but not for the statuses to `accept`.

        A vendor may say back what it was sent: whatever text `json`, `form` or `content` holds is cut out of the
        error's message, but for what is `visible`, such as a key's name; `hidden` are further texts, such as values
        within a document. `read`: the request changes nothing although it is no GET, so it may be tried again.
        `named` is what a message calls the request in place of its method and path; `at` the base URL of another of
        the vendor's hosts, never one that an answer names: the login goes there.
        """
        texts = [*_texts(json), *_texts(form), *_texts(content), *_texts(list(hidden))]
        shown = set(visible)
        cut = tuple(text for text in texts if text not in shown)
        arguments = {"params": params, "json": json, "headers": headers, "data": form, "content": content}
        url = (at.rstrip("/") or self.base_url) + path
        sent = _Sent(method, url, named or f"{method} {path}", read or method == "GET", cut, arguments, accept)
        used = self._signed_in()
        try:
            return self._tried(sent)
        except Unauthorized:
            if not self._signed_in_again(used):
                raise
        return self._tried(sent)

    def _signed_in(self) -> httpx.Client:
        if self._sign_in:
            with self._signing_in:
                self._become(self._sign_in(False))
        return self._http

    def _signed_in_again(self, used: httpx.Client) -> bool:
        """Whether there is a login now that the refused request was not sent with. Of many threads one signs in."""
        if self._sign_in is None:
            return False
        with self._signing_in:
            if self._http is used:
                self._become(self._sign_in(True))
            return self._http is not used

    def _become(self, other: ApiClient | None) -> None:
        if other is not None:
            self._replaced.append(self._http)  # requests of other threads may still be on their way
            self._secrets = (*self._secrets, *other._secrets)
            self._http = other._http

    def _tried(self, sent: _Sent) -> Answer:
        attempt = 1
        while True:
            try:
                return self._send(sent)
            except IntegrationError as error:
                if not sent.read or not error.retryable or attempt == READ_ATTEMPTS:
                    raise
                if isinstance(error, RateLimited):
                    raise  # the whole connection must wait, not this one request
            time.sleep(PAUSE * 2 ** (attempt - 1))
            attempt += 1

    def _send(self, sent: _Sent) -> Answer:
        named = f"{self.service}: {sent.named}"
        try:
            with (
                within(self._deadline),
                self._http.stream(sent.method, sent.url, **sent.arguments) as response,
            ):
                body = self._body(response, named)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Unreachable(f"{named} could not connect: {failure(error) or type(error).__name__}") from None
        except httpx.InvalidURL:
            raise AddressRefused(f"{named} was not sent: its address cannot be read") from None
        except httpx.TimeoutException:
            raise sent.lost(f"{named} got no answer within {self._deadline:g} s") from None
        except httpx.HTTPError as error:
            raise sent.lost(f"{named} lost its answer: {failure(error) or type(error).__name__}") from None
        return self._parsed(sent, named, response, body)

    def _body(self, response: httpx.Response, named: str) -> bytes:
        parts, size = [], 0
        for part in response.iter_bytes():
            size += len(part)
            if size > MAX_BODY:
                raise BadResponse(f"{named} answered with more than {MAX_BODY // 1024**2} MiB")
            parts.append(part)
        return b"".join(parts)

    def _parsed(self, sent: _Sent, named: str, response: httpx.Response, body: bytes) -> Answer:
        status = response.status_code
        good = 200 <= status < 300 or status in sent.accept
        data: Any = None
        try:
            data = self._parse(body) if body.strip() else None
        except ValueError:
            if good:
                what = "JSON" if self._parse is json_text.read else "what it should be"
                raise BadResponse(f"{named} answered {status} with something that is not {what}") from None
        if good:
            return Answer(status, response.headers, data)
        said = _words(data, (*self._secrets, *sent.hidden))
        message = f"{named} answered {status}" + (f": {said}" if said else "")
        found = self._classify(status, response.headers, data) if self._classify else None
        if isinstance(found, tuple):
            raise found[0](message, found[1])
        raise found(message) if found else _common(sent, message, response)


def _common(sent: _Sent, message: str, response: httpx.Response) -> IntegrationError:
    """What a status means where the vendor says nothing else."""
    status = response.status_code
    wait = _seconds(response.headers.get("retry-after"))
    if status == 429 or (status == 503 and wait is not None):
        return RateLimited(message, wait)
    if status >= 500 and status not in (501, 503) and not sent.read:
        return OutcomeUnknown(message)
    return _class_of(status)(message)


def _words(answer: Any, hidden: Iterable[str]) -> str:
    """What the vendor says went wrong, without what is hidden, on one line, cut short."""
    words = _said(answer)
    for text in sorted(hidden, key=len, reverse=True):
        words = words.replace(text, "[redacted]")
    words = re.sub(r"[\x00-\x1f\x7f\s]+", " ", words).strip()
    return words if len(words) <= MAX_WORDS else words[: MAX_WORDS - 3] + "..."


def _said(answer: Any) -> str:
    """The first text where vendors put it: `message`, `error`, `detail`, `errors`; within `error` again."""
    if isinstance(answer, str):
        return answer
    if isinstance(answer, list):
        return next((words for each in answer if (words := _said(each))), "")
    if isinstance(answer, Mapping):
        named = (answer.get(key) for key in ("message", "Message", "error", "detail", "errors"))
        return next((words for each in named if (words := _said(each))), "")
    return ""


def _texts(sent: object) -> Iterator[str]:
    """Every text within a body, and its longer words, as far as they can be told from chance."""
    if isinstance(sent, bytes):
        sent = sent.decode(errors="replace")
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
