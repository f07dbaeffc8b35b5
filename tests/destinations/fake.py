"""What the contract suite asks of the test data that each destination brings in `tests/destinations/<slug>.py`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, ClassVar


class Fake(ABC):
    """A running stand-in for the vendor, with ways to look behind its API."""

    method: ClassVar[str]
    credentials: ClassVar[Mapping[str, str]]
    configs: ClassVar[Mapping[str, Mapping[str, str]]]
    """Every variant of the destination's config, by name."""
    bad_key: ClassVar[str]
    """A name that a secret may have and the vendor refuses; "" where it takes all."""

    @abstractmethod
    def running(self) -> AbstractContextManager[str]:
        """Serves at the URL that it gives."""

    @abstractmethod
    def held(self, config: Mapping[str, str]) -> dict[str, str]:
        """Every value in scope, as the vendor holds it."""

    @abstractmethod
    def put(self, config: Mapping[str, str], key: str, value: str) -> None:
        """By other hands."""

    @abstractmethod
    def drop(self, config: Mapping[str, str], key: str) -> None:
        """By other hands."""

    @abstractmethod
    def asked(self) -> list[tuple[str, str]]:
        """Method and path of each request since the last call."""

    @abstractmethod
    def fail(self, method: str | None, status: int = 500, body: Any = None) -> None:
        """Answer every request of that method so; None: no more."""
