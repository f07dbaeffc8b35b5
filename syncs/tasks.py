"""What the task queue runs. Arguments are ids; expected failures are never raised."""

from __future__ import annotations

from uuid import UUID

from syncs import runner


def run(run_id: str) -> None:
    """One run of one sync."""
    runner.execute(UUID(run_id))
