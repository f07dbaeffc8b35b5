"""Keys that are at a destination on request: their deletion was dismissed, or a first run left them on offer."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

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
    rows = ManagedSecret.objects.filter(location=sync.location)
    left = set(rows.filter(sync=None).values_list("normalized_key", flat=True))  # a person has forgotten them since
    missing = set(rows.filter(sync=sync, state=State.MISSING).values_list("normalized_key", flat=True))
    found = {each.normalized_key: each for each in (*_offered(sync), *_dismissed(sync))}
    kept = [each for normalized_key, each in found.items() if normalized_key not in left | missing]
    return sorted(kept, key=lambda each: each.key)


def _dismissed(sync: SecretSync) -> list[KeptKey]:
    found = dismissals(sync, sync.location)
    runs = SyncRun.objects.in_bulk({run_id for run_id, _ in found.values()})
    names = _names(runs, found)
    return [
        KeptKey(
            names.get((run_id, normalized_key), normalized_key),
            normalized_key,
            sync.location,
            runs[run_id].options.shown.get(normalized_key),
            DISMISSED,
            since,
        )
        for normalized_key, (run_id, since) in found.items()
    ]


def _offered(sync: SecretSync) -> list[KeptKey]:
    """What is left of the initial set, once the first run has ended."""
    first = InitialSet.objects.select_related("run").filter(sync=sync, location=sync.location).first()
    if first is None or (first.run and first.run.status in (Status.PENDING, Status.RUNNING)):
        return []
    names = _names([first.run_id] if first.run_id else [], first.keys)
    return [
        KeptKey(
            names.get((first.run_id, normalized_key), normalized_key),
            normalized_key,
            sync.location,
            object_id,
            OFFERED,
            first.run.ended_at if first.run else None,
        )
        for normalized_key, object_id in first.keys.items()
    ]


def _names(runs: Collection[UUID], normalized_keys: Collection[str]) -> dict[tuple[UUID | None, str], str]:
    """(run, normalized key) -> the key as the destination lists it."""
    rows = RunChange.objects.filter(run__in=runs, normalized_key__in=normalized_keys)
    return {(run_id, name): key for run_id, name, key in rows.values_list("run", "normalized_key", "key")}
