"""Syncs that would write the same keys: found when one is saved or planned, before they collide at the destination."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from config.access.roles import Actor, Right
from config.errors import BadRequest
from syncs.destination.base import Destination
from syncs.models import SecretSync, SyncDefaults
from syncs.source.loader import Sources
from syncs.source.selectors import syncs

from .desired import desired_of
from .opening import opened

MAX_LISTED = 10  # keys that a warning names


@dataclass(frozen=True, slots=True)
class Overlap:
    """Another live sync, named as far as the reader may see it, and the keys that both write."""

    name: str
    keys: tuple[str, ...]
    sync_id: UUID
    project_id: UUID | None  # None: the reader may not see it
    same_location: bool

    @property
    def summary(self) -> str:
        more = f" and {len(self.keys) - MAX_LISTED} more" if len(self.keys) > MAX_LISTED else ""
        keys = "key" if len(self.keys) == 1 else "keys"
        return f"{self.name} writes the same {keys}: {', '.join(self.keys[:MAX_LISTED])}{more}."

    def __str__(self) -> str:
        if self.same_location:
            return f"{self.summary} The sync that wrote a key first keeps it; the other is blocked."
        # An override of an environment, a branch, a path within another: which it is, the vendor decides.
        return f"{self.summary} Both locations are read together: one may hide or block the other."


def overlaps_of(actor: Actor, sync: SecretSync, sources: Sources | None = None) -> list[Overlap]:
    """Every live sync with keys in common, at the same location or one that is visible from it."""
    if sync.folder is None:
        return []
    with opened(sync) as destination:
        return overlaps_at(actor, sync, destination, sources or Sources())


def overlaps_at(actor: Actor, sync: SecretSync, destination: Destination, sources: Sources) -> list[Overlap]:
    """As `overlaps_of`, at the opened destination."""
    own = {each.normalized_key: each.key for each in desired_of(sync, destination, sources.read(sync))}
    found = []
    others = syncs().filter(destination=sync.destination, folder__isnull=False).exclude(pk=sync.pk)
    for other in others.order_by("name"):
        visible_as = str if destination.overlaps(other.location) else destination.visible_as(other.location)
        if visible_as is None:
            continue
        names = (visible_as(each.key) for each in desired_of(other, destination, sources.read(other)))
        theirs = {destination.normalize_key(name) for name in names if name}
        if shared := sorted(own[normalized_key] for normalized_key in theirs & own.keys()):
            may_see = actor.may(Right.SEE_SYNCS, other.project_id)
            name = f"The sync {other.name}" if may_see else "A sync of another project"
            project_id = other.project_id if may_see else None
            found.append(Overlap(name, tuple(shared), other.pk, project_id, other.location == sync.location))
    return found


def refuse_overlaps(actor: Actor, sync: SecretSync, stored: SecretSync | None = None) -> None:
    """Of a sync before it is saved: raises BadRequest for keys newly in common, if its project refuses overlaps.

    Keys that `stored`, the sync as it is now, has in common already do not prevent changes.
    """
    if not SyncDefaults.objects.filter(project=sync.project_id, refuse_overlaps=True).exists():
        return
    sources = Sources()
    known: dict[UUID, tuple[str, ...]] = {}
    if stored:
        known = {overlap.sync_id: overlap.keys for overlap in overlaps_of(actor, stored, sources)}
    new = [
        replace(overlap, keys=keys)
        for overlap in overlaps_of(actor, sync, sources)
        if (keys := tuple(key for key in overlap.keys if key not in known.get(overlap.sync_id, ())))
    ]
    if new:
        twin = next((overlap for overlap in new if overlap.same_location), None)
        sentences = [_duplicate(twin, stored is not None)] if twin else []
        sentences += [overlap.summary for overlap in new]
        raise BadRequest(" ".join(sentences) + " This project refuses syncs that overlap.")


def _duplicate(twin: Overlap, update: bool) -> str:
    """In the words of the modelled API's own rule."""
    project = f" in project {twin.project_id}" if twin.project_id else " in another project in your organization"
    return f"A secret sync with this destination already exists{'' if update else project}."


def warnings_of(actor: Actor, sync: SecretSync) -> list[str]:
    """The overlaps as sentences."""
    return [str(overlap) for overlap in overlaps_of(actor, sync)]
