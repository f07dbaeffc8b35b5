"""Messages of runs as pages show them."""

from __future__ import annotations

from datetime import UTC, datetime

from django.utils import timezone

from syncs.engine.reasons import DECIDE_AT
from syncs.models import TRIES, Status, SyncRun


def without_link(message: str | None) -> str:
    """The message of a held run without its last sentence, a link to the page of the run."""
    return (message or "").partition(DECIDE_AT)[0]


def next_try(run: SyncRun) -> str:
    """When a run that waits between its attempts is tried again, and why; "" of any other run."""
    if not waits_for_retry(run) or run.due_at is None:
        return ""
    why = f". {run.message}" if run.message else ""
    return f"Next try {run.due_at.astimezone(UTC):%H:%M:%S} UTC ({run.options.tries + 1} of {TRIES}){why}"


def waits_for_retry(run: SyncRun) -> bool:
    """Whether it waits because an earlier attempt failed or was stopped, or because the run before failed."""
    if run.status != Status.PENDING:
        return False
    later = run.started_at is not None and run.due_at is not None and run.due_at > timezone.now()
    return bool(run.trigger == "retry" or run.options.tries or later)


def active(run: SyncRun) -> tuple[datetime | None, datetime | None]:
    """When it began and ended to work: one that waits for a person, or was ended by one, has no end of its own."""
    return run.started_at, run.ended_at if run.status in (Status.SUCCEEDED, Status.FAILED) else None
