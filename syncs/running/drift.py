"""Drift checks: list a destination without writing to it, on demand and as often as a sync's policy says."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from typing_extensions import TypedDict

from config.access.roles import PLATFORM
from config.conventions import timestamp
from config.errors import BadRequest
from config.responses import Time, one_of
from connections.refusals import may_try
from syncs.engine.plan import Plan
from syncs.models import DriftCheck, ManagedSecret, RunChange, SecretSync, SyncRun, cause_of
from syncs.notifications.outbox import drift_checked
from syncs.planning.preview import DriftChange, drift_of, drift_status, preview
from syncs.services.propagation import want
from syncs.source.selectors import syncs

QUEUED_FOR = timedelta(minutes=10)
"""After this a check that was queued and never ended is queued again."""


def check(sync: SecretSync) -> DriftCheck:
    """Compare with the destination now and store the result. Raises BadRequest if it cannot be listed."""
    began, location = timezone.now(), sync.location
    try:
        plan = preview(sync)
    except BadRequest as error:
        _store(sync, status="unknown", complete=False, message=str(error)[:1024], changes=[])
        raise
    # Keys that a run wrote since then may have been listed before: that is no drift.
    just_written = set(ManagedSecret.objects.filter(sync=sync, written_at__gte=began).values_list("key", flat=True))
    changes = [one for one in drift_of(plan) if one["key"] not in just_written]
    status = drift_status(changes)
    with transaction.atomic():
        if not SecretSync.objects.select_for_update().filter(pk=sync.pk, location=location).exists():
            raise BadRequest("The sync has another target now: check again.")
        stored = _store(sync, status=status, complete=plan.complete, message="", changes=changes)
        if status != "unknown":
            drift_checked(sync, [one for one in changes if one["state"] in ("changed", "missing")])
    if not sync.policy.paused and (free := _free_now(sync, plan)):
        want(PLATFORM, [sync], "schedule", causes=[cause_of("drift", names=free)])
    elif status == "drifted" and sync.policy.heal and not sync.policy.paused:
        want(PLATFORM, [sync], "schedule", causes=[cause_of("drift", names=[one["key"] for one in changes])])
    return stored


def _free_now(sync: SecretSync, plan: Plan) -> list[str]:
    """Keys that blocked the last run, and would not block one now."""
    last = SyncRun.objects.filter(sync=sync, operation="sync", ended_at__isnull=False).order_by("-created_at").first()
    blocked = set(RunChange.objects.filter(run=last, outcome="blocked").values_list("normalized_key", flat=True))
    writes = (change for change in plan.writes if change.normalized_key in blocked)
    return [change.key for change in writes]


def _store(sync: SecretSync, **result: Any) -> DriftCheck:
    values = {**result, "checked_at": timezone.now(), "queued_at": None}
    stored, _ = DriftCheck.objects.update_or_create(sync=sync, defaults=values)
    return stored


def corrected(run: SyncRun, sync: SecretSync, plan: Plan) -> None:
    """What remains of the last check's drift when a run has ended: call it in the transaction that ends the run.

    The plan of the run is the newer look at the destination, and what it wrote is as the sync leaves it.
    """
    check = DriftCheck.objects.select_for_update().filter(sync=sync).first()
    if check is None or not check.changes or run.location != sync.location:
        return
    written = set(RunChange.objects.filter(run=run, outcome="applied").values_list("key", flat=True))
    if run.operation == "sync":
        changes = [one for one in drift_of(plan) if one["key"] not in written]
    else:
        changes = [one for one in check.changes if one["key"] not in written]
    check.changes, check.status = changes, drift_status(changes)
    check.save(update_fields=["changes", "status"])


def check_by_id(sync_id: UUID) -> None:
    """A scheduled check; a vendor that does not respond is part of the result."""
    sync = syncs().filter(pk=sync_id, folder__isnull=False).first()
    if sync is None:
        return
    if not may_try(sync.connection):
        return  # its runs report the refused login
    try:
        check(sync)
    except BadRequest:
        return


def queue_due() -> int:
    """Queue a check for every sync whose policy demands one by now, spread over a minute by the sync's id."""
    from django_q.tasks import async_task

    now = timezone.now()
    checked = (
        syncs()
        .select_related("drift")
        .filter(policy__drift_check_minutes__gt=0, policy__paused=False, folder__isnull=False)
    )
    queued = 0
    for sync in checked:
        last: DriftCheck | None = getattr(sync, "drift", None)
        every = timedelta(minutes=sync.policy.drift_check_minutes, seconds=sync.pk.int % 60)
        if last and last.checked_at and last.checked_at + every > now:
            continue
        if last and last.queued_at and last.queued_at + QUEUED_FOR > now:
            continue
        DriftCheck.objects.update_or_create(sync=sync, defaults={"queued_at": now})
        async_task("syncs.tasks.check_drift", str(sync.pk), task_name=f"drift {sync.pk}")
        queued += 1
    return queued


class DriftJson(TypedDict):
    status: Annotated[str, one_of(["none", "drifted", "unknown"])]
    complete: bool
    checkedAt: Time | None
    changes: list[DriftChange]


def drift_as_json(sync: SecretSync) -> DriftJson:
    """The `drift` object of the API."""
    last = DriftCheck.objects.filter(sync=sync).first() or DriftCheck(sync=sync)
    return {
        "status": last.status,
        "complete": last.complete,
        "checkedAt": timestamp(last.checked_at),
        "changes": last.changes,
    }
