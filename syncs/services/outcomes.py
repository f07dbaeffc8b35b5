"""The columns of a sync that say how the last run of an operation ended."""

from __future__ import annotations

from uuid import UUID

from syncs.models import SecretSync, Status, SyncRun

COLUMNS = {"sync": "sync", "import": "import", "remove": "remove", "undo": "sync"}
"""Operation -> the columns that show it, as `<name>_status`."""

_SHOWN = {
    Status.SUCCEEDED: Status.SUCCEEDED,
    Status.FAILED: Status.FAILED,
    Status.HELD: Status.FAILED,
    Status.DISMISSED: Status.FAILED,
}


def keep_last_outcome(sync_id: UUID, operation: str) -> None:
    """After a run was superseded and none follows by itself: show how the last one ended, unless one is open."""
    column = COLUMNS[operation]
    runs = SyncRun.objects.filter(
        sync_id=sync_id, operation__in=[name for name, shown in COLUMNS.items() if shown == column]
    )
    if runs.filter(status__in=(Status.PENDING, Status.RUNNING)).exists():
        return
    last = runs.filter(status__in=_SHOWN).order_by("-ended_at").values_list("status", "message").first()
    status, message = (_SHOWN[Status(last[0])], last[1]) if last else (None, None)
    SecretSync.objects.filter(pk=sync_id).update(**{f"{column}_status": status, f"last_{column}_message": message})
