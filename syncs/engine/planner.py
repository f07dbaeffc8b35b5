"""Makes the plan of a run: source + destination + ledger + policy -> Plan. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from .addresses import child_path
from .decision_table import DecisionTable
from .error_codes import Code
from .ownership import unreadable
from .plan import Change, Effect, Memory, Plan, Row, Rule, Rules, State, Verify
from .reasons import Reason
from .types import Action, Desired, Remote, Write

EMPTIES_FROM = 3
"""Deletes from which a run that leaves its sync without a key is held."""


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
    """What a sync would do now. `gaps` describe what is missing from the source.

    Any gap, blocked key or unreadable one suspends deletes. The order of the inputs does not matter: changes are
    sorted, deletes last.
    """
    by_key = _by_normalized_key(desired)
    remotes = {normalize_key(remote.key): remote for remote in listing}
    rows = {row.normalized_key: row for row in ledger}
    readable = not any(unreadable(by_key.get(key), remote, rows.get(key)) for key, remote in remotes.items())
    complete = readable and not gaps and not any(each.blocked for each in by_key.values())
    initial = memory.initial
    if initial is None:
        initial = _initial_set(by_key, remotes, rows, rules, memory, in_schema)
    table = DecisionTable(rules, memory, initial, verify, complete, in_schema, normalize_key)
    decided = (table.decide(by_key.get(key), remotes.get(key), rows.get(key)) for key in {*by_key, *remotes, *rows})
    changes = _order_moves([change for change in decided if change])
    return guarded(Plan(tuple(changes), complete, gaps=tuple(gaps), initial=initial), rules, memory)


def guarded(plan: Plan, rules: Rules, memory: Memory) -> Plan:
    """The plan without deletes of unmanaged keys beside a blocked one, and with the guard's verdict.

    Whoever blocks a key of a plan calls it again.
    """
    blocked = {change.normalized_key for change in plan.changes if change.action is Action.BLOCKED}
    approval = memory.approval if memory.approval and memory.approval.showed(blocked) else None

    def stays(change: Change) -> bool:
        approved = approval is not None and approval.covers(change.normalized_key, change.remote)
        return _is_foreign_delete(change) and not approved

    if blocked:
        plan = replace(plan, changes=tuple(_spared(change) if stays(change) else change for change in plan.changes))
    return replace(plan, held=_guard(plan, rules, memory))


def _is_foreign_delete(change: Change) -> bool:
    return change.action is Action.DELETE and change.rule is Rule.DELETE_FOREIGN


def _spared(change: Change) -> Change:
    return replace(change, action=Action.KEEP, write=None, reason=Reason.SPARED.text(), code=Code.SPARED)


def plan_removal(
    listing: Iterable[Remote],
    ledger: Iterable[Row],
    *,
    memory: Memory | None = None,
    normalize_key: Callable[[str], str],
    verify: Verify = lambda *_: False,
) -> Plan:
    """The deletes of exactly what this sync owns. What another live sync needs (`memory.wanted`) is handed over.

    An explicit removal is its own confirmation: it is never held. A key that may be ours is blocked, not kept: whoever
    requested the removal must learn that something may have stayed, before the sync that knows of it is deleted too.
    """
    remotes = {normalize_key(remote.key): remote for remote in listing}
    table = DecisionTable(Rules(unmanaged="leave"), memory or Memory(), {}, verify, True, lambda _: True, normalize_key)
    changes = (table.decide(None, remotes.get(row.normalized_key), row) for row in ledger if row.mine)
    return Plan(tuple(_order_moves([_of_removal(change) for change in changes if change])), complete=True)


def _of_removal(change: Change) -> Change:
    """The table was given an empty source, which the sync's source need not be."""
    if change.action is Action.DELETE:
        return replace(change, reason=Reason.WRITTEN_BY_SYNC.text())
    if change.rule is Rule.MAYBE_OURS:
        return replace(change, action=Action.BLOCKED, code=Code.MAYBE_OURS)
    return change


def _by_normalized_key(desired: Iterable[Desired]) -> dict[str, Desired]:
    """One Desired per normalized key; secrets that collide are blocked together, naming each other."""
    colliding: dict[str, list[Desired]] = {}
    for each in desired:
        colliding.setdefault(each.normalized_key, []).append(each)
    return {key: group[0] if len(group) == 1 else _collision(key, group) for key, group in colliding.items()}


