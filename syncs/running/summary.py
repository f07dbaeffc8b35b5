"""The message of a run: which keys were not written, and why. Names and reasons, never a value."""

from __future__ import annotations

from collections.abc import Sequence

from syncs.engine.error_codes import Code
from syncs.engine.plan import Plan
from syncs.models import RunChange, SyncRun

MAX_LENGTH = 1024
MAX_LISTED = 8  # keys named with their reasons; the rest is counted


def summary(run: SyncRun, plan: Plan) -> str | None:
    """None if every key was written or needed no write, and the action after the writes did not fail."""
    rows = RunChange.objects.filter(run=run)
    parts = list(plan.gaps)
    for outcome in ("failed", "blocked"):
        found = rows.filter(outcome=outcome).values_list("key", "error_message", "reason")
        keys = [(key, message or reason) for key, message, reason in found]
        if keys:
            parts.append(f"{len(keys)} {'key' if len(keys) == 1 else 'keys'} {outcome}: {_listed(keys)}")
    if undone := not_done(run):
        parts.append(undone)
    if unpurged := run.options.unpurged:
        parts.append(f"Removed, but old values stay in the vendor's history: {_listed(list(unpurged.items()))}")
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


def not_done(run: SyncRun) -> str:
    """That the action after the writes failed, and why; "" if it did not."""
    after = run.after
    return f"{_NOT_DONE[after.action]}: {after.message}" if after and after.outcome == "failed" else ""


_NOT_DONE = {"deploy": "Written, not deployed"}


def _listed(keys: Sequence[tuple[str, str]]) -> str:
    more = f"; and {len(keys) - MAX_LISTED} more" if len(keys) > MAX_LISTED else ""
    return "; ".join(f"{key} ({why})" for key, why in keys[:MAX_LISTED]) + more
