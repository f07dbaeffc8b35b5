"""The location that a sync leaves when it gets another target: its keys stay there, or are removed after the move."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from config.access.roles import PLATFORM, Actor
from syncs.engine.plan import State
from syncs.models import (
    Cause,
    DriftCheck,
    FormerLocation,
    InitialSet,
    ManagedSecret,
    RunOptions,
    RunReason,
    SecretSync,
    Status,
    SyncRun,
)
from syncs.planning.preview import KEEP, REMOVE

from .deletion import leave_former_locations
from .propagation import enqueue

NEXT = timedelta(minutes=15)
"""Until the next run at a former location, if none ends at the present one before."""

RETURNED = "The sync writes to this location again."


def move_to_location(sync: SecretSync, actor: Actor = PLATFORM, *, former: str = "", choice: str = KEEP) -> None:
    """After `location` was stored: what happens to the keys at `former`, and to those that the sync has here.

    What the next run does is a first run. Nothing happens if the location is not another one. Call it in the
    transaction that stores it, with `confirmed_deletes`.
    """
    if sync.confirmed_deletes is not None:
        InitialSet.objects.filter(sync=sync, location=sync.location).delete()
        DriftCheck.objects.filter(sync=sync).delete()
    _return_to(sync)
    owned = ManagedSecret.objects.filter(sync=sync, location=former).exclude(state=State.MISSING)
    if choice == REMOVE and former != sync.location and owned.exists():
        author = {"actor_kind": actor.kind, "actor_id": str(actor.id or ""), "actor_name": actor.name}
        now = timezone.now()
        FormerLocation.objects.update_or_create(
            sync=sync, location=former, defaults={**author, "created_at": now, "due_at": now + NEXT}
        )
    leave_former_locations(sync, actor)


def _return_to(sync: SecretSync) -> None:
    """A removal here is cancelled, and the keys that the sync left here are its own again."""
    if FormerLocation.objects.filter(sync=sync, location=sync.location).delete()[0]:
        _open_runs(sync, sync.location).update(
            status=Status.SUPERSEDED, ended_at=timezone.now(), due_at=None, message=RETURNED
        )
    ManagedSecret.objects.filter(location=sync.location, sync=None, left_by=sync).update(sync=sync, left_by=None)


def _open_runs(sync: SecretSync, location: str) -> QuerySet[SyncRun]:
    open_runs = SyncRun.objects.filter(sync=sync, status__in=(Status.PENDING, Status.RUNNING))
    return open_runs.filter(options__leaving=location)


def removals_after(sync: SecretSync) -> None:
    """A run at the present location has ended: what it brought may be removed at the former ones."""
    former = FormerLocation.objects.filter(sync=sync).exclude(location=sync.location)
    for each in former:
        arrived = ManagedSecret.objects.filter(sync=sync, location=sync.location, state=State.OWNED)
        rows = ManagedSecret.objects.filter(sync=sync, location=each.location)
        if not rows.exists() or rows.filter(secret_id__in=arrived.values("secret_id")).exists():
            _schedule(each)


def removals_due() -> None:
    """Of syncs that may run by themselves; where a run was lost, or a secret left the source instead of arriving."""
    due = FormerLocation.objects.filter(due_at__lte=timezone.now(), sync__policy__paused=False)
    for each in due.select_related("sync"):
        _schedule(each)


def _schedule(former: FormerLocation) -> None:
    """One run at a time; none after a person has cancelled one: then the keys that are left stay."""
    with transaction.atomic():
        locked = FormerLocation.objects.select_for_update().filter(pk=former.pk).first()
        if locked is None or _open_runs(former.sync, former.location).exists():
            return
        runs = SyncRun.objects.filter(sync=former.sync, options__leaving=former.location)
        if runs.filter(created_at__gt=former.created_at).exclude(cancelled_by="").exists():
            former.delete()
            leave_former_locations(former.sync)
            return
        FormerLocation.objects.filter(pk=former.pk).update(due_at=timezone.now() + NEXT)
        run = SyncRun.objects.create(
            sync=former.sync,
            operation="remove",
            trigger="change",
            actor_kind=former.actor_kind,
            actor_id=former.actor_id,
            actor_name=former.actor_name,
            location=former.location,
            options=RunOptions(leaving=former.location),
            reason=RunReason((Cause("left", by=former.actor_name, by_id=former.actor_id),)),
            due_at=timezone.now(),
        )
        transaction.on_commit(partial(enqueue, run.pk))
