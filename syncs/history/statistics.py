"""Statistics of runs: the queue, charts, drift and what a run did to its keys."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import CharField, Count, Min, Q
from django.db.models.functions import Cast, Substr
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.access.roles import Actor
from config.ui.markup import Chart, Column
from syncs.models import DriftCheck, RunChange, SecretSync, Status, SyncRun

from .states import visible

RUN_TONES = {
    Status.PENDING: "busy",
    Status.RUNNING: "busy",
    Status.SUCCEEDED: "good",
    Status.FAILED: "bad",
    Status.HELD: "warn",
    Status.DISMISSED: "calm",
    Status.SUPERSEDED: "calm",
}
ENDS = ((Status.SUCCEEDED, _("succeeded")), (Status.FAILED, _("failed")), (Status.HELD, _("held")))


def drifted(actor: Actor, most: int) -> list[DriftCheck]:
    """The newest checks that found drift."""
    found = DriftCheck.objects.filter(visible(actor, "sync__project_id"), status="drifted")
    return list(found.select_related("sync__project").order_by("-checked_at")[:most])


@dataclass(frozen=True)
class Queue:
    """Runs that are open."""

    waiting: int
    running: int
    oldest_due: datetime | None

    @property
    def late(self) -> bool:
        """A due run has not started for half a minute: something does not work."""
        return self.oldest_due is not None and timezone.now() - self.oldest_due > timedelta(seconds=30)


def queue(actor: Actor) -> Queue:
    """How many runs that the actor may see wait and run."""
    runs = SyncRun.objects.filter(visible(actor, "sync__project_id"), status__in=(Status.PENDING, Status.RUNNING))
    open_runs = runs.aggregate(
        waiting=Count("pk", filter=Q(status=Status.PENDING)),
        running=Count("pk", filter=Q(status=Status.RUNNING)),
        oldest=Min("due_at", filter=Q(status=Status.PENDING, due_at__lte=timezone.now())),
    )
    return Queue(open_runs["waiting"], open_runs["running"], open_runs["oldest"])


def runs_by_hour(actor: Actor, now: datetime) -> Chart:
    """Of the last 24 hours."""
    start = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=23)
    steps = [start + timedelta(hours=number) for number in range(24)]
    return _runs_chart(
        actor, _("Runs of the last 24 hours, by hour"), steps, "%Y-%m-%d %H", "%H:%M UTC", "%a %H:%M UTC"
    )


def runs_by_day(actor: Actor, now: datetime) -> Chart:
    """Of the last 30 days."""
    start = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=29)
    steps = [start + timedelta(days=number) for number in range(30)]
    return _runs_chart(actor, _("Runs of the last 30 days, by day"), steps, "%Y-%m-%d", "%d %b", "%a %d %b %Y")


def _runs_chart(actor: Actor, name: Any, steps: list[datetime], key: str, label: str, title: str) -> Chart:
    """`key` is the step as the beginning of a timestamp's text, which both databases format alike, in UTC.

    Grouped by that text: on SQLite, Django truncates timestamps one by one in Python.
    """
    length = len(steps[0].strftime(key))
    found = SyncRun.objects.filter(visible(actor, "sync__project_id"), created_at__gte=steps[0]).order_by()
    ended = found.filter(status__in=[status for status, _ in ENDS])
    rows = ended.annotate(step=Substr(Cast("created_at", CharField()), 1, length)).values("step", "status")
    counts = Counter({(row["step"], row["status"]): row["n"] for row in rows.annotate(n=Count("pk"))})
    columns = [
        Column(step.strftime(label), [counts[step.strftime(key), end] for end, _ in ENDS], step.strftime(title))
        for step in steps
    ]
    return Chart(str(name), [(str(word), RUN_TONES[status]) for status, word in ENDS], columns)


LAST_RUNS = 30
WROTE = (("create", _("created"), "good"), ("update", _("updated"), "busy"), ("delete", _("deleted"), "bad"))


def history_charts(sync: SecretSync) -> tuple[Chart, Chart]:
    """Changes and duration of the newest runs, oldest first."""
    ended = sync.runs.filter(status__in=(Status.SUCCEEDED, Status.FAILED), started_at__isnull=False)
    runs = list(ended.only("id", "created_at", "started_at", "ended_at", "status").order_by("-created_at")[:LAST_RUNS])
    runs.reverse()
    applied = RunChange.objects.filter(run__in=[run.pk for run in runs], outcome="applied").order_by()
    rows = applied.values("run_id", "action").annotate(n=Count("pk"))
    counts: Counter[tuple[UUID, str]] = Counter()
    for row in rows:
        counts[row["run_id"], "update" if row["action"] == "adopt" else row["action"]] += row["n"]
    changes, times = [], []
    for run in runs:
        label, title = f"{run.created_at:%d %b %H:%M}", f"{run.created_at:%Y-%m-%d %H:%M:%S UTC}"
        changes.append(Column(label, [counts[run.pk, action] for action, *_ in WROTE], title))
        spent = ((run.ended_at or run.started_at) - run.started_at).total_seconds() if run.started_at else 0.0
        milliseconds = round(spent * 1000)
        failed = run.status == Status.FAILED
        times.append(Column(label, [0, milliseconds] if failed else [milliseconds, 0], title))
    return (
        Chart(str(_("Keys changed, by run")), [(str(word), tone) for _, word, tone in WROTE], changes),
        Chart(str(_("Duration, by run")), [(str(_("succeeded")), "good"), (str(_("failed")), "bad")], times, " ms"),
    )


def next_check(sync: SecretSync) -> datetime | None:
    """When the next drift check is due; None if the policy has none."""
    every = sync.policy.drift_check_minutes
    if not every or sync.policy.paused or sync.folder_id is None:
        return None
    last: DriftCheck | None = getattr(sync, "drift", None)
    if last is None or last.checked_at is None:
        return timezone.now()
    return last.checked_at + timedelta(minutes=every)
