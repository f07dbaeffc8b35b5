"""The contract of a vendor login. A provider opens a client, checks it, and offers what can be chosen through it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from config.schema import Schema

from .http import ApiClient
from .registry import Registry


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that a picker offers: what is stored, and what people read."""

    value: str
    label: str


class Provider(ABC):
    """One vendor. `methods` maps each way to sign in to what it asks for; `pickers` names lists of the modelled API."""

    slug: ClassVar[str]
    label: ClassVar[str]
    base_url: ClassVar[str]
    docs_url: ClassVar[str] = ""
    methods: ClassVar[Mapping[str, Schema]]
    pickers: ClassVar[tuple[str, ...]] = ()

    def __init__(self, base_url: str | None = None, *, deadline: float = 10.0) -> None:
        """`base_url` is the operator's word in place of the vendor's own address; `deadline` in seconds a request."""
        self._base_url = base_url or self.base_url
        self._deadline = deadline

    @abstractmethod
    def client(self, method: str, credentials: Mapping[str, str]) -> ApiClient:
        """An open client; nothing is sent yet."""

    @abstractmethod
    def check(self, client: ApiClient) -> None:
        """The cheapest authenticated read. Raises IntegrationError."""

    def choices(self, client: ApiClient, field: str, chosen: Mapping[str, str]) -> list[Choice]:
        """What a destination's `field` can be, given what is `chosen` already. Raises IntegrationError."""
        return []

    def pick(self, client: ApiClient, picker: str) -> object:
        """What the modelled API answers at `/{app}/{connectionId}/{picker}`. Raises IntegrationError."""
        raise NotImplementedError


providers = Registry("connections.providers", Provider)  # type: ignore[type-abstract]
