"""What the secrets editor shows: at one path a row a key and a column an environment, and what lies around a folder.

Names, comments and tags only; a value is read by `syncs.source.queries`, one at a time, and recorded in the audit log.
Each read costs the same queries whatever the number of rows.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from django.db.models import Count, Q

from config.access.models import Project
from syncs.engine.references import NAMED, Address, precedence
from syncs.models import Environment, Folder, Secret, SecretImport, SecretReference, SecretSync
from syncs.services.propagation import reached_syncs
from syncs.source.loader import imports_of
from syncs.source.queries import TagRow, tags_of
from syncs.source.references import _place
from syncs.source.selectors import comment_of, folders

PAGE = 100
WHOLE_TREE = 150  # folders; of more only those around the shown one are listed
NAMES = 5000  # that completion offers

COLOR = re.compile(r"#[0-9a-fA-F]{3,8}")  # of a tag: no other text gets into a page's style

State = Literal["set", "imported", "missing", "nowhere"]


@dataclass(frozen=True, slots=True)
class Column:
    """An environment, and its folder at the path, if it has one."""

    environment: Environment
    folder: Folder | None


@dataclass(frozen=True, slots=True)
class Cell:
    """One key in one environment; `origin` is the folder that an import takes it from."""

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
    """A page of rows. `total` keys stand at the path, `gaps` of them not everywhere, `found` fit what was asked for."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    total: int
    gaps: int
    found: int
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class Asked:
    """Which rows: `words` all in the name, a tag's slug, only keys that some environment lacks."""

    words: str = ""
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
class Fed:
    """A sync that a folder's secrets reach: its own folder's, one of a folder above, or through others."""

    sync: SecretSync
    way: Literal["own", "above", "through"]


def columns_at(project: Project, path: str) -> list[Column]:
    """Two queries."""
    there = {each.environment_id: each for each in folders().filter(environment__project=project, path=path)}
    return [Column(each, there.get(each.pk)) for each in project.environments.select_related("project")]


