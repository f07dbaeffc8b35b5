"""The message of a run: which keys were not written, and why. Names and reasons, never a value."""

from __future__ import annotations

import re
from collections.abc import Sequence

from syncs.engine.error_codes import Code
from syncs.engine.plan import Plan
from syncs.models import RunChange, SyncRun

MAX_LENGTH = 1024
MAX_LISTED = 8  # reasons; the keys of further ones are counted
MAX_NAMED = 3  # keys named with one reason
_REQUEST_ID = re.compile(r" \(request id [^)]*\)")


def summary(run: SyncRun, plan: Plan) -> str | None:
    """None if every key was written or needed no write, and the action after the writes did not fail."""
    rows = RunChange.objects.filter(run=run)
    parts = list(plan.gaps)
    for outcome in ("failed", "blocked"):
        found = rows.filter(outcome=outcome).values_list("key", "error_message", "reason")
        if keys := [(key, message or reason) for key, message, reason in found]:
            parts.append(f"{_counted(len(keys))} {outcome}: {_by_reason(keys)}")
    if undone := not_done(run):
        parts.append(undone)
    if unpurged := run.options.unpurged:
        parts.append(f"Removed, but old values stay in the vendor's history: {_by_reason(list(unpurged.items()))}")
    if not parts:
        return None
    suspended = sum(change.suspended for change in plan.changes)
    if suspended:
        refused = any(change.code is Code.READ_REFUSED for change in plan.changes)
        why = "a value at the destination cannot be read" if refused else "the source is incomplete"
        keys_were = "key was" if suspended == 1 else "keys were"
        parts.append(f"{suspended} {keys_were} kept, because nothing is deleted while {why}")
    text = ". ".join(parts)
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 3] + "..."


def only_blocked(run: SyncRun) -> bool:
    """Whether everything that the run tried was done: it left keys out, but nothing failed."""
    failed = RunChange.objects.filter(run=run, outcome="failed").exists()
    return not failed and not not_done(run) and not run.options.unpurged


def not_done(run: SyncRun) -> str:
    """That the action after the writes failed, and why; "" if it did not."""
    after = run.after
    return f"{_NOT_DONE[after.action]}: {after.message}" if after and after.outcome == "failed" else ""


_NOT_DONE = {"deploy": "Written, not deployed"}


def _counted(number: int) -> str:
    return "1 key" if number == 1 else f"{number} keys"


def _by_reason(keys: Sequence[tuple[str, str]]) -> str:
    """Keys with the same reason as one: "500 keys: <reason> (A, B and 498 more); X (<another reason>)".

    If all have the same one: "<reason> (A, B and 498 more)".
    """
    groups: dict[str, list[tuple[str, str]]] = {}
    for key, why in keys:
        groups.setdefault(_without_names(key, why), []).append((key, why))
    ordered = sorted(groups.values(), key=len, reverse=True)
    if len(ordered) == 1 and len(keys) > 1:  # the caller counts them
        return f"{keys[0][1]} ({_named([key for key, _ in keys])})"
    texts = [_group([key for key, _ in group], group[0][1]) for group in ordered[:MAX_LISTED]]
    rest = sum(len(group) for group in ordered[MAX_LISTED:])
    return "; ".join(texts) + (f"; and {rest} more" if rest else "")


def _group(names: list[str], why: str) -> str:
    if len(names) == 1:
        return f"{names[0]} ({why})"
    return f"{len(names)} keys: {why} ({_named(names)})"


def _named(names: list[str]) -> str:
    return ", ".join(names[:MAX_NAMED]) + (f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else "")


def _without_names(key: str, why: str) -> str:
    """What equal reasons of different keys have in common: neither the key nor the vendor's id of the request."""
    return _REQUEST_ID.sub("", why.replace(key, ""))
