"""Every change of where secrets live: projects, environments, folders; each one transaction with what it reaches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import F, Max

from config.access import audit
from config.access import services as access
from config.access.models import Project
from config.access.roles import Actor, Right
from config.errors import BadRequest, Invalid, Issue, problem
from config.schema import slug_issues
from syncs.models import Environment, Folder, SecretSync
from syncs.paths import MAX_PATH, folder_name, normal_path

from .reach import address_of, changed

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
    place = min(position or last + 1, last + 1)
    Environment.objects.filter(project=project, position__gte=place).update(position=F("position") + 1)
    environment = _make_environment(project, name, slug, place)
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
    for place, each in enumerate(others, start=1):
        each.position = place
    Environment.objects.bulk_update(others, ["position"])


@transaction.atomic
def delete_environment(actor: Actor, environment: Environment) -> None:
    """The environment with all that is in it. Syncs it feeds stay, without a source."""
    actor.require(Right.MANAGE_ENVIRONMENTS, environment.project_id)
    _delete_folders(actor, environment.project, list(environment.folders.select_related("environment")))
    audit.record(actor, "delete-environment", environment.project_id, environment=environment.pk, slug=environment.slug)
    environment.delete()


def _delete_folders(actor: Actor, project: Project, folders: list[Folder]) -> None:
    """Syncs lose their source and stop; what referred to the folders is reached."""
    gone = [address_of(folder) for folder in folders]
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
    """Rename, move or describe folders of one project (`name`, `parent`, `description`), all or none."""
    project_id = updates[0][0].environment.project_id
    actor.require(Right.WRITE_SECRETS, project_id)
    reached: list[Folder] = []
    old: list[tuple[str, str]] = []
    told = []
    done = []
    for folder, given in updates:
        folder.refresh_from_db(fields=["path", "name"])  # an earlier one of them may have moved it
        before = folder.path
        moved = _moved(folder, given.get("name") or folder.name, given.get("parent"))
        if (description := given.get("description")) is not None:
            folder.description = description or None
            folder.save(update_fields=["description", "updated_at"])
        reached += moved
        old += [(folder.environment.slug, before + each.path[len(folder.path) :]) for each in moved]
        told.append({"folderId": folder.pk, "oldFolderPath": before, "newFolderPath": folder.path})
        done.append(folder)
    what: dict[str, Any] = told[0] if len(told) == 1 else {"folders": told}
    audit.record(actor, "update-folder" if len(told) == 1 else "update-folders", project_id, **what)
    changed(actor, project_id, reached, also=old)
    return done


def _moved(folder: Folder, name: str, parent: Folder | None) -> list[Folder]:
    """The folders whose path is another now: it and all below it."""
    folder_name(name)
    parent = parent or folder.parent
    if parent is None:
        if name != folder.name:
            raise BadRequest("The root folder cannot be renamed or moved")
        return []
    before = folder.path
    if parent.environment_id != folder.environment_id or f"{parent.path}/".startswith(f"{before}/"):
        raise BadRequest("A folder can be moved to another folder of its environment, not into itself")
    after = f"{parent.path.rstrip('/')}/{name}"
    if after == before:
        return []
    if Folder.objects.filter(environment=folder.environment, path=after).exists():
        raise BadRequest("Folder with specified name already exists")
    subtree = _subtree(folder)
    if max(len(each.path) for each in subtree) + len(after) - len(before) > MAX_PATH:
        raise BadRequest(f"A path below it would be longer than {MAX_PATH} characters")
    for each in subtree:
        each.path = after + each.path[len(before) :]
        each.version += 1
        if each.pk == folder.pk:
            each.name, each.parent = name, parent
            folder.name, folder.parent, folder.path, folder.version = name, parent, each.path, each.version
    Folder.objects.bulk_update(subtree, ["path", "name", "parent", "version"])
    return subtree


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
    _delete_folders(actor, environment.project, subtree)
    audit.record(
        actor,
        "delete-folder",
        environment.project_id,
        environment=environment.slug,
        folderId=folder.pk,
        folderName=folder.name,
        folderPath=folder.path,
    )
    Folder.objects.filter(pk=folder.pk).delete()


def _subtree(folder: Folder) -> list[Folder]:
    found = Folder.objects.select_related("environment").filter(environment=folder.environment)
    return [each for each in found if each.path == folder.path or each.path.startswith(f"{folder.path.rstrip('/')}/")]
