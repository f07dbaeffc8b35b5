"""The columns of a sync that say how the last run of an operation ended."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from syncs.models import SecretSync, Status, SyncRun

COLUMNS = {"sync": "sync", "import": "import", "remove": "remove", "undo": "sync"}
"""Operation -> the columns that show it, as `<name>_status`."""

_SHOWN = {
    Status.SUCCEEDED: Status.SUCCEEDED,
    Status.FAILED: Status.FAILED,
    Status.HELD: Status.FAILED,
    Status.DISMISSED: Status.FAILED,
}


def show_outcome(sync_id: UUID, operation: str, status: str | None, message: str | None) -> None:
    """How a run ended, unless another one is under way or waits: then the status says so."""
    column = COLUMNS[operation]
    open_runs = _runs(sync_id, column).filter(status__in=(Status.PENDING, Status.RUNNING))
    going = set(open_runs.values_list("status", flat=True))
    if Status.RUNNING in going:
        return
    shown = Status.PENDING if going else status
    SecretSync.objects.filter(pk=sync_id).update(
        **{f"{column}_status": shown, f"last_{column}_message": message and message[:1024]}
    )


def keep_last_outcome(sync_id: UUID, operation: str) -> None:
    """After a run was superseded: show how the last one before it ended. As `show_outcome`."""
    ended = _runs(sync_id, COLUMNS[operation]).filter(status__in=_SHOWN)
    last = ended.order_by("-ended_at").values_list("status", "message").first()
    show_outcome(sync_id, operation, *((_SHOWN[Status(last[0])], last[1]) if last else (None, None)))


def _runs(sync_id: UUID, column: str) -> QuerySet[SyncRun]:
    operations = [operation for operation, shown in COLUMNS.items() if shown == column]
    return SyncRun.objects.filter(sync_id=sync_id, operation__in=operations)
