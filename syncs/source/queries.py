"""Secrets as people and programs read them: of a folder, below it, through its imports, with references followed.

A read costs the same few queries whatever the number of secrets. Unlike a sync's source (`syncs.source.loader`) it
returns an unresolved reference as it was typed, and names values that cannot be decrypted instead of omitting them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, prefetch_related_objects

from config.access.models import Project
from config.access.roles import Actor, Right, project_for
from config.encryption import Undecryptable, unseal
from config.errors import BadRequest, NotFound, Unreadable
from syncs.engine.references import Address, Reader, SecretData, TooMuch, precedence
from syncs.models import Environment, Folder, Secret, SecretImport, SecretVersion, Tag
from syncs.source.loader import load_graph
from syncs.source.selectors import environment_by_slug, folder_by_path, folders, metadata_of

TagRow = tuple[str, str, str]
"""Id, slug, colour."""


@dataclass(slots=True)
class Shown:
    """A secret as it is read. `value` is None where it is not shown."""

    secret: Secret
    value: str | None = field(repr=False)
    comment: str = field(default="", repr=False)
    tags: Sequence[TagRow] = ()

    @property
    def address(self) -> Address:
        return self.secret.folder.environment.slug, self.secret.folder.path


@dataclass(frozen=True, slots=True)
class Imported:
    """What one import of a folder brings."""

    environment: str
    path: str
    folder: Folder
    secrets: Sequence[Shown]


@dataclass(frozen=True, slots=True)
class Wish:
    """How a read shall be."""

    values: bool = True
    expanded: bool = False
    imports: bool = False
    recursive: bool = False
    tags: frozenset[str] = frozenset()
    metadata: Sequence[Mapping[str, str]] = ()  # each: {"key": ..., "value": ...}, either may be missing

    def fits(self, shown: Shown) -> bool:
        """Whether tags (any of them) and metadata (all of it, what is not encrypted) are as wished."""
        if self.tags and not self.tags & {slug for _, slug, _ in shown.tags}:
            return False
        entries = [entry for entry in metadata_of(shown.secret, hidden=True) if not entry["isEncrypted"]]
        pairs = [{"key": entry["key"], "value": entry["value"]} for entry in entries]
        return all(any(wanted.items() <= pair.items() for pair in pairs) for wanted in self.metadata)


def find_folder(
    actor: Actor, project: Mapping[str, str], environment: str, path: str, right: Right = Right.SEE
) -> Folder:
    """The folder at a path, where the actor has the right; `project`: its `id` or its `slug`.

    One query where all is well. Raises NotFound naming the part that is not there, PermissionDenied.
    """
    folder = None
    with contextlib.suppress(ValueError):
        named = {"pk": UUID(project["id"])} if "id" in project else {"slug": project["slug"]}
        chosen = {f"environment__project__{name}": value for name, value in named.items()}
        folder = folders().filter(environment__slug=environment, path=path, **chosen).first()
    if folder is None or not actor.may(Right.SEE, folder.environment.project_id):
        known = named_project(actor, project, right)
        return folder_by_path(environment_by_slug(known, environment), path)
    actor.require(right, folder.environment.project_id)
    return folder


def find_folders(
    actor: Actor, project: Mapping[str, str], environment: str, paths: Iterable[str], right: Right
) -> dict[str, Folder]:
    """As `find_folder`, of several paths of one environment."""
    wanted = list(dict.fromkeys(paths))
    first = find_folder(actor, project, environment, wanted[0], right)
    found = {each.path: each for each in folders().filter(environment=first.environment_id, path__in=wanted)}
    for path in wanted:
        if path not in found:
            folder_by_path(first.environment, path)  # says that it is not there
    return found


def named_project(actor: Actor, project: Mapping[str, str], right: Right = Right.SEE) -> Project:
    """By `id` or `slug`. Raises NotFound."""
    if "id" in project:
        return project_for(actor, project["id"], right)
    found = Project.objects.filter(slug=project["slug"]).first()
    if found is None or not actor.may(Right.SEE, found.pk):
        raise NotFound(f"Project with slug '{project['slug']}' not found")
    actor.require(right, found.pk)
    return found


def secrets_of(folder: Folder, wish: Wish) -> tuple[list[Shown], list[Imported]]:
    """What a folder holds, by path and key, and what each of its imports brings, in the order of their positions."""
    project_id = folder.environment.project_id
    around = _around(folder, wish)
    own = [each for each in around.folders.values() if each.pk == folder.pk or _is_below(each, folder, wish)]
    targets = [
        around.folders[target]
        for target in (around.imports.get(folder.address, ()) if wish.imports else ())
        if target in around.folders
    ]
    reached = {target: list(precedence(target.address, around.imports_of)) for target in targets}
    needed = {each.pk: each for each in own}
    needed |= {around.folders[address].pk: around.folders[address] for each in reached.values() for address in each}
    rows = _rows(project_id, needed)
    shown = {pk: list(found) for pk, found in rows.items()}
    _fill(project_id, [each for found in shown.values() for each in found], wish, shown)
    mine = [each for one in sorted(own, key=lambda one: one.path) for each in shown.get(one.pk, ()) if wish.fits(each)]
    brought = []
    for target in targets:
        effective: dict[str, Shown] = {}
        for address in reached[target]:
            for each in shown.get(around.folders[address].pk, ()):
                effective.setdefault(each.secret.key, each)
        kept = [each for _, each in sorted(effective.items()) if wish.fits(each)]
        brought.append(Imported(target.environment.slug, target.path, target, kept))
    return mine, brought


def secret_at(folder: Folder, key: str, wish: Wish, version: int | None = None) -> Shown:
    """One secret of a folder, by name; with imports, of what they bring the last one's. Raises NotFound."""
    around = _around(folder, wish) if wish.imports else _Around({folder.address: folder}, {})
    order = [around.folders[address] for address in precedence(folder.address, around.imports_of)]
    found = _rows(folder.environment.project_id, {each.pk: each for each in order}, key=key)
    first = next((found[each.pk][0] for each in order if found.get(each.pk)), None)
    if first is None:
        raise NotFound(f"Secret with name '{key}' not found")
    return with_values(first, wish, version)


