"""Keys that are at a destination on request: their deletion was dismissed, or a first run left them on offer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from django.db.models import Exists, OuterRef, Q
from typing_extensions import TypedDict

from config.conventions import timestamp
from config.responses import Time, one_of
from syncs.engine.plan import State
from syncs.models import InitialSet, ManagedSecret, RunChange, SecretSync, Status, SyncRun

from .memory import dismissals

DISMISSED, OFFERED = "dismissed", "offered"


@dataclass(frozen=True, slots=True)
class KeptKey:
    """One object. `why`: DISMISSED or OFFERED; `since`: when it was decided, or when the first run ended."""

    key: str
    normalized_key: str
    location: str
    object_id: str | None
    why: str
    since: datetime | None


class KeptKeyJson(TypedDict):
    key: str
    location: str
    objectId: str | None
    why: Annotated[str, one_of([DISMISSED, OFFERED])]
    since: Time | None


def kept_as_json(kept: KeptKey) -> KeptKeyJson:
    return {
        "key": kept.key,
        "location": kept.location,
        "objectId": kept.object_id,
        "why": kept.why,
        "since": timestamp(kept.since),
    }


def kept_keys(sync: SecretSync) -> list[KeptKey]:
    """By key, at the sync's present location. A fixed number of queries; nothing is sent."""
    return kept_by([sync]).get(sync.pk, [])


def all_kept_keys() -> Mapping[UUID, list[KeptKey]]:
    """As `kept_keys`, of every sync that keeps any. One query if none does."""
    here = {"sync": OuterRef("pk"), "location": OuterRef("location")}
    dismissed = Exists(SyncRun.objects.filter(status=Status.DISMISSED, **here))
    offered = Exists(InitialSet.objects.filter(**here).exclude(keys={}))
    return kept_by(list(SecretSync.objects.filter(dismissed | offered).select_related("policy")))


def kept_by(syncs: Collection[SecretSync]) -> dict[UUID, list[KeptKey]]:
    """As `kept_keys`, of those of these syncs that keep any."""
    if not syncs:
        return {}
    found = {(sync.pk, kept.normalized_key): kept for sync, kept in (*_offered(syncs), *_dismissed(syncs))}
    locations = {sync.pk: sync.location for sync in syncs}
    rows = ManagedSecret.objects.filter(Q(sync=None) | Q(state=State.MISSING), location__in=set(locations.values()))
    # Forgotten by a person since, or no longer there.
    ended = set(rows.values_list("location", "sync", "normalized_key")) if found else set()
    kept: dict[UUID, list[KeptKey]] = {}
    for (sync_id, name), each in sorted(found.items(), key=lambda item: item[1].key):
        if not {(each.location, None, name), (each.location, sync_id, name)} & ended:
            kept.setdefault(sync_id, []).append(each)
    return kept


def _dismissed(syncs: Collection[SecretSync]) -> Iterator[tuple[SecretSync, KeptKey]]:
    found = dismissals(syncs)
    runs = SyncRun.objects.in_bulk({run_id for keys in found.values() for run_id, _ in keys.values()})
    names = _names(runs)
    for sync in syncs:
        for name, (run_id, since) in found.get(sync.pk, {}).items():
            object_id = runs[run_id].options.shown.get(name)
            key = names.get((run_id, name), name)
            yield sync, KeptKey(key, name, sync.location, object_id, DISMISSED, since)


def _offered(syncs: Collection[SecretSync]) -> Iterator[tuple[SecretSync, KeptKey]]:
    """What is left of initial sets, once their first runs have ended."""
    by_id = {sync.pk: sync for sync in syncs}
    sets = [
        first
        for first in InitialSet.objects.select_related("run").filter(sync__in=by_id).exclude(keys={})
        if first.location == by_id[first.sync_id].location
        and not (first.run and first.run.status in (Status.PENDING, Status.RUNNING))
    ]
    names = _names({first.run_id for first in sets if first.run_id})
    for first in sets:
        since = first.run.ended_at if first.run else None
        for name, object_id in first.keys.items():
            key = names.get((first.run_id, name), name)
            yield by_id[first.sync_id], KeptKey(key, name, first.location, object_id, OFFERED, since)


def _names(runs: Collection[UUID]) -> dict[tuple[UUID | None, str], str]:
    """(run, normalized key) -> the key as the destination lists it."""
    rows = RunChange.objects.filter(run__in=runs).values_list("run", "normalized_key", "key") if runs else ()
    return {(run_id, name): key for run_id, name, key in rows}
