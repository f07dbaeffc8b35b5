"""What a run would do, as a value: source + destination + ledger + policy -> Plan. Pure.

The decision table below is the one of the architecture notes; `Rule` numbers its rows, so that a plan can say which
row decided a key and each row has a test of its own. *Absent* means not listed, or listed only as inherited from a
wider scope.
"""

from __future__ import annotations

import enum
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .error_codes import Code
from .types import Action, Desired, Remote, Write

CONTESTED_AFTER = 3
"""Rewrites of one unchanged source value, each undone by other hands, after which a key is left alone."""


class State(enum.StrEnum):
    """Of a ledger row. A claim is an intention whose outcome is not known; a missing row gives no right."""

    OWNED = "owned"
    CLAIM = "claim"
    MISSING = "missing"


class Effect(enum.StrEnum):
    """What a change does to the ledger without any request."""

    SETTLE = "settle"  # the destination holds what is wanted: the row becomes ours, stamped as listed
    REFRESH = "refresh"  # ours and unchanged, but the row lacked an etag or an object id
    VOID = "void"  # the row speaks of an object that is gone
    MISS = "miss"  # the key is gone
    RELEASE = "release"  # once written, the key is nobody's
    HAND_OVER = "hand-over"  # another live sync wants the key: the row goes, that sync is woken


@dataclass(frozen=True, slots=True)
class Row:
    """A ledger row at this place. `owner` names the sync for people; `mine` is this sync's.

    `claimed_incarnation` is, for a claim, the incarnation of the row before it (None: it was to be created).
    """

    key: str
    normalized_key: str
    mine: bool
    state: State
    owner: str = ""
    object_id: str | None = None
    etag: str | None = None
    value_mac: str = field(default="", repr=False)
    rest_mac: str = field(default="", repr=False)
    claimed_object_id: str | None = None
    rewrites: int = 0
    secret_id: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """The policy of a sync as far as planning needs it. `max_deletions` None: no guard."""

    unmanaged: str = "overwrite-initially"
    deletion_enabled: bool = True
    max_deletions: int | None = 10


