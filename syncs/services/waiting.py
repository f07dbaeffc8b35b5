"""Syncs that wait for a key of another sync: their last run was blocked by it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

from django.db.models import OuterRef, Subquery

from syncs.engine.error_codes import Code
from syncs.models import RunChange, SecretSync, SyncRun


def waiting_for(locations: Iterable[str], keys: Collection[str] | None = None) -> set[UUID]:
    """Ids of the syncs at these locations that wait for one of the keys (normalized; None: any), in two queries."""
    ended = SyncRun.objects.filter(sync=OuterRef("pk"), operation="sync", ended_at__isnull=False)
    syncs = SecretSync.objects.filter(location__in=set(locations))
    last = syncs.annotate(last=Subquery(ended.order_by("-created_at").values("pk")[:1])).values_list("last", flat=True)
    blocked = RunChange.objects.filter(
        run__in=[run_id for run_id in last if run_id], outcome="blocked", error_code=Code.OWNED_BY_OTHER
    )
    rows = blocked.values_list("run__sync", "normalized_key")
    return {sync_id for sync_id, key in rows if keys is None or key in keys}
