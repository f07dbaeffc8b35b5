"""A request and a response, as `ApiClient` handles them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

from connections.errors import IntegrationError, OutcomeUnknown, Unreachable

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A successful response. `headers` ignore case; `data` is the parsed `body`, None if that is empty."""

    status: int
    headers: httpx.Headers = field(repr=False)
    data: Any = field(repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Request:
    """`read`: it changes nothing, whatever its method. `hidden` is redacted in messages, which call it `label`."""

    method: Method
    url: str
    label: str
    read: bool
    hidden: tuple[str, ...] = field(repr=False)
    arguments: Mapping[str, Any] = field(repr=False)
    accept: Collection[int] = ()

    @property
    def without_response(self) -> type[IntegrationError]:
        return Unreachable if self.read else OutcomeUnknown
