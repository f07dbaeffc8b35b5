"""The lease of a location: who may write there, until when, on the database's clock, with a growing fencing token.

After an expired holder the next one also waits for the deadline of a request, so that no request of the old holder can
arrive after the new holder began to list.
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
from django.utils import timezone

from syncs.models import Lease

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass
class HeldLease:
    """A lease that is held. `left` is counted from before the database was asked, so it is never too high."""

    location: str
    holder: str
    fence: int
    _ends: float = field(repr=False)

    @property
    def left(self) -> float:
        """Seconds."""
        return self._ends - time.monotonic()

    @property
    def due_after(self) -> datetime:
        """When another worker may resume the run, unless the lease is renewed."""
        return timezone.now() + timedelta(seconds=self.left + settings.REQUEST_DEADLINE)

    def renew(self) -> bool:
        """Another LEASE_SECONDS; False if another holder has the location.

        If the fencing token is unchanged, no other worker acquired the lease.
        """
        requested = time.monotonic()
        renewed = self._row().update(expires_at=_in(settings.LEASE_SECONDS))
        if renewed:
            self._ends = requested + settings.LEASE_SECONDS
        return bool(renewed)

    def is_ours(self) -> bool:
        """Whether the fencing token is unchanged at this moment."""
        return bool(self._row().exists())

    def lock(self) -> bool:
        """As `is_ours`; the token then stays unchanged until the end of the surrounding transaction."""
        return bool(self._row().select_for_update().exists())

    def release(self) -> None:
        self._row().update(holder="", expires_at=_LONG_AGO)

    def _row(self) -> Any:
        return Lease.objects.filter(location=self.location, holder=self.holder, fence=self.fence)


def acquire(location: str) -> HeldLease | None:
    """The lease of a location, or None while another worker holds it."""
    Lease.objects.get_or_create(location=location, defaults={"expires_at": _LONG_AGO})
    holder = str(uuid.uuid4())
    requested = time.monotonic()
    free = Q(holder="") | Q(expires_at__lt=_in(-settings.REQUEST_DEADLINE))
    acquired = Lease.objects.filter(free, location=location).update(
        holder=holder, fence=F("fence") + 1, expires_at=_in(settings.LEASE_SECONDS)
    )
    if not acquired:
        return None
    fence = Lease.objects.values_list("fence", flat=True).get(location=location, holder=holder)
    return HeldLease(location, holder, fence, requested + settings.LEASE_SECONDS)


def _in(seconds: float) -> Any:
    """A moment on the database's clock."""
    return Now() + timedelta(seconds=seconds)
