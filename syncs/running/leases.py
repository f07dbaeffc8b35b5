"""The lease of a place: who may write there, until when, on the database's clock, with a fence that only grows.

After an expired holder the next one waits the deadline of a request too, so that no request of the old holder can
arrive after the new holder's listing began.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Q
from django.db.models.functions import Now

from syncs.models import Lease

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass
class Held:
    """A lease that is held. `left` is counted from before the database was asked, so it never says too much."""

    location: str
    holder: str
    fence: int
    _ends: float = field(repr=False)

    @property
    def left(self) -> float:
        """Seconds."""
        return self._ends - time.monotonic()

    def renew(self) -> bool:
        """Another LEASE_SECONDS; False where the place has gone to another. While the fence stands, nobody was here."""
        asked = time.monotonic()
        kept = self._mine().update(expires_at=_in(settings.LEASE_SECONDS))
        if kept:
            self._ends = asked + settings.LEASE_SECONDS
        return bool(kept)

    def stands(self) -> bool:
        """Whether the fence is still ours, at this moment."""
        return bool(self._mine().exists())

    def held(self) -> bool:
        """Whether the fence is still ours; it then stays so until the end of the transaction around."""
        return bool(self._mine().select_for_update().exists())

    def release(self) -> None:
        self._mine().update(holder="", expires_at=_LONG_AGO)

    def _mine(self) -> Any:
        return Lease.objects.filter(location=self.location, holder=self.holder, fence=self.fence)


def acquire(location: str) -> Held | None:
    """The lease of a place, or None while another holds it."""
    Lease.objects.get_or_create(location=location, defaults={"expires_at": _LONG_AGO})
    holder = str(uuid.uuid4())
    asked = time.monotonic()
    free = Q(holder="") | Q(expires_at__lt=_in(-settings.REQUEST_DEADLINE))
    taken = Lease.objects.filter(free, location=location).update(
        holder=holder, fence=F("fence") + 1, expires_at=_in(settings.LEASE_SECONDS)
    )
    if not taken:
        return None
    fence = Lease.objects.values_list("fence", flat=True).get(location=location, holder=holder)
    return Held(location, holder, fence, asked + settings.LEASE_SECONDS)


def _in(seconds: float) -> Any:
    """A moment on the database's clock."""
    return Now() + timedelta(seconds=seconds)
