"""The pace towards a vendor: when a connection may send its next request, over all its runs on all servers.

Kept in the database, so that no server needs to know of another. The vendor's own answers still count: what others send
with the same login stays unknown here.
"""

from __future__ import annotations

import math
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from .models import AppConnection

Quota = tuple[int, float]
"""So many requests in so many seconds."""


def reserve_slot(
    connection_id: UUID,
    pace: float | None,
    *,
    quota: Quota | None = None,
    requests: float = 1.0,
    at_most: float = math.inf,
) -> float:
    """Seconds until that many requests may be sent. If they are more than `at_most`, nothing is reserved.

    `pace` is in requests per second. Of a quota, requests are sent until it is used up; the next ones follow once its
    seconds have passed since the last of them. So no period of that length has more, wherever the vendor begins it.
    """
    with transaction.atomic():
        rows = AppConnection.objects.select_for_update().filter(pk=connection_id)
        next_slot, quota_slot, used = rows.values_list("next_slot_at", "quota_slot_at", "quota_used").get()
        now = timezone.now()
        slot = max(now, next_slot or now) if pace else now
        if quota:
            number, period = quota[0], timedelta(seconds=quota[1])
            slot = max(slot, quota_slot or now)
            if quota_slot is None or slot >= quota_slot + period:
                used = 0.0
            elif used and used + requests > number:
                slot, used = quota_slot + period, 0.0
        wait = (slot - now).total_seconds()
        if wait <= at_most:
            changes = {"next_slot_at": slot + timedelta(seconds=requests / pace)} if pace else {}
            rows.update(**changes, **({"quota_slot_at": slot, "quota_used": used + requests} if quota else {}))
    return wait
