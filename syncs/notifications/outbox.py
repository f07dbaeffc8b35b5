"""Notifies the targets of a project, once, when a sync's state changes: failed, held, drifted, recovered.

A sync has two such states: how its runs end, and whether its destination has drifted. It has recovered when neither has
a problem any more. The message is a row, written with the change of state; a task sends it, and retries a few times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from syncs.models import Notice, NoticeState, NotificationTarget, SecretSync, Status, SyncRun
from syncs.notifications import sender

WAITS = (10, 60, 300)  # seconds until the second, third and fourth attempt
SENDING = timedelta(minutes=2)  # after this a message whose sender died is sent again
LOST_AFTER = timedelta(seconds=60)
BATCH = 200
RETENTION = timedelta(days=30)
APPROVALS = "/admin/syncs/syncrun/approvals/"
MAX_LISTED = 20  # keys named in a message about drift


def run_ended(run: SyncRun, sync: SecretSync, state: NoticeState, message: str | None) -> None:
    """Call it in the transaction that ends the run. `state`: failed, held, or recovered for a complete run.

    An import sends no message: it changes the source, and whoever requested it waits for the result.
    """
    if run.operation == "import":
        return
    with transaction.atomic():
        reported = _reported(sync)
        if reported is None:
            return
        if state is NoticeState.RECOVERED:
            if run.operation != "sync" and reported.sync_status == Status.FAILED:
                return  # a successful removal or undo does not resolve the sync's failure
            is_news = bool(reported.reported_run or reported.reported_drift)
            reported.reported_run, reported.reported_drift = "", False
        else:
            is_news = reported.reported_run != state
            reported.reported_run = state
        if not is_news:
            return
        reported.save(update_fields=["reported_run", "reported_drift"])
        _notify(sync, state, message or "Every key is up to date.", f"syncs/syncrun/{run.pk}/change/")


def drift_checked(sync: SecretSync, changes: Sequence[Mapping[str, Any]]) -> None:
    """Call it in the transaction that keeps the result of a check. `changes`: the keys that drifted."""
    with transaction.atomic():
        reported = _reported(sync)
        if reported is None or reported.reported_drift == bool(changes):
            return
        reported.reported_drift = bool(changes)
        reported.save(update_fields=["reported_drift"])
        path = f"syncs/secretsync/{sync.pk}/change/"
        if changes:
            names = ", ".join(f"{one['key']} {one['state']}" for one in changes[:MAX_LISTED])
            more = f" and {len(changes) - MAX_LISTED} more" if len(changes) > MAX_LISTED else ""
            keys = "key is" if len(changes) == 1 else "keys are"
            _notify(sync, NoticeState.DRIFTED, f"{len(changes)} {keys} not as the sync left them: {names}{more}.", path)
        elif not reported.reported_run:
            _notify(sync, NoticeState.RECOVERED, "The destination is as the sync left it again.", path)


def _reported(sync: SecretSync) -> SecretSync | None:
    """The states that were last reported, locked: of two concurrent changes the second sees the first."""
    rows = SecretSync.objects.select_for_update(no_key=True).only("reported_run", "reported_drift", "sync_status")
    return rows.filter(pk=sync.pk).first()


def _notify(sync: SecretSync, state: NoticeState, text: str, path: str) -> None:
    title = (
        f"Keyferry: {sync.project.slug}/{sync.name} {'has ' if state is NoticeState.RECOVERED else ''}{_VERBS[state]}"
    )
    link = f"{settings.PUBLIC_URL}/admin/{path}"
    text = text if link in text else f"{text}\n{link}"
    if state is NoticeState.HELD:
        text = f"{text}\nAll held runs: {settings.PUBLIC_URL}{APPROVALS}"
    targets = NotificationTarget.objects.filter(project=sync.project_id, is_enabled=True)
    now = timezone.now()
    notices = Notice.objects.bulk_create(
        Notice(target=target, sync=sync, state=state, title=title, text=text, due_at=now)
        for target in targets
        if state in target.states
    )
    for notice in notices:
        transaction.on_commit(partial(_enqueue, notice.pk))


_VERBS = {
    NoticeState.FAILED: "failed",
    NoticeState.HELD: "is held for approval",
    NoticeState.DRIFTED: "drifted",
    NoticeState.RECOVERED: "recovered",
}


def due() -> QuerySet[Notice]:
    """Messages of one sync reach a target in their order: a later one waits until the one before has ended."""
    before = Notice.objects.filter(
        target=OuterRef("target"), sync=OuterRef("sync"), status="pending", pk__lt=OuterRef("pk")
    )
    return Notice.objects.filter(~Exists(before), status="pending", due_at__lte=timezone.now())


def queue_due() -> None:
    """Queue messages that are due and were not queued, or so long ago that their tasks must be lost."""
    lost = Q(queued_at__isnull=True) | Q(queued_at__lt=timezone.now() - LOST_AFTER)
    for notice_id in due().filter(lost).order_by("due_at").values_list("pk", flat=True)[:BATCH]:
        Notice.objects.filter(pk=notice_id).update(queued_at=None)
        _enqueue(notice_id)


def _enqueue(notice_id: int) -> None:
    from django_q.tasks import async_task

    if Notice.objects.filter(pk=notice_id, queued_at__isnull=True).update(queued_at=timezone.now()):
        async_task("syncs.tasks.send_notice", notice_id, task_name=f"notice {notice_id}")


def deliver(notice_id: int) -> None:
    """One attempt. No other worker makes it at the same time: beginning moves the row's due time."""
    later = timezone.now() + SENDING
    if not due().filter(pk=notice_id).update(due_at=later, attempts=F("attempts") + 1, queued_at=None):
        Notice.objects.filter(pk=notice_id).update(queued_at=None)
        return
    notice = Notice.objects.select_related("target").get(pk=notice_id)
    target = notice.target
    error = "switched off"
    if target.is_enabled:
        error = sender.send(target, notice.title, notice.text, notice.state)
        remember(target, error)
    now = timezone.now()
    row = Notice.objects.filter(pk=notice_id)
    if not error:
        row.update(status="sent", ended_at=now, due_at=None, error="")
    elif target.is_enabled and notice.attempts <= len(WAITS):
        row.update(due_at=now + timedelta(seconds=WAITS[notice.attempts - 1]), error=error[:255])
    else:
        row.update(status="failed", ended_at=now, due_at=None, error=error[:255])


def remember(target: NotificationTarget, error: str) -> None:
    """Record on the target that a message arrived, or why it did not."""
    now = timezone.now()
    columns = {"last_error": error[:255], "last_failed_at": now} if error else {"last_error": "", "last_sent_at": now}
    NotificationTarget.objects.filter(pk=target.pk).update(**columns)


def forget_old() -> None:
    Notice.objects.filter(ended_at__lt=timezone.now() - RETENTION).delete()
