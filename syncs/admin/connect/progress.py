"""The last page: the first run while it goes, and what became of each key."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Case, IntegerField, Value, When
from django.utils import timezone

from syncs.destination import destinations
from syncs.engine.codes import Code
from syncs.models import RunChange, Status, SyncDraft, SyncRun

SHOWN = 200
PATIENCE = timedelta(seconds=15)
"""After which a run that waits for a worker says what to look at."""
GOING = (Status.PENDING, Status.RUNNING)
ARRIVES = ("create", "update", "adopt")
WRITES = (*ARRIVES, "delete")
FIRST = Case(
    When(outcome="failed", then=Value(0)),
    When(outcome="blocked", then=Value(1)),
    default=Value(2),
    output_field=IntegerField(),
)


def progress(draft: SyncDraft) -> dict[str, Any]:
    """Three queries, however many keys there are."""
    assert draft.sync
    run = _run(draft)
    if run is None:
        return {"sync": draft.sync, "run": None, "going": False}
    planned = sum(run.counts.get(name, 0) for name in WRITES)
    outcomes = list(RunChange.objects.filter(run=run).values_list("action", "outcome"))
    done = sum(action in WRITES and outcome in ("applied", "failed") for action, outcome in outcomes)
    failed = sum(outcome in ("failed", "blocked") for _action, outcome in outcomes)
    going = run.status in GOING
    rows = RunChange.objects.filter(run=run).defer("before", "before_sealed").order_by(FIRST, "id")[:SHOWN]
    found = destinations.get(draft.destination)
    return {
        "sync": draft.sync,
        "run": run,
        "going": going,
        "waits": run.status == Status.PENDING and timezone.now() - run.created_at > PATIENCE,
        "planned": planned,
        "done": min(done, planned),
        "percent": round(100 * min(done, planned) / planned) if planned else (0 if going else 100),
        "failed": failed,
        "arrived": len(run.unchanged) + sum(action in ARRIVES and outcome == "applied" for action, outcome in outcomes),
        "deleted": sum(action == "delete" and outcome == "applied" for action, outcome in outcomes),
        "rows": [(row, _remedy(row)) for row in rows],
        "more": max(0, len(outcomes) - SHOWN),
        "label": found.label if found else draft.destination,
        "note": found.capabilities.note if found else "",
    }


def _run(draft: SyncDraft) -> SyncRun | None:
    """The first run, or the one that took its place."""
    runs = SyncRun.objects.filter(sync=draft.sync, operation="sync").exclude(status=Status.SUPERSEDED)
    return runs.order_by("created_at").first()


def _remedy(row: RunChange) -> str:
    try:
        return Code(row.error_code).remedy if row.error_code else ""
    except ValueError:
        return ""
