"""Every change of where secrets live: projects, environments, folders; each one transaction with what it reaches.

Locks are taken in one order everywhere, so that two changes at once wait for each other and never in a circle:
environment, folders by their ids, the audit log, syncs, runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import CharField, F, Max
from django.db.models.functions import Cast
from django.utils import timezone

from config.access import audit
from config.access import services as access
from config.access.models import Project
from config.access.roles import Actor, Right
from config.conventions import slug_issues
from config.errors import BadRequest, Invalid, Issue, NotFound, problem
from syncs.engine.addresses import child_path, is_within
from syncs.models import Environment, Folder, SecretSync
from syncs.source.paths import MAX_PATH, folder_name, normal_path, within

from .propagation import changed

DEFAULT_ENVIRONMENTS = (("Development", "dev"), ("Staging", "staging"), ("Production", "prod"))


@transaction.atomic
def create_project(
    actor: Actor,
    name: str,
    *,
    slug: str = "",
    description: str | None = None,
    protected: bool = False,
    environments: Sequence[tuple[str, str]] = DEFAULT_ENVIRONMENTS,
) -> Project:
    """A project with its environments (name, slug)."""
    project = access.create_project(actor, name, slug=slug, description=description, protected=protected)
    for position, (env_name, env_slug) in enumerate(environments, start=1):
        _make_environment(project, env_name, env_slug, position)
    return project


def _make_environment(project: Project, name: str, slug: str, position: int) -> Environment:
    environment = Environment.objects.create(project=project, name=name, slug=slug, position=position)
    Folder.objects.create(environment=environment, name="root", path="/")
    return environment


@transaction.atomic
def create_environment(
    actor: Actor, project: Project, name: str, slug: str, position: int | None = None
) -> Environment:
    """An environment with its root folder. A position that is taken shifts the others."""
    actor.require(Right.MANAGE_ENVIRONMENTS, project.pk)
    name = name.strip()
    issues = slug_issues("slug", slug)
    if not 1 <= len(name) <= 255:
        issues.append(problem(["name"], "The name must be 1 to 255 characters long"))
    if issues:
        raise Invalid(issues)
    if Environment.objects.filter(project=project, slug=slug).exists():
        raise BadRequest("Environment with slug already exist")
    last = Environment.objects.filter(project=project).aggregate(last=Max("position"))["last"] or 0
    location = min(position or last + 1, last + 1)
    Environment.objects.filter(project=project, position__gte=location).update(position=F("position") + 1)
    environment = _make_environment(project, name, slug, location)
    audit.record(actor, "create-environment", project.pk, environment=environment.pk, slug=slug)
    # An import or a reference may have been waiting for it.
    changed(actor, project.pk, environment.folders.select_related("environment"))
    return environment


@transaction.atomic
def update_environment(
    actor: Actor,
    environment: Environment,
    *,
    name: str | None = None,
    slug: str | None = None,
    position: int | None = None,
) -> Environment:
    """Rename, or give another position; the others close up. A new slug reaches what names the old one or the new."""
    project = environment.project
    actor.require(Right.MANAGE_ENVIRONMENTS, project.pk)
    issues: list[Issue] = []
    if name is not None and not 1 <= len(name.strip()) <= 255:
        issues.append(problem(["name"], "The name must be 1 to 255 characters long"))
    if slug is not None:
        issues += slug_issues("slug", slug)
    if issues:
        raise Invalid(issues)
    before = environment.slug
    if slug not in (None, before) and Environment.objects.filter(project=project, slug=slug).exists():
        raise BadRequest("Environment with slug already exist")
    environment.name = (name or environment.name).strip()
    environment.slug = slug or before
    environment.save(update_fields=["name", "slug", "updated_at"])
    if position is not None:
        _reorder(environment, position)
    audit.record(actor, "update-environment", project.pk, environment=environment.pk, slug=environment.slug)
    if environment.slug != before:
        folders = list(environment.folders.select_related("environment"))
        changed(actor, project.pk, folders, also=[(before, folder.path) for folder in folders])
    return environment


def _reorder(environment: Environment, position: int) -> None:
    others = list(Environment.objects.filter(project=environment.project).exclude(pk=environment.pk))
    others.insert(min(position, len(others) + 1) - 1, environment)
    for location, each in enumerate(others, start=1):
        each.position = location
    Environment.objects.bulk_update(others, ["position"])


@transaction.atomic
def delete_environment(actor: Actor, environment: Environment) -> None:
    """The environment with all that is in it. Syncs it feeds stay, without a source."""
    actor.require(Right.MANAGE_ENVIRONMENTS, environment.project_id)
    folders = list(environment.folders.select_related("environment"))
    lock_folders(folders, gone=True)
    audit.record(actor, "delete-environment", environment.project_id, environment=environment.pk, slug=environment.slug)
    _starve(actor, environment.project, folders)
    environment.delete()


def lock_folders(folders: Iterable[Folder], *, gone: bool = False) -> None:
    """Nobody else changes them until the transaction ends; `gone`: nor puts anything into them. Raises NotFound."""
    wanted = {folder.pk: folder for folder in folders}
    rows = Folder.objects.select_for_update(no_key=not gone).filter(pk__in=wanted).order_by("pk")
    if missing := set(wanted) - set(rows.values_list("pk", flat=True)):
        raise NotFound(f"Folder with path '{wanted[missing.pop()].path}' not found")


def _starve(actor: Actor, project: Project, folders: list[Folder]) -> None:
    """Syncs of folders that go lose their source and stop; what referred to the folders is reached."""
    gone = [folder.address for folder in folders]
    fed = SecretSync.objects.filter(folder__in=folders)
    fed.update(generation=F("generation") + 1, folder=None)
    changed(actor, project.pk, [], also=gone)


@transaction.atomic
def ensure_folder(actor: Actor, environment: Environment, path: str, *, description: str | None = None) -> Folder:
    """The folder at `path`, made with its ancestors where it is missing."""
    actor.require(Right.WRITE_SECRETS, environment.project_id)
    path = normal_path(path)
    known = Folder.objects.select_related("environment__project", "parent").filter(environment=environment)
    folder = known.filter(path=path).first()
    if folder is not None:
        return folder
    Environment.objects.select_for_update().get(pk=environment.pk)  # of two at once one makes it
    lineage = list(_lineage(path))
    there = {each.path: each for each in known.filter(path__in=lineage)}
    made: list[Folder] = []
    for step in lineage:
        if step not in there:
            above, _, name = step.rpartition("/")
            there[step] = Folder(environment=environment, parent=there[above or "/"], name=name, path=step)
            made.append(there[step])
    folder = there[path]
    if folder in made:
        folder.description = description
    Folder.objects.bulk_create(made)
    audit.record(
        actor,
        "create-folder",
        environment.project_id,
        environment=environment.slug,
        folderId=folder.pk,
        folderName=folder.name,
        folderPath=path,
    )
    changed(actor, environment.project_id, made)
    return folder


@transaction.atomic
def ensure_folders(actor: Actor, environments: Sequence[Environment], path: str) -> list[Folder]:
    """As `ensure_folder`, in several environments of one project; locked in the one order before any is made."""
    path = normal_path(path)
    ids = [each.pk for each in environments]
    list(Environment.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk").values_list("pk"))
    lock_folders(Folder.objects.filter(environment__in=ids, path=path))
    return [ensure_folder(actor, each, path) for each in environments]


def _lineage(path: str) -> Iterator[str]:
    """`/`, `/a`, `/a/b` of `/a/b`."""
    yield "/"
    parts = [part for part in path.split("/") if part]
    for end in range(1, len(parts) + 1):
        yield "/" + "/".join(parts[:end])


@transaction.atomic
def move_folder(actor: Actor, folder: Folder, *, name: str | None = None, parent: Folder | None = None) -> Folder:
    """Rename a folder or put it under another parent of its environment. Its syncs follow it."""
    return update_folders(actor, [(folder, {"name": name, "parent": parent})])[0]


@transaction.atomic
def update_folders(actor: Actor, updates: Sequence[tuple[Folder, Mapping[str, Any]]]) -> list[Folder]:
    """Rename, move or describe folders of one project (`name`, `parent`, `description`), all or none, one by one.

    What is written is the outcome, in a few statements whatever the number.
    """
    project_id = updates[0][0].environment.project_id
    actor.require(Right.WRITE_SECRETS, project_id)
    trees = _Trees.of(folder for folder, _ in updates)
    told = []
    for folder, given in updates:
        known = trees.folder(folder)
        before = known.path
        trees.move(known, given.get("name") or known.name, given.get("parent"))
        if (description := given.get("description")) is not None:
            known.description = description or None
        told.append({"folderId": known.pk, "oldFolderPath": before, "newFolderPath": known.path})
    what: dict[str, Any] = told[0] if len(told) == 1 else {"folders": told}
    audit.record(actor, "update-folder" if len(told) == 1 else "update-folders", project_id, **what)
    done = [trees.folder(folder) for folder, _ in updates]
    moved = trees.store()
    for each in done:
        each.updated_at = timezone.now()
    Folder.objects.bulk_update(done, ["description", "updated_at"])
    changed(actor, project_id, moved, also=[(each.environment.slug, trees.before[each.pk]) for each in moved])
    return done


class _Trees:
    """The folders of some environments, locked, as a batch of changes leaves them."""

    def __init__(self, folders: Iterable[Folder]) -> None:
        self._by_id = {each.pk: each for each in folders}
        self._by_path = {(each.environment_id, each.path): each for each in self._by_id.values()}
        self.before = {each.pk: each.path for each in self._by_id.values()}
        self._moved: dict[UUID, Folder] = {}

    @classmethod
    def of(cls, some: Iterable[Folder]) -> _Trees:
        environments = {folder.environment_id for folder in some}
        rows = Folder.objects.select_for_update(of=("self",), no_key=True).filter(environment__in=environments)
        return cls(rows.select_related("environment__project").order_by("pk"))

    def folder(self, named: Folder) -> Folder:
        """Raises NotFound."""
        found = self._by_id.get(named.pk)
        if found is None:
            raise NotFound(f"Folder with ID '{named.pk}' not found")
        return found

    def move(self, folder: Folder, name: str, to: Folder | None) -> None:
        """Give a folder, and with it all below it, another path. Raises BadRequest."""
        folder_name(name)
        parent = self.folder(to) if to else self._by_id[folder.parent_id] if folder.parent_id else None
        if parent is None:
            if name != folder.name:
                raise BadRequest("The root folder cannot be renamed or moved")
            return
        before = folder.path
        if parent.environment_id != folder.environment_id or is_within(parent.path, before):
            raise BadRequest("A folder can be moved to another folder of its environment, not into itself")
        after = child_path(parent.path, name)
        if after == before:
            return
        if (folder.environment_id, after) in self._by_path:
            raise BadRequest("Folder with specified name already exists")
        subtree = [
            each
            for each in self._by_id.values()
            if each.environment_id == folder.environment_id and is_within(each.path, before)
        ]
        if max(len(each.path) for each in subtree) + len(after) - len(before) > MAX_PATH:
            raise BadRequest(f"A path below it would be longer than {MAX_PATH} characters")
        for each in subtree:
            del self._by_path[each.environment_id, each.path]
            each.path = after + each.path[len(before) :]
            self._by_path[each.environment_id, each.path] = self._moved[each.pk] = each
        folder.name, folder.parent = name, parent

    def store(self) -> list[Folder]:
        """Those that were moved."""
        moved = list(self._moved.values())
        taken = {(each.environment_id, self.before[each.pk]) for each in moved}
        if any((each.environment_id, each.path) in taken for each in moved):
            # One takes a path that another had: out of each other's way first, or the rows clash one by one.
            Folder.objects.filter(pk__in=[each.pk for each in moved]).update(path=Cast("pk", CharField()))
        for each in moved:
            each.version += 1
            each.updated_at = timezone.now()
        Folder.objects.bulk_update(moved, ["path", "name", "parent", "version", "updated_at"])
        return moved


@transaction.atomic
def delete_folder(actor: Actor, folder: Folder, *, force: bool = True) -> None:
    """The folder and all below it. Syncs it feeds stay, without a source. Without `force` it must be empty."""
    environment = folder.environment
    actor.require(Right.WRITE_SECRETS, environment.project_id)
    if folder.parent_id is None:
        raise BadRequest("The root folder goes with its environment only")
    subtree = _subtree(folder)
    if not force and (len(subtree) > 1 or folder.secrets.exists() or folder.imports.exists()):
        raise BadRequest(f"The folder {folder.path} is not empty. Send forceDelete: true to delete all that is in it.")
    lock_folders(subtree, gone=True)
    audit.record(
        actor,
        "delete-folder",
        environment.project_id,
        environment=environment.slug,
        folderId=folder.pk,
        folderName=folder.name,
        folderPath=folder.path,
    )
    _starve(actor, environment.project, subtree)
    # All at once: level by level, as it cascades, Django recurses too deep.
    Folder.objects.filter(pk__in=[each.pk for each in subtree]).delete()


def _subtree(folder: Folder) -> list[Folder]:
    found = Folder.objects.select_related("environment")
    return list(found.filter(within(folder.path), environment=folder.environment))
