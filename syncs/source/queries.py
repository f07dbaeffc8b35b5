"""Secrets as people and programs read them: of a folder, below it, through its imports, with references resolved.

A read costs the same few queries whatever the number of secrets. Unlike a sync's source (`syncs.source.loader`) it
returns an unresolved reference as it was typed, and refuses values that cannot be decrypted instead of omitting them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Q, prefetch_related_objects

from config.access.models import Project
from config.access.roles import Actor, Right, project_for
from config.errors import BadRequest, NotFound, Unreadable
from syncs.engine.addresses import Address, is_within
from syncs.engine.references import Reader, SecretData, TooMuch, precedence
from syncs.models import Folder, Secret, SecretVersion
from syncs.source.loader import load_graph
from syncs.source.reach import reach_of
from syncs.source.sealed import COMMENT, VALUE, open_or_none
from syncs.source.selectors import environment_by_slug, folder_by_path, folders, metadata_of
from syncs.source.tags import TagRow, tags_of


@dataclass(slots=True)
class ReadSecret:
    """A secret as it is read. `value` is None if it is not returned."""

    secret: Secret
    value: str | None = field(repr=False)
    comment: str = field(default="", repr=False)
    tags: Sequence[TagRow] = ()

    @property
    def address(self) -> Address:
        return self.secret.folder.address


@dataclass(frozen=True, slots=True)
class Imported:
    """The secrets of one import of a folder."""

    environment: str
    path: str
    folder: Folder
    secrets: Sequence[ReadSecret]


@dataclass(frozen=True, slots=True)
class SecretQuery:
    """Which secrets to read, and how."""

    values: bool = True
    expanded: bool = False
    imports: bool = False
    recursive: bool = False
    tags: frozenset[str] = frozenset()
    metadata: Sequence[Mapping[str, str]] = ()  # each: {"key": ..., "value": ...}, either may be missing

    def matches(self, view: ReadSecret) -> bool:
        """Whether a secret has one of the tags and all of the metadata; encrypted entries never match."""
        if self.tags and not self.tags & {slug for _, slug, _ in view.tags}:
            return False
        entries = [entry for entry in metadata_of(view.secret, hidden=True) if not entry["isEncrypted"]]
        pairs = [{"key": entry["key"], "value": entry["value"]} for entry in entries]
        return all(any(wanted.items() <= pair.items() for pair in pairs) for wanted in self.metadata)


def find_folder(
    actor: Actor, project: Mapping[str, str], environment: str, path: str, right: Right = Right.SEE
) -> Folder:
    """The folder at a path, if the actor has the right; `project`: its `id` or its `slug`.

    One query if it exists. Raises NotFound naming the part that does not exist, PermissionDenied.
    """
    folder = None
    with contextlib.suppress(ValueError):
        key = {"pk": UUID(project["id"])} if "id" in project else {"slug": project["slug"]}
        in_project = {f"environment__project__{name}": value for name, value in key.items()}
        folder = folders().filter(environment__slug=environment, path=path, **in_project).first()
    if folder is None or not actor.may(Right.SEE, folder.environment.project_id):
        known = project_by_id_or_slug(actor, project, right)
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
            folder_by_path(first.environment, path)  # raises NotFound
    return found


def project_by_id_or_slug(actor: Actor, project: Mapping[str, str], right: Right = Right.SEE) -> Project:
    """By `id` or `slug`. Raises NotFound."""
    if "id" in project:
        return project_for(actor, project["id"], right)
    found = Project.objects.filter(slug=project["slug"]).first()
    if found is None or not actor.may(Right.SEE, found.pk):
        raise NotFound(f"Project with slug '{project['slug']}' not found")
    actor.require(right, found.pk)
    return found


def secrets_of(folder: Folder, query: SecretQuery) -> tuple[list[ReadSecret], list[Imported]]:
    """The folder's secrets, by path and key, and those of each of its imports, in the order of their positions."""
    project_id = folder.environment.project_id
    reach = reach_of(folder, imports=query.imports, recursive=query.recursive)
    own = [each for each in reach.folders.values() if _is_read(each, folder, recursive=query.recursive)]
    targets = [
        reach.folders[target]
        for target in (reach.imports.get(folder.address, ()) if query.imports else ())
        if target in reach.folders
    ]
    reached = {target: list(precedence(target.address, reach.imports_of)) for target in targets}
    needed = {each.pk: each for each in own}
    needed |= {reach.folders[address].pk: reach.folders[address] for each in reached.values() for address in each}
    views = _views(project_id, needed)
    _fill(project_id, [view for found in views.values() for view in found], query, views)
    matching = [
        view
        for each in sorted(own, key=lambda each: each.path)
        for view in views.get(each.pk, ())
        if query.matches(view)
    ]
    imported = []
    for target in targets:
        effective: dict[str, ReadSecret] = {}
        for address in reached[target]:
            for view in views.get(reach.folders[address].pk, ()):
                effective.setdefault(view.secret.key, view)
        in_query = [view for _, view in sorted(effective.items()) if query.matches(view)]
        imported.append(Imported(target.environment.slug, target.path, target, in_query))
    return matching, imported


