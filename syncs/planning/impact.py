"""What a change of a project's source means for its syncs, from the database alone: no destination is asked.

The source is loaded whole, once, and changed in memory: the number of queries depends neither on the number of secrets
nor on that of syncs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from syncs.destination.base import describe_target, destinations
from syncs.engine.addresses import Address, is_below
from syncs.engine.key_schema import KeySchema
from syncs.engine.plan import State
from syncs.engine.references import Graph, resolve
from syncs.engine.source_changes import BrokenReference, Changed, broken_references, reached
from syncs.models import Folder, ManagedSecret, SecretSync, SyncPolicy
from syncs.source.loader import load_graph

from .desired import filter_of

DEFAULT_LIMIT = SyncPolicy().max_deletions or 0


@dataclass(frozen=True, slots=True)
class SyncImpact:
    """How many keys of a sync a change deletes at its destination, and how many stay there.

    `stops`: the sync is deleted, or has no source afterwards. `incomplete`: its source is not complete afterwards, so
    that it deletes nothing until somebody repairs it.
    """

    sync: SecretSync
    removes: int
    keeps: int
    stops: bool = False
    incomplete: bool = False

    @property
    def target(self) -> str:
        found = destinations.get(self.sync.destination)
        target = describe_target(self.sync.destination, self.sync.destination_config)
        return f"{found.label if found else self.sync.destination} {target}"

    @property
    def exceeds_guard(self) -> bool:
        """Whether more keys go, or lose their sync, than its guard allows; without a guard, than the default."""
        limit = self.sync.policy.max_deletions
        return self.removes + (self.keeps if self.stops else 0) > (DEFAULT_LIMIT if limit is None else limit)

    def __str__(self) -> str:
        """As a line for a terminal."""
        parts = [f"{_keys(self.removes)} deleted"] if self.removes else []
        parts += [f"{_keys(self.keeps)} kept"] if self.keeps or not parts else []
        parts += ["no longer synced"] if self.stops else []
        parts += ["not complete afterwards, so that nothing is deleted"] if self.incomplete else []
        return f"{self.sync.name}, {self.target}: {', '.join(parts)}"


@dataclass(frozen=True, slots=True)
class Impact:
    """The syncs that a change concerns, by name, and the references that it breaks."""

    syncs: Sequence[SyncImpact] = ()
    references: Sequence[BrokenReference] = ()

    @property
    def needs_name(self) -> bool:
        """Whether a person has to type a name to confirm the change."""
        return any(each.exceeds_guard for each in self.syncs)

    @property
    def matters(self) -> bool:
        """Whether a key is deleted, a sync stops, or something is not complete afterwards."""
        return bool(self.references) or any(each.removes or each.stops or each.incomplete for each in self.syncs)


def _keys(number: int) -> str:
    return f"{number} key" if number == 1 else f"{number} keys"


def impact_of_stopped(syncs: Iterable[SecretSync], *, removed: bool = False) -> Impact:
    """Of syncs that are deleted: their keys stay, or with `removed` go first. Two queries at most."""
    syncs = sorted(syncs, key=lambda each: each.name)
    rows = ManagedSecret.objects.filter(sync__in=syncs).exclude(state=State.MISSING)
    owned = Counter(rows.values_list("sync_id", flat=True))
    return Impact(
        [
            SyncImpact(each, owned[each.pk] if removed else 0, 0 if removed else owned[each.pk], stops=True)
            for each in syncs
        ]
    )


def impact_of_change(project_id: UUID, change: Callable[[Graph], Changed]) -> Impact:
    """Of a change of the source. `change` makes the source as it would be."""
    folders = Folder.objects.filter(environment__project=project_id)
    graph = load_graph(project_id, set(folders.values_list("environment__slug", "path")))
    changed = change(graph)
    syncs = SecretSync.objects.filter(project=project_id).select_related("policy", "folder__environment")
    rows = ManagedSecret.objects.filter(sync__project=project_id).exclude(state=State.MISSING)
    owned: dict[UUID | None, set[str]] = {}
    for sync_id, normalized_key in rows.values_list("sync_id", "normalized_key"):
        owned.setdefault(sync_id, set()).add(normalized_key)
    return Impact(_impacts(list(syncs), owned, graph, changed), broken_references(graph, changed))


def _impacts(
    syncs: Sequence[SecretSync], owned: Mapping[UUID | None, set[str]], graph: Graph, changed: Changed
) -> list[SyncImpact]:
    concerned = reached(graph, changed)
    after: dict[UUID, _Wanted] = {}

    def wanted_by(sync: SecretSync) -> _Wanted:
        if sync.pk not in after:
            after[sync.pk] = _wanted(sync, changed.graph, _source_of(sync, changed))
        return after[sync.pk]

    found = []
    for sync in sorted(syncs, key=lambda each: each.name):
        start = sync.folder.address if sync.folder else None
        if start is None or not concerned.intersection(_folders(graph, start, sync)):
            continue
        own = owned.get(sync.pk, set())
        if _source_of(sync, changed) is None:
            found.append(SyncImpact(sync, 0, len(own), stops=True))
            continue
        wanted = wanted_by(sync)
        gone = (own & _wanted(sync, graph, start).keys) - wanted.keys
        if not wanted.complete or sync.sync_options.get("disableSecretDeletion"):
            gone = set()
        for other in syncs if gone else ():
            if other.pk != sync.pk and other.location == sync.location:
                gone = gone - wanted_by(other).keys  # handed over to the other sync
        found.append(SyncImpact(sync, len(gone), len(own) - len(gone), incomplete=not wanted.complete))
    return found


def _source_of(sync: SecretSync, changed: Changed) -> Address | None:
    return changed.address(sync.folder.address) if sync.folder else None


def _folders(graph: Graph, start: Address, sync: SecretSync) -> list[Address]:
    if not sync.policy.recursive:
        return [start]
    return [start, *(each for each in graph if each[0] == start[0] and is_below(each[1], start[1]))]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The normalized keys that a sync wants, and whether its source is complete."""

    keys: set[str]
    complete: bool = True


def _wanted(sync: SecretSync, graph: Graph, start: Address | None) -> _Wanted:
    if start is None:
        return _Wanted(set())
    adapter = destinations.get(sync.destination)
    normalize_key = adapter.normalize_key if adapter else str
    schema, chosen = KeySchema.parse(sync.sync_options.get("keySchema")), filter_of(sync)
    source = resolve(graph, *_folders(graph, start, sync))
    entries = [entry for entry in source.entries if chosen(entry)]
    keys = {normalize_key(schema.render(entry.key, start[0])) for entry in entries}
    return _Wanted(keys, not source.gaps and all(entry.problem is None for entry in entries))
