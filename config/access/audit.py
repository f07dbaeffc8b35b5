"""The audit log: append-only; each row's hash covers the row and the previous hash, and the end is sealed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.utils import timezone
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict

from config.conventions import timestamp
from config.encryption import fingerprint, fingerprint_matches
from config.responses import IdText, Name, Time, text

from .models import AuditEvent, Instance, Project
from .roles import PLATFORM, Actor

GENESIS = "0" * 64
BEGIN = "begin-audit-log"
_SEAL = "audit-log:end"


def record(actor: Actor, event: str, project_id: UUID | None = None, **metadata: Any) -> None:
    """Append one event. `metadata` holds ids and names, never a value or credential."""
    with transaction.atomic():
        # The instance's row locks the chain, so that concurrent events are appended one after the other.
        log = Instance.objects.select_for_update().first() or Instance.objects.create()
        intact = _is_sealed(log)
        if not log.audit_seal:
            _begin(log)
            intact = True
        _append(log, actor, event, project_id, metadata)
        if intact:  # a seal that was broken stays broken
            log.audit_seal = fingerprint(None, _SEAL, _end(log))
        log.save(update_fields=["audit_count", "audit_head", "audit_seal"])


def state_of(obj: Model) -> dict[str, Any]:
    """What the log may show of an object: the fields that its model declares in `AUDITED`, none of them secret.

    By names as on the wire; the members of an object in JSON by themselves, such as `destinationConfig.app`.
    """
    found: dict[str, Any] = {}
    for field in obj.AUDITED:  # type: ignore[attr-defined]
        value, name = getattr(obj, field), to_camel(field)
        if isinstance(value, dict):
            found |= {f"{name}.{member}": each for member, each in value.items()}
        else:
            found[name] = getattr(value, "audited_name", str(value)) if isinstance(value, Model) else value
    return found


def changes_since(before: Mapping[str, Any], obj: Model) -> dict[str, list[Any]]:
    """{field: [before, after]} of what is not as in `before`, a result of `state_of`."""
    after = state_of(obj)
    names = [*before, *(name for name in after if name not in before)]
    return {name: [before.get(name), after.get(name)] for name in names if before.get(name) != after.get(name)}


def _begin(log: Instance) -> None:
    """Seal a log that has no seal yet: the chain continues after the existing events, and an event records that."""
    last = AuditEvent.objects.order_by("-sequence").values_list("hash", flat=True).first()
    log.audit_count, log.audit_head = AuditEvent.objects.count(), last or GENESIS
    _append(log, PLATFORM, BEGIN, None, {"events": log.audit_count})


def _append(log: Instance, actor: Actor, event: str, project_id: UUID | None, metadata: dict[str, Any]) -> None:
    row = AuditEvent(
        at=timezone.now(),
        actor_kind=actor.kind,
        actor_id=str(actor.id or ""),
        actor_name=actor.name,
        event=event,
        project_id=project_id,
        metadata=json.loads(json.dumps({"project": str(project_id or ""), **metadata}, default=str)),
        ip=actor.ip,
        previous_hash=log.audit_head,
    )
    row.hash = _hash(row)
    row.save(force_insert=True)
    log.audit_count, log.audit_head = log.audit_count + 1, row.hash


def _end(log: Instance) -> str:
    return f"{log.audit_count}:{log.audit_head}"


def _is_sealed(log: Instance) -> bool:
    return fingerprint_matches(None, _SEAL, _end(log), log.audit_seal)


def search(
    *,
    project_id: UUID | str | None = None,
    events: Sequence[str] = (),
    actor: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    object_id: str | None = None,
) -> QuerySet[AuditEvent]:
    """Newest first. `actor`: a name or an ID; `object_id`: of a sync, a connection, a folder and so on.

    Events of deleted projects and objects are found, too.
    """
    found = about(AuditEvent.objects.all(), object_id) if object_id else AuditEvent.objects.all()
    if project_id:
        is_live = Project.objects.filter(pk=project_id).exists()
        found = found.filter(project_id=project_id) if is_live else found.filter(metadata__project=str(project_id))
    if events:
        found = found.filter(event__in=events)
    if actor:
        found = found.filter(Q(actor_name=actor) | Q(actor_id=actor))
    if since:
        found = found.filter(at__gte=since)
    return found.filter(at__lt=until) if until else found


OBJECTS = (
    "sync",
    "syncId",
    "connection",
    "connectionId",
    "run",
    "jobId",
    "environment",
    "folderId",
    "secretId",
    "secretImportId",
    "tag",
    "target",
    "project",
    "user",
    "memberId",
    "identity",
    "identityId",
)
"""Members of an event that hold the ID of an object."""


def about(events: QuerySet[AuditEvent], object_id: str) -> QuerySet[AuditEvent]:
    """The events that name an object."""
    named = Q(project_id=object_id) if _is_uuid(object_id) else Q(pk=None)
    for member in OBJECTS:
        named |= Q(**{f"metadata__{member}": object_id})
    return events.filter(named)


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def broken_links() -> Iterator[str]:
    """The problems of the chain, oldest first; none if it is intact.

    The chain reveals events that were changed, inserted, moved or removed. The seal of its end, which cannot be made
    without the instance's keyset, reveals that the last events are missing or that the chain was recomputed.
    """
    log = Instance.objects.first() or Instance()
    previous, count, begun = GENESIS, 0, 0
    for row in AuditEvent.objects.order_by("sequence").iterator(chunk_size=1000):
        count += 1
        begun += row.event == BEGIN
        if row.previous_hash != previous:
            yield f"event {row.sequence} does not follow the previous one: an event was removed, moved or changed"
        if row.hash != _hash(row):
            yield f"event {row.sequence} was changed after it was written"
        if count == log.audit_count and row.hash != log.audit_head:
            yield f"event {row.sequence} is not the one in the log's seal"
        previous = row.hash
    if count < log.audit_count:
        yield f"{log.audit_count - count} of {log.audit_count} events are missing, such as the last ones"
    if count > (
        Instance.objects.values_list("audit_count", flat=True).first() or 0
    ):  # read now: events may be written meanwhile
        yield "there are more events than were recorded: some were inserted"
    if log.audit_seal and not _is_sealed(log):
        yield "the seal of the log's end was not made by this instance"
    if begun > 1 or (count and not log.audit_seal):
        yield "the seal of the log's end was removed"


def _hash(row: AuditEvent) -> str:
    # The project is in the metadata: its column becomes null when the project is deleted.
    parts = [
        row.at.isoformat(timespec="microseconds"),
        row.actor_kind,
        row.actor_id,
        row.actor_name,
        row.event,
        row.metadata,
        row.ip,
        row.previous_hash,
    ]
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


class AuditActor(TypedDict):
    type: Annotated[str, text(example="shared")]
    id: str | None
    name: Name


class AuditLog(TypedDict):
    """An event as the API and the command return it."""

    id: int
    eventType: str
    actor: AuditActor
    ipAddress: Annotated[str, text(example="10.0.0.0/8")] | None
    projectId: IdText | None
    eventMetadata: dict[str, Any]
    hash: str
    createdAt: Time


def event_as_json(row: AuditEvent) -> AuditLog:
    return {
        "id": row.sequence,
        "eventType": row.event,
        "actor": {"type": row.actor_kind, "id": row.actor_id or None, "name": row.actor_name},
        "ipAddress": row.ip,
        "projectId": row.metadata.get("project") or None,
        "eventMetadata": {key: value for key, value in row.metadata.items() if key != "project"},
        "hash": row.hash,
        "createdAt": timestamp(row.at),
    }
