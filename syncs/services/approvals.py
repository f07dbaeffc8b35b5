"""Held runs: the deletes that they list are approved or dismissed by a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from config.access import audit
from config.access.roles import Actor, Right
from config.errors import BadRequest
from connections.refusals import lift_wait
from syncs.engine.plan import Approval, Change, Plan
from syncs.engine.types import Action
from syncs.models import RunOptions, SecretSync, Status, SyncRun
from syncs.planning.memory import basis_of_dismissal
from syncs.planning.preview import preview
from syncs.planning.records import planned_row, record_changes
from syncs.source.selectors import syncs

from .propagation import enqueue, want
from .triggers import refuse_paused

MAX_LISTED, LENGTH = 10, 50  # keys that a hold's message names, and characters of each
NOT_HELD = "This run is no longer held"
DECIDE_AT = " Approve or dismiss it at "  # before the URL at the end of a hold's message


def refresh(held: SyncRun, plan: Plan) -> str:
    """Update a held run to the present plan; returns its message. Call it in the transaction that locked the run."""
    url = f"{settings.PUBLIC_URL}/admin/syncs/syncrun/{held.pk}/change/"
    reason = plan.held or "its deletes were not approved"
    written = "Its creates and updates were written." if held.options.wrote else "Nothing was written."
    message = f"Held: {reason}. To be deleted: {_listed(plan)}. {written}{DECIDE_AT}{url}"
    held.message = message[:1024]
    held.status, held.digest, held.counts = Status.HELD, plan.digest, plan.counts
    held.ended_at, held.due_at = timezone.now(), None
    # With object ids: a key that was recreated since is another one.
    held.options = replace(
        held.options,
        shown={change.normalized_key: _object_id(change) for change in _deletes(plan)},
        shown_blocked=blocked_in(plan),
    )
    held.save()
    held.changes.all().delete()
    record_changes(held, [planned_row(held, change) for change in plan.changes if change.write or change.suspended])
    return held.message


def approval_of(options: RunOptions) -> Approval | None:
    """What a person approved of the deletes of a run."""
    if options.approved is None:
        return None
    return Approval(options.approved, frozenset(options.approved_blocked), options.approved_at)


def approval_options(plan: Plan, generation: int) -> RunOptions:
    """Options of a run whose deletes were approved as this plan shows them, for a sync of this generation."""
    return RunOptions(
        approved={change.normalized_key: _object_id(change) for change in _deletes(plan)},
        approved_blocked=blocked_in(plan),
        approved_at=generation,
    )


def blocked_in(plan: Plan) -> tuple[str, ...]:
    """Normalized keys."""
    return tuple(change.normalized_key for change in plan.changes if change.action is Action.BLOCKED)


def _deletes(plan: Plan) -> list[Change]:
    return [change for change in plan.changes if change.action is Action.DELETE or change.suspended]


def _object_id(change: Change) -> str | None:
    return change.remote.object_id if change.remote else None


def _listed(plan: Plan) -> str:
    """The keys to be deleted, few enough that the link after them is not cut off."""
    keys = [change.key for change in _deletes(plan)]
    short = [key if len(key) <= LENGTH else f"{key[: LENGTH - 3]}..." for key in keys[:MAX_LISTED]]
    return ", ".join(short) + (f" and {len(keys) - MAX_LISTED} more" if len(keys) > MAX_LISTED else "")


def approve(actor: Actor, run: SyncRun, *, writes_only: bool = False) -> SyncRun:
    """Approve a held run: with the deletes that it lists, or its writes alone.

    It is planned again first: raises BadRequest, with the held run refreshed, if it would now delete more.
    """
    actor.require(Right.RUN_SYNCS, run.sync.project_id)
    refuse_paused(run.sync)
    if run.status != Status.HELD:
        raise BadRequest(NOT_HELD)
    shown, options = run.options.shown, RunOptions(writes_only=True)
    if not writes_only:
        # The generation from before the plan: a change meanwhile voids the approval.
        generation = SecretSync.objects.values_list("generation", flat=True).get(pk=run.sync_id)
        _require_no_more(run, shown)
        options = RunOptions(approved=dict(shown), approved_blocked=run.options.shown_blocked, approved_at=generation)
    with transaction.atomic():
        audit.record(
            actor, "approve-run", run.sync.project_id, run=run.pk, writesOnly=writes_only, keys=list(shown)[:100]
        )
        updated = SyncRun.objects.filter(pk=run.pk, status=Status.HELD).update(
            status=Status.PENDING,
            trigger="approval",
            # From now on it is a run of its approver, in history and in the audit log.
            actor_kind=actor.kind,
            actor_id=str(actor.id or ""),
            actor_name=actor.name,
            options=options,
            due_at=timezone.now(),
            queued_at=None,
        )
        if not updated:
            raise BadRequest(NOT_HELD)
        SecretSync.objects.filter(pk=run.sync_id).update(sync_status=Status.PENDING)
        lift_wait(run.sync.connection.pk)
        transaction.on_commit(lambda: enqueue(run.pk))
    return SyncRun.objects.get(pk=run.pk)


def _require_no_more(run: SyncRun, shown: Mapping[str, str | None]) -> None:
    sync = syncs().get(pk=run.sync_id)
    plan = preview(sync, run.operation)
    more = [
        change
        for change in _deletes(plan)
        if change.normalized_key not in shown or shown[change.normalized_key] != _object_id(change)
    ]
    if not more:
        return
    with transaction.atomic():
        held = SyncRun.objects.select_for_update().filter(pk=run.pk, status=Status.HELD).first()
        if held is None:
            raise BadRequest(NOT_HELD)
        message = refresh(held, plan)
        SecretSync.objects.filter(pk=sync.pk).update(last_sync_message=message)
    names = ", ".join(change.key for change in more[:10]) + (", ..." if len(more) > 10 else "")
    raise BadRequest(
        f"Nothing was approved: the run would now delete {len(more)} more than it listed ({names}). "
        "It lists them now; look again, and approve or dismiss it."
    )


def dismiss(actor: Actor, run: SyncRun) -> SyncRun:
    """Keep the keys that a held run would delete until their source or the policy changes; other keys are synced."""
    actor.require(Right.RUN_SYNCS, run.sync.project_id)
    with transaction.atomic():
        keys = list(run.changes.values_list("key", flat=True)[:100])
        audit.record(actor, "dismiss-run", run.sync.project_id, run=run.pk, keys=keys)
        message = f"Dismissed by {actor.name}: its keys are kept."
        updated = SyncRun.objects.filter(pk=run.pk, status=Status.HELD).update(
            status=Status.DISMISSED,
            ended_at=timezone.now(),
            message=message,
            options=replace(run.options, stands_on=basis_of_dismissal(run.sync)),
        )
        if not updated:
            raise BadRequest(NOT_HELD)
        # If no run follows by itself, the sync must not still ask for a decision.
        SecretSync.objects.filter(pk=run.sync_id).update(last_sync_message=message)
        want(actor, [run.sync])
    return SyncRun.objects.get(pk=run.pk)
