"""The contract of a place that secrets go to. The planner decides, a destination obeys.

An adapter gets an open client and plain data: no model, no settings, no clock. It knows nothing of key schemas,
deletion rules or ownership, so it cannot forget them; and it never turns a refused create into an update.
"""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from typing import Any, ClassVar, final

from config.schemas.model import Model
from config.schemas.unions import OneOf
from connections.errors import BadResponse, IntegrationError, Rejected
from connections.http.client import ApiClient
from connections.registry import Registry
from syncs.destination.capabilities import Capabilities
from syncs.engine.types import Action, Outcome, Remote, Write, Written

from .write import Document, perform, remotes_of, write_document, write_each


class Destination(ABC):
    """One place secrets go, opened with a client, its config and its options.

    Members of `Config` and `Options` have their wire names. An adapter declares `config` as its own model.
    """

    slug: ClassVar[str]
    label: ClassVar[str]
    provider: ClassVar[str]
    Config: ClassVar[type[Model] | OneOf]
    Options: ClassVar[type[Model]]
    capabilities: ClassVar[Capabilities] = Capabilities()
    config: Any
    options: Any

    def __init__(
        self,
        client: ApiClient,
        config: Mapping[str, Any] | Model,
        options: Mapping[str, Any] | None = None,
        *,
        concurrency: int | None = None,
    ) -> None:
        """Config and options as stored. Without options, as in a removal at a location that the sync has left, the
        members of `self.options` have their defaults.
        """
        self.client = client
        self.config = config if isinstance(config, Model) else self.Config.restored(config)
        self.options = self.Options.restored(options or {})
        limit = self.capabilities.concurrency_limit
        asked = concurrency or self.capabilities.concurrency
        self.concurrency = min(asked, limit) if limit else asked

    @classmethod
    def described_config(cls) -> type[Model] | OneOf:
        """`Config`, with a name in OpenAPI for each of its variants."""
        if not isinstance(cls.Config, OneOf):
            return cls.Config
        return cls.Config.titled("".join(part.title() for part in cls.slug.split("-")) + "Destination")

    @classmethod
    def limits(cls, config: Any) -> Capabilities:
        """`capabilities` as they are with this config, where its variants differ."""
        return cls.capabilities

    @final
    @classmethod
    def limits_of(cls, config: Mapping[str, Any]) -> Capabilities:
        """`limits` of a config as stored."""
        return cls.limits(cls.Config.restored(config))

    @abstractmethod
    def location(self) -> str:
        """Where the keys live: provider, address and the vendor's own identity of the spot; never the login."""

    def overlaps(self, location: str) -> bool:
        """Whether keys of that other place are seen in this one too."""
        return location == self.location()

    def nested_locations(self, location: str) -> Collection[str]:
        """Keys here that are a place of their own for another sync, such as a secret that holds a document.

        It is asked of places that begin with this one; what is named is never deleted while that sync lives.
        """
        return ()

    def visible_as(self, location: str) -> Callable[[str], str | None] | None:
        """What a key of another place is called here, or None for one that is not seen; None: none of them is.

        It is asked of places that begin with this one, or that this one begins with; what is named is never deleted
        while its sync lives.
        """
        return None

    def normalize_key(self, key: str) -> str:
        """One form for all keys that the vendor holds equal."""
        return key

    def normalize_value(self, value: str) -> str:
        """What the vendor keeps of a value; one that it would change is written, and compared, as it is kept."""
        return value

    def batch_size(self, action: Action) -> int:
        """How many keys go in one request at the most."""
        return 1

    def request_cost(self, action: Action) -> float:
        """How many requests of the vendor's pace one key takes: 2 if it takes two, 0.1 if ten go together."""
        return 1 / self.batch_size(action)

    def requests(self, writes: Mapping[Action, int]) -> int:
        """How many requests that many writes take, for the estimate; reads that go with a write count too."""
        batches = {action: self.batch_size(action) for action in writes}
        return sum(
            math.ceil(number / batches[action] if batches[action] > 1 else number * self.request_cost(action))
            for action, number in writes.items()
        )

    def write_fingerprint(self) -> str:
        """What else each write sends, as one text made of the options: where it changes, own keys are written anew."""
        return ""

    def sends_metadata(self) -> bool:
        """Whether writes take the secret's own metadata along; then a change of it is a change of the key."""
        return False

    @final
    def listing(self) -> tuple[Remote, ...]:
        """`fetch`, refused where it names a key twice: such a list shifted while it was read."""
        try:
            remotes = tuple(self.fetch())
        except IntegrationError:
            raise
        except Exception as error:  # noqa: BLE001 - a config that no address can be made of, a defect of the adapter
            raise BadResponse(f"{self.label}: the list could not be read ({type(error).__name__})") from None
        names = [self.normalize_key(remote.key) for remote in remotes]
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise BadResponse(f"{self.label}: the list names {twice} twice, so it cannot be whole")
        return remotes

    @abstractmethod
    def fetch(self) -> Iterable[Remote]:
        """Every key in scope, all pages, or an IntegrationError: never a part."""

    def read_values(self, remotes: Sequence[Remote], *, values: bool) -> Sequence[Remote]:
        """Those of `remotes` that are there, with what the list leaves out of them. Raises IntegrationError.

        `values`: all that can be read; else no more than it takes to tell whether they changed.
        """
        return remotes

    def find_unlisted(self, keys: Collection[str]) -> Iterable[Remote]:
        """Those of the canonical `keys`, all possible names, that stand where `fetch` does not look.

        Raises IntegrationError.
        """
        return ()

    @final
    def resolve_listing(
        self, listing: Sequence[Remote], keys: Collection[str], *, values: bool = False
    ) -> tuple[Remote, ...]:
        """The listing with the canonical `keys` `filled`: what nobody here has to do with is not read."""
        limits = self.limits(self.config)
        possible = {key for key in keys if limits.allows(key) and limits.has_room(key)}
        unseen = possible - {self.normalize_key(remote.key) for remote in listing}
        listing = [*listing, *(self.find_unlisted(unseen) if unseen else ())]
        near = [remote for remote in listing if self.normalize_key(remote.key) in keys]
        if not near:
            return tuple(listing)
        far = [remote for remote in listing if self.normalize_key(remote.key) not in keys]
        return (*far, *self.read_values(near, values=values))

    @abstractmethod
    def apply(self, writes: Iterable[Write]) -> Generator[Outcome, None, None]:
        """One outcome a write, as each is done; errors are outcomes.

        `writes` is pulled just before each request, in the caller's thread: it is the gate through which the caller
        stops the rest.
        """

    def version_of(self, key: str, etag: str) -> str | None:
        """The version in the vendor's own history that still holds `key` as it was when its stamp was `stamp`.

        What it answers, a `Write` may name. Raises IntegrationError.
        """
        return None

    def purge(self, key: str, object_id: str) -> None:
        """Take the values of an object that was deleted out of the vendor's own history. Raises IntegrationError."""
        raise NotImplementedError


