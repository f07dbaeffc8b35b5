"""Rate limits: requests per minute of a caller or a client address, counted in the database for all processes."""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import F

from config.access.models import RequestWindow
from config.errors import TooMany

WINDOW = 60  # seconds


@dataclass(frozen=True)
class Budget:
    """The remaining requests of the current minute."""

    limit: int
    remaining: int
    reset: int  # seconds until the next minute

    @property
    def headers(self) -> dict[str, str]:
        values = {"limit": self.limit, "remaining": self.remaining, "reset": self.reset}
        return {f"x-ratelimit-{name}": str(value) for name, value in values.items()}


def spend(who: str, limit: int) -> Budget | None:
    """Count one request of `who`; None if there is no limit. Raises TooMany beyond the limit."""
    if limit <= 0:
        return None
    now = int(time.time())
    minute, reset = now // WINDOW, WINDOW - now % WINDOW
    count = _counted(who, minute)
    if count > limit:
        raise TooMany(limit, reset)
    return Budget(limit, limit - count, reset)


def _counted(who: str, minute: int) -> int:
    mine = RequestWindow.objects.filter(who=who)
    with transaction.atomic():
        if not mine.filter(minute=minute).update(count=F("count") + 1):
            if mine.exclude(minute=minute).update(minute=minute, count=1):
                return 1
            try:
                with transaction.atomic():
                    RequestWindow.objects.create(who=who, minute=minute, count=1)
            except IntegrityError:  # another process was first
                mine.update(count=F("count") + 1)
        return mine.values_list("count", flat=True).get()


def forget_old() -> None:
    """Delete the counts of past minutes."""
    RequestWindow.objects.filter(minute__lt=time.time() // WINDOW - 60).delete()
