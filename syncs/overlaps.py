"""Syncs that would write the same keys: found when one is saved or planned, before they meet at the destination."""

from __future__ import annotations

from dataclasses import dataclass

from config.access.roles import Actor, Right
from connections.services import open_client
from syncs.models import SecretSync
from syncs.planning import desired_of, open_destination
from syncs.reading import read
from syncs.selectors import syncs

NAMED = 10  # keys that a warning names


@dataclass(frozen=True, slots=True)
class Overlap:
    """Another live sync, as the reader may know it, and the keys that both want."""

    name: str
    keys: tuple[str, ...]

    def __str__(self) -> str:
        more = f" and {len(self.keys) - NAMED} more" if len(self.keys) > NAMED else ""
        keys = "key" if len(self.keys) == 1 else "keys"
        named = ", ".join(self.keys[:NAMED]) + more
        return f"{self.name} writes the same {keys}: {named}. Whoever wrote a key first keeps it; the other is blocked."


def overlaps_of(actor: Actor, sync: SecretSync) -> list[Overlap]:
    """Every live sync whose keys stand where this one's do, at the same place or one seen from it."""
    if sync.folder is None:
        return []
    with open_client(sync.connection) as client:
        destination = open_destination(sync, client)
        reading = read(sync)
        mine = {
            want.canonical: want.key
            for want in desired_of(sync, destination, reading.source.entries, reading.environment)
        }
        found = []
        others = syncs().filter(destination=sync.destination, folder__isnull=False).exclude(pk=sync.pk)
        for other in others.order_by("name"):
            if not destination.overlaps(other.place):
                continue
            source = read(other)
            wants = desired_of(other, destination, source.source.entries, source.environment)
            theirs = {want.canonical for want in wants}
            if shared := sorted(mine[canonical] for canonical in theirs & set(mine)):
                seen = actor.may(Right.SEE_SYNCS, other.project_id)
                name = f"The sync {other.name}" if seen else "A sync of another project"
                found.append(Overlap(name, tuple(shared)))
        return found


def warnings_of(actor: Actor, sync: SecretSync) -> list[str]:
    """The overlaps in words."""
    return [str(overlap) for overlap in overlaps_of(actor, sync)]
