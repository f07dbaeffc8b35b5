"""Reads that more than one caller needs."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from django.db.models import Count, QuerySet
from typing_extensions import TypedDict

from config.access.models import Project
from config.access.roles import Actor, Right, project_for
from config.errors import BadRequest, NotFound
from config.responses import text
from syncs.models import Environment, Folder, NotificationTarget, Secret, SecretImport, SecretSync, SyncDefaults, Tag
from syncs.source.sealed import COMMENT, VALUE, metadata_member, open_member, open_or_none

HIDDEN = "<hidden-by-infisical>"
"""In place of a value that the modelled API does not return."""


def value_of(secret: Secret) -> str:
    """The value as stored, references unresolved. Raises Undecryptable. `folder.environment` should be loaded."""
    return open_member(secret.folder.environment.project_id, secret.pk, VALUE, secret.value_sealed)


def value_or_none(secret: Secret) -> str | None:
    return open_or_none(secret.folder.environment.project_id, secret.pk, VALUE, secret.value_sealed)


def comment_of(secret: Secret) -> str:
    """The comment; "" if there is none or it cannot be decrypted."""
    return open_or_none(secret.folder.environment.project_id, secret.pk, COMMENT, secret.comment_sealed) or ""


class SecretMetadata(TypedDict):
    key: Annotated[str, text(example="DB_URL")]
    value: str
    isEncrypted: bool


def metadata_of(secret: Secret, *, hidden: bool = False) -> list[SecretMetadata]:
    """With `hidden`, an encrypted value is masked."""
    found: list[SecretMetadata] = []
    for entry in secret.metadata:
        sealed = entry.get("sealed")
        value = entry.get("value", "")
        if sealed:
            project_id, member = secret.folder.environment.project_id, metadata_member(entry["key"])
            opened = None if hidden else open_or_none(project_id, secret.pk, member, base64.b64decode(sealed))
            value = HIDDEN if opened is None else opened
        found.append({"key": entry["key"], "value": value, "isEncrypted": bool(sealed)})
    return found


def environment_by_slug(project: Project, slug: str) -> Environment:
    """Raises NotFound."""
    found = Environment.objects.select_related("project").filter(project=project, slug=slug).first()
    if found is None:
        raise NotFound(f"Environment with slug '{slug}' in project with ID '{project.pk}' not found")
    return found


def environment_by_id(project: Project, environment_id: str | UUID) -> Environment:
    """Raises NotFound."""
    found = Environment.objects.select_related("project").filter(project=project, pk=environment_id).first()
    if found is None:
        raise NotFound(f"Environment with id '{environment_id}' in project with ID '{project.pk}' not found")
    return found


def environment_seen_by(actor: Actor, environment_id: str | UUID) -> Environment:
    """Of any project. Raises NotFound, also if the actor may not see it."""
    found = Environment.objects.select_related("project").filter(pk=environment_id).first()
    if found is None or not actor.may(Right.SEE, found.project_id):
        raise NotFound(f"Environment with id '{environment_id}' not found")
    return found


def projects_seen_by(actor: Actor) -> QuerySet[Project]:
    """With their environments."""
    found = Project.objects.prefetch_related("environments")
    return found if actor.projects is None else found.filter(pk__in=actor.projects)


def tag_of(project: Project, **key: Any) -> Tag:
    """By `pk` or `slug`. Raises NotFound."""
    found = Tag.objects.select_related("project").filter(project=project, **key).first()
    if found is None:
        raise NotFound(f"Tag '{next(iter(key.values()))}' not found")
    return found


def target_of(project: Project, **key: Any) -> NotificationTarget:
    """By `pk` or `name`. Raises NotFound."""
    found = NotificationTarget.objects.select_related("project").filter(project=project, **key).first()
    if found is None:
        raise NotFound(f"Notification target '{next(iter(key.values()))}' not found")
    return found


def defaults_of(project: Project) -> SyncDefaults:
    """Defaults of the project's new syncs."""
    return SyncDefaults.objects.filter(project=project).first() or SyncDefaults(project=project)


