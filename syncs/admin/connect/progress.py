"""The last page: progress of the first run, and the outcome of each key."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from django.db.models import Case, Count, IntegerField, Value, When
from django.utils import timezone

from syncs.destination.base import destinations
from syncs.models import RunChange, Status, SyncDraft, SyncRun

from ..labels import remedy_of

LISTED = 200
PATIENCE = timedelta(seconds=15)
"""After this time a waiting run shows advice about the workers."""
ACTIVE = (Status.PENDING, Status.RUNNING)
WRITES = ("create", "update", "adopt")
CHANGES = (*WRITES, "delete")
FIRST = Case(
    When(outcome="failed", then=Value(0)),
    When(outcome="blocked", then=Value(1)),
    default=Value(2),
    output_field=IntegerField(),
)


def progress(draft: SyncDraft) -> dict[str, Any]:
    """Three queries, whatever the number of keys."""
    assert draft.sync
    run = _run(draft)
    if run is None:
        return {"sync": draft.sync, "run": None, "is_active": False}
    planned = sum(run.counts.get(name, 0) for name in CHANGES)
    outcomes = RunChange.objects.filter(run=run).order_by().values_list("action", "outcome").annotate(Count("pk"))
    number = Counter({(action, outcome): count for action, outcome, count in outcomes})
    done = sum(number[action, outcome] for action in CHANGES for outcome in ("applied", "failed"))
    failed = sum(count for (_action, outcome), count in number.items() if outcome in ("failed", "blocked"))
    is_active = run.status in ACTIVE
    rows = RunChange.objects.filter(run=run).defer("before", "before_sealed").order_by(FIRST, "id")[:LISTED]
    found = destinations.get(draft.destination)
    return {
        "sync": draft.sync,
        "run": run,
        "is_active": is_active,
        "is_late": run.status == Status.PENDING and timezone.now() - run.created_at > PATIENCE,
        "planned": planned,
        "done": min(done, planned),
        "percent": round(100 * min(done, planned) / planned) if planned else (0 if is_active else 100),
        "failed": failed,
        "up_to_date": len(run.unchanged) + sum(number[action, "applied"] for action in WRITES),
        "deleted": number["delete", "applied"],
        "rows": [(row, remedy_of(row, draft.sync)) for row in rows],
        "more": max(0, number.total() - LISTED),
        "label": found.label if found else draft.destination,
        "note": found.limits_of(draft.sync.destination_config).note if found else "",
    }


def _run(draft: SyncDraft) -> SyncRun | None:
    """The first run, or the one that superseded it."""
    runs = SyncRun.objects.filter(sync=draft.sync, operation="sync").exclude(status=Status.SUPERSEDED)
    return runs.order_by("created_at").first()
