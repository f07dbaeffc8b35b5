"""Waits for a state that a vendor reaches by itself after it has accepted a request."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from connections.errors import Unavailable
from syncs.destination.write import SPLIT_FOR

State = TypeVar("State")

PAUSE = 0.2  # seconds before the second look; doubled before each further one


def wait_for(
    look: Callable[[], State],
    until: Callable[[State], bool],
    *,
    what: str,
    at_most: float = SPLIT_FOR,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> State:
    """The first state that `look` returns and `until` accepts. `what` is what is waited for, in messages.

    Waits no longer than `at_most` seconds and never longer than a run's lease surely lasts; then it raises Unavailable,
    so that the run's next attempt looks again. An IntegrationError of `look` passes through.

    A longer wait within one attempt would need the lease to be renewed meanwhile. That is done before each request, in
    the run's own thread, with a look at the database; an adapter waits in another thread and has none of them. The
    run's attempts and the runs that follow it wait minutes and hours, and hold neither worker nor lease.
    """
    ends_at, pause = clock() + min(at_most, SPLIT_FOR), PAUSE
    while not until(state := look()):
        if clock() + pause > ends_at:
            raise Unavailable(f"{what} takes longer than expected; it is checked again later")
        sleep(pause)
        pause *= 2
    return state
