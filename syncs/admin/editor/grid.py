"""What the secrets editor shows of a folder: one row per key, one column per environment; its tree, syncs and imports.

Names, comments and tags only: values are read one at a time by `syncs.source.queries` and recorded in the audit log.
The number of queries does not depend on the number of rows.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from django.db.models import Count, Q

from config.access.models import Project
from syncs.engine.addresses import Address, is_below
from syncs.engine.references import PART, precedence
from syncs.history.states import with_state
from syncs.history.status import RELATED
from syncs.models import Environment, Folder, Secret, SecretImport, SecretSync
from syncs.services.propagation import reached_syncs
from syncs.source.loader import imports_of
from syncs.source.paths import within
from syncs.source.selectors import comment_of, folders
from syncs.source.tags import TagRow, tags_of

PAGE = 100
WHOLE_TREE = 150  # folders; in larger trees only those near the open one are listed
NAMES = 5000  # offered by completion

COLOR = re.compile(r"#[0-9a-fA-F]{3,8}")  # of a tag; nothing else may become part of a page's style

State = Literal["set", "imported", "missing", "nowhere"]


@dataclass(frozen=True, slots=True)
class Column:
    """An environment, and its folder at the path, if it has one."""

    environment: Environment
    folder: Folder | None


@dataclass(frozen=True, slots=True)
class Cell:
    """A key in an environment; `origin` is the folder that it is imported from."""

    key: str
    column: Column
    secret: Secret | None = None
    comment: str = field(default="", repr=False)
    tags: Sequence[TagRow] = ()
    origin: Address | None = None

    @property
    def state(self) -> State:
        if self.secret:
            return "set"
        if self.origin:
            return "imported"
        return "missing" if self.column.folder else "nowhere"


@dataclass(frozen=True, slots=True)
class Row:
    key: str
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Grid:
    """A page of rows. The path has `total` keys, `gaps` of them not in every environment; `found` match the filters."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    total: int
    gaps: int
    found: int
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class Filters:
    """Which rows: names with every word of `text`, secrets with a tag (its slug), keys missing in some environment."""

    text: str = ""
    tag: str = ""
    gaps: bool = False
    page: int = 1


@dataclass(frozen=True, slots=True)
class Branch:
    """A folder in the tree of its environment."""

    path: str
    name: str
    depth: int
    secrets: int
    syncs: int


@dataclass(frozen=True, slots=True)
class ReachedSync:
    """A sync that a folder's secrets reach: of the folder, of a folder above it, or through imports or references."""

    sync: SecretSync
    way: Literal["own", "above", "through"]


def columns_at(project: Project, path: str) -> list[Column]:
    """Two queries."""
    existing = {each.environment_id: each for each in folders().filter(environment__project=project, path=path)}
    return [Column(each, existing.get(each.pk)) for each in project.environments.select_related("project")]


