"""What other live syncs need at a location: keys that are not deleted, handed over, or taken over once nobody does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from django.db.models import Value

from syncs.destination.base import Destination
from syncs.engine.plan import Row
from syncs.models import SecretSync
from syncs.source.loader import Sources
from syncs.source.selectors import syncs

from .desired import desired_of
from .ledger_rows import nested_with, owner_name


@dataclass(frozen=True, slots=True)
class Others:
    """Keys are normalized, syncs ids as text. `wanted`: key -> the name of a sync that needs it; `heirs`: key -> a sync
    whose row it may become; `needs`: sync -> its keys; `unread`: syncs whose source cannot be read completely.
    """

    wanted: dict[str, str] = field(default_factory=dict)
    heirs: dict[str, str] = field(default_factory=dict)
    needs: dict[str, set[str]] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)

    def marked(self, rows: Iterable[Row]) -> list[Row]:
        """The rows; those of other syncs that do not need the key any more, and are certain of it, are released."""
        return [replace(row, released=True) if self._is_released(row) else row for row in rows]

    def _is_released(self, row: Row) -> bool:
        if row.mine or not row.owner_id or row.owner_id in self.unread:
            return False
        return row.normalized_key not in self.needs.get(row.owner_id, ())


def others_at(sync: SecretSync, destination: Destination, location: str, sources: Sources) -> Others:
    """Reads the sources of the other live syncs whose location is this one, is within it, or has it within."""
    found = Others()
    others = syncs().alias(this=Value(location)).filter(nested_with(location))
    for other in others.exclude(pk=sync.pk):
        _add(found, sync, other, destination, location, sources)
    return found


def _add(
    found: Others, sync: SecretSync, other: SecretSync, destination: Destination, location: str, sources: Sources
) -> None:
    name, other_id = owner_name(sync, other.name, other.project_id), str(other.pk)
    if other.folder is None:
        found.unread.add(other_id)
        return
    if other.location != location and other.location.startswith(location):
        nested = destination.nested_locations(other.location)
        found.wanted.update({destination.normalize_key(key): name for key in nested})
    visible_as = str if other.location == location else destination.visible_as(other.location)
    if visible_as is None:
        return
    reading = sources.read(other)
    if reading.source.gaps:
        found.unread.add(other_id)
    needed = found.needs.setdefault(other_id, set())
    for desired in desired_of(other, destination, reading):
        if not (key := visible_as(desired.key)):
            continue
        normalized_key = destination.normalize_key(key)
        found.wanted.setdefault(normalized_key, name)
        needed.add(normalized_key)
        if other.location == location:
            found.heirs.setdefault(normalized_key, other_id)
