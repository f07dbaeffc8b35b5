"""The drafts of the wizard that creates a sync step by step, and the sync that a draft becomes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from config.access import audit
from config.access.models import Project
from config.access.roles import Actor, Right, denied
from config.errors import BadRequest, NotFound
from syncs.engine.plan import Plan
from syncs.models import DraftStep, SecretSync, Status, SyncDraft, SyncRun
from syncs.planning.opening import destination_class

from .approvals import approval_options, requires_other_approver
from .syncs import SyncInput, create_sync
from .triggers import trigger

RETENTION = timedelta(days=30)
"""How long an unused draft is kept."""


def may_connect(actor: Actor) -> bool:
    """Whether the actor may save a sync in some project; an instance admin can create a project first."""
    return actor.is_instance_admin or any(actor.may(Right.EDIT_SYNCS, project_id) for project_id in actor.roles)


def start_draft(actor: Actor, destination: str) -> SyncDraft:
    """A new draft of the actor's; expired ones are deleted. Raises BadRequest for an unknown destination."""
    if not may_connect(actor):
        raise denied(Right.EDIT_SYNCS)
    destination_class(destination)
    SyncDraft.objects.filter(updated_at__lt=timezone.now() - RETENTION).delete()
    return SyncDraft.objects.create(user_id=str(actor.id), destination=destination)


def draft_of(actor: Actor, draft_id: UUID) -> SyncDraft:
    """Raises NotFound, also if it is another user's."""
    found = SyncDraft.objects.select_related("sync__project").filter(pk=draft_id, user_id=str(actor.id)).first()
    if found is None or not may_connect(actor):
        raise NotFound("There is no such draft")
    return found


def open_drafts(actor: Actor) -> list[SyncDraft]:
    """The newest five drafts of the actor with at least one complete step and no sync yet."""
    return list(SyncDraft.objects.filter(user_id=str(actor.id), sync=None).exclude(done=[])[:5])


def discard(draft: SyncDraft) -> None:
    """Delete the draft; a connection, project or secret that was created on the way stays."""
    draft.delete()


def keep_step(draft: SyncDraft, step: str, typed: Mapping[str, Any], given: Mapping[str, Any] | None = None) -> None:
    """Store the fields of a step as typed; with `given`, its resulting values, the step is complete."""
    draft.steps = {**draft.steps, step: DraftStep(dict(typed), dict(given or draft.step(step).given))}
    if given is not None and step not in draft.done:
        draft.done = [*draft.done, step]
    draft.save(update_fields=["steps", "done", "updated_at"])


def change_destination(draft: SyncDraft, destination: str) -> None:
    """Another destination; of the steps only the source stays, since the others depend on the destination."""
    if destination_class(destination).slug == draft.destination:
        return
    draft.destination = destination
    draft.steps = {name: step for name, step in draft.steps.items() if name == "source"}
    draft.done = []
    draft.save(update_fields=["destination", "steps", "done", "updated_at"])


def finish(
    actor: Actor,
    draft: SyncDraft,
    project: Project,
    given: SyncInput,
    policy: Mapping[str, Any],
    approved: Plan | None = None,
    *,
    shown: Plan | None = None,
) -> SyncDraft:
    """Store the sync and queue its first run; a second call changes nothing.

    `shown`: the plan that a person has seen; the first run is held if it would delete another key that no sync wrote.
    `approved`: the plan whose deletes a person has confirmed although the guard would hold them. If syncs are paused,
    the sync is stored and `run` stays empty unless auto-sync has queued one.
    """
    with transaction.atomic():
        locked = SyncDraft.objects.select_for_update().get(pk=draft.pk)
        if locked.sync_id:
            return locked
        locked.sync = create_sync(actor, project, draft.destination, given, policy)
        if shown:
            confirmed = approval_options(shown, 0).approved or {}
            SecretSync.objects.filter(pk=locked.sync.pk).update(confirmed_deletes=dict(confirmed))
        run = _first_run(actor, locked.sync)
        # Where another person has to approve, it is held.
        if run and approved and not requires_other_approver(project.pk):
            options = approval_options(approved, locked.sync.generation)
            keys = list(options.approved or ())[:100]
            audit.record(actor, "approve-run", project.pk, run=run.pk, writesOnly=False, keys=keys)
            SyncRun.objects.filter(pk=run.pk).update(trigger="approval", options=options)
        locked.run = run.pk if run else None
        locked.save(update_fields=["sync", "run", "updated_at"])
    return locked


def _first_run(actor: Actor, sync: SecretSync) -> SyncRun | None:
    """The run that auto-sync has queued, or a manual one; None if a pause prevents it."""
    if waiting := SyncRun.objects.filter(sync=sync, status=Status.PENDING).first():
        return waiting
    try:
        return trigger(actor, sync, "sync")
    except BadRequest:
        return None
