"""What a sync leaves behind: keys at a place that it writes to no more, and its history when it is deleted."""

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
    InitialSet,
    ManagedSecret,
    Notice,
    RunChange,
    SecretSync,
    Status,
    SyncDraft,
    SyncPolicy,
    SyncRun,
)
from syncs.source.selectors import syncs

from .propagation import want
from .triggers import BUSY, audited, remove_secrets

DELETED = "The sync was deleted."


def leave_elsewhere(sync: SecretSync, actor: Actor = PLATFORM) -> None:
    """Keys at a place that the sync has left stay there, and a run of their own lists them.

    The sync's claim on them ends, and who waited for them is woken.
    """
    rows = ManagedSecret.objects.filter(sync=sync).exclude(location=sync.location)
    for left in _by_location(rows):
        _tell_left(actor, sync, left, "sync", "change", "The sync writes elsewhere now.")
    _let_go(sync, rows)


def delete_sync(actor: Actor, sync: SecretSync, *, with_secrets: bool = False, purge: bool = False) -> SecretSync:
    """Without its secrets the destination keeps everything, and a run lists it; with them, the sync goes when its keys
    are gone. The history of its runs stays as long as any."""
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
            _tell_left(actor, sync, left, "remove", "manual", DELETED)
        forget_sync(sync)
    return sync


def forget_sync(sync: SecretSync) -> None:
    """The sync is gone but for the history of its runs; the keys it owns stay, known as left on purpose."""
    now = timezone.now()
    with transaction.atomic():
        _let_go(sync, ManagedSecret.objects.filter(sync=sync))
        waiting = SyncRun.objects.filter(sync=sync, status__in=(Status.PENDING, Status.RUNNING, Status.HELD))
        waiting.update(status=Status.SUPERSEDED, due_at=None, ended_at=now, message=DELETED)
        for kind in (SyncPolicy, DriftCheck, InitialSet, Notice, SyncDraft):
            kind._default_manager.filter(sync=sync).delete()
        SecretSync.objects.filter(pk=sync.pk).update(
            deleted_at=now, connection=None, folder=None, generation=F("generation") + 1
        )


def forget_deleted() -> None:
    """Deleted syncs of which no run is remembered any more."""
    remembered = SyncRun.objects.filter(sync=OuterRef("pk"))
    SecretSync.with_deleted.filter(~Exists(remembered), deleted_at__isnull=False).delete()


@dataclass
class _Left:
    """What stays at a place: keys with their canonical names."""

    location: str
    words: str
    keys: list[tuple[str, str]] = field(default_factory=list)


def _by_location(rows: QuerySet[ManagedSecret]) -> list[_Left]:
    found: dict[str, _Left] = {}
    there = rows.exclude(state=State.MISSING).order_by("normalized_key")
    named = there.values_list("location", "destination", "destination_config", "key", "normalized_key")
    for location, destination, config, key, normalized_key in named:
        found.setdefault(location, _Left(location, describe_target(destination, config))).keys.append(
            (key, normalized_key)
        )
    return list(found.values())


def _tell_left(actor: Actor, sync: SecretSync, left: _Left, operation: str, trigger: str, why: str) -> None:
    """A run that kept everything, as a list of what stays."""
    now = timezone.now()
    changes = [
        RunChange(
            key=key,
            normalized_key=normalized_key,
            action=Action.KEEP,
            outcome="kept",
            reason=f"left at {left.words}",
            ended_at=now,
        )
        for key, normalized_key in left.keys
    ]
    if not changes:
        stays = f"It owned no key at {left.words}."
    elif len(changes) == 1:
        stays = f"1 key stays at {left.words}; no sync owns it any more."
    else:
        stays = f"{len(changes)} keys stay at {left.words}; no sync owns them any more."
    run = SyncRun.objects.create(
        sync=sync,
        operation=operation,
        trigger=trigger,
        actor_kind=actor.kind,
        actor_id=str(actor.id or ""),
        actor_name=actor.name,
        status=Status.SUCCEEDED,
        location=left.location,
        message=f"{why} {stays}"[:1024],
        counts={Action.KEEP.value: len(changes)},
        started_at=now,
        ended_at=now,
    )
    for change in changes:
        change.run = run
    RunChange.objects.bulk_create(changes, batch_size=500)


def _let_go(sync: SecretSync, rows: QuerySet[ManagedSecret]) -> None:
    locations = set(rows.values_list("location", flat=True))
    if locations:
        rows.update(sync=None)
        blocked = SecretSync.objects.filter(location__in=locations, sync_status=Status.FAILED).exclude(pk=sync.pk)
        want(PLATFORM, blocked)