def secret_at(folder: Folder, key: str, query: SecretQuery, version: int | None = None) -> ReadSecret:
    """One secret of a folder, by name; with imports, else the last import's that has it. Raises NotFound."""
    reach = reach_of(folder, imports=query.imports)
    order = [reach.folders[address] for address in precedence(folder.address, reach.imports_of)]
    views = _views(folder.environment.project_id, {each.pk: each for each in order}, key=key)
    first = next((views[each.pk][0] for each in order if views.get(each.pk)), None)
    if first is None:
        raise NotFound(f"Secret with name '{key}' not found")
    return with_values(first, query, version)


def secret_with_id(actor: Actor, secret_id: str | UUID, query: SecretQuery, version: int | None = None) -> ReadSecret:
    """Raises NotFound, also if the actor may not see it."""
    known = Secret.objects.select_related("folder__environment__project").filter(pk=secret_id).first()
    if known is None or not actor.may(Right.SEE, known.folder.environment.project_id):
        raise NotFound(f"Secret with ID '{secret_id}' not found")
    return with_values(views_of([known])[0], query, version)


def views_of(secrets: Sequence[Secret], *, values: bool = False) -> list[ReadSecret]:
    """Secrets that a service returned."""
    prefetch_related_objects(secrets, "tags")  # of deleted ones they are loaded already
    views = [
        ReadSecret(secret, None, "", [(str(tag.pk), tag.slug, tag.color) for tag in secret.tags.all()])
        for secret in secrets
    ]
    if views:
        _fill(secrets[0].folder.environment.project_id, views, SecretQuery(values=values), {})
    return views


def with_values(view: ReadSecret, query: SecretQuery, version: int | None = None) -> ReadSecret:
    """With its value, if requested, and its comment: the present ones, or those of a version."""
    secret = view.secret
    if version is not None and version != secret.version:
        old = SecretVersion.objects.filter(secret=secret, version=version).first()
        if old is None:
            raise NotFound(f"Secret with name '{secret.key}' has no version {version}")
        secret.value_sealed, secret.comment_sealed, secret.version = old.value_sealed, old.comment_sealed, old.version
    _fill(secret.folder.environment.project_id, [view], query, {})
    return view


def versions_of(secret: Secret, offset: int, limit: int, *, values: bool) -> list[tuple[SecretVersion, str | None]]:
    """Newest first, each with its value if values are requested and it can be decrypted."""
    project_id = secret.folder.environment.project_id
    rows = secret.versions.all()[offset : offset + limit]
    return [(row, open_or_none(project_id, secret.pk, VALUE, row.value_sealed) if values else None) for row in rows]


def _is_read(each: Folder, folder: Folder, *, recursive: bool) -> bool:
    """Whether a reached folder is the one that was requested, or below it."""
    same = each.environment_id == folder.environment_id
    return same and (is_within(each.path, folder.path) if recursive else each.path == folder.path)


# -- rows and values -------------------------------------------------------------------------------------------


def _views(project_id: UUID, folders: Mapping[UUID, Folder], key: str | None = None) -> dict[UUID, list[ReadSecret]]:
    """By folder, its secrets by key, with their tags and without values; two queries."""
    if not folders:
        return {}
    chosen = Q(folder_id__in=list(folders)) & (Q() if key is None else Q(key=key))
    rows = list(Secret.objects.filter(chosen).order_by("key"))
    tagged = Q(secret__folder_id__in=list(folders)) & (Q() if key is None else Q(secret__key=key))
    tags = tags_of(tagged) if rows else {}
    views: dict[UUID, list[ReadSecret]] = {}
    for row in rows:
        row.folder = folders[row.folder_id]
        views.setdefault(row.folder_id, []).append(ReadSecret(row, None, "", tags.get(row.pk, ())))
    return views


def _fill(
    project_id: UUID, views: Iterable[ReadSecret], query: SecretQuery, loaded: Mapping[UUID, Sequence[ReadSecret]]
) -> None:
    """Decrypt comments, and values if requested. `loaded`: folders of which every secret is loaded."""
    views = list(views)
    unreadable = []
    for view in views:
        secret = view.secret
        view.comment = open_or_none(project_id, secret.pk, COMMENT, secret.comment_sealed) or ""
        if query.values:
            view.value = open_or_none(project_id, secret.pk, VALUE, secret.value_sealed)
            if view.value is None:
                unreadable.append(secret.key)
    if unreadable:
        keys = ", ".join(sorted(unreadable)[:20])
        raise Unreadable(f"Cannot decrypt the value of: {keys}. Set it again, or read with viewSecretValue=false.")
    if query.values and query.expanded and any("${" in (view.value or "") for view in views):
        _expand(project_id, views, loaded)


def _expand(project_id: UUID, views: Iterable[ReadSecret], loaded: Mapping[UUID, Sequence[ReadSecret]]) -> None:
    referring = [view for view in views if view.value and "${" in view.value]
    known = {pk: {each.secret.key: _data(each) for each in in_folder} for pk, in_folder in loaded.items()}
    reader = Reader(load_graph(project_id, {view.address for view in referring}, known))
    try:
        for view in referring:
            view.value = reader.value(view.address, _data(view))
    except TooMuch as error:
        raise BadRequest(f"Too much for one response: {error}. Read with expandSecretReferences=false.") from None


def _data(view: ReadSecret) -> SecretData:
    return SecretData(view.secret.key, view.value)


def metadata_filters(text: str) -> list[dict[str, str]]:
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