def secret_with_id(actor: Actor, secret_id: str | UUID, wish: Wish, version: int | None = None) -> Shown:
    """Raises NotFound, also where the actor may not know of it."""
    known = Secret.objects.select_related("folder__environment__project").filter(pk=secret_id).first()
    if known is None or not actor.may(Right.SEE, known.folder.environment.project_id):
        raise NotFound(f"Secret with ID '{secret_id}' not found")
    return with_values(shown_of([known])[0], wish, version)


def shown_of(secrets: Sequence[Secret], *, values: bool = False) -> list[Shown]:
    """Secrets that a service answered with."""
    prefetch_related_objects(secrets, "tags")  # of deleted ones they are at hand
    shown = [
        Shown(secret, None, "", [(str(tag.pk), tag.slug, tag.color) for tag in secret.tags.all()]) for secret in secrets
    ]
    if shown:
        _fill(secrets[0].folder.environment.project_id, shown, Wish(values=values), {})
    return shown


def with_values(shown: Shown, wish: Wish, version: int | None = None) -> Shown:
    """With its value, if wished, and its comment: as they are, or as they were in a version."""
    secret = shown.secret
    if version is not None and version != secret.version:
        old = SecretVersion.objects.filter(secret=secret, version=version).first()
        if old is None:
            raise NotFound(f"Secret with name '{secret.key}' has no version {version}")
        secret.value_sealed, secret.comment_sealed, secret.version = old.value_sealed, old.comment_sealed, old.version
    _fill(secret.folder.environment.project_id, [shown], wish, {})
    return shown


def versions_of(secret: Secret, offset: int, limit: int, *, values: bool) -> list[tuple[SecretVersion, str | None]]:
    """Newest first, each with its value where values are shown and it opens."""
    project_id = secret.folder.environment.project_id
    context = f"secret:{secret.pk}:value"
    rows = secret.versions.all()[offset : offset + limit]
    return [(row, _opened(project_id, context, row.value_sealed) if values else None) for row in rows]


# -- folders around a folder -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Around:
    folders: Mapping[Address, Folder]
    imports: Mapping[Address, Sequence[Address]]

    def imports_of(self, address: Address) -> Sequence[Address] | None:
        return self.imports.get(address, ()) if address in self.folders else None