@dataclass(frozen=True, slots=True)
class Memory:
    """What earlier runs left for this one to heed.

    `initial` is the initial set (canonical -> incarnation) or None before the first run that went ahead; `wanted` maps
    canonical keys that another live sync wants to its name; `recent_deletes` counts this sync's unapproved deletes here
    within the last hour; `dismissed` and `approved` are canonical keys; `waiting` maps a key to the reason why its
    delete must wait for another sync; `left` are canonical keys that a deleted sync left on purpose.
    """

    initial: Mapping[str, str | None] | None = None
    wanted: Mapping[str, str] = field(default_factory=dict)
    recent_deletes: int = 0
    dismissed: frozenset[str] = frozenset()
    approved: frozenset[str] | None = None
    waiting: Mapping[str, str] = field(default_factory=dict)
    left: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one key, and why. `rule` is the row of the decision table that decided."""

    action: Action
    key: str
    normalized_key: str
    rule: int
    reason: str
    code: Code | None = None
    source_key: str = ""
    write: Write | None = None
    desired: Desired | None = None
    remote: Remote | None = None
    row: Row | None = None
    effects: tuple[Effect, ...] = ()
    drift: str = ""  # "changed" or "missing" where other hands were at the key
    suspended: bool = False  # a delete that an incomplete source holds back; the guard counts it
    after: str = ""  # canonical key that must have arrived before this delete


@dataclass(frozen=True, slots=True)
class Plan:
    """Every key of one run. `held` is the guard's reason, or "" when the run may go ahead."""

    changes: tuple[Change, ...]
    complete: bool
    held: str = ""
    gaps: tuple[str, ...] = ()
    initial: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def writes(self) -> tuple[Change, ...]:
        return tuple(c for c in self.changes if c.write and c.action is not Action.DELETE)

    @property
    def deletes(self) -> tuple[Change, ...]:
        return tuple(c for c in self.changes if c.action is Action.DELETE)

    @property
    def counts(self) -> dict[str, int]:
        found = Counter(change.action.value for change in self.changes)
        return {action.value: found.get(action.value, 0) for action in Action}

    @property
    def digest(self) -> str:
        """Names what the plan would change: equal digests mean equal changes, whoever computes them."""
        named = [
            [
                c.normalized_key,
                c.action.value,
                c.remote.object_id if c.remote else None,
                c.desired.version if c.desired else 0,
            ]
            for c in self.changes
            if c.write is not None or c.action is Action.BLOCKED
        ]
        text = json.dumps([sorted(named, key=str), self.complete, bool(self.held)], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


Verify = Callable[[str, str, str], bool]
"""(canonical key, text, mac) -> whether the keyed mac is of that text for that key."""


def rest_of(desired: Desired) -> str:
    """Everything besides the value that a write sends, as one text for the second MAC."""
    parts = [desired.key, desired.comment, *filter(None, [desired.write_fingerprint, dict(desired.metadata)])]
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class _Table:
    """The decision table over one set of inputs."""

    rules: Rules
    memory: Memory
    initial: Mapping[str, str | None]
    verify: Verify
    complete: bool
    in_schema: Callable[[str], bool]
    normalize_key: Callable[[str], str]

    def decide(self, want: Desired | None, seen: Remote | None, row: Row | None) -> Change | None:
        """The change of one canonical key, with what other hands did to it; None where there is nothing to say."""
        change = self._decided(want, seen, row)
        if change is None or change.rule in (6, 7):  # which have looked
            return change
        drift = self._drift(seen, row)
        return replace(change, drift=drift) if drift else change

    def _drift(self, seen: Remote | None, row: Row | None) -> str:
        """What other hands did to a key of ours since it was written, whatever the source wants of it now."""
        if row is None or not row.mine or row.state is not State.OWNED:
            return ""
        if seen is None or seen.inherited:
            return "missing"
        if seen.untouchable or not _same_object(row, seen):
            return "changed"
        if seen.value is not None:
            return "" if self.verify(row.normalized_key, seen.value, row.value_mac) else "changed"
        return "" if row.etag is None or seen.etag is None or row.etag == seen.etag else "changed"

    def _decided(self, want: Desired | None, seen: Remote | None, row: Row | None) -> Change | None:
        present = seen is not None and not seen.inherited
        if want and want.blocked:
            return self._change(1, Action.BLOCKED, want, seen, row, want.blocked, want.blocked_code)
        if seen and (seen.untouchable or (seen.shared and not may_be_own(row, seen))):
            return self._plain(want, seen, row)
        if row and not row.mine and row.state is not State.MISSING:
            reason = f"belongs to the sync {row.owner}"
            if want:
                return self._change(
                    3, Action.BLOCKED, want, seen, row, f"{reason}; waiting for it", Code.OWNED_BY_OTHER
                )
            return self._change(3, Action.KEEP, want, seen, row, reason) if present else None
        own = row if row and row.mine else None
        if want:
            return self._wanted(want, seen if present else None, own, inherited=seen is not None and not present)
        return self._surplus(seen if present else None, own)

    def _plain(self, want: Desired | None, seen: Remote, row: Row | None) -> Change:
        effects = (Effect.VOID,) if row and row.mine else ()
        where = "in the wider scope" if seen.inherited else "at the destination"
        code, reason = Code.PLAIN_VALUE, f"a plain (not secret) value of this name stands {where}; it is never touched"
        if seen.locked or seen.shared:
            said = seen.locked or f"{seen.shared}, and not this sync's"
            code, reason = Code.LOCKED, f"one of this name stands {where} and is never touched: {said}"
        if want:
            return self._change(2, Action.BLOCKED, want, seen, row, reason, code, effects)
        return self._change(2, Action.KEEP, want, seen, row, reason, effects=effects)

    def _wanted(self, want: Desired, seen: Remote | None, own: Row | None, *, inherited: bool) -> Change:
        if seen is None:
            reason = "gone at the destination, created again" if own and own.state is State.OWNED else "new"
            if inherited:
                reason = "overrides the value of the wider scope"
            return self._change(4, Action.CREATE, want, None, own, reason)
        if own and own.state is State.CLAIM:
            if _holds(want, seen):
                effects = (Effect.SETTLE,)
                return self._change(5, Action.UNCHANGED, want, seen, own, "arrived; confirmed now", effects=effects)
            if not _known_foreign(own, seen):
                if self.rules.unmanaged == "leave" and not self._known_ours(own, seen):
                    reason = "may be ours: an earlier write was never answered"
                    return self._change(5, Action.BLOCKED, want, seen, own, reason, Code.MAYBE_OURS)
                return self._change(5, Action.UPDATE, want, seen, own, "an earlier write was never answered")
        elif own and own.state is State.OWNED and _same_object(own, seen):
            return self._ours(want, seen, own)
        return self._nobodys(want, seen, own)

    def _ours(self, want: Desired, seen: Remote, own: Row) -> Change:
        same_source = self.verify(want.normalized_key, want.value, own.value_mac) and self.verify(
            want.normalized_key, rest_of(want), own.rest_mac
        )
        drift = self._drift(seen, own)
        if same_source and not drift:
            learned = (own.etag is None and seen.etag) or (own.object_id is None and seen.object_id)
            effects = (Effect.REFRESH,) if learned else ()
            return self._change(6, Action.UNCHANGED, want, seen, own, "the same", effects=effects)
        if same_source and own.rewrites >= CONTESTED_AFTER:
            reason = f"other hands changed it back {own.rewrites} times; find who else writes it"
            return self._change(7, Action.BLOCKED, want, seen, own, reason, Code.CONTESTED, drift=drift)
        reason = "changed at the destination by other hands" if same_source else "changed at the source"
        if drift and not same_source:
            reason = "changed at the source, and at the destination by other hands"
        return self._change(7, Action.UPDATE, want, seen, own, reason, drift=drift)

    def _nobodys(self, want: Desired, seen: Remote, own: Row | None) -> Change:
        effects = (Effect.VOID,) if own else ()
        if _holds(want, seen):
            both = (*effects, Effect.SETTLE)
            return self._change(8, Action.ADOPT, want, seen, own, "already there with this value", effects=both)
        if self.rules.unmanaged == "leave":
            reason = "not written by this sync, and its policy is to leave such keys"
            return self._change(9, Action.BLOCKED, want, seen, own, reason, Code.UNMANAGED, effects)
        reason = "was there before this sync; overwritten"
        return self._change(9, Action.ADOPT, want, seen, own, reason, effects=effects)

    def _surplus(self, seen: Remote | None, own: Row | None) -> Change | None:
        if seen is None:
            if own and own.state is not State.MISSING:
                return self._change(10, Action.KEEP, None, None, own, "already gone", effects=(Effect.MISS,))
            return None
        effects: tuple[Effect, ...] = ()
        if own and own.state is State.CLAIM and not self._known_ours(own, seen) and not _known_foreign(own, seen):
            reason = "may be ours: an earlier write was never answered"
            return self._change(14, Action.KEEP, None, seen, own, reason)
        if own and own.state is not State.MISSING:
            ours = self._known_ours(own, seen) if own.state is State.CLAIM else _same_object(own, seen)
            if ours:
                return self._own_surplus(seen, own)
            effects = (Effect.VOID,)
        return self._foreign_surplus(seen, own, effects)

    def _known_ours(self, claim: Row, seen: Remote) -> bool:
        """Also, where the vendor tells no incarnations, by what this sync is known to have written last."""
        if known_ours(claim, seen) or seen.object_id is not None:
            return known_ours(claim, seen)
        if seen.value is not None:
            return bool(claim.value_mac) and self.verify(claim.normalized_key, seen.value, claim.value_mac)
        return seen.etag is not None and claim.etag == seen.etag

    def _own_surplus(self, seen: Remote, own: Row) -> Change:
        if other := self.memory.wanted.get(own.normalized_key):
            reason = f"handed over to the sync {other}, which wants it"
            return self._change(11, Action.KEEP, None, seen, own, reason, effects=(Effect.HAND_OVER,))
        if not self.rules.deletion_enabled:
            return self._change(12, Action.KEEP, None, seen, own, "deletion is disabled for this sync")
        return self._delete(13, seen, own, "no longer in the source")

    def _foreign_surplus(self, seen: Remote, own: Row | None, effects: tuple[Effect, ...]) -> Change:
        normalized_key = self.normalize_key(seen.key)
        first = normalized_key in self.initial and self.initial[normalized_key] == seen.object_id
        if (
            (first or self.rules.unmanaged == "mirror")
            and self.rules.unmanaged != "leave"
            and self.rules.deletion_enabled
            and normalized_key not in self.memory.wanted
            and self.in_schema(seen.key)
        ):
            reason = "not in the source; the first sync overwrites the destination" if first else "not in the source"
            return self._delete(15, seen, own, reason, effects)
        return self._change(16, Action.KEEP, None, seen, own, "not managed by this sync", effects=effects)

    def _delete(
        self, rule: int, seen: Remote, own: Row | None, reason: str, effects: tuple[Effect, ...] = ()
    ) -> Change:
        normalized_key = self.normalize_key(seen.key)
        if normalized_key in self.memory.dismissed:
            return self._change(rule, Action.KEEP, None, seen, own, "its deletion was dismissed", effects=effects)
        if not self.complete:
            reason = "would be deleted, but the source could not be read whole"
            return self._change(12, Action.KEEP, None, seen, own, reason, effects=effects, suspended=True)
        if wait := self.memory.waiting.get(normalized_key):
            return self._change(rule, Action.KEEP, None, seen, own, wait, Code.WAITS, effects)
        return self._change(rule, Action.DELETE, None, seen, own, reason, effects=effects)

    def _change(
        self,
        rule: int,
        action: Action,
        want: Desired | None,
        seen: Remote | None,
        row: Row | None,
        reason: str,
        code: Code | None = None,
        effects: tuple[Effect, ...] = (),
        *,
        drift: str = "",
        suspended: bool = False,
    ) -> Change:
        key = want.key if want else seen.key if seen else row.key if row else ""
        normalized_key = want.normalized_key if want else row.normalized_key if row else self.normalize_key(key)
        return Change(
            action=action,
            key=key,
            normalized_key=normalized_key,
            rule=rule,
            reason=reason,
            code=code,
            source_key=want.source_key if want else "",
            write=_write(action, key, normalized_key, want, seen, effects),
            desired=want,
            remote=seen,
            row=row,
            effects=effects,
            drift=drift,
            suspended=suspended,
        )


def _write(
    action: Action,
    key: str,
    normalized_key: str,
    want: Desired | None,
    seen: Remote | None,
    effects: tuple[Effect, ...],
) -> Write | None:
    if action is Action.DELETE:
        return Write(Action.DELETE, key, normalized_key, remote=seen)
    if want is None or Effect.SETTLE in effects:
        return None
    if action is Action.CREATE:
        return Write(Action.CREATE, key, normalized_key, want.value, want.comment, metadata=want.metadata)
    if action in (Action.UPDATE, Action.ADOPT):
        return Write(Action.UPDATE, key, normalized_key, want.value, want.comment, seen, metadata=want.metadata)
    return None


def _holds(want: Desired, seen: Remote) -> bool:
    """The destination is readable and has just what is wanted."""
    return seen.value is not None and seen.value == want.value and seen.comment in (None, want.comment)


def _same_object(own: Row, seen: Remote) -> bool:
    return own.object_id is None or seen.object_id is None or own.object_id == seen.object_id


def may_be_own(row: Row | None, seen: Remote) -> bool:
    """A row of this sync speaks of that very object, as far as is known."""
    if row is None or not row.mine or row.state is State.MISSING:
        return False
    return not _known_foreign(row, seen) if row.state is State.CLAIM else _same_object(row, seen)


def known_ours(claim: Row, seen: Remote) -> bool:
    """An update or a delete was claimed, and the object is still the one that it was claimed for."""
    return claim.claimed_object_id is not None and claim.claimed_object_id == seen.object_id


def _known_foreign(claim: Row, seen: Remote) -> bool:
    """The claim was for another object than the one that stands there now; no update changes an incarnation."""
    return claim.claimed_object_id is not None and claim.claimed_object_id != seen.object_id


def plan_sync(
    desired: Iterable[Desired],
    listing: Iterable[Remote],
    ledger: Iterable[Row],
    *,
    rules: Rules,
    memory: Memory,
    gaps: Sequence[str] = (),
    normalize_key: Callable[[str], str],
    in_schema: Callable[[str], bool],
    verify: Verify,
) -> Plan:
    """What a sync would do now. `gaps` names what is missing from the source; any gap or barred key suspends deletes.

    The order of the inputs does not matter: changes come sorted, deletes last.
    """
    wants = _by_normalized_key(desired)
    seen = {normalize_key(remote.key): remote for remote in listing}
    rows = {row.normalized_key: row for row in ledger}
    complete = not gaps and not any(want.blocked for want in wants.values())
    initial = memory.initial
    if initial is None:
        initial = _initial_set(wants, seen, rows, rules, memory, in_schema)
    table = _Table(rules, memory, initial, verify, complete, in_schema, normalize_key)
    decided = (table.decide(wants.get(key), seen.get(key), rows.get(key)) for key in {*wants, *seen, *rows})
    changes = _order_moves([change for change in decided if change])
    plan = Plan(tuple(changes), complete, gaps=tuple(gaps), initial=initial)
    return Plan(plan.changes, complete, _guard(plan, rules, memory), plan.gaps, initial)


def _by_normalized_key(desired: Iterable[Desired]) -> dict[str, Desired]:
    """One Desired a canonical key; those that meet are barred together, naming each other."""
    met: dict[str, list[Desired]] = {}
    for want in desired:
        met.setdefault(want.normalized_key, []).append(want)
    found = {}
    for key, wants in met.items():
        if len(wants) > 1:
            folders = len({want.source_path for want in wants}) > 1
            names = " and ".join(sorted(_named(want) if folders else want.source_key for want in wants))
            blocked = f"{len(wants)} secrets would be named {wants[0].key} at the destination: {names}. Rename one."
            first = min(wants, key=lambda want: want.source_key)
            found[key] = Desired(first.key, key, first.source_key, "", blocked=blocked, blocked_code=Code.COLLISION)
        else:
            found[key] = wants[0]
    return found


def _named(want: Desired) -> str:
    return f"{want.source_path.rstrip('/')}/{want.source_key}"


def _initial_set(
    wants: Mapping[str, Desired],
    seen: Mapping[str, Remote],
    rows: Mapping[str, Row],
    rules: Rules,
    memory: Memory,
    in_schema: Callable[[str], bool],
) -> dict[str, str | None]:
    """The unmanaged keys of a place at its first listing: the only ones a first overwrite may ever delete."""
    if rules.unmanaged != "overwrite-initially":
        return {}
    return {
        key: remote.object_id
        for key, remote in seen.items()
        if key not in wants
        and key not in memory.wanted
        and key not in memory.left
        and (key not in rows or rows[key].state is State.MISSING)
        and not remote.untouchable
        and not remote.shared
        and not remote.inherited
        and in_schema(remote.key)
    }


def _order_moves(changes: list[Change]) -> list[Change]:
    """Sorted, deletes last; a delete whose secret arrives under another key waits for that key."""
    arriving = {
        change.desired.secret_id: change.normalized_key
        for change in changes
        if change.desired and change.desired.secret_id and change.action is not Action.DELETE
    }
    ordered = []
    for change in sorted(changes, key=lambda c: (c.action is Action.DELETE, c.normalized_key)):
        if change.action is Action.DELETE and change.row and (after := arriving.get(change.row.secret_id)):
            change = replace(change, after=after)
        ordered.append(change)
    return ordered


def _guard(plan: Plan, rules: Rules, memory: Memory) -> str:
    """Why the run must be held, or "". Deletes that an incomplete source suspends count as well."""
    if rules.max_deletions is None:
        return ""
    going = [change for change in plan.changes if change.action is Action.DELETE or change.suspended]
    if memory.approved is not None and {change.normalized_key for change in going} <= memory.approved:
        return ""
    if not going:
        return ""
    total = len(going) + memory.recent_deletes
    if total > rules.max_deletions:
        lately = f" ({memory.recent_deletes} of them within the last hour)" if memory.recent_deletes else ""
        return f"it would delete {total} keys{lately}; the limit is {rules.max_deletions}"
    leaving = {change.normalized_key for change in going}
    owned = any(
        change.normalized_key not in leaving
        and (change.write is not None or change.action is Action.UNCHANGED or _kept_own(change))
        for change in plan.changes
    )
    if total >= 3 and not owned:
        return f"it would delete {total} keys and leave this sync with none"
    return ""


def _kept_own(change: Change) -> bool:
    held_back = (Effect.VOID, Effect.MISS, Effect.HAND_OVER)
    return bool(change.row and change.row.mine and not any(effect in held_back for effect in change.effects))


def plan_removal(
    listing: Iterable[Remote],
    ledger: Iterable[Row],
    *,
    normalize_key: Callable[[str], str],
    verify: Verify = lambda *_: False,
) -> Plan:
    """The deletes that take away exactly what this sync owns, and nothing else.

    An explicit removal is its own confirmation: it is never held. A key that may be ours is blocked, not kept: who
    asked for everything to go is to know that something may have stayed, before the sync that knows of it goes too.
    """
    seen = {normalize_key(remote.key): remote for remote in listing}
    table = _Table(Rules(unmanaged="leave"), Memory(), {}, verify, True, lambda _: True, normalize_key)
    changes = (table.decide(None, seen.get(row.normalized_key), row) for row in ledger if row.mine)
    return Plan(tuple(_order_moves([_asked(change) for change in changes if change])), complete=True)


def _asked(change: Change) -> Change:
    """A change of a removal; the table took the source for empty, which it need not be."""
    if change.action is Action.DELETE:
        return replace(change, reason="written by this sync")
    return replace(change, action=Action.BLOCKED, code=Code.MAYBE_OURS) if change.rule == 14 else change
