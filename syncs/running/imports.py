"""Stores the secrets of an import plan: one transaction, recorded key by key."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from config.access.models import Identity, User
from config.access.roles import PLATFORM, Actor, Right, actor_of_identity, actor_of_user
from syncs.destination.base import Destination
from syncs.engine.plan import Plan
from syncs.engine.types import Action, Remote
from syncs.models import Folder, SecretSync, SyncRun
from syncs.planning.imports import import_for
from syncs.planning.records import planned_row, record_changes
from syncs.services.folders import lock_folders
from syncs.services.secrets import set_secrets
from syncs.source.validation import SecretInput


def import_secrets(run: SyncRun, sync: SecretSync, destination: Destination, listing: Sequence[Remote]) -> Plan:
    """Import as the run's actor, and record the outcome of each key. Raises ServiceError for missing rights."""
    folder = sync.folder
    assert folder is not None
    actor = acting(run, sync)
    with transaction.atomic():
        lock_folders([folder])
        plan = import_for(sync, destination, listing, run.options.import_behavior)
        _store(actor, folder, plan)
        now = timezone.now()
        rows = []
        for change in plan.changes:
            if change.action is Action.UNCHANGED:
                continue
            row = planned_row(run, change)
            row.outcome = {Action.BLOCKED: "blocked", Action.KEEP: "kept"}.get(change.action, "applied")
            row.ended_at = now if change.desired else None
            rows.append(row)
        run.changes.all().delete()
        record_changes(run, rows)
        run.unchanged = [change.key for change in plan.changes if change.action is Action.UNCHANGED]
        run.counts = plan.counts
        run.save(update_fields=["unchanged", "counts"])
    return plan


def _store(actor: Actor, folder: Folder, plan: Plan) -> None:
    inputs = [
        SecretInput(
            change.desired.source_key,
            change.desired.value,
            change.desired.comment if change.action is Action.CREATE and change.desired.comment else None,
            exact=True,
        )
        for change in plan.changes
        if change.desired
    ]
    actor.require(Right.WRITE_SECRETS, folder.environment.project_id)
    if inputs:
        set_secrets(actor, folder, inputs, resolved=False)


def acting(run: SyncRun, sync: SecretSync) -> Actor:
    """Who requested the run, else the sync's owner."""
    if run.trigger == "manual" and run.actor_kind == "platform":
        return PLATFORM
    user, identity = sync.owner_user, sync.owner_identity
    if run.trigger == "manual":
        user = User.objects.filter(pk=run.actor_id).first() if run.actor_kind == "user" else None
        identity = Identity.objects.filter(pk=run.actor_id).first() if run.actor_kind == "identity" else None
    if user is not None:
        return actor_of_user(user)
    if identity is not None:
        return actor_of_identity(identity)
    return Actor("user", None, run.actor_name)
