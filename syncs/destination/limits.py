"""What a vendor documents as too long, too many or not allowed, held against a plan before anything is sent. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from syncs.destination.capabilities import Capabilities
from syncs.engine.error_codes import Code
from syncs.engine.plan import Change, Plan
from syncs.engine.types import Action, Entry, Remote

Blocked = tuple[str | None, Code | None]


def blocked_by(limits: Capabilities, label: str, entry: Entry, name: str, normalized_key: str) -> Blocked:
    """Why a key must not be written at all, or (None, None)."""
    if not limits.allows(name):
        return f"{label} takes only {limits.key_rule} in a name", Code.KEY_REFUSED
    if not limits.has_room(name):
        said = f"its name has {len(name.encode())} bytes, {label} takes {limits.max_key_length}"
        return said, Code.KEY_REFUSED
    for kept in limits.reserved:
        if fnmatchcase(normalized_key, kept):
            names = f"names that begin with {kept[:-1]}" if kept.endswith("*") else f"the name {kept}"
            return f"{label} keeps {names} for itself", Code.KEY_REFUSED
    if entry.problem or entry.value is None:
        return entry.problem or "its value cannot be read", Code.UNRESOLVED
    if not entry.value and not limits.takes_empty:
        return f"its value is empty, which {label} does not take", Code.VALUE_EMPTY
    size = len(entry.value.encode())
    if limits.max_value_bytes is not None and size > limits.max_value_bytes:
        return f"its {size} bytes are more than the {limits.max_value_bytes} {label} takes", Code.VALUE_TOO_LARGE
    return None, None


def within(plan: Plan, listing: Sequence[Remote], limits: Capabilities, label: str) -> Plan:
    """The plan without the writes for which there is no room: they are blocked by name. Deletes go on and make room."""
    if limits.max_keys is None and limits.max_total_bytes is None:
        return plan
    here = [remote for remote in listing if not remote.inherited]
    keys, size = len(here), _size((remote.key, remote.value or "") for remote in here)
    changes = []
    for change in plan.changes:
        if change.write is not None and change.action is not Action.DELETE:
            more_keys = keys + (change.action is Action.CREATE)
            more = size + _growth(change)
            if said := _too_much(more_keys > keys and more_keys, more > size and more, limits, label):
                change = replace(change, action=Action.BLOCKED, write=None, reason=said, code=Code.NO_ROOM, effects=())
            else:
                keys, size = more_keys, more
        changes.append(change)
    return replace(plan, changes=tuple(changes))


def _too_much(keys: int, size: int, limits: Capabilities, label: str) -> str:
    """Why a write that makes it `keys` and `size` (0: no more than before) has no room, or ""."""
    if limits.max_keys is not None and keys > limits.max_keys:
        return f"{label} takes at most {limits.max_keys} keys here, and they are taken"
    if limits.max_total_bytes is not None and size > limits.max_total_bytes:
        return f"all keys together would have {size} bytes; {label} takes {limits.max_total_bytes} here"
    return ""


def _growth(change: Change) -> int:
    """Bytes that the write adds to all keys and values together."""
    assert change.write is not None
    after = _size([(change.write.key, change.write.value)])
    before = _size([(change.remote.key, change.remote.value or "")]) if change.remote else _size([])
    return after - before


def _size(entries: Iterable[tuple[str, str]]) -> int:
    return sum(len(json.dumps({key: value}, ensure_ascii=False).encode()) for key, value in entries)