def grid_at(project: Project, path: str, filters: Filters) -> Grid:
    """Eight queries."""
    columns = columns_at(project, path)
    own = {each.folder.pk: each.folder for each in columns if each.folder}
    counted = dict(Secret.objects.filter(folder__in=own).order_by("key").values_list("key").annotate(count=Count("pk")))
    keys = list(counted)
    gaps = {key for key, count in counted.items() if count < len(columns)}
    if filters.tag:
        tagged = Secret.objects.filter(folder__in=own, tags__slug=filters.tag).values_list("key", flat=True)
        keys = sorted(set(tagged))
    words = filters.text.casefold().split()
    keys = [key for key in keys if all(w in key.casefold() for w in words) and (not filters.gaps or key in gaps)]
    pages = max(1, -(-len(keys) // PAGE))
    page = min(max(1, filters.page), pages)
    page_keys = keys[(page - 1) * PAGE : page * PAGE]
    return Grid(columns, _rows(project, path, columns, page_keys), len(counted), len(gaps), len(keys), page, pages)


def cell_at(project: Project, column: Column, path: str, key: str) -> Cell:
    return _rows(project, path, [column], [key])[0].cells[0]


def _rows(project: Project, path: str, columns: Sequence[Column], keys: Collection[str]) -> list[Row]:
    own = {each.folder.pk: each.folder for each in columns if each.folder}
    chosen = Secret.objects.filter(folder__in=own, key__in=keys).defer("value_sealed")
    secrets: dict[tuple[UUID, str], Secret] = {}
    for secret in chosen:
        secret.folder = own[secret.folder_id]
        secrets[secret.folder_id, secret.key] = secret
    tags = {
        pk: [(tag, slug, color if COLOR.fullmatch(color) else "") for tag, slug, color in found]
        for pk, found in tags_of(Q(secret__folder__in=own, secret__key__in=keys)).items()
    }
    origins = _origins(project, [(each.environment.slug, path) for each in columns if each.folder], keys)

    def cell(key: str, column: Column) -> Cell:
        secret = secrets.get((column.folder.pk, key)) if column.folder else None
        if secret is None:
            return Cell(key, column, origin=origins.get((column.environment.slug, key)))
        return Cell(key, column, secret, comment_of(secret), tags.get(secret.pk, ()))

    return [Row(key, [cell(key, column) for column in columns]) for key in keys]


def _origins(project: Project, addresses: Iterable[Address], keys: Collection[str]) -> dict[tuple[str, str], Address]:
    """By environment and key, the folder that a key of one of these folders is imported from; two queries."""
    imports = imports_of(project.pk)
    orders = {address: list(precedence(address, lambda each: imports.get(each, ())))[1:] for address in addresses}
    sources = {each for order in orders.values() for each in order}
    rows = Secret.objects.filter(
        folder__environment__project=project, folder__path__in={path for _, path in sources}, key__in=keys
    )
    keys_at: dict[Address, set[str]] = {}
    for slug, path, key in rows.values_list("folder__environment__slug", "folder__path", "key"):
        keys_at.setdefault((slug, path), set()).add(key)
    found: dict[tuple[str, str], Address] = {}
    for address, order in orders.items():
        for source in order:
            for key in keys_at.get(source, ()):
                found.setdefault((address[0], key), source)
    return found


# -- tree, syncs, imports, references ---------------------------------------------------------------------------


def tree_of(environment: Environment, path: str) -> list[Branch]:
    """The environment's folders, each after its parent; in a large tree only those near `path`."""
    rows = Folder.objects.filter(environment=environment).annotate(
        secret_count=Count("secrets", distinct=True), sync_count=Count("syncs", distinct=True)
    )
    found = [
        Branch(
            each.path, each.name, 0 if each.path == "/" else each.path.count("/"), each.secret_count, each.sync_count
        )
        for each in rows.only("path", "name")
    ]
    found.sort(key=lambda each: each.path.split("/"))
    if len(found) <= WHOLE_TREE:
        return found
    opened = {"/", path, *(path[:at] for at in range(1, len(path)) if path[at] == "/")}
    return [each for each in found if each.path == "/" or (each.path.rpartition("/")[0] or "/") in opened]


def reached_by(folder: Folder) -> list[ReachedSync]:
    """The syncs that a change in the folder reaches, its own first."""
    project_id = folder.environment.project_id
    found = reached_syncs(project_id, [folder]).select_related("folder__environment", *RELATED)
    syncs = with_state(found).order_by("name")

    def way(sync: SecretSync) -> Literal["own", "above", "through"]:
        if sync.folder_id == folder.pk:
            return "own"
        above = sync.folder and sync.folder.environment_id == folder.environment_id
        under = above and sync.folder and is_below(folder.path, sync.folder.path)
        return "above" if under and sync.policy.recursive else "through"

    order = ("own", "above", "through")
    return sorted(
        (ReachedSync(sync, way(sync)) for sync in syncs), key=lambda each: (order.index(each.way), each.sync.name)
    )


def imports_with_counts(folder: Folder) -> list[tuple[SecretImport, int | None]]:
    """The folder's imports by position, each with its number of keys; None if the imported folder does not exist."""
    rows = list(folder.imports.select_related("import_environment").order_by("position", "pk"))
    imported = Folder.objects.filter(
        environment__in={row.import_environment_id for row in rows}, path__in={row.import_path for row in rows}
    ).annotate(secret_count=Count("secrets"))
    counts = {(each.environment_id, each.path): int(each.secret_count) for each in imported}
    return [(row, counts.get((row.import_environment_id, row.import_path))) for row in rows]


def names_from(folder: Folder) -> list[str]:
    """What `${...}` in a value of the folder can refer to: own and imported keys by name, others with their path."""
    project = folder.environment.project
    address = (folder.environment.slug, folder.path)
    imports = imports_of(project.pk)
    near = set(precedence(address, lambda each: imports.get(each, ())))
    rows = Secret.objects.filter(folder__environment__project=project).order_by("key")
    bare: set[str] = set()
    full: list[str] = []
    for slug, path, key in rows.values_list("folder__environment__slug", "folder__path", "key")[:NAMES]:
        parts = [part for part in path.split("/") if part]
        if not all(PART.fullmatch(part) for part in (*parts, key)):
            continue  # a reference cannot contain this name
        if (slug, path) in near:
            bare.add(key)
        if (slug, path) != address:
            full.append(".".join((slug, *parts, key)))
    return [*sorted(bare), *sorted(full)]


@dataclass(frozen=True, slots=True)
class Below:
    """What is deleted together with a folder."""

    folders: int
    secrets: int


def below(folder: Folder) -> Below:
    """Two queries."""
    tree = Folder.objects.filter(within(folder.path), environment=folder.environment)
    ids = list(tree.values_list("pk", flat=True))
    return Below(len(ids) - 1, Secret.objects.filter(folder__in=ids).count())
