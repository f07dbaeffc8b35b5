"""A plan as a value: what the planner reads, and what it decides for each key. Pure; `planner` makes plans."""

from __future__ import annotations

import enum
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field

from .error_codes import Code
from .types import Action, Desired, Remote, Write


class Rule(enum.IntEnum):
    """The rows of the decision table, by their numbers on the architecture page; NONE: decided outside of the table."""

    NONE = 0
    BLOCKED_SOURCE = 1  # or unreadable at the destination
    UNTOUCHABLE = 2
    OTHER_SYNC = 3
    CREATE = 4
    SETTLE_CLAIM = 5
    UNCHANGED = 6
    UPDATE = 7
    ADOPT_EQUAL = 8
    ADOPT = 9
    ALREADY_GONE = 10
    HAND_OVER = 11
    KEEP_OWN = 12
    DELETE_OWN = 13
    MAYBE_OURS = 14
    DELETE_FOREIGN = 15
    KEEP_FOREIGN = 16


class Drift(enum.StrEnum):
    """What happened externally to a key since this sync wrote it."""

    NONE = ""
    CHANGED = "changed"
    MISSING = "missing"


class State(enum.StrEnum):
    """Of a ledger row. A claim is an intention whose outcome is unknown; a missing row gives no right."""

    OWNED = "owned"
    CLAIM = "claim"
    MISSING = "missing"


class Effect(enum.StrEnum):
    """What a change does to the ledger without a request."""

    SETTLE = "settle"  # the destination holds the desired value: the row becomes ours, with the listed etag
    REFRESH = "refresh"  # ours and unchanged, but the row lacked an etag or an object id
    VOID = "void"  # the row is about an object that no longer exists
    MISS = "miss"  # the key no longer exists
    RELEASE = "release"  # once written, the key is unmanaged
    HAND_OVER = "hand-over"  # another live sync needs the key: the row becomes its own, and it is woken


@dataclass(frozen=True, slots=True)
class Row:
    """A ledger row at this location. `owner` names the sync for people; `mine`: it is this sync's; `released`: another
    sync's, which does not need the key any more.

    `claimed_object_id`: of a claim, the object id of the row before it (None: the key was to be created).
    `source_key`: the name of its secret when it was written, "" if that is unknown.
    """

    key: str
    normalized_key: str
    mine: bool
    state: State
    owner: str = ""
    owner_id: str = ""
    released: bool = False
    object_id: str | None = None
    etag: str | None = None
    value_mac: str = field(default="", repr=False)
    rest_mac: str = field(default="", repr=False)
    claimed_object_id: str | None = None
    rewrites: int = 0
    secret_id: str = ""
    source_key: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """The policy of a sync as far as planning needs it. `max_deletions` None: no guard."""

    unmanaged: str = "overwrite-initially"
    deletion_enabled: bool = True
    max_deletions: int | None = 10


@dataclass(frozen=True, slots=True)
class Approval:
    """The deletes that a person approved: normalized key -> object id.

    `blocked`: the normalized keys that the plan showed as blocked beside them; None: of the plan that is made now.
    `generation`: of the sync when it was
    given; any later one voids it.
    """

    deletes: Mapping[str, str | None]
    blocked: frozenset[str] | None = frozenset()
    generation: int = 0

    def showed(self, blocked: Set[str]) -> bool:
        """Whether these keys were shown as blocked."""
        return self.blocked is None or blocked <= self.blocked

    def covers(self, normalized_key: str, remote: Remote | None) -> bool:
        """Whether this very object was shown."""
        shown = normalized_key in self.deletes
        return shown and self.deletes[normalized_key] == (remote.object_id if remote else None)


