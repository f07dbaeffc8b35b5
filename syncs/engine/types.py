"""The values that cross layers: plain, frozen, with secret values left out of their `repr`."""

from __future__ import annotations

import enum
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from .error_codes import Code

Pairs = tuple[tuple[str, str], ...]
"""The unencrypted metadata of a secret: names and texts, in order."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One secret of the source, resolved: what a sync would write before its own rules apply.

    `problem` says why the value cannot be used (unreadable, unresolved reference, cycle); `value` is then None.
    """

    key: str
    value: str | None = field(repr=False)
    comment: str = field(default="", repr=False)
    tags: frozenset[str] = frozenset()
    secret_id: str = ""
    version: int = 0
    path: str = "/"
    problem: str | None = None
    metadata: Pairs = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Source:
    """The source of a sync. `gaps` describe what is missing from it (an import's folder, a torn read)."""

    entries: tuple[Entry, ...]
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Desired:
    """A key as the destination should hold it. `blocked` says why it must not be written.

    `write_fingerprint` identifies everything that the destination's options add to a write.
    """

    key: str
    normalized_key: str
    source_key: str
    value: str = field(repr=False)
    comment: str = field(default="", repr=False)
    secret_id: str = ""
    version: int = 0
    write_fingerprint: str = ""
    metadata: Pairs = field(default=(), repr=False)
    tags: frozenset[str] = frozenset()
    blocked: str | None = None
    blocked_code: Code | None = None
    source_path: str = "/"


@dataclass(frozen=True, slots=True)
class Remote:
    """A key as the destination lists it.

    `value` is None if the vendor does not return it. `object_id` is the vendor's id or creation time of this very
    object: another one means that the key was recreated. `etag` changes with every write by anyone; compared for
    equality only. `inherited` comes from a wider scope: it is overridden, never deleted. `locked` says why it is never
    touched, though it is secret; `shared` says who else uses it, so that only the sync that owns it writes or deletes
    it. `unreadable` says why the vendor refused to return this one value, though it returns others: what the key holds
    is unknown, so it is blocked. `ref` is the adapter's own handle.
    """

    key: str
    value: str | None = field(default=None, repr=False)
    comment: str | None = field(default=None, repr=False)
    object_id: str | None = None
    etag: str | None = None
    inherited: bool = False
    is_secret: bool = True
    locked: str = ""
    shared: str = ""
    unreadable: str = ""
    ref: Any = field(default=None, repr=False, compare=False)

    @property
    def untouchable(self) -> bool:
        return bool(self.locked) or not self.is_secret


class Action(enum.StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    ADOPT = "adopt"
    UNCHANGED = "unchanged"
    KEEP = "keep"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Write:
    """A request for one key, to an adapter. `action` is create, update or delete, nothing else.

    `remote` is the listed object that an update or a delete is meant for. `version`: restore this version of the
    vendor's history instead of writing `value`. `after`: the normalized key that must be written before this delete, or
    together with it in a request that is applied as a whole or not at all. `needs_all`: a delete that is left out if
    any other write of the run failed.
    """

    action: Action
    key: str
    normalized_key: str
    value: str = field(default="", repr=False)
    comment: str = field(default="", repr=False)
    remote: Remote | None = None
    version: str | None = None
    metadata: Pairs = field(default=(), repr=False)
    tags: frozenset[str] = frozenset()
    after: str = ""
    needs_all: bool = False

    def waits_for(self, failed: Collection[str]) -> bool:
        """Whether it is left out, since these normalized keys were not written."""
        return self.after in failed or (self.needs_all and bool(failed))


@dataclass(frozen=True, slots=True)
class Written:
    """The object after a write, as the vendor's response describes it; None for what the response omits."""

    object_id: str | None = None
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one write ended. `error` is the IntegrationError that it raised, None if it was applied."""

    write: Write
    written: Written = Written()
    error: Exception | None = None
