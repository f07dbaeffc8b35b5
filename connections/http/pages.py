"""Lists that vendors give in pages, each read to its end or refused: never a part of a list.

A style says which parameters ask for the next page. Whatever the style, `read` refuses with `BadResponse` a page that
came before, an empty page before the last, and a total other than the number of items.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import httpx

from connections.errors import BadResponse

from .responses import member, validate

T = TypeVar("T")
Params = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """One response of a list. `number` counts from 0; `read` is the number of items so far, this page's included."""

    request: str
    number: int
    params: Params
    items: list[Any] = field(repr=False)
    data: Any = field(repr=False)
    headers: httpx.Headers = field(repr=False)
    read: int


class Pages(ABC):
    """How a vendor splits a list. `empty_pages`: the vendor documents that a page before the last may be empty."""

    empty_pages: bool = False

    def first(self) -> Params:
        """What the first page is requested with, beside the list's own parameters."""
        return {}

    @abstractmethod
    def after(self, page: Page) -> Params | None:
        """What the page after this one is requested with; None: this was the last."""


@dataclass(frozen=True)
class Single(Pages):
    """The complete list in one response."""

    def after(self, page: Page) -> Params | None:
        return None


@dataclass(frozen=True)
class Numbered(Pages):
    """Pages by number. The last is the one with fewer than `limit` items, or number `last` of the response.

    `last` is the dotted path of the number of pages; "" where the response does not say.
    """

    page: str = "page"
    size: str = "per_page"
    limit: int = 100
    start: int = 1
    last: str = ""

    def first(self) -> Params:
        return {self.page: str(self.start), self.size: str(self.limit)}

    def after(self, page: Page) -> Params | None:
        if self.last:
            pages = validate(int, member(page.data, self.last, page.request), f"{page.request}: {self.last}")
            ended = page.number + 1 >= pages
        else:
            ended = len(page.items) < self.limit
        return None if ended else {**self.first(), self.page: str(self.start + page.number + 1)}


@dataclass(frozen=True)
class Offset(Pages):
    """Pages by the number of items to skip. The last is the one with fewer than `limit` items."""

    offset: str = "offset"
    size: str = "limit"
    limit: int = 100

    def first(self) -> Params:
        return {self.offset: "0", self.size: str(self.limit)}

    def after(self, page: Page) -> Params | None:
        return None if len(page.items) < self.limit else {**self.first(), self.offset: str(page.read)}


@dataclass(frozen=True)
class Token(Pages):
    """Each response holds, at the dotted path `at`, what the next page is requested with as `param`."""

    param: str
    at: str
    empty_pages: bool = False

    def after(self, page: Page) -> Params | None:
        token = _lookup(page.data, self.at)
        return {self.param: str(token)} if token not in (None, "", False) else None


@dataclass(frozen=True)
class NextLink(Pages):
    """Each response has the address of the next page: in the header `Link` (RFC 8288), or at the dotted path `at`.

    Only its parameters are used, so that no response leads a request, and the login with it, to another address.
    """

    at: str = ""
    size: str = ""
    limit: int = 100

    def first(self) -> Params:
        return {self.size: str(self.limit)} if self.size else {}

    def after(self, page: Page) -> Params | None:
        if self.at:
            url = _lookup(page.data, self.at)
        else:
            links = httpx.Response(200, headers={"link": page.headers.get("link", "")}).links
            url = links.get("next", {}).get("url")
        return dict(parse_qsl(urlsplit(str(url)).query, keep_blank_values=True)) if url else None


def read(
    send: Callable[[Params], tuple[Any, httpx.Headers]],
    kind: type[T],
    style: Pages,
    request: str,
    *,
    at: str = "",
    total: str = "",
    optional: bool = False,
) -> list[T]:
    """Every item of a list as `kind`, in order. `send` requests one page and returns its body and headers.

    `at` is the dotted path of the items in a response, "" where it is the list itself; `total` that of the number of
    items in the complete list. `optional`: the vendor leaves an empty list out; what is left must be texts and
    numbers, if anything, since an object with another list is another response. `request` is what messages call it.
    Raises BadResponse, and what `send` raises.
    """
    found: list[T] = []
    params: Params | None = style.first()
    requested: list[Params] = []
    before: list[Any] = []
    while params is not None:
        requested.append(params)
        data, headers = send(params)
        raw = [] if optional and _is_without_list(data, at) else member(data, at, request)
        items = validate(list[kind], raw, _within(request, at))  # type: ignore[valid-type]
        found += items
        if raw and raw == before:
            raise BadResponse(f"{request}: the list is not complete: the same page came twice")
        page = Page(request, len(requested) - 1, params, raw, data, headers, len(found))
        params, before = style.after(page), raw
        if params in requested:
            raise BadResponse(f"{request}: the list is not complete: the same page would come again")
        if params is not None and not raw and not style.empty_pages:
            raise BadResponse(f"{request}: the list is not complete: page {len(requested)} is empty, and not the last")
    if total and (expected := member(data, total, request)) != len(found):
        raise BadResponse(f"{request}: the list is not complete: {len(found)} items came, and its total is {expected}")
    return found


def _lookup(data: Any, path: str) -> Any:
    """The value at a dotted path, or None."""
    for name in path.split("."):
        data = data.get(name) if isinstance(data, Mapping) else None
    return data


def _is_without_list(data: Any, at: str) -> bool:
    """Whether a response leaves out the list at `at`, and is not one of another kind."""
    if not isinstance(data, dict) or _lookup(data, at) is not None:
        return False
    return not any(isinstance(value, list | dict) for value in data.values())


def _within(request: str, at: str) -> str:
    return f"{request}: {at}" if at else request
