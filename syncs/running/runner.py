"""Executes a run: lease, read, list, plan, guard, claim, write, delete, record. See "A run" in the docs.

Expected failures never leave `execute`. Whatever kills the process, the ledger's claims and the run's own row say where
to resume: a run whose lease has expired is due again by itself (`SyncRun.due_at`).
"""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from config.encryption import Undecryptable
from config.errors import ServiceError
from syncs.models import ManagedSecret, SecretSync, Status, SyncRun
from syncs.planning.opening import destination_class
from syncs.running import leases, preconditions
from syncs.running.attempt import Attempt
from syncs.running.completion import OPEN
from syncs.running.ledger import LeaseLost
from syncs.services.leaving import move_to_location, removals_after
from syncs.services.sync_checks import location_of
from syncs.source.selectors import syncs

log = logging.getLogger(__name__)


def execute(run_id: UUID) -> None:
    """Execute a run, or as much of it as is possible now; the rest is due again in the database."""
    run = SyncRun.objects.filter(pk=run_id, status__in=OPEN).first()
    if run is None:
        return
    sync = syncs().filter(pk=run.sync_id).first()
    if sync is None:
        return
    _follow_address(sync)
    if not run.cancelled_by and (wait := preconditions.must_wait(run, sync)):
        _postpone(run, *wait)
        return
    locations = _locations(run, sync)
    for location in locations:
        lease = leases.acquire(location)
        if lease is None:
            _postpone(run, preconditions.BUSY_WAIT)
            return
        try:
            Attempt(run, sync, lease, last=location == locations[-1]).execute()
        except LeaseLost:
            log.warning("run %s lost its lease and stopped; it resumes by itself", run.pk)
            return
        finally:
            lease.release()
        if not SyncRun.objects.filter(pk=run.pk, status=Status.RUNNING).exists():
            break
    if run.operation == "sync":
        removals_after(sync)


def _follow_address(sync: SecretSync) -> None:
    """The operator may have changed the vendor's address since the sync was saved; then its location is another."""
    try:
        location = location_of(destination_class(sync.destination), sync.connection, sync.destination_config)
    except (Undecryptable, ServiceError):
        return  # the run reports it
    if location != sync.location:
        former, sync.location, sync.confirmed_deletes = sync.location, location, {}
        with transaction.atomic():
            SecretSync.objects.filter(pk=sync.pk).update(
                location=location, confirmed_deletes={}, generation=F("generation") + 1
            )
            move_to_location(sync, former=former)


def _locations(run: SyncRun, sync: SecretSync) -> list[str]:
    """The sync's location; for a removal also every other location where the sync still owns a key."""
    if run.options.leaving:
        return [run.options.leaving]
    if run.operation != "remove":
        return [sync.location]
    owned = ManagedSecret.objects.filter(sync=sync).order_by("location").values_list("location", flat=True).distinct()
    return [*owned.exclude(location=sync.location), sync.location]


def _postpone(run: SyncRun, seconds: float, message: str = "") -> None:
    changes = {"message": message[:1024]} if message else {}
    due = timezone.now() + timedelta(seconds=seconds)
    SyncRun.objects.filter(pk=run.pk, status__in=OPEN).update(due_at=due, queued_at=None, **changes)
