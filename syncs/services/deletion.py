"""Deleting a sync, and the keys that a sync leaves at a former location."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone

from config.access import audit
from config.access.roles import PLATFORM, Actor, Right
from config.errors import BadRequest, NotFound
from syncs.destination.base import describe_target
from syncs.engine.plan import State
from syncs.engine.types import Action
from syncs.models import (
    DriftCheck,
    FormerLocation,
    InitialSet,
    ManagedSecret,
    Notice,
    OwedAction,
    RunChange,
    SecretSync,
    Status,
    SyncDraft,
    SyncPolicy,
    SyncRun,
    cause_of,
)
from syncs.source.selectors import syncs

from .propagation import want
from .triggers import BUSY, audited, remove_secrets
from .waiting import waiting_for

DELETED = "The sync was deleted."


def leave_former_locations(sync: SecretSync, actor: Actor = PLATFORM) -> None:
    """Keys at a former location of the sync stay there, listed by a run of their own, unless they are to be removed.

    The sync no longer owns them, and syncs that waited for them are woken.
    """
    removing = FormerLocation.objects.filter(sync=sync).values("location")
    rows = ManagedSecret.objects.filter(sync=sync).exclude(location=sync.location).exclude(location__in=removing)
    for left in _by_location(rows):
        _record_left(actor, sync, left, "sync", "change", "The sync has another target now.")
    _release(sync, rows, left_by=sync)
    owed = OwedAction.objects.filter(sync=sync).exclude(location=sync.location)
    owed.exclude(location__in=removing).delete()


def delete_sync(actor: Actor, sync: SecretSync, *, with_secrets: bool = False, purge: bool = False) -> SecretSync:
    """Delete a sync. Without its secrets, every key stays at the destination, and a run lists them; with them, the sync
    is deleted once its keys are. The history of its runs stays for the usual time."""
    actor.require(Right.EDIT_SYNCS, sync.project_id)
    if purge and not with_secrets:
        raise BadRequest("purgeVersions goes with removeSecrets: what stays at the destination keeps its history.")
    if with_secrets:
        remove_secrets(actor, sync, purge=purge, delete_sync=True)
        return syncs().get(pk=sync.pk)
    with transaction.atomic():
        if not SecretSync.objects.select_for_update().filter(pk=sync.pk).exists():
            raise NotFound(f'Could not find Secret Sync with ID "{sync.pk}"')
        if SyncRun.objects.filter(sync=sync, status=Status.RUNNING).exists():
            raise BadRequest(BUSY)
        locations = _by_location(ManagedSecret.objects.filter(sync=sync))
        keys = [key for left in locations for key, _ in left.keys]
        audit.record(actor, "delete-secret-sync", sync.project_id, left=len(keys), keys=keys[:100], **audited(sync))
        for left in locations or [_Left(sync.location, describe_target(sync.destination, sync.destination_config))]:
            _record_left(actor, sync, left, "remove", "manual", DELETED)
        forget_sync(sync)
    return sync


def forget_sync(sync: SecretSync) -> None:
    """Delete everything of a sync but the history of its runs; the keys it owns stay, known as left on purpose."""
    now = timezone.now()
    with transaction.atomic():
        _release(sync, ManagedSecret.objects.filter(sync=sync))
        ManagedSecret.objects.filter(left_by=sync).update(left_by=None)
        waiting = SyncRun.objects.filter(sync=sync, status__in=(Status.PENDING, Status.RUNNING, Status.HELD))
        waiting.update(status=Status.SUPERSEDED, due_at=None, ended_at=now, message=DELETED)
        for kind in (SyncPolicy, DriftCheck, FormerLocation, InitialSet, OwedAction, Notice, SyncDraft):
            kind._default_manager.filter(sync=sync).delete()
        SecretSync.objects.filter(pk=sync.pk).update(
            deleted_at=now, connection=None, folder=None, generation=F("generation") + 1
        )


def forget_deleted() -> None:
    """Remove deleted syncs without runs."""
    runs = SyncRun.objects.filter(sync=OuterRef("pk"))
    SecretSync.with_deleted.filter(~Exists(runs), deleted_at__isnull=False).delete()


@dataclass
class _Left:
    """Keys that stay at a location, with their normalized keys. `target` describes it to people."""

    location: str
    target: str
    keys: list[tuple[str, str]] = field(default_factory=list)


def _by_location(rows: QuerySet[ManagedSecret]) -> list[_Left]:
    found: dict[str, _Left] = {}
    present = rows.exclude(state=State.MISSING).order_by("normalized_key")
    columns = present.values_list("location", "destination", "destination_config", "key", "normalized_key")
    for location, destination, config, key, normalized_key in columns:
        found.setdefault(location, _Left(location, describe_target(destination, config))).keys.append(
            (key, normalized_key)
        )
    return list(found.values())


def _record_left(actor: Actor, sync: SecretSync, left: _Left, operation: str, trigger: str, why: str) -> None:
    """A run that kept every key, as a list of them."""
    now = timezone.now()
    changes = [
        RunChange(
            key=key,
            normalized_key=normalized_key,
            action=Action.KEEP,
            outcome="kept",
            reason=f"left at {left.target}",
            ended_at=now,
        )
        for key, normalized_key in left.keys
    ]
    if not changes:
        summary = f"It owned no key at {left.target}."
    elif len(changes) == 1:
        summary = f"1 key stays at {left.target}; no sync owns it any more."
    else:
        summary = f"{len(changes)} keys stay at {left.target}; no sync owns them any more."
    run = SyncRun.objects.create(
        sync=sync,
        operation=operation,
        trigger=trigger,
        actor_kind=actor.kind,
        actor_id=str(actor.id or ""),
        actor_name=actor.name,
        status=Status.SUCCEEDED,
        location=left.location,
        message=f"{why} {summary}"[:1024],
        counts={Action.KEEP.value: len(changes)},
        started_at=now,
        ended_at=now,
    )
    for change in changes:
        change.run = run
    RunChange.objects.bulk_create(changes, batch_size=500)


def _release(sync: SecretSync, rows: QuerySet[ManagedSecret], left_by: SecretSync | None = None) -> None:
    freed = list(rows.values_list("location", "normalized_key"))
    if freed:
        rows.update(sync=None, left_by=left_by)
        waiting = waiting_for({location for location, _ in freed}, {key for _, key in freed})
        others = SecretSync.objects.filter(pk__in=waiting).exclude(pk=sync.pk)
        want(PLATFORM, others, causes=[cause_of("released", names=[sync.name])])
