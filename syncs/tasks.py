"""What the task queue runs. Arguments are ids; expected failures are never raised."""

from __future__ import annotations

from uuid import UUID

from syncs import drift, notices, runner


def run(run_id: str) -> None:
    """One run of one sync."""
    runner.execute(UUID(run_id))


def check_drift(sync_id: str) -> None:
    """One scheduled look at one destination."""
    drift.check_by_id(UUID(sync_id))


def send_notice(notice_id: int) -> None:
    """One message to one target."""
    notices.deliver(notice_id)
