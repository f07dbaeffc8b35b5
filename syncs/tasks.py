"""The tasks of the queue. Arguments are ids; expected failures are never raised.

A defect is written to the log alone: the queue would store its message, which may contain a value, in a table.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from config.errors import where
from syncs.notifications import outbox
from syncs.running import drift, runner

log = logging.getLogger(__name__)
ID = TypeVar("ID", str, int)


def _quiet(task: Callable[[ID], None]) -> Callable[[ID], None]:
    @functools.wraps(task)
    def done(name: ID) -> None:
        try:
            task(name)
        except Exception as error:  # noqa: BLE001 - the database, not the queue, decides about retries
            log.error("task %s %s: %s at %s", task.__name__, name, type(error).__name__, where(error))

    return done


@_quiet
def run(run_id: str) -> None:
    """One run of one sync."""
    runner.execute(UUID(run_id))


@_quiet
def check_drift(sync_id: str) -> None:
    """One scheduled drift check."""
    drift.check_by_id(UUID(sync_id))


@_quiet
def send_notice(notice_id: int) -> None:
    """One message to one target."""
    outbox.deliver(notice_id)
