"""The audit log: append-only, each row's hash covering the row and the hash before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from .models import AuditEvent, Instance, Project
from .roles import Actor

GENESIS = "0" * 64


def record(actor: Actor, event: str, project_id: UUID | None = None, **metadata: Any) -> None:
    """Append one event. `metadata` names things by id and name; a value or credential is never put in."""
    with transaction.atomic():
        # The instance's row is the chain's lock: of two events at once the second sees the first.
        list(Instance.objects.select_for_update().values_list("pk"))
        last = AuditEvent.objects.order_by("-sequence").values_list("hash", flat=True).first()
        row = AuditEvent(
            at=timezone.now(),
            actor_kind=actor.kind,
            actor_id=str(actor.id or ""),
            actor_name=actor.name,
            event=event,
            project_id=project_id,
            metadata=json.loads(json.dumps({"project": str(project_id or ""), **metadata}, default=str)),
            ip=actor.ip,
            previous_hash=last or GENESIS,
        )
        row.hash = _hash(row)
        row.save(force_insert=True)


def search(
    *,
    project_id: UUID | str | None = None,
    events: Sequence[str] = (),
    actor: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[AuditEvent]:
    """Newest first. `actor`: a name or an id. The project is found also when it is gone."""
    found = AuditEvent.objects.all()
    if project_id:
        there = Project.objects.filter(pk=project_id).exists()
        found = found.filter(project_id=project_id) if there else found.filter(metadata__project=str(project_id))
    if events:
        found = found.filter(event__in=events)
    if actor:
        found = found.filter(Q(actor_name=actor) | Q(actor_id=actor))
    if since:
        found = found.filter(at__gte=since)
    return found.filter(at__lt=until) if until else found


def broken_links() -> Iterator[str]:
    """What does not hold in the chain, oldest first; nothing where it is whole."""
    previous = GENESIS
    for row in AuditEvent.objects.order_by("sequence").iterator(chunk_size=1000):
        if row.previous_hash != previous:
            yield f"event {row.sequence} does not follow the one before it: one was removed or changed"
        if row.hash != _hash(row):
            yield f"event {row.sequence} was changed after it was written"
        previous = row.hash


def _hash(row: AuditEvent) -> str:
    # The project is in the metadata: its column becomes null when the project goes.
    said = [
        row.at.isoformat(timespec="microseconds"),
        row.actor_kind,
        row.actor_id,
        row.actor_name,
        row.event,
        row.metadata,
        row.ip,
        row.previous_hash,
    ]
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
