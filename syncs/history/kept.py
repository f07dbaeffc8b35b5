"""How many keys each sync keeps on request: `planning.kept` for all syncs at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q

from syncs.engine.plan import State
from syncs.engine.types import Action
from syncs.models import InitialSet, ManagedSecret, RunChange, SecretSync, Status, SyncRun
from syncs.planning.memory import basis_of_dismissal

Keys = dict[UUID, set[str]]
"""Sync -> normalized keys at its present location."""


def kept_keys() -> Mapping[UUID, frozenset[str]]:
    """Sync -> normalized keys that are kept at its location, for all syncs that keep any. One query if none does."""
    here = {"sync": OuterRef("pk"), "location": OuterRef("location")}
    dismissed = Exists(SyncRun.objects.filter(status=Status.DISMISSED, **here))
    offered = Exists(InitialSet.objects.filter(**here).exclude(keys={}))
    if not SecretSync.objects.filter(dismissed | offered).exists():
        return {}
    found = _dismissed()
    for sync_id, keys in _offered():
        found.setdefault(sync_id, set()).update(keys)
    if not found:
        return {}
    gone = _gone(found)
    kept = {sync_id: frozenset(keys - gone.get(sync_id, set())) for sync_id, keys in found.items()}
    return {sync_id: keys for sync_id, keys in kept.items() if keys}


def _dismissed() -> Keys:
    """Their deletes were dismissed, and neither the policy nor, since then, the key has changed."""
    runs = SyncRun.objects.filter(
        status=Status.DISMISSED, sync__deleted_at__isnull=True, location=F("sync__location")
    ).select_related("sync__policy")
    valid = [run for run in runs if run.options.stands_on == basis_of_dismissal(run.sync)]
    if not valid:
        return {}
    dismissed: dict[tuple[UUID, str], datetime] = {}
    rows = RunChange.objects.filter(run__in=valid, action__in=(Action.DELETE, Action.KEEP)).order_by("run__ended_at")
    for sync_id, key, at in rows.values_list("run__sync_id", "normalized_key", "run__ended_at"):
        if at is not None:
            dismissed[sync_id, key] = at
    written = RunChange.objects.filter(
        run__sync__in={run.sync_id for run in valid},
        normalized_key__in={key for _, key in dismissed},
        outcome="applied",
        ended_at__isnull=False,
    )
    for sync_id, key, at in written.values_list("run__sync_id", "normalized_key", "ended_at"):
        if at is not None and (sync_id, key) in dismissed and at > dismissed[sync_id, key]:
            del dismissed[sync_id, key]
    found: Keys = {}
    for sync_id, key in dismissed:
        found.setdefault(sync_id, set()).add(key)
    return found


def _offered() -> Iterable[tuple[UUID, set[str]]]:
    """What is left of initial sets whose first run has ended."""
    first = InitialSet.objects.filter(sync__deleted_at__isnull=True, location=F("sync__location")).exclude(keys={})
    ended = first.exclude(run__status__in=(Status.PENDING, Status.RUNNING))
    return [(sync_id, set(keys)) for sync_id, keys in ended.values_list("sync_id", "keys")]


def _gone(found: Keys) -> Keys:
    """Keys at their locations that no longer exist, or that a person has forgotten since."""
    locations = dict(SecretSync.objects.filter(pk__in=found).values_list("pk", "location"))
    rows = ManagedSecret.objects.filter(Q(sync=None) | Q(state=State.MISSING), location__in=set(locations.values()))
    known = list(rows.values_list("location", "sync_id", "normalized_key"))
    return {
        sync_id: {key for at, owner, key in known if at == location and owner in (None, sync_id)}
        for sync_id, location in locations.items()
    }