def _collision(normalized_key: str, group: Sequence[Desired]) -> Desired:
    with_paths = len({each.source_path for each in group}) > 1
    names = sorted(child_path(each.source_path, each.source_key) if with_paths else each.source_key for each in group)
    first = min(group, key=lambda each: each.source_key)
    blocked = Reason.COLLISION.text(count=len(group), key=group[0].key, names=" and ".join(names))
    return Desired(first.key, normalized_key, first.source_key, "", blocked=blocked, blocked_code=Code.COLLISION)


def _initial_set(
    desired: Mapping[str, Desired],
    remotes: Mapping[str, Remote],
    rows: Mapping[str, Row],
    rules: Rules,
    memory: Memory,
    in_schema: Callable[[str], bool],
) -> dict[str, str | None]:
    """The unmanaged keys of a location at its first listing: the only ones that a first overwrite may delete."""
    if rules.unmanaged != "overwrite-initially":
        return {}
    return {
        key: remote.object_id
        for key, remote in remotes.items()
        if key not in desired
        and key not in memory.wanted
        and key not in memory.left
        and (key not in rows or rows[key].state is State.MISSING)
        and not remote.untouchable
        and not remote.shared
        and not remote.inherited
        and in_schema(remote.key)
    }


def _order_moves(changes: list[Change]) -> list[Change]:
    """Sorted, deletes last; a delete whose secret is written under another key waits for that key, and one of a key
    that is not this sync's for all of them.
    """
    arriving = {
        change.desired.secret_id: change
        for change in changes
        if change.desired and change.desired.secret_id and change.action is not Action.DELETE
    }
    ordered = []
    for change in sorted(changes, key=lambda c: (c.action is Action.DELETE, c.normalized_key)):
        if _is_foreign_delete(change) and change.write:
            change = replace(change, write=replace(change.write, needs_all=True))
        elif change.action is Action.DELETE and change.write and change.row:
            change = _after(change, change.write, change.row, arriving.get(change.row.secret_id))
        ordered.append(change)
    return ordered


def _after(change: Change, write: Write, row: Row, arriving: Change | None) -> Change:
    """A delete that waits for its secret under the key that it has now."""
    if arriving is None or arriving.desired is None:
        return change
    change = replace(change, write=replace(write, after=arriving.normalized_key))
    name = arriving.desired.source_key
    if arriving.action is Action.BLOCKED or row.source_key in ("", name):
        return change
    return replace(change, source_key=name, reason=Reason.RENAMED.text(name=name))


def _guard(plan: Plan, rules: Rules, memory: Memory) -> str:
    """Why the run must be held, or "". Deletes that an incomplete source suspends count as well."""
    counted, approval = plan.guarded, memory.approval
    if not counted or (approval and all(approval.covers(change.normalized_key, change.remote) for change in counted)):
        return ""
    if unconfirmed := _unconfirmed(plan, memory):
        return unconfirmed
    if rules.max_deletions is None:
        return ""
    deletes = {change.normalized_key for change in counted}
    total = len(deletes) + memory.recent_deletes
    count = "1 key" if len(deletes) == 1 else f"{len(deletes)} keys"
    if total > rules.max_deletions:
        recent = f" after {memory.recent_deletes} within the last hour" if memory.recent_deletes else ""
        return f"it would delete {count}{recent}; the limit is {rules.max_deletions}"
    keeps_one = any(
        change.normalized_key not in deletes
        and (change.write is not None or change.action is Action.UNCHANGED or _keeps_own(change))
        for change in plan.changes
    )
    if total >= EMPTIES_FROM and not keeps_one:
        return f"it would delete {count} and leave this sync with none"
    return ""


def _unconfirmed(plan: Plan, memory: Memory) -> str:
    """Why the first run at a target whose plan was shown, or should have been, must be held; or ""."""
    if memory.confirmed is None:
        return ""
    missing = object()
    keys = [
        change.key
        for change in plan.changes
        if change.deletes_foreign
        and change.remote
        and memory.confirmed.get(change.normalized_key, missing) != change.remote.object_id
    ]
    if not keys:
        return ""
    count = "1 key" if len(keys) == 1 else f"{len(keys)} keys"
    return (
        f"its first run at this target would delete {count} that this sync did not write, and nobody has confirmed that"
    )


def _keeps_own(change: Change) -> bool:
    return change.owned and not {Effect.VOID, Effect.MISS, Effect.HAND_OVER} & set(change.effects)
