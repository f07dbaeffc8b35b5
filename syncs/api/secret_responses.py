"""A secret as the modelled API writes it: v3 raw and v4 alike.

Source: https://infisical.com/docs/api-reference/endpoints/secrets/list
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from config.conventions import timestamp
from config.responses import Environment, FolderPath, IdText, Name, Time, Uuid, one_of, text
from syncs.source.queries import Imported, ReadSecret
from syncs.source.selectors import HIDDEN, SecretMetadata, metadata_of

Key = Annotated[str, text(example="DB_URL")]
Value = Annotated[str, text(example="postgres://shop@db.internal/shop")]


class SecretTag(TypedDict):
    id: Uuid
    slug: Name
    name: Name
    color: Annotated[str, text(example="#ff8800")]


class SecretActor(TypedDict):
    actorId: IdText | None
    actorType: str
    name: Name
    membershipId: IdText | None
    groupId: IdText | None


@with_config(ConfigDict(title="Secret"))
class Secret(TypedDict):
    id: Uuid
    _id: Uuid
    workspace: Uuid
    environment: Environment
    version: int
    type: Annotated[str, one_of(["shared"])]
    secretKey: Key
    secretValue: Value
    secretComment: Annotated[str, text(example="Read replica")]
    secretPath: FolderPath
    secretValueHidden: bool
    secretMetadata: list[SecretMetadata]
    tags: list[SecretTag]
    secretReminderNote: str | None
    secretReminderRepeatDays: int | None
    skipMultilineEncoding: bool
    actor: SecretActor | None
    isRotatedSecret: bool
    rotationId: IdText | None
    createdAt: Time
    updatedAt: Time


class ImportedSecretsOfFolder(TypedDict):
    secretPath: FolderPath
    environment: Environment
    folderId: Uuid
    secrets: list[Secret]


class OneSecret(TypedDict):
    secret: Secret


class SecretList(TypedDict):
    secrets: list[Secret]


class SecretListWithImports(TypedDict):
    secrets: list[Secret]
    imports: list[ImportedSecretsOfFolder]


class SecretVersion(TypedDict):
    id: str
    secretId: Uuid
    version: int
    secretKey: Key
    secretValue: Value
    secretValueHidden: bool
    actor: SecretActor | None
    createdAt: Time


class SecretVersionList(TypedDict):
    secretVersions: list[SecretVersion]
    totalCount: int


def secret_json(view: ReadSecret, project_id: UUID) -> Secret:
    """The modelled object; a value that is not shown is its literal text for that."""
    secret = view.secret
    pk, folder = str(secret.pk), secret.folder
    return {
        "id": pk,
        "_id": pk,
        "workspace": str(project_id),
        "environment": folder.environment.slug,
        "version": secret.version,
        "type": "shared",
        "secretKey": secret.key,
        "secretValue": HIDDEN if view.value is None else view.value,
        "secretComment": view.comment,
        "secretPath": folder.path,
        "secretValueHidden": view.value is None,
        "secretMetadata": metadata_of(secret, hidden=view.value is None) if secret.metadata else [],
        "tags": [{"id": tag, "slug": slug, "name": slug, "color": color} for tag, slug, color in view.tags],
        "secretReminderNote": secret.reminder_note,
        "secretReminderRepeatDays": secret.reminder_repeat_days,
        "skipMultilineEncoding": secret.skip_multiline_encoding,
        "actor": actor_json(secret.actor_kind, secret.actor_id, secret.actor_name),
        "isRotatedSecret": False,
        "rotationId": None,
        "createdAt": timestamp(secret.created_at),
        "updatedAt": timestamp(secret.updated_at),
    }


def actor_json(kind: str, actor_id: str, name: str) -> SecretActor | None:
    """Who made a version; None if that is not recorded."""
    if not kind:
        return None
    return {"actorId": actor_id or None, "actorType": kind, "name": name, "membershipId": None, "groupId": None}


def import_json(one: Imported, project_id: UUID) -> ImportedSecretsOfFolder:
    """A folder that is imported, with its secrets."""
    return {
        "secretPath": one.path,
        "environment": one.environment,
        "folderId": str(one.folder.pk),
        "secrets": [secret_json(each, project_id) for each in one.secrets],
    }