class KeyValueDestination(Destination):
    """A vendor that takes one key a request, or some at once. The base runs the requests side by side.

    `batch` says how many keys one request takes (absent: 1). Where more than one, the base calls `create_many` and so
    on, else `create` and so on: an adapter defines those that its `batch` asks for. A batch that is refused with one of
    `split_on` is sent again in halves, so that one bad key does not fail its neighbours.
    """

    batch: ClassVar[Mapping[Action, int]] = {}
    split_on: ClassVar[tuple[type[IntegrationError], ...]] = (Rejected,)

    def create(self, write: Write) -> Written:
        """Make a key that must not exist yet. Raises Conflict where it does."""
        raise NotImplementedError

    def update(self, write: Write) -> Written:
        """Replace the value of `write.remote`. Raises NotFound where it is gone."""
        raise NotImplementedError

    def delete(self, write: Write) -> None:
        """Take `write.remote` away; one that is gone already is a success."""
        raise NotImplementedError

    def create_many(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """One request; one outcome a write, in any order. What is raised is the outcome of each."""
        raise NotImplementedError

    def update_many(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """As `create_many`."""
        raise NotImplementedError

    def delete_many(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """As `create_many`."""
        raise NotImplementedError

    def restore(self, write: Write) -> None:
        """Put back `write.version` of the vendor's own history. Asked only where `version_of` gave it."""
        raise NotImplementedError

    def batch_size(self, action: Action) -> int:
        return self.batch.get(action, 1)

    def apply(self, writes: Iterable[Write]) -> Generator[Outcome, None, None]:
        return write_each(writes, self._perform, size=self.batch_size, concurrency=self.concurrency)

    def _perform(self, writes: Sequence[Write]) -> list[Outcome]:
        """One request's worth of writes, all of one action."""
        action = writes[0].action
        if self.batch_size(action) > 1 and all(write.version is None for write in writes):
            many = {Action.CREATE: self.create_many, Action.UPDATE: self.update_many, Action.DELETE: self.delete_many}
            return perform(self.label, writes, many[action], self.split_on)
        return [outcome for write in writes for outcome in perform(self.label, [write], self._single)]

    def _single(self, writes: Sequence[Write]) -> list[Outcome]:
        (write,) = writes
        if write.version is not None:
            self.restore(write)
            return [Outcome(write)]
        if write.action is Action.CREATE:
            return [Outcome(write, self.create(write))]
        if write.action is Action.UPDATE:
            return [Outcome(write, self.update(write))]
        self.delete(write)
        return [Outcome(write)]


class DocumentDestination(Destination):
    """A vendor that holds all keys in one document, read and written whole.

    The base merges into what stands there, so that entries of other hands are carried along as they are. Where the
    vendor checks and sets (`Document.version`), no foreign write is ever lost, and a change costs one read and one
    write; where it does not, the document is read once more just before it is written, and `capabilities.note` says so.
    """

    _seen: Document | None = None

    @abstractmethod
    def read(self) -> Document:
        """The document as it stands; one that is not there has no entries and `exists` False."""

    @abstractmethod
    def write(self, before: Document, entries: Mapping[str, Any]) -> Document | None:
        """Put `entries` in place of `before`, all of them ({}: none is left).

        The document as it stands then, or None where the answer does not tell. Raises Conflict where it is no more what
        `before` was.
        """

    def batch_size(self, action: Action) -> int:
        return sys.maxsize

    def requests(self, writes: Mapping[Action, int]) -> int:
        """The document is read once more and written once."""
        return 2 if any(writes.values()) else 0

    def fetch(self) -> Iterable[Remote]:
        self._seen = self.read()
        return remotes_of(self._seen)

    def apply(self, writes: Iterable[Write]) -> Generator[Outcome, None, None]:
        # What was listed is written over only where the vendor checks that it still stands.
        seen = self._seen if self._seen and self._seen.version is not None else None
        self._seen = yield from write_document(
            writes, label=self.label, read=self.read, write=self.write, normalize_key=self.normalize_key, seen=seen
        )


destinations = Registry("syncs.destinations", Destination)  # type: ignore[type-abstract]


def describe_target(slug: str, config: Mapping[str, Any]) -> str:
    """A `destinationConfig` in a few words: what tells this spot from another, without what kind of spot it is.

    In the order of its model: a database may keep the members in another.
    """
    found = destinations.get(slug)
    kind, shape = "", found.Config if found else None
    if isinstance(shape, OneOf):
        kind, shape = shape.discriminator, shape.variants.get(str(config.get(shape.discriminator)))
    names = list(shape.model_fields) if shape else sorted(config)
    told = (config.get(name) for name in names if name != kind)
    words = (", ".join(map(str, value)) if isinstance(value, list) else value for value in told)
    return " / ".join(str(value) for value in words if value not in (None, "", {}) and not isinstance(value, bool))
