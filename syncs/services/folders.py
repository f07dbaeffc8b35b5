"""Every change of projects, environments and folders; each one transaction with the syncs that it reaches.

Locks are acquired in the same order everywhere, so that concurrent changes cannot deadlock: environment, folders by
their ids, the audit log, syncs, runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import F, Max
from django.utils import timezone

from config.access import audit
from config.access import services as access
from config.access.models import Project
from config.access.roles import Actor, Right
from config.conventions import slug_issues
from config.errors import BadRequest, Invalid, Issue, NotFound, problem
from syncs.models import Cause, Environment, Folder, SecretSync, cause_of
from syncs.source.paths import normal_path, within

from .folder_trees import FolderTrees
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
        _create_environment(project, env_name, env_slug, position)
    return project


def _create_environment(project: Project, name: str, slug: str, position: int) -> Environment:
    environment = Environment.objects.create(project=project, name=name, slug=slug, position=position)
    Folder.objects.create(environment=environment, name="root", path="/")
    return environment


@transaction.atomic
def create_environment(
    actor: Actor, project: Project, name: str, slug: str, position: int | None = None
) -> Environment:
    """An environment with its root folder. A position that is in use shifts the others."""
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
    position = min(position or last + 1, last + 1)
    Environment.objects.filter(project=project, position__gte=position).update(position=F("position") + 1)
    environment = _create_environment(project, name, slug, position)
    audit.record(actor, "create-environment", project.pk, environment=environment.pk, slug=slug)
    # An import or a reference may resolve now.
    folders = environment.folders.select_related("environment")
    changed(actor, project.pk, folders, causes=[cause_of("environment", actor, names=[slug])])
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
    """Rename, or change the position. A new slug reaches the syncs that refer to the old one or to the new one."""
    project = environment.project
    actor.require(Right.MANAGE_ENVIRONMENTS, project.pk)
    issues: list[Issue] = []
    if name is not None and not 1 <= len(name.strip()) <= 255:
        issues.append(problem(["name"], "The name must be 1 to 255 characters long"))
    if slug is not None:
        issues += slug_issues("slug", slug)
    if issues:
        raise Invalid(issues)
    before, state = environment.slug, audit.state_of(environment)
    if slug not in (None, before) and Environment.objects.filter(project=project, slug=slug).exists():
        raise BadRequest("Environment with slug already exist")
    environment.name = (name or environment.name).strip()
    environment.slug = slug or before
    environment.save(update_fields=["name", "slug", "updated_at"])
    if position is not None:
        _reorder(environment, position)
    audit.record(
        actor,
        "update-environment",
        project.pk,
        environment=environment.pk,
        slug=environment.slug,
        changes=audit.changes_since(state, environment),
    )
    if environment.slug != before:
        folders = list(environment.folders.select_related("environment"))
        causes = [cause_of("environment", actor, names=[before, environment.slug])]
        changed(actor, project.pk, folders, also=[(before, folder.path) for folder in folders], causes=causes)
    return environment


def _reorder(environment: Environment, position: int) -> None:
    others = list(Environment.objects.filter(project=environment.project).exclude(pk=environment.pk))
    others.insert(min(position, len(others) + 1) - 1, environment)
    for number, each in enumerate(others, start=1):
        each.position = number
    Environment.objects.bulk_update(others, ["position"])


@transaction.atomic
def delete_environment(actor: Actor, environment: Environment) -> None:
    """Delete an environment with everything in it. Its syncs stay, without a source."""
    actor.require(Right.MANAGE_ENVIRONMENTS, environment.project_id)
    folders = list(environment.folders.select_related("environment"))
    lock_folders(folders, deleting=True)
    audit.record(actor, "delete-environment", environment.project_id, environment=environment.pk, slug=environment.slug)
    _remove_source(actor, environment.project, folders)
    environment.delete()


def lock_folders(folders: Iterable[Folder], *, deleting: bool = False) -> None:
    """Lock them until the transaction ends; `deleting`: also against new rows in them. Raises NotFound."""
    by_id = {folder.pk: folder for folder in folders}
    rows = Folder.objects.select_for_update(no_key=not deleting).filter(pk__in=by_id).order_by("pk")
    if missing := set(by_id) - set(rows.values_list("pk", flat=True)):
        raise NotFound(f"Folder with path '{by_id[missing.pop()].path}' not found")


def _remove_source(actor: Actor, project: Project, folders: list[Folder]) -> None:
    """Syncs of deleted folders lose their source and stop; syncs of secrets that referred to them are reached."""
    addresses = [folder.address for folder in folders]
    SecretSync.objects.filter(folder__in=folders).update(generation=F("generation") + 1, folder=None)
    changed(actor, project.pk, [], also=addresses, causes=[_cause(actor, folders)])


@transaction.atomic
def ensure_folder(actor: Actor, environment: Environment, path: str, *, description: str | None = None) -> Folder:
    """The folder at `path`, created with its ancestors if it is missing."""
    actor.require(Right.WRITE_SECRETS, environment.project_id)
    path = normal_path(path)
    known = Folder.objects.select_related("environment__project", "parent").filter(environment=environment)
    folder = known.filter(path=path).first()
    if folder is not None:
        return folder
    Environment.objects.select_for_update().get(pk=environment.pk)  # of two concurrent calls one creates it
    lineage = list(_lineage(path))
    existing = {each.path: each for each in known.filter(path__in=lineage)}
    created: list[Folder] = []
    for step in lineage:
        if step not in existing:
            above, _, name = step.rpartition("/")
            existing[step] = Folder(environment=environment, parent=existing[above or "/"], name=name, path=step)
            created.append(existing[step])
    folder = existing[path]
    if folder in created:
        folder.description = description
    Folder.objects.bulk_create(created)
    audit.record(
        actor,
        "create-folder",
        environment.project_id,
        environment=environment.slug,
        folderId=folder.pk,
        folderName=folder.name,
        folderPath=path,
    )
    changed(actor, environment.project_id, created, causes=[_cause(actor, created)])
    return folder


@transaction.atomic
def ensure_folders(actor: Actor, environments: Sequence[Environment], path: str) -> list[Folder]:
    """As `ensure_folder`, in several environments of one project; all are locked before any is created."""
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
    """Rename a folder or move it below another parent of its environment. Its syncs follow it."""
    return update_folders(actor, [(folder, {"name": name, "parent": parent})])[0]


@transaction.atomic
def update_folders(actor: Actor, updates: Sequence[tuple[Folder, Mapping[str, Any]]]) -> list[Folder]:
    """Rename, move or describe folders of one project (`name`, `parent`, `description`), all or none, one after
    the other.

    The result is written in a few statements, whatever the number.
    """
    project_id = updates[0][0].environment.project_id
    actor.require(Right.WRITE_SECRETS, project_id)
    trees = FolderTrees.of(folder for folder, _ in updates)
    events = []
    for folder, changes in updates:
        known = trees.folder(folder)
        before, state = known.path, audit.state_of(known)
        trees.move(known, changes.get("name") or known.name, changes.get("parent"))
        if (description := changes.get("description")) is not None:
            known.description = description or None
        paths = {"oldFolderPath": before, "newFolderPath": known.path}
        events.append({"folderId": known.pk, **paths, "changes": audit.changes_since(state, known)})
    members: dict[str, Any] = events[0] if len(events) == 1 else {"folders": events}
    audit.record(actor, "update-folder" if len(events) == 1 else "update-folders", project_id, **members)
    done = [trees.folder(folder) for folder, _ in updates]
    moved = trees.store()
    for each in done:
        each.updated_at = timezone.now()
    Folder.objects.bulk_update(done, ["description", "updated_at"])
    before_moves = [(each.environment.slug, trees.before[each.pk]) for each in moved]
    changed(actor, project_id, moved, also=before_moves, causes=[_cause(actor, done)])
    return done


@transaction.atomic
def delete_folder(actor: Actor, folder: Folder, *, force: bool = True) -> None:
    """Delete a folder and those below it. Its syncs stay, without a source. Without `force` it must be empty."""
    environment = folder.environment
    actor.require(Right.WRITE_SECRETS, environment.project_id)
    if folder.parent_id is None:
        raise BadRequest("The root folder is deleted with its environment only")
    subtree = _subtree(folder)
    if not force and (len(subtree) > 1 or folder.secrets.exists() or folder.imports.exists()):
        raise BadRequest(f"The folder {folder.path} is not empty. Send forceDelete: true to delete all that is in it.")
    lock_folders(subtree, deleting=True)
    audit.record(
        actor,
        "delete-folder",
        environment.project_id,
        environment=environment.slug,
        folderId=folder.pk,
        folderName=folder.name,
        folderPath=folder.path,
    )
    _remove_source(actor, environment.project, subtree)
    # All at once: level by level, as Django cascades, it would recurse too deep.
    Folder.objects.filter(pk__in=[each.pk for each in subtree]).delete()


def _subtree(folder: Folder) -> list[Folder]:
    found = Folder.objects.select_related("environment")
    return list(found.filter(within(folder.path), environment=folder.environment))


def _cause(actor: Actor, folders: Iterable[Folder]) -> Cause:
    return cause_of("folders", actor, names=[f"{folder.environment.slug} {folder.path}" for folder in folders])
