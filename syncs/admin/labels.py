"""The words and colours of plans and runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from syncs.engine.plan import Plan
from syncs.engine.types import Action
from syncs.models import Status

ACTIONS: dict[str, tuple[Any, str]] = {
    Action.CREATE: (_("create"), "good"),
    Action.UPDATE: (_("update"), "busy"),
    Action.ADOPT: (_("adopt"), "warn"),
    Action.DELETE: (_("delete"), "bad"),
    Action.BLOCKED: (_("blocked"), "bad"),
    Action.KEEP: (_("keep"), "calm"),
    Action.UNCHANGED: (_("unchanged"), "calm"),
}
"""Action -> its word and tone, in the order in which they are shown."""

OUTCOMES: dict[str, tuple[Any, str]] = {
    "failed": (_("failed"), "bad"),
    "blocked": (_("blocked"), "bad"),
    "": (_("to do"), "busy"),
    "applied": (_("applied"), "good"),
    "kept": (_("kept"), "calm"),
    "skipped": (_("skipped"), "warn"),
}
"""Outcome -> its word and tone; what needs somebody comes first."""

RUNS: dict[str, tuple[Any, str]] = {
    Status.PENDING: (_("Waiting"), "busy"),
    Status.RUNNING: (_("Running"), "busy"),
    Status.SUCCEEDED: (_("Succeeded"), "good"),
    Status.FAILED: (_("Failed"), "bad"),
    Status.HELD: (_("Held for approval"), "warn"),
    Status.DISMISSED: (_("Dismissed"), "calm"),
    Status.SUPERSEDED: (_("Superseded"), "calm"),
}

OPERATIONS: dict[str, Any] = {"sync": _("Sync"), "import": _("Import"), "remove": _("Removal"), "undo": _("Undo")}

TRIGGERS: dict[str, Any] = {
    "manual": _("by hand"),
    "change": _("on a change"),
    "schedule": _("by schedule"),
    "retry": _("tried again"),
    "approval": _("on approval"),
}

DRIFT: dict[str, tuple[Any, str]] = {
    "drifted": (_("Changed by other hands"), "warn"),
    "unknown": (_("Cannot be told"), "calm"),
    "none": (_("None"), "good"),
}


def shown_counts(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """Words and tone of each action that there is, such as ("3 create", "good")."""
    return [(f"{counts[action]} {word}", tone) for action, (word, tone) in ACTIONS.items() if counts.get(action)]


ROWS = 1000  # of a plan that a page shows; the counts say how many there are
NAMED = 200  # unchanged keys that it names
URGENT = (Action.DELETE, Action.BLOCKED)


def plan_shown(plan: Plan) -> dict[str, Any]:
    """What a page shows of a plan: what takes away or cannot be done first, what is as it should be last and small."""
    order = [*URGENT, *(action for action in ACTIONS if action not in URGENT)]
    unchanged = [change.key for change in plan.changes if change.action is Action.UNCHANGED]
    rest = [change for change in plan.changes if change.action is not Action.UNCHANGED]
    rest.sort(key=lambda change: order.index(change.action))
    return {
        "plan": plan,
        "counts": shown_counts(plan.counts),
        "rows": [(change, *ACTIONS[change.action]) for change in rest[:ROWS]],
        "more": max(len(rest) - ROWS, 0),
        "unchanged": unchanged[:NAMED],
        "unchanged_count": len(unchanged),
    }
