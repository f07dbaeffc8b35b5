"""Every change of imports: which folders have the secrets of which others, in which order."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Max

from config.access import audit
from config.access.roles import Actor, Right
from config.errors import BadRequest, NotFound
from syncs.models import Environment, Folder, SecretImport, cause_of
from syncs.source.paths import normal_path
from syncs.source.selectors import import_of

from .folders import lock_folders
from .propagation import changed


@transaction.atomic
def add_import(actor: Actor, folder: Folder, environment: Environment, path: str) -> SecretImport:
    """Import another folder's secrets, after the existing imports; among imports the last wins."""
    project_id = folder.environment.project_id
    actor.require(Right.WRITE_SECRETS, project_id)
    actor.require(Right.READ_VALUES, project_id)
    path = normal_path(path)
    if environment.project_id != project_id:
        raise NotFound(f"Environment with slug '{environment.slug}' not found")
    lock_folders([folder])
    _check_cycle(folder, environment, path)
    if folder.imports.filter(import_environment=environment, import_path=path).exists():
        raise BadRequest("Secret import already exist")
    last = folder.imports.aggregate(last=Max("position"))["last"] or 0
    row = SecretImport.objects.create(
        folder=folder, import_environment=environment, import_path=path, position=last + 1
    )
    _record(actor, "create-secret-import", row)
    changed(actor, project_id, [folder], causes=[cause_of("imports", actor, folder)])
    return row


@transaction.atomic
def update_import(
    actor: Actor,
    row: SecretImport,
    *,
    environment: Environment | None = None,
    path: str | None = None,
    position: int | None = None,
) -> SecretImport:
    """Change the target or the position of an import."""
    folder = row.folder
    project_id = folder.environment.project_id
    actor.require(Right.WRITE_SECRETS, project_id)
    if environment is not None and environment.project_id != project_id:
        raise NotFound(f"Environment with slug '{environment.slug}' not found")
    lock_folders([folder])
    row = import_of(folder, row.pk)
    row.import_environment = environment or row.import_environment
    row.import_path = normal_path(path) if path is not None else row.import_path
    if environment is not None or path is not None:
        _check_cycle(folder, row.import_environment, row.import_path)
    twins = folder.imports.filter(import_environment=row.import_environment, import_path=row.import_path)
    if twins.exclude(pk=row.pk).exists():
        raise BadRequest("Secret import already exist")
    row.save(update_fields=["import_environment", "import_path", "updated_at"])
    if position is not None:
        others = list(folder.imports.exclude(pk=row.pk).order_by("position", "pk"))
        others.insert(max(0, min(position - 1, len(others))), row)
        for index, each in enumerate(others, start=1):
            each.position = index
        SecretImport.objects.bulk_update(others, ["position"])
    _record(actor, "update-secret-import", row, position=row.position)
    changed(actor, project_id, [folder], causes=[cause_of("imports", actor, folder)])
    return row


@transaction.atomic
def delete_import(actor: Actor, row: SecretImport) -> None:
    """Raises PermissionDenied, or NotFound if the import was deleted meanwhile."""
    folder = row.folder
    project_id = folder.environment.project_id
    actor.require(Right.WRITE_SECRETS, project_id)
    lock_folders([folder])
    row = import_of(folder, row.pk)
    _record(actor, "delete-secret-import", row)
    folder.imports.filter(pk=row.pk).delete()
    changed(actor, project_id, [folder], causes=[cause_of("imports", actor, folder)])


def _check_cycle(folder: Folder, environment: Environment, path: str) -> None:
    """A folder must not import itself, nor one that imports it; longer cycles are cut when they are resolved."""
    back = SecretImport.objects.filter(
        folder__environment=environment,
        folder__path=path,
        import_environment=folder.environment,
        import_path=folder.path,
    )
    if (environment.pk, path) == (folder.environment_id, folder.path) or back.exists():
        raise BadRequest("Cyclic import not allowed")


def _record(actor: Actor, event: str, row: SecretImport, **more: object) -> None:
    folder = row.folder
    audit.record(
        actor,
        event,
        folder.environment.project_id,
        secretImportId=row.pk,
        folderId=folder.pk,
        importFromEnvironment=row.import_environment.slug,
        importFromSecretPath=row.import_path,
        importToEnvironment=folder.environment.slug,
        importToSecretPath=folder.path,
        **more,
    )
