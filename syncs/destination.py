"""The contract of a place that secrets go to. The planner decides, a destination obeys.

An adapter gets an open client and plain data: no model, no settings, no clock. It knows nothing of key schemas,
deletion rules or ownership, so it cannot forget them; and it never turns a refused create into an update.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

from config.errors import problem
from config.schema import Checked, Field, Flag, OneOf, Path, Schema, Text
from connections.errors import BadResponse, IntegrationError, OutcomeUnknown, RateLimited
from connections.http import ApiClient
from connections.registry import Registry

from .engine.keys import MAX_LENGTH, PATTERN, KeySchema, KeySchemaError
from .engine.types import Action, Outcome, Remote, Write, Written


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a vendor documents of itself. Sizes in bytes of UTF-8, `pace` in requests a second.

    `concurrency` is how many requests go side by side by default; a policy may exceed it, never `concurrency_limit`.
    """

    can_read_values: bool = False
    can_import: bool = False
    key_pattern: str = ""
    key_rule: str = ""
    max_value_bytes: int | None = None
    max_keys: int | None = None
    pace: float | None = None
    concurrency: int = 8
    concurrency_limit: int | None = None
    keeps_versions: bool = False  # in a history of the vendor's own; see `Destination.version_of`
    note: str = ""


class _KeySchemaText(Text):
    """A key schema, checked before it is ever rendered."""

    def check(self, value: object, path: Path) -> Checked:
        text, issues = super().check(value, path)
        try:
            KeySchema.parse(str(text or ""))
        except KeySchemaError as error:
            issues = issues or [problem(path, str(error))]
        return text, issues

    def json_schema(self) -> dict[str, Any]:
        return {**super().json_schema(), "pattern": f"^{PATTERN}$", "maxLength": MAX_LENGTH}


def sync_options(label: str, *more: Field, can_import: bool = False) -> Schema:
    """The options that every sync has, and those of this destination."""
    behaviors = ["overwrite-destination"]
    if can_import:
        behaviors += ["import-prioritize-source", "import-prioritize-destination"]
    return Schema(
        (
            Text(
                "initialSyncBehavior",
                "Initial sync",
                f"How the first sync treats what {label} already holds.",
                choices=tuple(behaviors),
            ),
            _KeySchemaText(
                "keySchema",
                "Key schema",
                f"How keys are named at {label}, such as PREFIX_{{{{secretKey}}}}; also {{{{environment}}}}.",
                required=False,
                min_length=0,
            ),
            Flag("disableSecretDeletion", "Keep deleted secrets", f"Never delete secrets at {label}."),
            *more,
        )
    )


class Destination(ABC):
    """One place secrets go, opened with a client, its config and its options (wire names, as stored)."""

    slug: ClassVar[str]
    label: ClassVar[str]
    provider: ClassVar[str]
    Config: ClassVar[Schema | OneOf]
    Options: ClassVar[Schema]
    capabilities: ClassVar[Capabilities] = Capabilities()

    def __init__(self, client: ApiClient, config: Mapping[str, str], *, concurrency: int | None = None) -> None:
        self.client = client
        self.config = config
        limit = self.capabilities.concurrency_limit
        asked = concurrency or self.capabilities.concurrency
        self.concurrency = min(asked, limit) if limit else asked

    @classmethod
    def described_config(cls) -> Schema | OneOf:
        """`Config`, with a name in OpenAPI for each of its variants."""
        if isinstance(cls.Config, Schema):
            return cls.Config
        return replace(cls.Config, title="".join(part.title() for part in cls.slug.split("-")) + "Destination")

    @abstractmethod
    def place(self) -> str:
        """Where the keys live: provider, address and the vendor's own identity of the spot; never the login."""

    def overlaps(self, place: str) -> bool:
        """Whether keys of that other place are seen in this one too."""
        return place == self.place()

    def canonical(self, key: str) -> str:
        """One form for all keys that the vendor holds equal."""
        return key

    @final
    def listing(self) -> tuple[Remote, ...]:
        """`fetch`, refused where it names a key twice: such a list shifted while it was read."""
        try:
            remotes = tuple(self.fetch())
        except IntegrationError:
            raise
        except Exception as error:  # noqa: BLE001 - a config that no address can be made of, a defect of the adapter
            raise BadResponse(f"{self.label}: the list could not be read ({type(error).__name__})") from None
        names = [self.canonical(remote.key) for remote in remotes]
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise BadResponse(f"{self.label}: the list names {twice} twice, so it cannot be whole")
        return remotes

    @abstractmethod
    def fetch(self) -> Iterable[Remote]:
        """Every key in scope, all pages, or an IntegrationError: never a part."""

    @abstractmethod
    def apply(self, writes: Iterable[Write]) -> Generator[Outcome, None, None]:
        """One outcome a write, as each is done; errors are outcomes.

        `writes` is pulled just before each request, in the caller's thread: it is the gate through which the caller
        stops the rest.
        """

    def version_of(self, key: str, stamp: str) -> str | None:
        """The version in the vendor's own history that still holds `key` as it was when its stamp was `stamp`.

        What it answers, a `Write` may name. Raises IntegrationError.
        """
        return None

    def purge(self, key: str, incarnation: str) -> None:
        """Take the values of an object that was deleted out of the vendor's own history. Raises IntegrationError."""
        raise NotImplementedError


class KeyValueDestination(Destination):
    """A vendor that takes one key a request. The base runs them side by side."""

    @abstractmethod
    def create(self, write: Write) -> Written:
        """Make a key that must not exist yet. Raises Conflict where it does."""

    @abstractmethod
    def update(self, write: Write) -> Written:
        """Replace the value of `write.remote`. Raises NotFound where it is gone."""

    @abstractmethod
    def delete(self, write: Write) -> None:
        """Take `write.remote` away; one that is gone already is a success."""

    def restore(self, write: Write) -> None:
        """Put back `write.version` of the vendor's own history. Asked only where `version_of` gave it."""
        raise NotImplementedError

    def apply(self, writes: Iterable[Write]) -> Generator[Outcome, None, None]:
        gate = iter(writes)
        going: set[Future[Outcome]] = set()
        with ThreadPoolExecutor(max_workers=self.concurrency) as pool:
            ended: list[Outcome] = []
            while True:
                # The next requests go out before the caller is told of the last, since it has work of its own to do;
                # not so where the vendor asks to wait: then the caller closes the gate first.
                if any(isinstance(outcome.error, RateLimited) for outcome in ended):
                    yield from ended
                    ended = []
                while len(going) < self.concurrency and (write := next(gate, None)) is not None:
                    going.add(pool.submit(self._outcome, write))
                yield from ended
                if not going:
                    return
                done, going = wait(going, return_when=FIRST_COMPLETED)
                ended = [future.result() for future in done]

    def _outcome(self, write: Write) -> Outcome:
        try:
            if write.version is not None:
                self.restore(write)
                return Outcome(write)
            if write.action is Action.CREATE:
                return Outcome(write, self.create(write))
            if write.action is Action.UPDATE:
                return Outcome(write, self.update(write))
            self.delete(write)
            return Outcome(write)
        except IntegrationError as error:
            return Outcome(write, error=error)
        except Exception as error:  # noqa: BLE001 - a defect in one adapter must not hide the other keys' outcomes
            return Outcome(write, error=OutcomeUnknown(f"{self.label}: {type(error).__name__} while writing a key"))


destinations = Registry("syncs.destinations", Destination)  # type: ignore[type-abstract]
