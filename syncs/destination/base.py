"""The contract of a destination. The planner decides which keys are written; a destination writes them.

An adapter gets an open client and plain data: no model, no settings, no clock. It knows nothing of key schemas,
deletion rules or ownership, so it cannot forget them; and it never turns a rejected create into an update.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from typing import Any, ClassVar, final

from config.schemas.model import Model
from config.schemas.unions import OneOf
from connections.http.client import ApiClient
from connections.registry import Registry
from syncs.destination.capabilities import Capabilities
from syncs.destination.listing import listed, resolved
from syncs.destination.location import target_of
from syncs.destination.options import NoPolicy, PlainOptions, SyncOptions, sync_options
from syncs.engine.types import Action, Outcome, Pairs, Remote, Write


class Destination(ABC):
    """A location of secrets at a vendor, opened with a client, its config and its options.

    Members of `Config`, `Options` and `Policy` have their wire names. An adapter declares `config` as its own model;
    what it declares of these needs no `ClassVar`. `provider` is the slug of its login, by default its own. `Options`
    are completed with the texts of the destination, and with importing if its capabilities have it. `Policy` is
    `policy.destination`: what the modelled `syncOptions` lacks. None of its members is required, and none takes part in
    `location`. `lists_wider`: the list of a target also has the keys of wider ones, whose location its own begins with.
    """

    slug: ClassVar[str]
    label: ClassVar[str]
    provider: ClassVar[str]
    Config: ClassVar[type[Model] | OneOf]
    Options: ClassVar[type[PlainOptions | SyncOptions]] = SyncOptions
    Policy: ClassVar[type[Model]] = NoPolicy
    capabilities: ClassVar[Capabilities] = Capabilities()
    after_writes: ClassVar[tuple[str, ...]] = ()
    """What `after` can do: the values of `policy.afterWrites` besides "off"."""
    one_write: bool = False
    """Whether `apply` gets the writes and the deletes of a run together: one request of the vendor takes both."""
    lists_wider: ClassVar[bool] = False
    config: Any
    options: Any
    policy: Any

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        declared = vars(cls)
        if "slug" in declared and not hasattr(cls, "provider"):
            cls.provider = cls.slug
        if hasattr(cls, "label") and declared.keys() & {"label", "Options", "capabilities"}:
            cls.Options = sync_options(cls.label, cls.Options, can_import=cls.capabilities.can_import)

    def __init__(
        self,
        client: ApiClient,
        config: Mapping[str, Any] | Model,
        options: Mapping[str, Any] | None = None,
        *,
        policy: Mapping[str, Any] | None = None,
        concurrency: int | None = None,
    ) -> None:
        """Config, options and `policy.destination` as stored; without these, their members have their defaults."""
        self.client = client
        self.config = config if isinstance(config, Model) else self.Config.restored(config)
        self.options = self.Options.restored(options or {})
        self.policy = self.Policy.restored(policy or {})
        requested = concurrency or self.capabilities.concurrency
        self.concurrency = min(requested, self.capabilities.concurrency_limit or requested)

    @classmethod
    def described_config(cls) -> type[Model] | OneOf:
        """`Config`, with a name in OpenAPI for each of its variants."""
        if not isinstance(cls.Config, OneOf):
            return cls.Config
        return cls.Config.titled("".join(part.title() for part in cls.slug.split("-")) + "Destination")

    @classmethod
    def check_together(cls, config: Any, options: Any, policy: Any, after_writes: str) -> None:
        """Rules that join these, asked before a sync or its policy is stored; no action is "off". Raises BadRequest."""
        return

    @classmethod
    def limits(cls, config: Any) -> Capabilities:
        """`capabilities` as they are with this config, where its variants differ."""
        return cls.capabilities

    @final
    @classmethod
    def limits_of(cls, config: Mapping[str, Any]) -> Capabilities:
        """`limits` of a config as stored."""
        return cls.limits(cls.Config.restored(config))

    def location(self) -> str:
        """Where the keys are: provider, address and the vendor's own identity of the target; never the login.

        By default the members of the config that are marked so.
        """
        return f"{self.slug}|{self.client.base_url}|{target_of(self.config)}"

    def overlaps(self, location: str) -> bool:
        """Whether keys of that other location are listed at this one too, or the other way round."""
        own = self.location()
        if location == own:
            return True
        return self.lists_wider and (location.startswith(f"{own}/") or own.startswith(f"{location}/"))

    def nested_locations(self, location: str) -> Collection[str]:
        """Keys of this location that are a location of their own for another sync, such as a secret with a document.

        Called for locations that begin with this one. The returned keys are never deleted while that sync exists.
        """
        return ()

    def visible_as(self, location: str) -> Callable[[str], str | None] | None:
        """A function from a key of another location to its name at this one (None: not listed here); None: no key is.

        Called for locations that begin with this one, or that this one begins with. The returned keys are never deleted
        while the other sync exists.
        """
        return None

    @classmethod
    def normalize_key(cls, key: str) -> str:
        """One form for all keys that the vendor treats as equal."""
        return key

    def normalize_value(self, value: str) -> str:
        """The value as the vendor stores it. A value that it would change is written and compared in that form."""
        return value

    def refuses(self, value: str) -> str:
        """Why the vendor does not take a value, such as one with its own placeholders; "" if it does. Never the value.

        A key with such a value is blocked by name before the run. The text is such as "it has a placeholder".
        """
        return ""

    def refuses_key(self, key: str) -> str:
        """Why the vendor does not take a name, where no pattern of the capabilities can say it; "" if it does."""
        return ""

    def refuses_metadata(self, metadata: Pairs) -> str:
        """Why the vendor does not take a secret's metadata, where writes send it; "" if it does. Never its values."""
        return ""

    def batch_size(self, action: Action) -> int:
        """How many keys one request takes at most."""
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
        """Whatever else each write sends, as one text made of the options. If it changes, own keys are rewritten."""
        return ""

    def sends_metadata(self) -> bool:
        """Whether writes send the secret's own metadata; then a change of the metadata is a change of the key."""
        return False

    def sends_tags(self) -> bool:
        """As `sends_metadata`, of the secret's tags."""
        return False

    def makes(self, writes: Sequence[Write]) -> Sequence[str]:
        """What these writes make besides keys, such as "the folder /api": each is a line of the plan, and part of what
        a person confirms. Called after `fetch`; may read. Raises IntegrationError.
        """
        return ()

    @final
    def listing(self) -> tuple[Remote, ...]:
        """`fetch`; () where nothing can be listed. Raises BadResponse if a key is listed twice: pages have shifted."""
        return listed(self)

    @abstractmethod
    def fetch(self) -> Iterable[Remote]:
        """Every key in scope, from all pages. Raises IntegrationError rather than return a part."""

    def read_values(self, remotes: Sequence[Remote], *, values: bool) -> Sequence[Remote]:
        """Those of `remotes` that exist, with the details that the list leaves out. Raises IntegrationError.

        If the vendor refuses a single value, such as that of another KMS key, `Remote.unreadable` says so: the others
        are synced. `reading.read_each` does this for vendors that need a request per key.

        `values`: with every value that can be read; else only with the details that show whether they changed.
        """
        return remotes

    def find_unlisted(self, keys: Collection[str]) -> Iterable[Remote]:
        """Those of the normalized `keys`, all of them possible names, that exist but are not in the list of `fetch`.

        Raises IntegrationError.
        """
        return ()

    @final
    def resolve_listing(
        self, listing: Sequence[Remote], keys: Collection[str], *, values: bool = False
    ) -> tuple[Remote, ...]:
        """The listing, with the details of the normalized `keys`; other keys are not read.

        Values are in the vendor's form (`normalize_value`), so that they are equal to what would be written; with
        `values`, for an import, they are as the vendor returned them.
        """
        return resolved(self, listing, keys, values=values)

    @abstractmethod
    def apply(self, writes: Iterable[Write]) -> Generator[Outcome, None, None]:
        """One outcome per write, as each is done; errors are outcomes.

        `writes` is read just before each request, in the caller's thread, so that the caller can stop the rest. Deletes
        come last. A delete that waits for a write of the same call (`Write.after`) that failed is not sent, and has no
        outcome.
        """

    def version_of(self, key: str, etag: str) -> str | None:
        """The version in the vendor's own history that holds `key` as it was when it had this etag.

        A `Write` may restore it. Raises IntegrationError.
        """
        return None

    def after(self, changed: Collection[str]) -> None:
        """What makes written values take effect, such as a deployment, for all `changed` normalized keys.

        It may be called twice for one change: if its response is lost, say. Raises IntegrationError.
        """
        raise NotImplementedError

    def purge(self, key: str, object_id: str) -> None:
        """Remove the values of a deleted object from the vendor's own history. Raises IntegrationError."""
        raise NotImplementedError


destinations = Registry("syncs.destinations", Destination)  # type: ignore[type-abstract]


def describe_target(slug: str, config: Mapping[str, Any]) -> str:
    """A `destinationConfig` in a few words: the values that identify the target, without its kind.

    In the order of the model: a database may store the members in another order.
    """
    destination = destinations.get(slug)
    kind, shape = "", destination.Config if destination else None
    if isinstance(shape, OneOf):
        kind, shape = shape.discriminator, shape.variants.get(str(config.get(shape.discriminator)))
    names = list(shape.model_fields) if shape else sorted(config)
    values = (config.get(name) for name in names if name != kind)
    texts = (", ".join(map(str, value)) if isinstance(value, list) else value for value in values)
    return " / ".join(str(text) for text in texts if text not in (None, "", {}) and not isinstance(text, bool))
