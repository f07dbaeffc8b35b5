"""A sync as the modelled API has it, and its OpenAPI for each destination.

Source: https://infisical.com/docs/api-reference/endpoints/secret-syncs/list
"""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import WithJsonSchema
from typing_extensions import TypedDict

from config.conventions import timestamp
from config.responses import Description, FolderPath, IdText, Name, Time, Uuid, members, text
from config.schemas.json_schema import JsonSchema, described
from syncs import models
from syncs.destination.base import Destination
from syncs.services.policy import policy_of, policy_schema
from syncs.services.policy_options import shown_options


class SyncConnection(TypedDict):
    app: str
    name: Name
    id: Uuid


class SyncEnvironment(TypedDict):
    slug: Name
    name: Name
    id: Uuid


class SyncFolder(TypedDict):
    id: str
    path: FolderPath


class SecretSync(TypedDict):
    """Closed as modelled, so nothing is ever added to it."""

    id: Uuid
    name: Name
    description: NotRequired[Description | None]
    isAutoSyncEnabled: NotRequired[Annotated[bool, WithJsonSchema({"type": "boolean", "default": True})]]
    version: NotRequired[Annotated[int, WithJsonSchema({"type": "number", "default": 1})]]
    projectId: IdText
    folderId: NotRequired[Uuid | None]
    connectionId: Uuid
    createdAt: Time
    updatedAt: Time
    syncStatus: NotRequired[Annotated[str, text(example="succeeded")] | None]
    lastSyncJobId: NotRequired[IdText | None]
    lastSyncMessage: NotRequired[str | None]
    lastSyncedAt: NotRequired[Time | None]
    importStatus: NotRequired[str | None]
    lastImportJobId: NotRequired[IdText | None]
    lastImportMessage: NotRequired[str | None]
    lastImportedAt: NotRequired[Time | None]
    removeStatus: NotRequired[str | None]
    lastRemoveJobId: NotRequired[IdText | None]
    lastRemoveMessage: NotRequired[str | None]
    lastRemovedAt: NotRequired[Time | None]
    syncOptions: dict[str, Any]
    connection: SyncConnection
    environment: SyncEnvironment | None
    folder: SyncFolder | None
    destination: str
    destinationConfig: dict[str, Any]


class OneSecretSync(TypedDict):
    secretSync: SecretSync


class SecretSyncList(TypedDict):
    secretSyncs: list[SecretSync]


def sync_json(sync: models.SecretSync) -> SecretSync:
    folder, connection = sync.folder, sync.connection
    return {
        "id": str(sync.pk),
        "name": sync.name,
        "description": sync.description,
        "isAutoSyncEnabled": sync.is_auto_sync_enabled,
        "version": sync.version,
        "projectId": str(sync.project_id),
        "folderId": str(folder.pk) if folder else None,
        "connectionId": str(connection.pk),
        "createdAt": timestamp(sync.created_at),
        "updatedAt": timestamp(sync.updated_at),
        "syncStatus": sync.sync_status,
        "lastSyncJobId": sync.last_sync_job_id,
        "lastSyncMessage": sync.last_sync_message,
        "lastSyncedAt": timestamp(sync.last_synced_at),
        "importStatus": sync.import_status,
        "lastImportJobId": sync.last_import_job_id,
        "lastImportMessage": sync.last_import_message,
        "lastImportedAt": timestamp(sync.last_imported_at),
        "removeStatus": sync.remove_status,
        "lastRemoveJobId": sync.last_remove_job_id,
        "lastRemoveMessage": sync.last_remove_message,
        "lastRemovedAt": timestamp(sync.last_removed_at),
        "syncOptions": shown_options(sync),
        "connection": {"app": connection.app, "name": connection.name, "id": str(connection.pk)},
        "environment": _environment(folder.environment) if folder else None,
        "folder": {"id": str(folder.pk), "path": folder.path} if folder else None,
        "destination": sync.destination,
        "destinationConfig": sync.destination_config,
    }


def policy_response(destination: type[Destination]) -> Any:
    """The shape of `{policy}` of one destination: a TypedDict would need a class for each."""
    return Annotated[dict[str, Any], members({"policy": policy_schema(policy_of(destination))})]


def _environment(environment: models.Environment) -> SyncEnvironment:
    return {"slug": environment.slug, "name": environment.name, "id": str(environment.pk)}


def pascal(slug: str) -> str:
    """`aws-secrets-manager` as names in OpenAPI have it: AwsSecretsManager."""
    return "".join(part.title() for part in slug.split("-"))


def sync_schema(destination: type[Destination]) -> JsonSchema:
    """OpenAPI of SecretSync for one destination."""
    schema = described(SecretSync)
    connection = described(SyncConnection)
    app = {"type": "string", "enum": [destination.provider]}
    own = {
        "syncOptions": described(destination.Options),
        "connection": {**connection, "properties": {**connection["properties"], "app": app}},
        "destination": {"type": "string", "enum": [destination.slug]},
        "destinationConfig": described(destination.described_config()),
    }
    del own["connection"]["x-component"]
    return {
        **schema,
        "title": destination.label,
        "properties": {**schema["properties"], **own},
        "x-component": f"{pascal(destination.slug)}SecretSync",
    }
