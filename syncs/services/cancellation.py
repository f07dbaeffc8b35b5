"""Cancelling a run: what was written stays recorded, the rest is skipped, and nothing is retried by itself."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from config.access import audit
from config.access.roles import Actor, Right
from config.errors import BadRequest
from syncs.models import RunChange, SecretSync, Status, SyncRun

from .outcomes import keep_last_outcome, show_outcome

CANCELLABLE = (Status.PENDING, Status.RUNNING, Status.HELD)
SENT = ("applied", "failed")  # outcomes of keys for which a request was sent


def cancel(actor: Actor, run: SyncRun) -> SyncRun:
    """Cancel a run that has not ended. One that is running stops before its next request; any other ends now.

    The sync's next change runs as usual. Raises BadRequest if the run has ended.
    """
    actor.require(Right.RUN_SYNCS, run.sync.project_id)
    with transaction.atomic():
        list(SecretSync.objects.select_for_update().filter(pk=run.sync_id).values_list("pk"))
        found = SyncRun.objects.select_for_update().get(pk=run.pk)
        if found.status not in CANCELLABLE:
            raise BadRequest(f"This run has ended: it is {found.status}. Nothing was cancelled.")
        audit.record(actor, "cancel-run", run.sync.project_id, run=run.pk, status=found.status, sync=run.sync_id)
        found.cancelled_by = actor.name
        found.save(update_fields=["cancelled_by"])
        if found.status != Status.RUNNING:
            end_cancelled(found)
    return SyncRun.objects.select_related("sync__project").get(pk=run.pk)


def is_cancelled(run: SyncRun) -> bool:
    """As of now. Sets `run.cancelled_by`."""
    found = SyncRun.objects.filter(pk=run.pk).values_list("cancelled_by", flat=True).first()
    run.cancelled_by = found or ""
    return bool(found)


def end_cancelled(run: SyncRun) -> None:
    """End a run of which `cancelled_by` is set: failed if it has sent writes, else superseded. In a transaction."""
    rows = RunChange.objects.filter(run=run)
    skipped = rows.filter(outcome="").update(outcome="skipped", reason=f"cancelled by {run.cancelled_by}"[:1024])
    written = rows.filter(outcome="applied").count()
    status = Status.FAILED if rows.filter(outcome__in=SENT).exists() else Status.SUPERSEDED
    message = f"Cancelled by {run.cancelled_by}, before it wrote anything."
    if status == Status.FAILED:
        keys = "key was" if written == 1 else "keys were"
        message = f"Cancelled by {run.cancelled_by}: {written} {keys} written, {skipped} skipped."
    SyncRun.objects.filter(pk=run.pk).update(
        status=status, message=message[:1024], ended_at=timezone.now(), due_at=None, options=run.options
    )
    if run.operation == "sync":
        # Its changes count as carried: only the next change runs the sync again.
        wanted = SecretSync.objects.filter(pk=run.sync_id).values_list("wanted_rev", flat=True).first() or 0
        carried = run.source_rev or wanted
        SecretSync.objects.filter(pk=run.sync_id, done_rev__lt=carried).update(done_rev=carried)
    if status == Status.FAILED:
        show_outcome(run.sync_id, run.operation, status, message)
    else:
        keep_last_outcome(run.sync_id, run.operation)
