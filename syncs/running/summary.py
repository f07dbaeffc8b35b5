"""What a run says of itself in one text: which keys did not arrive, and why. Names and reasons, never a value."""

from __future__ import annotations

from syncs.engine.plan import Plan
from syncs.models import RunChange, SyncRun

MAX_LENGTH = 1024
NAMED = 8  # keys named in full; the rest is counted


def summary(run: SyncRun, plan: Plan) -> str | None:
    """None where every key is as it should be."""
    rows = RunChange.objects.filter(run=run)
    parts = list(plan.gaps)
    for outcome, said in (("failed", "failed"), ("blocked", "blocked")):
        found = list(rows.filter(outcome=outcome).values_list("key", "error_message", "reason"))
        if found:
            keys = "key" if len(found) == 1 else "keys"
            named = "; ".join(f"{key} ({message or reason})" for key, message, reason in found[:NAMED])
            more = f"; and {len(found) - NAMED} more" if len(found) > NAMED else ""
            parts.append(f"{len(found)} {keys} {said}: {named}{more}")
    if unpurged := run.options.unpurged:
        named = "; ".join(f"{key} ({why})" for key, why in list(unpurged.items())[:NAMED])
        more = f"; and {len(unpurged) - NAMED} more" if len(unpurged) > NAMED else ""
        parts.append(f"Removed, but old values stay in the vendor's history: {named}{more}")
    if not parts:
        return None
    suspended = sum(change.suspended for change in plan.changes)
    if suspended:
        keys = "key was" if suspended == 1 else "keys were"
        parts.append(f"{suspended} {keys} kept, because nothing is deleted while the source is incomplete")
    text = ". ".join(parts)
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 3] + "..."