@dataclass(frozen=True, slots=True)
class Memory:
    """What earlier runs left for this one to heed; keys are normalized.

    `initial` is the initial set (key -> object id): None before the first run that goes ahead, empty after it. `wanted`
    maps keys that another live sync needs to its name, `heirs` to the id of one whose row it may become;
    `recent_deletes` counts this sync's unapproved deletes here within the last hour; `dismissed` are keys; `waiting`
    maps a key to the reason why its delete waits for another sync; `left` maps keys that a sync left on purpose to
    their object ids; `confirmed`: of a sync whose target was changed, the foreign deletes that were confirmed (key ->
    object id), None once its first run there has gone ahead.
    """

    initial: Mapping[str, str | None] | None = None
    wanted: Mapping[str, str] = field(default_factory=dict)
    heirs: Mapping[str, str] = field(default_factory=dict)
    recent_deletes: int = 0
    dismissed: frozenset[str] = frozenset()
    approval: Approval | None = None
    waiting: Mapping[str, str] = field(default_factory=dict)
    left: Mapping[str, str | None] = field(default_factory=dict)
    confirmed: Mapping[str, str | None] | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one key, and why.

    `source_key`: the secret's name; of a delete, the name that its secret has now, if it was renamed. `suspended`: a
    delete that an incomplete source prevents; the guard counts it. `heir`: the id of the sync that a key is handed to.
    """

    action: Action
    key: str
    normalized_key: str
    rule: Rule
    reason: str
    code: Code | None = None
    source_key: str = ""
    write: Write | None = None
    desired: Desired | None = None
    remote: Remote | None = None
    row: Row | None = None
    effects: tuple[Effect, ...] = ()
    drift: Drift = Drift.NONE
    suspended: bool = False
    heir: str = ""

    @property
    def after(self) -> str:
        """The normalized key that must be written before this delete, or ""."""
        return self.write.after if self.write else ""

    @property
    def renamed(self) -> bool:
        """A delete whose secret continues under another name: no secret is lost by it."""
        return self.action is Action.DELETE and bool(self.source_key)

    @property
    def owned(self) -> bool:
        """Whether the ledger has a row of this sync for the key."""
        return self.row is not None and self.row.mine

    @property
    def deletes_foreign(self) -> bool:
        """Whether it deletes a key that is not this sync's, now or once the source is complete."""
        own = self.owned and self.row is not None and self.row.state is not State.MISSING
        return (self.action is Action.DELETE or self.suspended) and (not own or Effect.VOID in self.effects)


@dataclass(frozen=True, slots=True)
class Plan:
    """Every key of one run. `held` is the guard's reason, or "" if the run may go ahead. `makes` is what the writes
    make besides keys, such as a missing folder.
    """

    changes: tuple[Change, ...]
    complete: bool
    held: str = ""
    gaps: tuple[str, ...] = ()
    initial: Mapping[str, str | None] = field(default_factory=dict)
    makes: tuple[str, ...] = ()

    @property
    def writes(self) -> tuple[Change, ...]:
        return tuple(c for c in self.changes if c.write and c.action is not Action.DELETE)

    @property
    def deletes(self) -> tuple[Change, ...]:
        return tuple(c for c in self.changes if c.action is Action.DELETE)

    @property
    def guarded(self) -> tuple[Change, ...]:
        """The deletes that the deletion guard counts: also suspended ones, not the halves of renames."""
        return tuple(c for c in self.changes if (c.action is Action.DELETE and not c.renamed) or c.suspended)

    @property
    def counts(self) -> dict[str, int]:
        found = Counter(change.action.value for change in self.changes)
        return {action.value: found.get(action.value, 0) for action in Action}

    @property
    def digest(self) -> str:
        """Identifies what the plan would change: equal digests mean equal changes, whoever computes them."""
        changes = [
            [
                c.normalized_key,
                c.action.value,
                c.remote.object_id if c.remote else None,
                c.desired.version if c.desired else 0,
            ]
            for c in self.changes
            if c.write is not None or c.action is Action.BLOCKED
        ]
        parts = [sorted(changes, key=str), self.complete, bool(self.held), *filter(None, [self.makes])]
        text = json.dumps(parts, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


Verify = Callable[[str, str, str], bool]
"""(normalized key, text, mac) -> whether the keyed mac is of that text for that key."""


def rest_of(desired: Desired) -> str:
    """Everything besides the value that a write sends, as one text for the second MAC."""
    more = [desired.write_fingerprint, dict(desired.metadata), sorted(desired.tags)]
    parts = [desired.key, desired.comment, *filter(None, more)]
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