def folder_by_path(environment: Environment, path: str) -> Folder:
    """Raises NotFound."""
    found = folders().filter(environment=environment, path=path).first()
    if found is None:
        raise NotFound(f"Folder with path '{path}' in environment with slug '{environment.slug}' not found")
    return found


def folder_by_id(actor: Actor, folder_id: str | UUID) -> Folder:
    """Raises NotFound, also if the actor may not see it."""
    found = folders().filter(pk=folder_id).first()
    if found is None or not actor.may(Right.SEE, found.environment.project_id):
        raise NotFound(f"Folder with ID '{folder_id}' not found")
    return found


def secret_by_key(folder: Folder, key: str) -> Secret:
    """Raises NotFound."""
    if found := secrets_by_keys(folder, [key]):
        return found[0]
    raise NotFound(f"Secret with name '{key}' not found")


def secrets_by_keys(folder: Folder, keys: Sequence[str]) -> list[Secret]:
    """Those that the folder has, by key."""
    wanted = set(keys)  # filtered in Python: there may be more of them than a statement allows
    found = [secret for secret in folder.secrets.order_by("key") if secret.key in wanted]
    for secret in found:
        secret.folder = folder
    return found


def import_of(folder: Folder, import_id: str | UUID) -> SecretImport:
    """Raises BadRequest, as the modelled API does."""
    found = folder.imports.select_related("import_environment").filter(pk=import_id).first()
    if found is None:
        raise BadRequest("Secret import not found")
    found.folder = folder
    return found


def import_by_id(actor: Actor, import_id: str | UUID) -> SecretImport:
    """Raises NotFound, also if the actor may not see it."""
    rows = SecretImport.objects.select_related("folder__environment__project", "import_environment")
    found = rows.filter(pk=import_id).first()
    if found is None or not actor.may(Right.SEE, found.folder.environment.project_id):
        raise NotFound(f"Secret import with ID '{import_id}' not found")
    return found


def folders() -> QuerySet[Folder]:
    return Folder.objects.select_related("environment__project", "parent")


def syncs() -> QuerySet[SecretSync]:
    """Syncs with all relations that their API form and their runs need."""
    return SecretSync.objects.select_related(
        "project", "connection__project", "folder__environment__project", "policy", "owner_user", "owner_identity"
    )


def syncs_seen_by(actor: Actor) -> QuerySet[SecretSync]:
    found = syncs()
    return found if actor.projects is None else found.filter(project_id__in=actor.projects)


def with_history_seen_by(actor: Actor) -> QuerySet[SecretSync]:
    """Deleted ones too: the history of their runs stays for a while."""
    found = SecretSync.with_deleted.select_related("project")
    return found if actor.projects is None else found.filter(project_id__in=actor.projects)


def find_sync(actor: Actor, name: str) -> SecretSync:
    """By id, or by `project-slug/sync-name`. Raises NotFound."""
    slug, _, sync_name = name.partition("/")
    found = None
    if sync_name:
        found = syncs_seen_by(actor).filter(project__slug=slug, name=sync_name).first()
    else:
        try:
            found = syncs_seen_by(actor).filter(pk=UUID(name)).first()
        except ValueError:
            raise NotFound(f"'{name}' is neither a sync's id nor project-slug/sync-name") from None
    if found is None:
        raise NotFound(f"There is no sync '{name}'")
    return found


def syncs_of_project(actor: Actor, project_id: str, destination: str | None = None) -> QuerySet[SecretSync]:
    project = project_for(actor, project_id, Right.SEE_SYNCS)
    found = syncs().filter(project=project)
    return found.filter(destination=destination) if destination else found


def folders_with_counts(project: Project) -> QuerySet[Folder]:
    """Every folder of a project with `keys`, the number of its own secrets; environments in their order."""
    found = Folder.objects.select_related("environment").filter(environment__project=project)
    return found.annotate(keys=Count("secrets")).order_by("environment__position", "path")
