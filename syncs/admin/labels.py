"""Labels and colours of plans and runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from syncs.destination.base import destinations
from syncs.destination.limits import remedy_for
from syncs.engine.error_codes import Code
from syncs.engine.plan import Plan
from syncs.engine.types import Action
from syncs.models import RunChange, SecretSync, Status

ACTIONS: dict[str, tuple[Any, str]] = {
    Action.CREATE: (_("create"), "good"),
    Action.UPDATE: (_("update"), "busy"),
    Action.ADOPT: (_("adopt"), "warn"),
    Action.DELETE: (_("delete"), "bad"),
    Action.BLOCKED: (_("blocked"), "bad"),
    Action.KEEP: (_("keep"), "calm"),
    Action.UNCHANGED: (_("unchanged"), "calm"),
}
"""Action -> label and tone, in the order of display."""

OUTCOMES: dict[str, tuple[Any, str]] = {
    "failed": (_("failed"), "bad"),
    "blocked": (_("blocked"), "bad"),
    "pending": (_("pending"), "busy"),
    "applied": (_("applied"), "good"),
    "kept": (_("kept"), "calm"),
    "dismissed": (_("dismissed"), "calm"),
    "skipped": (_("skipped"), "warn"),
}
"""Outcome -> label and tone, in the order of display."""

RUNS: dict[str, tuple[Any, str]] = {
    Status.PENDING: (_("Waiting"), "busy"),
    Status.RUNNING: (_("Running"), "busy"),
    Status.SUCCEEDED: (_("Succeeded"), "good"),
    Status.FAILED: (_("Failed"), "bad"),
    Status.HELD: (_("Held for approval"), "warn"),
    Status.DISMISSED: (_("Dismissed"), "calm"),
    Status.SUPERSEDED: (_("Superseded"), "calm"),
}

AFTER_WRITES: dict[str, Any] = {"deploy": _("Deploy after the writes")}

OPERATIONS: dict[str, Any] = {"sync": _("Sync"), "import": _("Import"), "remove": _("Removal"), "undo": _("Undo")}

TRIGGERS: dict[str, Any] = {
    "manual": _("manual"),
    "change": _("on change"),
    "schedule": _("scheduled"),
    "retry": _("retry"),
    "approval": _("on approval"),
}

DRIFT: dict[str, tuple[Any, str]] = {
    "drifted": (_("Drifted"), "warn"),
    "unknown": (_("Unknown"), "calm"),
    "none": (_("None"), "good"),
}

DRIFT_STATES: dict[str, Any] = {
    "changed": _("changed"),
    "missing": _("missing"),
    "unknown": _("unknown"),
    "unmanaged": _("appeared, unmanaged"),
}
"""State of a key in a drift check -> label, in the order of display."""


def count_badges(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """Text and tone for each action with a count, such as ("3 create", "good")."""
    return [(f"{counts[action]} {label}", tone) for action, (label, tone) in ACTIONS.items() if counts.get(action)]


def remedy_of(row: RunChange, sync: SecretSync) -> str:
    """The remedy for a failed or blocked key of a run of the sync, as it fits that key; "" for others."""
    if row.outcome not in ("failed", "blocked") or row.error_code not in set(Code):
        return ""
    found, code = destinations.get(sync.destination), Code(row.error_code)
    return remedy_for(code, row.key, found.limits_of(sync.destination_config)) if found else code.remedy


MAX_ROWS = 1000  # changes listed on a page
MAX_UNCHANGED = 200  # unchanged keys listed on a page
URGENT = (Action.DELETE, Action.BLOCKED)


def plan_context(plan: Plan) -> dict[str, Any]:
    """A plan for `syncs/plan.html`: deletes and blocked keys first, unchanged keys last as a list of names."""
    order = [*URGENT, *(action for action in ACTIONS if action not in URGENT)]
    unchanged = [change.key for change in plan.changes if change.action is Action.UNCHANGED]
    rest = [change for change in plan.changes if change.action is not Action.UNCHANGED]
    rest.sort(key=lambda change: order.index(change.action))
    return {
        "plan": plan,
        "counts": count_badges(plan.counts),
        "rows": [(change, *ACTIONS[change.action]) for change in rest[:MAX_ROWS]],
        "more": max(len(rest) - MAX_ROWS, 0),
        "unchanged": unchanged[:MAX_UNCHANGED],
        "unchanged_count": len(unchanged),
    }
