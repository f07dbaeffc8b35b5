"""Runs on request: a sync, a removal, an import, undoing another run."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from config.access import audit
from config.access.models import Instance
from config.access.roles import Actor, Right
from config.errors import BadRequest, NotFound
from connections.models import AppConnection
from connections.refusals import lift_wait
from syncs.destination.base import Destination, describe_target
from syncs.models import RunOptions, RunReason, SecretSync, Status, SyncRun, cause_of
from syncs.planning.conflicts import refuse_conflicts
from syncs.planning.opening import destination_class, import_behavior
from syncs.planning.preview import preview
from syncs.planning.undo import require_undoable
from syncs.source.selectors import syncs

from .pauses import UNDO, end_removal_pause, pause_for_removal, set_paused, stop_waiting
from .propagation import enqueue

BUSY = "A job for this sync is already in progress. Please try again shortly."
NO_FOLDER = "Invalid source configuration: folder no longer exists. Please configure a valid source and try again."


def audited(sync: SecretSync) -> dict[str, Any]:
    """A sync as the audit log names it."""
    return {"sync": sync.pk, "name": sync.name, "destination": sync.destination}


def sync_changes(stored: SecretSync, changed: SecretSync) -> dict[str, Any]:
    """What a change of a sync changes, for the audit log: a new target also as people read it."""
    changes = audit.changes_since(audit.state_of(stored), changed)
    before, after = (describe_target(each.destination, each.destination_config) for each in (stored, changed))
    return {"target": [before, after], **changes} if before != after else changes


def trigger(
    actor: Actor,
    sync: SecretSync,
    operation: str,
    *,
    options: RunOptions | None = None,
    approved: bool = False,
    cause: str = "",
) -> SyncRun:
    """Queue a manual run. Neither auto-sync being off nor the policy's pause prevents it; a run under way does.

    A removal pauses the sync; a sync ends that pause, and no other. `approved`: the run is for deletes that were
    approved, and on a paused sync for nothing else. `cause`: the kind of its cause, if it is no plain request.
    """
    actor.require(Right.REMOVE_SECRETS if operation == "remove" else Right.RUN_SYNCS, sync.project_id)
    if operation in ("sync", "import") and sync.folder is None:
        raise BadRequest(NO_FOLDER)
    refuse_paused(sync)
    if operation == "sync":
        refuse_conflicts(sync)
    now = timezone.now()
    run = SyncRun(
        sync=sync,
        operation=operation,
        trigger="approval" if approved else "manual",
        actor_kind=actor.kind,
        actor_id=str(actor.id or ""),
        actor_name=actor.name,
        options=options or RunOptions(),
        due_at=now,
    )
    with transaction.atomic():
        audit.record(
            actor, f"{operation}-secret-sync", sync.project_id, run=run.pk, **run.options.as_json(), **audited(sync)
        )
        if not SecretSync.objects.select_for_update().filter(pk=sync.pk).exists():
            raise NotFound(f'Could not find Secret Sync with ID "{sync.pk}"')
        if SyncRun.objects.filter(sync=sync, status=Status.RUNNING).exists():
            raise BadRequest(BUSY)
        if operation == "remove":
            pause_for_removal(actor, sync)
        elif operation == "sync" and not approved:
            end_removal_pause(sync)
        waiting = SyncRun.objects.filter(sync=sync, status=Status.PENDING, operation=operation)
        run.reason = _reason(actor, run.options, cause or ("approved" if approved else "requested"), waiting)
        waiting.update(status=Status.SUPERSEDED, ended_at=now, due_at=None, message="Superseded by a manual run.")
        run.save(force_insert=True)
        lift_wait(sync.connection.pk)
        column = "sync" if operation == "undo" else operation
        SecretSync.objects.filter(pk=sync.pk).update(
            **{f"{column}_status": Status.PENDING, f"last_{column}_job_id": str(run.pk)}
        )
        transaction.on_commit(lambda: enqueue(run.pk))
    return run


def _reason(actor: Actor, options: RunOptions, cause: str, waiting: QuerySet[SyncRun]) -> RunReason:
    """With the reasons of the waiting runs that the new one replaces."""
    kind = "undo" if options.undo else cause
    found = RunReason().plus([cause_of(kind, actor, run=options.undo)])
    for reason in waiting.values_list("reason", flat=True):
        found = found.plus(reason.causes)
    return found


def undo(actor: Actor, run: SyncRun, digest: str = "") -> SyncRun:
    """Queue a run that undoes a finished one, and pause the sync: its source differs from the restored state.

    Raises BadRequest if the plan is not the one of `digest`, or would change nothing.
    """
    actor.require(Right.RUN_SYNCS, run.sync.project_id)
    require_undoable(run)
    sync = syncs().get(pk=run.sync_id)
    plan = preview(sync, undone=run)
    if digest and digest != plan.digest:
        raise BadRequest("Nothing was undone: the plan has changed since it was shown. Look at it again.")
    if not any(change.write or change.effects for change in plan.changes):
        raise BadRequest(
            "There is nothing to undo: every key was written or changed since, or its former value is unknown."
        )
    with transaction.atomic():
        undoing = trigger(actor, sync, "undo", options=RunOptions(undo=str(run.pk), digest=plan.digest))
        set_paused(sync.policy, actor, paused=True, cause=UNDO)
        SecretSync.objects.filter(pk=sync.pk).update(generation=F("generation") + 1)
        stop_waiting(sync)
    return undoing


def refuse_paused(sync: SecretSync) -> None:
    """Raises BadRequest that names the pause, its author and time."""
    instance = Instance.objects.filter(paused_at__isnull=False).first()
    if instance and instance.paused_at:
        raise BadRequest(f"All syncs were paused by {instance.paused_by} on {instance.paused_at:%Y-%m-%d %H:%M} UTC")
    connection = AppConnection.objects.get(pk=sync.connection.pk)
    if connection.paused_at:
        when = f"{connection.paused_at:%Y-%m-%d %H:%M} UTC"
        raise BadRequest(f"The connection {connection.name} was paused by {connection.paused_by} on {when}")


def remove_secrets(actor: Actor, sync: SecretSync, *, purge: bool = False, delete_sync: bool = False) -> SyncRun:
    """Queue a run that removes the sync's keys, and pause the sync; with `purge` also from the vendor's history.

    Raises BadRequest if the vendor keeps none.
    """
    found = destination_class(sync.destination)
    if purge and not found.capabilities.keeps_versions:
        raise BadRequest(f"{found.label} keeps no old values that could be purged.")
    return trigger(actor, sync, "remove", options=RunOptions(purge=purge, delete_sync=delete_sync))


def import_secrets(actor: Actor, sync: SecretSync, behavior: str = "") -> SyncRun:
    """Queue a run that copies the destination's secrets into the sync's folder.

    `behavior` is one of IMPORT_PRIORITIES, or "": as for the first run. Raises BadRequest if values cannot be read.
    """
    require_import(destination_class(sync.destination))
    actor.require(Right.WRITE_SECRETS, sync.project_id)
    behavior = behavior or import_behavior(sync) or "prioritize-source"
    return trigger(actor, sync, "import", options=RunOptions(import_behavior=behavior))


def require_import(found: type[Destination]) -> None:
    """Raises BadRequest if the destination's values cannot be read."""
    if not found.capabilities.can_import:
        raise BadRequest(f"{found.label} does not support importing secrets.")
