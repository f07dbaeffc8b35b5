"""Syncs that would write the same keys: found when one is saved or planned, before they meet at the destination."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from config.access.roles import Actor, Right
from config.errors import BadRequest
from connections.services import open_client
from syncs.models import SecretSync, SyncDefaults
from syncs.planning.builder import desired_of, open_destination
from syncs.source.loader import read
from syncs.source.selectors import syncs

NAMED = 10  # keys that a warning names


@dataclass(frozen=True, slots=True)
class Overlap:
    """Another live sync, as the reader may know it, and the keys that both want."""

    name: str
    keys: tuple[str, ...]
    sync_id: UUID
    project_id: UUID | None  # None: the reader may not know it
    same_location: bool

    @property
    def said(self) -> str:
        more = f" and {len(self.keys) - NAMED} more" if len(self.keys) > NAMED else ""
        keys = "key" if len(self.keys) == 1 else "keys"
        return f"{self.name} writes the same {keys}: {', '.join(self.keys[:NAMED])}{more}."

    def __str__(self) -> str:
        if self.same_location:
            return f"{self.said} Whoever wrote a key first keeps it; the other is blocked."
        # An override of an environment, a branch, a path within another: which it is, the vendor decides.
        return f"{self.said} Both places are seen together there: one may hide or block the other."


def overlaps_of(actor: Actor, sync: SecretSync) -> list[Overlap]:
    """Every live sync whose keys stand where this one's do, at the same place or one seen from it."""
    if sync.folder is None:
        return []
    with open_client(sync.connection) as client:
        destination = open_destination(sync, client)
        reading = read(sync)
        mine = {
            want.normalized_key: want.key
            for want in desired_of(sync, destination, reading.source.entries, reading.environment)
        }
        found = []
        others = syncs().filter(destination=sync.destination, folder__isnull=False).exclude(pk=sync.pk)
        for other in others.order_by("name"):
            called = str if destination.overlaps(other.location) else destination.visible_as(other.location)
            if called is None:
                continue
            source = read(other)
            wants = desired_of(other, destination, source.source.entries, source.environment)
            theirs = {destination.normalize_key(name) for want in wants if (name := called(want.key))}
            if shared := sorted(mine[normalized_key] for normalized_key in theirs & set(mine)):
                seen = actor.may(Right.SEE_SYNCS, other.project_id)
                name = f"The sync {other.name}" if seen else "A sync of another project"
                project_id = other.project_id if seen else None
                found.append(Overlap(name, tuple(shared), other.pk, project_id, other.location == sync.location))
        return found


def refuse_overlaps(actor: Actor, sync: SecretSync, stored: SecretSync | None = None) -> None:
    """Of a sync as it shall be: raises BadRequest for keys that it would newly share, where its project says so.

    What `stored`, the sync as it is, shares already does not keep it from being changed.
    """
    if not SyncDefaults.objects.filter(project=sync.project_id, refuse_overlaps=True).exists():
        return
    known: dict[UUID, tuple[str, ...]] = {}
    if stored:
        known = {overlap.sync_id: overlap.keys for overlap in overlaps_of(actor, stored)}
    new = [
        replace(overlap, keys=keys)
        for overlap in overlaps_of(actor, sync)
        if (keys := tuple(key for key in overlap.keys if key not in known.get(overlap.sync_id, ())))
    ]
    if new:
        twin = next((overlap for overlap in new if overlap.same_location), None)
        said = [_duplicate(twin, stored is not None)] if twin else []
        said += [overlap.said for overlap in new]
        raise BadRequest(" ".join(said) + " This project refuses syncs that overlap.")


def _duplicate(twin: Overlap, update: bool) -> str:
    """In the words of the modelled API's own rule."""
    where = f" in project {twin.project_id}" if twin.project_id else " in another project in your organization"
    return f"A secret sync with this destination already exists{'' if update else where}."


def warnings_of(actor: Actor, sync: SecretSync) -> list[str]:
    """The overlaps in words."""
    return [str(overlap) for overlap in overlaps_of(actor, sync)]