def _around(folder: Folder, wish: Wish) -> _Around:
    """The folder, those below it, and those that imports of the project tie together; at most one query."""
    if not wish.imports and not wish.recursive:
        return _Around({folder.address: folder}, {})
    known = {folder.address: folder}
    imports: dict[Address, list[tuple[int, UUID, Address]]] = {}
    below = Q(environment=folder.environment_id, path__startswith=f"{folder.path.rstrip('/')}/")
    named = SecretImport.objects.filter(import_environment=OuterRef("environment"), import_path=OuterRef("path"))
    tied = Q(Exists(named)) | Q(imports__isnull=False)
    asked = (below if wish.recursive else Q(pk__in=())) | (tied if wish.imports else Q(pk__in=()))
    rows = Folder.objects.filter(asked, environment__project=folder.environment.project_id).values_list(
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
        known.setdefault((slug, path), Folder(pk=pk, name=name, path=path, environment=environment))
        if to_path is not None:
            imports.setdefault((slug, path), []).append((position, import_id, (to_slug, to_path)))
    return _Around(known, {address: [to for _, _, to in sorted(found)] for address, found in imports.items()})


def _is_below(each: Folder, folder: Folder, wish: Wish) -> bool:
    below = f"{folder.path.rstrip('/')}/"
    return wish.recursive and each.environment_id == folder.environment_id and each.path.startswith(below)


# -- rows and values -------------------------------------------------------------------------------------------


def _rows(project_id: UUID, needed: Mapping[UUID, Folder], key: str | None = None) -> dict[UUID, list[Shown]]:
    """By folder, its secrets by key, with their tags; two queries."""
    if not needed:
        return {}
    chosen = Q(folder_id__in=list(needed)) & (Q() if key is None else Q(key=key))
    rows = list(Secret.objects.filter(chosen).order_by("key"))
    named = Q(secret__folder_id__in=list(needed)) & (Q() if key is None else Q(secret__key=key))
    tags = tags_of(named) if rows else {}
    found: dict[UUID, list[Shown]] = {}
    for row in rows:
        row.folder = needed[row.folder_id]
        found.setdefault(row.folder_id, []).append(Shown(row, None, "", tags.get(row.pk, ())))
    return found


def tags_of(chosen: Q) -> dict[Any, list[TagRow]]:
    tags: dict[Any, list[TagRow]] = {}
    rows = Secret.tags.through.objects.filter(chosen).order_by("tag__slug")
    for pk, tag_id, slug, color in rows.values_list("secret_id", "tag_id", "tag__slug", "tag__color"):
        tags.setdefault(pk, []).append((str(tag_id), slug, color))
    return tags


def _fill(project_id: UUID, found: Iterable[Shown], wish: Wish, whole: Mapping[UUID, Sequence[Shown]]) -> None:
    """Open comments, and values where they are wished. `whole`: folders of which every secret is at hand."""
    found = list(found)
    unreadable = []
    for shown in found:
        secret = shown.secret
        shown.comment = _opened(project_id, f"secret:{secret.pk}:comment", secret.comment_sealed) or ""
        if wish.values:
            shown.value = _opened(project_id, f"secret:{secret.pk}:value", secret.value_sealed)
            if shown.value is None:
                unreadable.append(secret.key)
    if unreadable:
        keys = ", ".join(sorted(unreadable)[:20])
        raise Unreadable(f"Cannot decrypt the value of: {keys}. Set it anew, or read with viewSecretValue=false.")
    if wish.values and wish.expanded and any("${" in (shown.value or "") for shown in found):
        _expand(project_id, found, whole)


def _expand(project_id: UUID, found: Iterable[Shown], whole: Mapping[UUID, Sequence[Shown]]) -> None:
    refers = [shown for shown in found if shown.value and "${" in shown.value]
    known = {pk: {each.secret.key: _data(each) for each in all_of_it} for pk, all_of_it in whole.items()}
    reader = Reader(load_graph(project_id, {shown.address for shown in refers}, known))
    try:
        for shown in refers:
            shown.value = reader.value(shown.address, _data(shown))
    except TooMuch as error:
        raise BadRequest(f"Too much for one answer: {error}. Read with expandSecretReferences=false.") from None


def _data(shown: Shown) -> SecretData:
    return SecretData(shown.secret.key, shown.value)


def _opened(project_id: UUID, context: str, sealed: bytes | memoryview | None) -> str | None:
    if sealed is None:
        return ""
    try:
        return unseal(project_id, context, sealed)
    except Undecryptable:
        return None


def tags_by_id(project: Project, ids: Sequence[str]) -> dict[str, str]:
    """Id -> slug of tags. Raises NotFound where one is not the project's."""
    known = {str(pk): slug for pk, slug in Tag.objects.filter(project=project).values_list("pk", "slug")}
    found = {tag_id: known[tag_id] for tag_id in ids if tag_id in known}
    if len(found) != len(set(ids)):
        raise NotFound(f"Tag not found. Found {', '.join(found.values()) or 'none'}")
    return found


def require_tags(project: Project, slugs: Sequence[str]) -> None:
    """Raises NotFound where one is not the project's."""
    found = set(Tag.objects.filter(project=project, slug__in=slugs).values_list("slug", flat=True))
    if missing := sorted(set(slugs) - found):
        raise NotFound(f"Tag not found: {', '.join(missing)}. Found {', '.join(sorted(found)) or 'none'}")


def metadata_wish(text: str) -> list[dict[str, str]]:
    """`key=a,value=b|key=c,value=d` as [{"key": "a", "value": "b"}, ...]. Raises BadRequest."""
    pairs = []
    for part in filter(None, (part.strip() for part in text.split("|"))):
        pair = dict(each.partition("=")[::2] for each in part.split(","))
        if not pair or set(pair) - {"key", "value"} or not all(pair.values()):
            raise BadRequest("metadataFilter is written as key=a,value=b|key=c,value=d")
        pairs.append(pair)
    if len(pairs) > 10:
        raise BadRequest("metadataFilter takes at most 10 pairs")
    return pairs


def tags_at(folder: Folder) -> dict[UUID, set[str]]:
    """By a secret's id, the slugs of its tags."""
    rows = tags_of(Q(secret__folder=folder))
    return {pk: {slug for _, slug, _ in tags} for pk, tags in rows.items()}
