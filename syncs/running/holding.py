"""A run that waits for a person: the sync's one held run is refreshed in place, or this run becomes it."""

from __future__ import annotations

from dataclasses import replace

from django.db import transaction

from config.access import audit
from config.access.roles import PLATFORM
from syncs.engine.plan import Plan
from syncs.engine.types import Action
from syncs.models import NoticeState, RunOptions, Status, SyncRun
from syncs.notifications.outbox import run_ended
from syncs.running.completion import Completion
from syncs.services.approvals import refresh


def hold(completion: Completion, plan: Plan) -> None:
    """Nothing is written by this run, or nothing more."""
    run, sync = completion.run, completion.sync
    with transaction.atomic():
        open_hold = SyncRun.objects.select_for_update().filter(sync=sync, status=Status.HELD).first()
        held = open_hold or run
        held.source_rev, held.generation = run.source_rev, run.generation
        held.options = replace(held.options, wrote=run.options.wrote)
        message = refresh(held, plan)
        if open_hold:
            completion.end(Status.SUPERSEDED, f"Held; see run {held.pk}.")
        else:
            deletes = sum(change.action is Action.DELETE for change in plan.changes)
            event = {"run": held.pk, "sync": sync.pk, "name": sync.name, "deletes": deletes}
            audit.record(PLATFORM, "hold-run", sync.project_id, **event)
        completion.sync_ends(Status.FAILED, message)
        run_ended(held, sync, NoticeState.HELD, message)


def hold_deletes(completion: Completion, plan: Plan) -> None:
    """The creates and updates of a run went ahead; once it has ended, its deletes wait for approval."""
    run, sync = completion.run, completion.sync
    if not SyncRun.objects.filter(pk=run.pk, status__in=(Status.SUCCEEDED, Status.FAILED)).exists():
        return
    held = SyncRun(
        sync=sync,
        operation="sync",
        trigger=run.trigger,
        actor_kind=run.actor_kind,
        actor_id=run.actor_id,
        actor_name=run.actor_name,
        options=RunOptions(wrote=True),
        reason=run.reason,
        location=completion.location,
        source_rev=run.source_rev,
        generation=run.generation,
        started_at=run.started_at,
        attempts=1,
    )
    hold(Completion(held, sync, completion.location), replace(plan, changes=plan.guarded))
