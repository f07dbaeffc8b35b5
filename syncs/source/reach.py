"""The folders that a read reaches: a folder, those below it, and those that imports of its project connect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from syncs.engine.addresses import Address
from syncs.models import Environment, Folder, SecretImport
from syncs.source.paths import below

_NONE = Q(pk__in=())


@dataclass(frozen=True, slots=True)
class Reach:
    """Folders by address, and their imports in the order of their positions."""

    folders: Mapping[Address, Folder]
    imports: Mapping[Address, Sequence[Address]]

    def imports_of(self, address: Address) -> Sequence[Address] | None:
        return self.imports.get(address, ()) if address in self.folders else None


def reach_of(folder: Folder, *, imports: bool = False, recursive: bool = False) -> Reach:
    """At most one query."""
    if not imports and not recursive:
        return Reach({folder.address: folder}, {})
    folders = {folder.address: folder}
    positions: dict[Address, list[tuple[int, UUID, Address]]] = {}
    importing = SecretImport.objects.filter(import_environment=OuterRef("environment"), import_path=OuterRef("path"))
    connected = Q(Exists(importing)) | Q(imports__isnull=False)
    subtree = below(folder.path) & Q(environment=folder.environment_id)
    chosen = (subtree if recursive else _NONE) | (connected if imports else _NONE)
    rows = Folder.objects.filter(chosen, environment__project=folder.environment.project_id).values_list(
        "pk",
        "name",
        "path",
        "environment_id",
        "environment__slug",
        "environment__name",
        "imports__import_environment__slug",
        "imports__import_path",
        "imports__position",
        "imports__pk",
    )
    environments = {folder.environment_id: folder.environment}
    for pk, name, path, environment_id, slug, environment_name, to_slug, to_path, position, import_id in rows:
        environment = environments.setdefault(
            environment_id,
            Environment(pk=environment_id, slug=slug, name=environment_name, project=folder.environment.project),
        )
        folders.setdefault((slug, path), Folder(pk=pk, name=name, path=path, environment=environment))
        if to_path is not None:
            positions.setdefault((slug, path), []).append((position, import_id, (to_slug, to_path)))
    ordered = {address: [target for _, _, target in sorted(found)] for address, found in positions.items()}
    return Reach(folders, ordered)
