"""The documented limits of a vendor, applied to a plan before anything is sent. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from syncs.destination.capabilities import Capabilities
from syncs.engine.error_codes import Code
from syncs.engine.plan import Change, Plan
from syncs.engine.types import Action, Entry, Pairs, Remote

Blocked = tuple[str | None, Code | None]


def blocked_by(
    limits: Capabilities,
    label: str,
    entry: Entry,
    name: str,
    normalized_key: str,
    *,
    refuses: Callable[[str], str] = lambda value: "",
    refuses_key: Callable[[str], str] = lambda key: "",
    refuses_metadata: Callable[[Pairs], str] = lambda metadata: "",
) -> Blocked:
    """Why a key must not be written at all, or (None, None). `refuses` and its like are the destination's own."""
    if not limits.allows(name):
        return f"{label} takes only {limits.key_rule} in a name", Code.KEY_REFUSED
    if not limits.has_room(name):
        size = len(name.encode())
        return f"its name has {size} bytes, {label} takes at most {limits.max_key_length}", Code.KEY_REFUSED
    for reserved in limits.reserved:
        if fnmatchcase(normalized_key, reserved):
            names = f"names that begin with {reserved[:-1]}" if reserved.endswith("*") else f"the name {reserved}"
            return f"{label} reserves {names}", Code.KEY_REFUSED
    if reason := refuses_key(name):
        return f"{label} does not take its name: {reason}", Code.KEY_REFUSED
    if entry.problem or entry.value is None:
        return entry.problem or "its value cannot be read", Code.UNRESOLVED
    if not entry.value and not limits.takes_empty:
        return f"its value is empty, which {label} does not take", Code.VALUE_EMPTY
    size = len(entry.value.encode())
    if limits.max_value_bytes is not None and size > limits.max_value_bytes:
        return f"its {size} bytes are more than the {limits.max_value_bytes} {label} takes", Code.VALUE_TOO_LARGE
    if reason := refuses(entry.value):
        return f"{label} does not take its value: {reason}", Code.VALUE_REFUSED
    if reason := refuses_metadata(entry.metadata):
        return f"{label} does not take its metadata: {reason}", Code.METADATA_REFUSED
    size, most = len(entry.comment), limits.max_comment_length
    if limits.holds_comments and most is not None and size > most:
        return f"its comment has {size} characters, {label} takes at most {most}", Code.VALUE_TOO_LARGE
    return None, None


def within(plan: Plan, listing: Sequence[Remote], limits: Capabilities, label: str) -> Plan:
    """The plan with the writes blocked that exceed the limits. Deletes stay, and make room."""
    if limits.max_keys is None and limits.max_total_bytes is None:
        return plan
    own = [remote for remote in listing if not remote.inherited]
    keys, size = len(own), _size((remote.key, remote.value or "") for remote in own)
    changes = []
    for change in plan.changes:
        if change.write is not None and change.action is not Action.DELETE:
            more_keys = keys + (change.action is Action.CREATE)
            more = size + _growth(change)
            if why := _too_much(more_keys > keys and more_keys, more > size and more, limits, label):
                change = replace(change, action=Action.BLOCKED, write=None, reason=why, code=Code.NO_ROOM, effects=())
            else:
                keys, size = more_keys, more
        changes.append(change)
    return replace(plan, changes=tuple(changes))


def _too_much(keys: int, size: int, limits: Capabilities, label: str) -> str:
    """Why a write that leads to `keys` and `size` (0: no more than before) exceeds a limit, or ""."""
    if limits.max_keys is not None and keys > limits.max_keys:
        return f"{label} takes at most {limits.max_keys} keys at this location"
    if limits.max_total_bytes is not None and size > limits.max_total_bytes:
        return f"all keys together would have {size} bytes; {label} takes at most {limits.max_total_bytes}"
    return ""


def _growth(change: Change) -> int:
    """Bytes that the write adds to all keys and values together."""
    assert change.write is not None
    after = _size([(change.write.key, change.write.value)])
    before = _size([(change.remote.key, change.remote.value or "")]) if change.remote else _size([])
    return after - before


def _size(entries: Iterable[tuple[str, str]]) -> int:
    return sum(len(json.dumps({key: value}, ensure_ascii=False).encode()) for key, value in entries)


def remedy_for(code: Code, name: str, limits: Capabilities) -> str:
    """The remedy of a code, as it fits this key: a key schema adds a prefix or suffix, which cures few names."""
    if code is not Code.KEY_REFUSED:
        return code.remedy
    longer = f"A{name}"
    if limits.allows(longer) and limits.has_room(longer):
        return "Rename the secret, leave it out with the policy's `exclude`, or give the sync a key schema."
    return "Rename the secret, or leave it out with the policy's `exclude`."
