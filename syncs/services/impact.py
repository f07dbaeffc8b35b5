"""What deleting, moving or renaming something means for syncs and references: shown before it is confirmed.

Each function needs the right of the change itself. Nothing is written, and no destination is asked.
"""

from __future__ import annotations

from collections.abc import Collection

from config.access.models import Project
from config.access.roles import Actor, Right
from config.errors import BadRequest, NotFound
from connections.models import AppConnection
from connections.services import require_manager
from syncs.engine.addresses import is_within
from syncs.engine.references import Graph
from syncs.engine.source_changes import (
    Changed,
    with_moved_folders,
    with_moved_secrets,
    with_renamed_secret,
    without_folders,
    without_secrets,
)
from syncs.models import Environment, Folder, SecretSync
from syncs.planning.impact import Impact, impact_of_change, impact_of_stopped

from .folder_trees import FolderTrees


def impact_of_project_deletion(actor: Actor, project: Project) -> Impact:
    actor.require(Right.MANAGE_PROJECT, project.pk)
    return impact_of_stopped(SecretSync.objects.filter(project=project).select_related("policy"))


def impact_of_environment_deletion(actor: Actor, environment: Environment) -> Impact:
    actor.require(Right.MANAGE_ENVIRONMENTS, environment.project_id)

    def change(graph: Graph) -> Changed:
        gone = {address for address in graph if address[0] == environment.slug}
        return without_folders(graph, gone, imports_too=True)

    return impact_of_change(environment.project_id, change)


def impact_of_environment_rename(actor: Actor, environment: Environment, slug: str) -> Impact:
    """References keep the former slug; imports follow."""
    actor.require(Right.MANAGE_ENVIRONMENTS, environment.project_id)
    before = environment.slug

    def change(graph: Graph) -> Changed:
        moved = {address: (slug, address[1]) for address in graph if address[0] == before}
        return with_moved_folders(graph, moved, renamed_environment=(before, slug))

    return Impact() if slug == before else impact_of_change(environment.project_id, change)


def impact_of_folder_deletion(actor: Actor, folder: Folder) -> Impact:
    actor.require(Right.WRITE_SECRETS, folder.environment.project_id)
    slug, root = folder.address

    def change(graph: Graph) -> Changed:
        return without_folders(graph, {each for each in graph if each[0] == slug and is_within(each[1], root)})

    return impact_of_change(folder.environment.project_id, change)


def impact_of_folder_move(
    actor: Actor, folder: Folder, *, name: str | None = None, parent: Folder | None = None
) -> Impact:
    """As `move_folder`. Raises BadRequest for a name or parent that the folder cannot have."""
    actor.require(Right.WRITE_SECRETS, folder.environment.project_id)
    rows = Folder.objects.filter(environment=folder.environment_id).select_related("environment__project")
    trees = FolderTrees(rows)
    known = trees.folder(folder)
    trees.move(known, name or known.name, parent)
    slug = folder.environment.slug
    moved = {(slug, trees.before[each.pk]): (slug, each.path) for each in trees.moved}
    if not moved:
        return Impact()
    return impact_of_change(folder.environment.project_id, lambda graph: with_moved_folders(graph, moved))


def impact_of_secret_deletion(actor: Actor, folder: Folder, keys: Collection[str]) -> Impact:
    """Raises NotFound naming missing ones."""
    actor.require(Right.WRITE_SECRETS, folder.environment.project_id)

    def change(graph: Graph) -> Changed:
        _require_keys(graph, folder, keys)
        return without_secrets(graph, folder.address, set(keys))

    return impact_of_change(folder.environment.project_id, change)


def impact_of_secret_move(actor: Actor, folder: Folder, target: Folder, ids: Collection[str]) -> Impact:
    """Raises NotFound naming ids that the folder does not have."""
    project_id = folder.environment.project_id
    actor.require(Right.WRITE_SECRETS, project_id)
    if target.environment.project_id != project_id:
        raise BadRequest("Secrets can be moved within their project only")

    def change(graph: Graph) -> Changed:
        known = {secret.secret_id for secret in graph[folder.address].secrets.values()}
        if missing := sorted(set(ids) - known):
            raise NotFound(f"Secret with ID {', '.join(missing)} not found in {folder.path}")
        return with_moved_secrets(graph, folder.address, target.address, set(ids))

    return impact_of_change(project_id, change)


def impact_of_secret_rename(actor: Actor, folder: Folder, key: str, new_key: str) -> Impact:
    """References keep the former name. Raises NotFound."""
    actor.require(Right.WRITE_SECRETS, folder.environment.project_id)

    def change(graph: Graph) -> Changed:
        _require_keys(graph, folder, [key])
        return with_renamed_secret(graph, folder.address, key, new_key)

    return Impact() if new_key == key else impact_of_change(folder.environment.project_id, change)


def _require_keys(graph: Graph, folder: Folder, keys: Collection[str]) -> None:
    if missing := sorted(set(keys) - graph[folder.address].secrets.keys()):
        raise NotFound(f"Secret with name '{', '.join(missing)}' not found")


def impact_of_connection_deletion(actor: Actor, connection: AppConnection) -> Impact:
    """The syncs that use it; while there is one, it cannot be deleted."""
    require_manager(actor, connection.project)
    return impact_of_stopped(SecretSync.objects.filter(connection=connection).select_related("policy"))


def impact_of_sync_deletion(actor: Actor, sync: SecretSync, *, with_secrets: bool = False) -> Impact:
    """`with_secrets`: its keys are removed first."""
    actor.require(Right.REMOVE_SECRETS if with_secrets else Right.EDIT_SYNCS, sync.project_id)
    return impact_of_stopped([sync], removed=with_secrets)
