"""Queues the tasks that are due: runs every quarter of a second, a sweep every minute.

The queue is a hint and the database the truth: a run whose task was lost, or whose worker died, is queued again.
"""

from __future__ import annotations

import logging
import threading
from datetime import timedelta

from django.conf import settings
from django.db import OperationalError, connection
from django.db.models import F, Q
from django.utils import timezone

from config.access.roles import PLATFORM
from config.access.tokens import forget_ended
from config.api.throttling import forget_old
from syncs.models import SecretSync, Status, SyncRun, cause_of
from syncs.notifications import outbox
from syncs.running.drift import queue_due
from syncs.services.deletion import forget_deleted
from syncs.services.leaving import removals_due
from syncs.services.propagation import enqueue, schedule

log = logging.getLogger(__name__)

TICK = 0.25  # seconds
LOST_AFTER = timedelta(seconds=60)
SWEEP_EVERY = timedelta(minutes=1)
BATCH = 200


def serve(stop: threading.Event) -> None:
    """Until `stop` is set, through short outages of the database."""
    swept = timezone.now() - SWEEP_EVERY
    while not stop.wait(TICK):
        try:
            dispatch()
            if timezone.now() - swept > SWEEP_EVERY:
                swept = timezone.now()
                sweep()
        except OperationalError as error:
            log.warning("the database is unavailable: %s", type(error).__name__)
            connection.close()


def dispatch() -> int:
    """Queue every run and message that is due and was not queued, or so long ago that its task must be lost."""
    now = timezone.now()
    open_runs = SyncRun.objects.filter(status__in=(Status.PENDING, Status.RUNNING), due_at__lte=now)
    lost = Q(queued_at__lt=now - LOST_AFTER) | Q(status=Status.RUNNING, queued_at__lt=F("due_at"))
    SyncRun.objects.filter(pk__in=open_runs.filter(lost).values("pk")).update(queued_at=None)
    due = list(open_runs.filter(queued_at__isnull=True).order_by("due_at").values_list("pk", flat=True)[:BATCH])
    for run_id in due:
        enqueue(run_id)
    outbox.queue_due()
    return len(due)


def sweep() -> None:
    """Schedule a run for every change that no run carries; delete rows that are past their retention."""
    behind = SecretSync.objects.filter(
        wanted_rev__gt=F("done_rev"), is_auto_sync_enabled=True, folder__isnull=False, policy__paused=False
    ).exclude(runs__status__in=(Status.PENDING, Status.RUNNING, Status.HELD))
    schedule(PLATFORM, list(behind), "schedule", causes=[cause_of("uncarried")])
    removals_due()
    queue_due()
    SyncRun.objects.filter(ended_at__lt=timezone.now() - timedelta(days=settings.RUN_RETENTION_DAYS)).exclude(
        # A dismissal stays until the source changes, however long that takes.
        status__in=(Status.HELD, Status.DISMISSED),
        sync__deleted_at__isnull=True,
    ).delete()
    forget_deleted()
    forget_ended()
    forget_old()
    outbox.forget_old()
