"""The source of a sync as it is now: every folder it reaches is loaded once, level by level, then resolved.

A torn read (the source changed while it was read) is detected by `wanted_rev`, read before and after.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from config.encryption import Undecryptable
from syncs.engine.addresses import Address
from syncs.engine.references import FolderData, SecretData, precedence, references_in, resolve
from syncs.engine.types import Source
from syncs.models import Folder, Secret, SecretImport, SecretSync
from syncs.source.paths import below
from syncs.source.sealed import COMMENT, VALUE, open_member

TORN_READS = 3
"""Times that a source is read again before a run continues without its deletes."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The source, and the revision and generation of the sync at which it was read."""

    source: Source
    rev: int
    generation: int
    environment: str = field(default="")


class Sources:
    """Sources of syncs for one plan, each read once."""

    def __init__(self) -> None:
        self._readings: dict[object, Reading] = {}

    def read(self, sync: SecretSync) -> Reading:
        """As `read`; of a sync that is being changed, each version by itself."""
        key = (sync.pk, sync.folder_id, sync.policy.recursive)
        if key not in self._readings:
            self._readings[key] = read(sync)
        return self._readings[key]


def read(sync: SecretSync) -> Reading:
    """The source of a sync, consistently, or with a gap that says it was not. `sync.folder` must be set."""
    folder_id = sync.folder_id
    assert folder_id is not None
    for _ in range(TORN_READS):
        before = _revision(sync)
        source = _source(sync, folder_id)
        if _revision(sync) == before:
            break
    else:
        gap = "the source kept changing while it was read"
        source = Source(source.entries, (*source.gaps, gap))
    slug = Folder.objects.values_list("environment__slug", flat=True).get(pk=folder_id)
    return Reading(source, before[0], before[1], slug)


def _revision(sync: SecretSync) -> tuple[int, int]:
    """(0, 0) for a sync that is only being planned."""
    return SecretSync.objects.filter(pk=sync.pk).values_list("wanted_rev", "generation").first() or (0, 0)


def _source(sync: SecretSync, folder_id: UUID) -> Source:
    """The folder's entries; with the policy `recursive` also those of the folders below it."""
    folder = Folder.objects.select_related("environment").get(pk=folder_id)
    addresses = [(folder.environment.slug, folder.path)]
    if sync.policy.recursive:
        subfolders = Folder.objects.filter(below(folder.path), environment=folder.environment)
        addresses += [(folder.environment.slug, path) for path in subfolders.values_list("path", flat=True)]
    graph = load_graph(sync.project_id, addresses)
    return resolve(graph, *addresses)


Known = Mapping[UUID, Mapping[str, SecretData]]
"""Folder id -> its secrets by key, of folders that are loaded and decrypted already."""


def load_graph(project_id: UUID, start: Iterable[Address], known: Known | None = None) -> dict[Address, FolderData]:
    """Every folder that the given ones reach through imports and references; four queries a level."""
    graph: dict[Address, FolderData] = {}
    requested: set[Address] = set()
    pending = set(start)
    while pending:
        requested |= pending
        loaded = _load(project_id, pending, known or {})
        graph |= loaded
        pending = set()
        for address, folder in loaded.items():
            pending |= set(folder.imports)
            for secret in folder.secrets.values():
                pending |= {target.folder for target in references_in(secret.value or "", address)}
        pending -= requested
    return graph


def _load(project_id: UUID, addresses: set[Address], known: Known) -> dict[Address, FolderData]:
    slugs, paths = {slug for slug, _ in addresses}, {path for _, path in addresses}
    rows = Folder.objects.filter(
        environment__project_id=project_id, environment__slug__in=slugs, path__in=paths
    ).values_list("pk", "environment__slug", "path")
    found = {pk: (slug, path) for pk, slug, path in rows if (slug, path) in addresses}
    imports: dict[UUID, list[Address]] = {pk: [] for pk in found}
    for pk, slug, path in (
        SecretImport.objects.filter(folder_id__in=found)
        .order_by("position", "pk")
        .values_list("folder_id", "import_environment__slug", "import_path")
    ):
        imports[pk].append((slug, path))
    secrets: dict[UUID, dict[str, SecretData]] = {pk: dict(known.get(pk, {})) for pk in found}
    unknown = [pk for pk in found if pk not in known]
    tags = _tags(unknown)
    for row in Secret.objects.filter(folder_id__in=unknown).values_list(
        "pk", "folder_id", "key", "value_sealed", "comment_sealed", "version", "skip_multiline_encoding", "metadata"
    ):
        secret_id, folder_id, key, value_sealed, comment_sealed, version, skip, metadata = row
        value, comment = _opened(project_id, secret_id, value_sealed, comment_sealed)
        secrets[folder_id][key] = SecretData(
            key=key,
            value=value,
            comment=comment,
            tags=frozenset(tags.get(secret_id, ())),
            secret_id=str(secret_id),
            version=version,
            skip_multiline=skip,
            metadata=tuple((each["key"], each.get("value", "")) for each in metadata if not each.get("sealed")),
        )
    return {address: FolderData(secrets[pk], tuple(imports[pk])) for pk, address in found.items()}


def imports_of(project_id: UUID) -> dict[Address, list[Address]]:
    """Every import of a project, by the importing folder, in the order of their positions."""
    found: dict[Address, list[Address]] = {}
    rows = SecretImport.objects.filter(folder__environment__project_id=project_id).order_by("position", "pk")
    for slug, path, target_slug, target_path in rows.values_list(
        "folder__environment__slug", "folder__path", "import_environment__slug", "import_path"
    ):
        found.setdefault((slug, path), []).append((target_slug, target_path))
    return found


def keys_reached(project_id: UUID, addresses: set[Address], keys: set[str]) -> set[tuple[Address, str]]:
    """Which of the keys each folder has, of its own or through its imports; two queries."""
    imports = imports_of(project_id)
    reach = {address: list(precedence(address, lambda each: imports.get(each, ()))) for address in addresses}
    folders = {folder for reached in reach.values() for folder in reached}
    keys_by_folder: dict[Address, set[str]] = {}
    rows = Secret.objects.filter(
        folder__environment__project_id=project_id, folder__path__in={path for _, path in folders}
    )
    if len(keys) <= 500:
        rows = rows.filter(key__in=keys)
    for slug, path, key in rows.values_list("folder__environment__slug", "folder__path", "key"):
        keys_by_folder.setdefault((slug, path), set()).add(key)
    return {
        (address, key)
        for address, reached in reach.items()
        for folder in reached
        for key in keys_by_folder.get(folder, ())
        if key in keys
    }


def _tags(found: Iterable[UUID]) -> dict[UUID, list[str]]:
    tags: dict[UUID, list[str]] = {}
    for secret_id, slug in Secret.tags.through.objects.filter(secret__folder_id__in=found).values_list(
        "secret_id", "tag__slug"
    ):
        tags.setdefault(secret_id, []).append(slug)
    return tags


def _opened(
    project_id: UUID, secret_id: UUID, value: bytes | memoryview, comment: bytes | memoryview | None
) -> tuple[str | None, str]:
    """The value and the comment. If either cannot be decrypted the value is None: it must not be written without it."""
    try:
        opened = open_member(project_id, secret_id, COMMENT, comment)
        return open_member(project_id, secret_id, VALUE, value), opened
    except Undecryptable:
        return None, ""