def grid_at(project: Project, path: str, asked: Asked) -> Grid:
    """Eight queries."""
    columns = columns_at(project, path)
    own = {each.folder.pk: each.folder for each in columns if each.folder}
    counted = dict(Secret.objects.filter(folder__in=own).order_by("key").values_list("key").annotate(count=Count("pk")))
    keys = list(counted)
    gaps = {key for key, count in counted.items() if count < len(columns)}
    if asked.tag:
        tagged = Secret.objects.filter(folder__in=own, tags__slug=asked.tag).values_list("key", flat=True)
        keys = sorted(set(tagged))
    words = asked.words.casefold().split()
    keys = [key for key in keys if all(w in key.casefold() for w in words) and (not asked.gaps or key in gaps)]
    pages = max(1, -(-len(keys) // PAGE))
    page = min(max(1, asked.page), pages)
    shown = keys[(page - 1) * PAGE : page * PAGE]
    return Grid(columns, _rows(project, path, columns, shown), len(counted), len(gaps), len(keys), page, pages)


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


def _origins(project: Project, here: Iterable[Address], keys: Collection[str]) -> dict[tuple[str, str], Address]:
    """By environment and key, the folder that an import of one of these folders takes the key from; two queries."""
    imports = imports_of(project.pk)
    orders = {address: list(precedence(address, lambda each: imports.get(each, ())))[1:] for address in here}
    sources = {each for order in orders.values() for each in order}
    rows = Secret.objects.filter(
        folder__environment__project=project, folder__path__in={path for _, path in sources}, key__in=keys
    )
    held: dict[Address, set[str]] = {}
    for slug, path, key in rows.values_list("folder__environment__slug", "folder__path", "key"):
        held.setdefault((slug, path), set()).add(key)
    found: dict[tuple[str, str], Address] = {}
    for address, order in orders.items():
        for source in order:
            for key in held.get(source, ()):
                found.setdefault((address[0], key), source)
    return found


# -- around a folder -------------------------------------------------------------------------------------------


def tree_of(environment: Environment, path: str) -> list[Branch]:
    """The environment's folders, each after the one above it; of very many, those around `path` alone."""
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
    open_ones = {"/", path, *(path[:at] for at in range(1, len(path)) if path[at] == "/")}
    return [each for each in found if each.path == "/" or (each.path.rpartition("/")[0] or "/") in open_ones]


def fed_by(folder: Folder) -> list[Fed]:
    """The syncs that a change in the folder reaches, its own first."""
    project_id = folder.environment.project_id
    syncs = reached_syncs(project_id, [folder]).select_related("folder__environment", "policy").order_by("name")

    def way(sync: SecretSync) -> Literal["own", "above", "through"]:
        if sync.folder_id == folder.pk:
            return "own"
        above = sync.folder and sync.folder.environment_id == folder.environment_id
        under = above and sync.folder and folder.path.startswith(f"{sync.folder.path.rstrip('/')}/")
        return "above" if under and sync.policy.recursive else "through"

    order = ("own", "above", "through")
    return sorted((Fed(sync, way(sync)) for sync in syncs), key=lambda each: (order.index(each.way), each.sync.name))


def imports_with_counts(folder: Folder) -> list[tuple[SecretImport, int | None]]:
    """The folder's imports by position, each with its number of keys; None where its folder does not exist."""
    rows = list(folder.imports.select_related("import_environment").order_by("position", "pk"))
    there = Folder.objects.filter(
        environment__in={row.import_environment_id for row in rows}, path__in={row.import_path for row in rows}
    ).annotate(secret_count=Count("secrets"))
    counts = {(each.environment_id, each.path): int(each.secret_count) for each in there}
    return [(row, counts.get((row.import_environment_id, row.import_path))) for row in rows]


def names_from(folder: Folder) -> list[str]:
    """What `${...}` may hold in a value of the folder: what it has or imports by its bare name, the rest in full."""
    project = folder.environment.project
    here = (folder.environment.slug, folder.path)
    imports = imports_of(project.pk)
    near = set(precedence(here, lambda each: imports.get(each, ())))
    rows = Secret.objects.filter(folder__environment__project=project).order_by("key")
    bare: set[str] = set()
    full: list[str] = []
    for slug, path, key in rows.values_list("folder__environment__slug", "folder__path", "key")[:NAMES]:
        parts = [part for part in path.split("/") if part]
        if not all(NAMED.fullmatch(part) for part in (*parts, key)):
            continue  # no reference can name it
        if (slug, path) in near:
            bare.add(key)
        if (slug, path) != here:
            full.append(".".join((slug, *parts, key)))
    return [*sorted(bare), *sorted(full)]


def refers_below(folder: Folder) -> list[str]:
    """What outside of a folder names it or one below it: references and imports, in words; two queries."""
    environment = folder.environment
    below = f"{folder.path.rstrip('/')}/"
    named = SecretReference.objects.filter(
        Q(path=folder.path) | Q(path__startswith=below),
        secret__folder__environment__project=environment.project_id,
        environment=environment.slug,
    ).select_related("secret__folder__environment")
    taken = SecretImport.objects.filter(
        Q(import_path=folder.path) | Q(import_path__startswith=below), import_environment=environment
    ).select_related("folder__environment")

    def inside(other: Folder) -> bool:
        return other.environment_id == environment.pk and f"{other.path}/".startswith(below)

    said = [f"{_place(row.secret.folder)} {row.secret.key}" for row in named if not inside(row.secret.folder)]
    return sorted({*said, *(f"{_place(row.folder)} (import)" for row in taken if not inside(row.folder))})


@dataclass(frozen=True, slots=True)
class Below:
    """How much goes with a folder."""

    folders: int
    secrets: int
    syncs: Sequence[str]


def below(folder: Folder) -> Below:
    """Three queries."""
    path = f"{folder.path.rstrip('/')}/"
    tree = Folder.objects.filter(Q(path=folder.path) | Q(path__startswith=path), environment=folder.environment)
    ids = [pk for pk, at in tree.values_list("pk", "path") if f"{at}/".startswith(path)]  # LIKE ignores case
    syncs = SecretSync.objects.filter(folder__in=ids).order_by("name").values_list("name", flat=True)
    return Below(len(ids) - 1, Secret.objects.filter(folder__in=ids).count(), list(syncs))
