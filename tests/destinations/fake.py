"""The interface of the fakes in `tests/destinations/<slug>.py` for the contract suite."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tests.contract.descriptions import folder, load


@dataclass(frozen=True)
class Exchange:
    """A request with what the vendor responded. `status` is None where a fault of the test responded in its place."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any = field(repr=False)
    status: int | None
    response: Any = field(repr=False)


class Fake(ABC):
    """A running stand-in for the vendor, with ways to look behind its API."""

    method: ClassVar[str]
    credentials: ClassVar[Mapping[str, str]]
    configs: ClassVar[Mapping[str, Mapping[str, Any]]]
    """Every variant of the destination's config, by name."""
    alike: ClassVar[Collection[str]] = ()
    """Variants whose requests another variant sends too, to another address or with another member: the laws of whole
    runs leave them out."""
    options: ClassVar[Mapping[str, Any]] = {}
    """What a sync needs in `syncOptions` beyond what every sync has."""
    other_options: ClassVar[Mapping[str, Any]] = {}
    """A value of each option of the destination's own, with which a write is another."""
    metadata_options: ClassVar[Collection[str]] = ()
    """Those that send the secret's metadata along."""
    conduct_options: ClassVar[Collection[str]] = ()
    """Those that change what a write does beside the key: keys written without them are as they should be."""
    unsent_options: ClassVar[Mapping[str, str]] = {}
    """Options that no write of one key sends, with the reason."""
    deep_options: ClassVar[Mapping[str, Any]] = {}
    """Options with which the list of this target reaches into its neighbours."""
    bad_key: str
    """A name that a secret may have and the vendor refuses; "" where it takes all."""
    bad_value: ClassVar[str] = ""
    """A value that the vendor refuses by a rule of its own; "" where it has none."""
    description: ClassVar[str] = ""
    """The file of the published description that holds for each exchange; see `tests.contract.descriptions`."""
    undescribed: ClassVar[Mapping[str, str]] = {}
    """What that description does not say, or says wrongly: a pattern of the problem, and the source that does."""
    writes_a_create: int = 1
    """Requests that make one key."""
    writes_an_update: int = 1
    """Requests that change one key."""

    @classmethod
    def methods(cls, config: Mapping[str, Any]) -> Sequence[str]:
        """The methods, as `asked` reports them, of a run that creates, updates and deletes keys."""
        return ("GET", "POST", "PATCH", "DELETE")

    def serves(self, config: Mapping[str, Any]) -> None:
        """Called with the variant to use: variants may differ in the attributes above."""
        self.config = config

    @abstractmethod
    def running(self) -> AbstractContextManager[str]:
        """Serves at the URL that it gives."""

    @abstractmethod
    def held(self, config: Mapping[str, Any]) -> dict[str, str]:
        """Every value in scope, as the vendor holds it."""

    @abstractmethod
    def put(self, config: Mapping[str, Any], key: str, value: str) -> None:
        """As an external change."""

    @abstractmethod
    def drop(self, config: Mapping[str, Any], key: str) -> None:
        """As an external change."""

    @abstractmethod
    def asked(self) -> list[tuple[str, str]]:
        """Method and path of each request since the last call; where all are POSTs, the operation for a path."""

    @abstractmethod
    def fail(self, method: str | None, status: int = 500, body: Any = None) -> None:
        """Answer every request of that method so; None: no more.

        A vendor whose reads are POSTs takes "GET" for its reads and any other method for its writes.
        """

    @abstractmethod
    def lose(self, lost: bool) -> None:
        """From now on carry out each write and reset the connection without a response; or stop doing so."""

    def limit_pages(self, size: int) -> None:  # noqa: B027 - a vendor without pages has nothing to do
        """From now on a list has at most that many items a page."""

    def picked(self, config: Mapping[str, Any]) -> Sequence[str]:
        """The members of that config which the provider has a picker for; the fake offers what is in `configs`."""
        return ()

    def neighbours(self, config: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
        """Configs of other targets, by name, whose keys may be listed at this one, or the other way round."""
        return {name: other for name, other in self.configs.items() if other != config}

    def holds_document(self, config: Mapping[str, Any]) -> bool:
        """Whether all keys of that config are in one object, so that none has metadata of its own."""
        return False

    def hide(self, config: Mapping[str, Any]) -> str:
        """Make a key that exists and is not listed, and return its name; "" where the vendor has no such keys."""
        return ""

    def history(self, config: Mapping[str, Any], key: str) -> set[str]:
        """The values of a key in the vendor's own history."""
        return set()

    def exchanged(self) -> Sequence[Exchange]:
        """Every request so far."""
        return ()

    def problems(self) -> list[str]:
        """How the exchanges differ from the vendor's description, each once; none where no descriptions are at hand."""
        descriptions = folder()
        if not self.description or descriptions is None:
            return []
        description = load(descriptions / self.description)
        found: dict[str, None] = {}
        for each in self.exchanged():
            found |= dict.fromkeys(description.problems(**vars(each)))
        return [one for one in found if not any(re.search(pattern, one) for pattern in self.undescribed)]

    def checked(self) -> int:
        """How many exchanges `problems` has held to the description."""
        return len(self.exchanged()) if self.description and folder() else 0

    def is_write(self, method: str, path: str) -> bool:
        """Whether a request that was asked changes anything."""
        return method != "GET"

    def issued(self) -> Sequence[str]:
        """Tokens that the vendor has given out at sign-in: they must be nowhere either."""
        return ()

    def reads(self, config: Mapping[str, Any], keys: int) -> int:
        """The least number of requests with which the vendor lists that many keys."""
        return 1
