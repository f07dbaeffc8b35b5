"""Plans as rows of a run: each change is recorded before anything is written."""

from __future__ import annotations

from collections.abc import Sequence

from syncs.engine.plan import Change
from syncs.models import RunChange, SyncRun

BATCH = 500


def restore_context(location: str, normalized_key: str) -> str:
    return f"restore:{location}:{normalized_key}"


def planned_row(run: SyncRun, change: Change) -> RunChange:
    """A change as history has it, before it has an outcome."""
    return RunChange(
        run=run,
        key=change.key,
        normalized_key=change.normalized_key,
        source_key=change.source_key,
        action=change.action.value,
        reason=change.reason[:1024],
        error_code=change.code or "",
        version=change.desired.version if change.desired else 0,
    )


def record_changes(run: SyncRun, rows: Sequence[RunChange]) -> None:
    """One row per key of the run; a later record replaces an earlier one."""
    RunChange.objects.bulk_create(
        rows,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["run", "normalized_key"],
        update_fields=[
            "key",
            "source_key",
            "action",
            "outcome",
            "reason",
            "error_code",
            "error_message",
            "version",
            "ended_at",
            "before",
            "before_sealed",
        ],
    )
