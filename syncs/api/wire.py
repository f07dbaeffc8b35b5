"""Syncs, plans and policies as they go over the wire, and what OpenAPI says of each."""

from __future__ import annotations

from typing import Any

from config.api.openapi import FLAG, TEXT, TEXT_OR_NULL, TIME, TIME_OR_NULL, UUID, closed, component
from config.conventions import timestamp
from config.schemas.json_schema import openapi
from syncs.destination.base import Destination
from syncs.history.explain import Why
from syncs.history.serialize import Run, RunInHistory, RunWithKeys
from syncs.models import SecretSync
from syncs.planning.preview import PlanJson
from syncs.running.drift import DriftJson


def sync_as_json(sync: SecretSync) -> dict[str, Any]:
    """The modelled object: closed, so nothing is ever added to it."""
    folder, connection = sync.folder, sync.connection
    environment = folder.environment if folder else None
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
        "syncOptions": sync.sync_options,
        "connection": {"app": connection.app, "name": connection.name, "id": str(connection.pk)},
        "environment": environment and {"slug": environment.slug, "name": environment.name, "id": str(environment.pk)},
        "folder": folder and {"id": str(folder.pk), "path": folder.path},
        "destination": sync.destination,
        "destinationConfig": sync.destination_config,
    }


_OPTIONAL = (
    "description",
    "isAutoSyncEnabled",
    "version",
    "folderId",
    *(
        name
        for past in (("sync", "Sync", "Synced"), ("import", "Import", "Imported"), ("remove", "Remove", "Removed"))
        for name in (f"{past[0]}Status", f"last{past[1]}JobId", f"last{past[1]}Message", f"last{past[2]}At")
    ),
)


def sync_shape(found: type[Destination]) -> dict[str, Any]:
    """OpenAPI of `sync_as_json` for one destination."""
    jobs: dict[str, Any] = {}
    for status, job, past in (
        ("sync", "Sync", "Synced"),
        ("import", "Import", "Imported"),
        ("remove", "Remove", "Removed"),
    ):
        jobs |= {
            f"{status}Status": TEXT_OR_NULL,
            f"last{job}JobId": TEXT_OR_NULL,
            f"last{job}Message": TEXT_OR_NULL,
            f"last{past}At": TIME_OR_NULL,
        }
    properties = {
        "id": UUID,
        "name": TEXT,
        "description": TEXT_OR_NULL,
        "isAutoSyncEnabled": {**FLAG, "default": True},
        "version": {"type": "number", "default": 1},
        "projectId": TEXT,
        "folderId": {**UUID, "nullable": True},
        "connectionId": UUID,
        "createdAt": TIME,
        "updatedAt": TIME,
        **jobs,
        "syncOptions": openapi(found.Options),
        "connection": closed({"app": {"type": "string", "enum": [found.provider]}, "name": TEXT, "id": UUID}),
        "environment": {**closed({"slug": TEXT, "name": TEXT, "id": UUID}), "nullable": True},
        "folder": {**closed({"id": TEXT, "path": TEXT}), "nullable": True},
        "destination": {"type": "string", "enum": [found.slug]},
        "destinationConfig": openapi(found.described_config()),
    }
    pascal = "".join(part.title() for part in found.slug.split("-"))
    shape = closed(properties, optional=_OPTIONAL, title=found.label)
    return component(f"{pascal}SecretSync", shape)


PLAN = openapi(PlanJson)
DRIFT = openapi(DriftJson)
WHY = openapi(Why)
RUN = openapi(Run)
RUN_DETAIL = openapi(RunWithKeys)
RUN_IN_HISTORY = openapi(RunInHistory)
