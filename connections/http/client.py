"""Sends all requests to vendors: deadlines, retries, error classes, redacted messages.

A read that failed for a transient reason is retried; a write is not. Every request ends within its deadline, even if
bytes arrive slowly. Redirects are not followed. The layer over httpx is written by hand because the error class must
say whether a write may have been done, and messages must contain nothing that was sent, which no client library does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self, TypeVar
from urllib.parse import quote as percent_encode

import httpx

from config import json_text
from connections.errors import (
    AddressRefused,
    BadResponse,
    IntegrationError,
    RateLimited,
    Unauthorized,
    Unreachable,
)

from .deadline import TimedBackend, within
from .egress import guard
from .exchange import HttpResponse, Method, Request
from .failures import reference, texts_of
from .pages import Pages, read
from .reading import Classified, Classify, Reader, body_of
from .responses import member as read_member
from .responses import validate
from .tls import PLAIN, Tls, context, failure
from .transport import Transport

__all__ = ["ApiClient", "Classified", "Classify", "quote"]

T = TypeVar("T")

READ_ATTEMPTS = 3
PAUSE = 0.2  # seconds before the second attempt of a read; doubled before the third


def quote(part: str) -> str:
    """One segment of a path, percent-encoded. Raises ValueError for one that would address another resource."""
    if part in ("", ".", ".."):
        raise ValueError(f"{part!r} cannot be a part of an address")
    return percent_encode(part, safe="")


def _normalized(url: str) -> str:
    """The same for all spellings of a URL, because it is part of a location."""
    try:
        return str(httpx.URL(url)).rstrip("/")
    except httpx.InvalidURL:
        return url.rstrip("/")  # each request raises AddressRefused


class ApiClient:
    """A client of one vendor, safe to share between threads. `secrets` are redacted in every message.

    `auth` signs requests. `classify` is for vendors whose status code does not say what went wrong; if it returns None,
    the status decides. `inspect` does the same for answers of 200 of vendors that report errors in those; None:
    no error. `guarded`: the address was entered by a user, so it must not lead into the network of this server (see
    `egress`). `parse` reads a body that is not JSON, and raises ValueError if it cannot. `tls`: the certificates to
    trust and to present. Raises Unreachable if the operator's file of certificates cannot be read.
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
        inspect: Classify | None = None,
        guarded: bool = False,
        tls: Tls = PLAIN,
        parse: Callable[[bytes], Any] = json_text.read,
    ) -> None:
        self.service = service
        self.base_url = _normalized(base_url)
        self._deadline = deadline
        self._secrets = tuple(sorted((secret for secret in secrets if secret), key=len, reverse=True))
        self._reader = Reader(parse, classify, inspect)
        try:
            trusted = context(tls)
        except (OSError, ValueError) as error:
            raise Unreachable(f"{service}: {error}") from None
        self._sign_in: Callable[[bool], ApiClient | None] | None = None
        self._signing_in = threading.Lock()
        self._check: Callable[[], None] | None = None
        self._replaced: list[httpx.Client] = []
        self._http = httpx.Client(
            # A pasted token may contain any character; the vendor, not httpx, has to refuse it.
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
        """Use the login of the client that `sign_in` returns; None keeps the current one.

        It is called with False before each request, and with True after a request that raised Unauthorized.
        """
        self._sign_in = sign_in

    def before_reads(self, check: Callable[[], None]) -> None:
        """Call `check` before each request that only reads; what it raises goes to the caller."""
        self._check = check

    def request(self, method: Method, path: str, **arguments: Any) -> Any:
        """The data of the response. The arguments are those of `send`."""
        return self.send(method, path, **arguments).data

    def get(self, path: str, kind: type[T], **arguments: Any) -> T:
        """The response of a GET as `kind`: a `Response` model or a type such as `list[Value]`. As `send`.

        Raises IntegrationError; BadResponse names the field that is missing or of another type.
        """
        return self._typed("GET", path, kind, arguments)

    def get_in(self, path: str, member: str, kind: type[T], **arguments: Any) -> T:
        """What the response of a GET has at a dotted path, as `kind`. As `get`."""
        response = self.send("GET", path, **arguments)
        label = self._label("GET", path, arguments)
        with self._referring(response.headers):
            return validate(kind, read_member(response.data, member, label), f"{label}: {member}")

    def post(self, path: str, kind: type[T], **arguments: Any) -> T:
        """The response of a POST as `kind`, as `get` does."""
        return self._typed("POST", path, kind, arguments)

    def _typed(self, method: Method, path: str, kind: type[T], arguments: Mapping[str, Any]) -> T:
        response = self.send(method, path, **arguments)
        with self._referring(response.headers):
            return validate(kind, response.data, self._label(method, path, arguments))

    def read_list(
        self,
        path: str,
        kind: type[T],
        style: Pages,
        *,
        member: str = "",
        total: str = "",
        optional: bool = False,
        params: Mapping[str, str] | None = None,
        **arguments: Any,
    ) -> list[T]:
        """Every item of a list that comes in pages; see `connections.http.pages.read`. As `send` for each page."""

        last = httpx.Headers()  # of the page that was read last

        def send(more: Mapping[str, str]) -> tuple[Any, httpx.Headers]:
            response = self.send("GET", path, params={**(params or {}), **more}, **arguments)
            last.clear()
            last.update(response.headers)
            return response.data, response.headers

        request = self._label("GET", path, arguments)
        with self._referring(last):
            return read(send, kind, style, request, at=member, total=total, optional=optional)

    @contextmanager
    def _referring(self, headers: httpx.Headers) -> Iterator[None]:
        """Adds the vendor's id of the request to what is wrong with the response that has these headers."""
        try:
            yield
        except BadResponse as error:
            end = reference(headers, self._secrets)
            raise BadResponse(str(error).removesuffix(end) + end) from None

    def _label(self, method: Method, path: str, arguments: Mapping[str, Any]) -> str:
        return f"{self.service}: {arguments.get('label') or f'{method} {path}'}"

    def send(
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
        label: str = "",
        base_url: str = "",
        accept: Collection[int] = (),
    ) -> HttpResponse:
        """Send one of `json`, `form` and `content`. Raises IntegrationError, except for the statuses in `accept`.

        Vendors may repeat in an error what they received. Every text in `json`, `form` and `content` is therefore
        redacted in messages, except those in `visible`, such as the name of a key; `hidden` adds texts, such as values
        in a document. `read`: the request changes nothing although it is not a GET, so it may be retried. `label`
        replaces method and path in messages. `base_url` is another host of the vendor; it gets the login, so it must
        not come from a response.
        """
        texts = [*texts_of(json), *texts_of(form), *texts_of(content), *texts_of(list(hidden))]
        shown = set(visible)
        redacted = tuple(text for text in texts if text not in shown)
        arguments = {"params": params, "json": json, "headers": headers, "data": form, "content": content}
        url = (base_url.rstrip("/") or self.base_url) + path
        is_read = read or method == "GET"
        request = Request(method, url, label or f"{method} {path}", is_read, redacted, arguments, accept)
        used = self._signed_in()
        try:
            return self._send_with_retries(request)
        except Unauthorized:
            if not self._signed_in_again(used):
                raise
        return self._send_with_retries(request)

    def _signed_in(self) -> httpx.Client:
        if self._sign_in:
            with self._signing_in:
                self._use_login_of(self._sign_in(False))
        return self._http

    def _signed_in_again(self, used: httpx.Client) -> bool:
        """Whether there is another login now than the refused request used. Only one of many threads signs in."""
        if self._sign_in is None:
            return False
        with self._signing_in:
            if self._http is used:
                self._use_login_of(self._sign_in(True))
            return self._http is not used

    def _use_login_of(self, other: ApiClient | None) -> None:
        if other is not None:
            self._replaced.append(self._http)  # other threads may still be using it
            self._secrets = (*self._secrets, *other._secrets)
            self._http = other._http

    def _send_with_retries(self, request: Request) -> HttpResponse:
        attempt = 1
        while True:
            try:
                return self._send_once(request)
            except IntegrationError as error:
                if not request.read or not error.retryable or attempt == READ_ATTEMPTS:
                    raise
                if isinstance(error, RateLimited):
                    raise  # the whole connection has to wait, not only this request
            time.sleep(PAUSE * 2 ** (attempt - 1))
            attempt += 1

    def _send_once(self, request: Request) -> HttpResponse:
        if self._check and request.read:
            self._check()
        label = f"{self.service}: {request.label}"
        try:
            with (
                within(self._deadline),
                self._http.stream(request.method, request.url, **request.arguments) as response,
            ):
                body = body_of(response, label)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Unreachable(f"{label} could not connect: {failure(error) or type(error).__name__}") from None
        except httpx.InvalidURL:
            raise AddressRefused(f"{label} was not sent: its address is invalid") from None
        except httpx.TimeoutException:
            raise request.without_response(f"{label} got no response within {self._deadline:g} s") from None
        except httpx.HTTPError as error:
            reason = failure(error) or type(error).__name__
            raise request.without_response(f"{label} got no response: {reason}") from None
        return self._reader.read(request, label, response, body, self._secrets)
