"""The values that cross layers: plain, frozen, and silent about secret values in their `repr`."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .error_codes import Code

Pairs = tuple[tuple[str, str], ...]
"""A secret's metadata as far as it is not encrypted: names and texts, in order."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One secret of the source, resolved: what a sync would carry before its own rules are applied.

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
    """The whole source of a sync. `gaps` names what is missing from it (an import's folder, a torn read)."""

    entries: tuple[Entry, ...]
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Desired:
    """A key as it should stand at the destination. `barred` says why it must not be written.

    `attributes` is what the destination's options add to a write, as one text.
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
    blocked: str | None = None
    blocked_code: Code | None = None
    source_path: str = "/"


@dataclass(frozen=True, slots=True)
class Remote:
    """A key as the destination lists it.

    `value` is None where the vendor does not tell. `incarnation` is the vendor's id or creation time of this very
    object: another one means it was re-created. `stamp` changes with every write by anyone; compared for equality
    only. `inherited` comes from a wider scope: it is overridden, never deleted. `locked` says why it is never touched,
    though it is secret; `shared` says who else uses it, so that only the sync whose own it is writes or deletes it.
    `ref` is the adapter's own handle.
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
    """What an adapter is asked to do to one key. `action` is create, update or delete, nothing else.

    `remote` is the listed object that an update or a delete is meant for. `version`: put back this version of the
    vendor's own history instead of `value`.
    """

    action: Action
    key: str
    normalized_key: str
    value: str = field(default="", repr=False)
    comment: str = field(default="", repr=False)
    remote: Remote | None = None
    version: str | None = None
    metadata: Pairs = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Written:
    """What the vendor's answer to a write says of the object now; None where it does not say."""

    object_id: str | None = None
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one write ended. `error` is the IntegrationError it met, or None when it was applied."""

    write: Write
    written: Written = Written()
    error: Exception | None = None


Labels = Mapping[str, str]
