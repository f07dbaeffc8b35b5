"""Syncs, plans and policies as they go over the wire, and what OpenAPI says of each."""

from __future__ import annotations

from typing import Any

from config.api.openapi import FLAG, TEXT, TEXT_OR_NULL, TIME, TIME_OR_NULL, UUID, WHOLE, closed, component, listed
from config.conventions import timestamp
from config.schemas.json_schema import openapi
from syncs.destination.base import Destination
from syncs.engine.types import Action
from syncs.models import SecretSync


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


PLAN = component(
    "Plan",
    closed(
        {
            "warnings": listed(TEXT),
            "estimate": {**closed({"requests": WHOLE, "seconds": WHOLE}), "nullable": True},
            "digest": TEXT,
            "complete": FLAG,
            "held": TEXT_OR_NULL,
            "counts": closed({action.value: WHOLE for action in Action}),
            "changes": listed(
                closed(
                    {
                        "key": TEXT,
                        "sourceKey": TEXT_OR_NULL,
                        "action": {"type": "string", "enum": [action.value for action in Action]},
                        "reason": TEXT,
                    }
                )
            ),
        }
    ),
)

DRIFT = component(
    "Drift",
    closed(
        {
            "status": {"type": "string", "enum": ["none", "drifted", "unknown"]},
            "complete": FLAG,
            "checkedAt": TIME_OR_NULL,
            "changes": listed(
                closed(
                    {
                        "key": TEXT,
                        "state": {"type": "string", "enum": ["changed", "missing", "unmanaged", "unknown"]},
                        "reason": TEXT,
                    }
                )
            ),
        }
    ),
)

_RUN = {
    "id": UUID,
    "operation": {"type": "string", "enum": ["sync", "import", "remove", "undo"]},
    "trigger": {"type": "string", "enum": ["manual", "change", "schedule", "retry", "approval"]},
    "actor": closed({"kind": TEXT, "id": TEXT_OR_NULL, "name": TEXT}),
    "status": TEXT,
    "message": TEXT_OR_NULL,
    "attempts": WHOLE,
    "counts": {"type": "object", "additionalProperties": WHOLE},
    "createdAt": TIME,
    "startedAt": TIME_OR_NULL,
    "endedAt": TIME_OR_NULL,
}
WHY = component(
    "Why",
    closed(
        {
            "key": TEXT,
            "owner": {**closed({"syncId": TEXT_OR_NULL, "name": TEXT}), "nullable": True},
            "state": TEXT_OR_NULL,
            "secret": {
                **closed(
                    {
                        "id": UUID,
                        "secretKey": TEXT,
                        "environment": TEXT,
                        "secretPath": TEXT,
                        "through": TEXT,
                        "references": listed(TEXT),
                        "writtenVersion": WHOLE,
                        "currentVersion": WHOLE,
                        "changedBy": TEXT_OR_NULL,
                        "changedAt": TIME_OR_NULL,
                    }
                ),
                "nullable": True,
            },
            "keySchema": TEXT_OR_NULL,
            "writtenAt": TIME_OR_NULL,
            "writtenBy": {
                **closed({"runId": UUID, "operation": TEXT, "trigger": TEXT, "actor": TEXT, "startedAt": TIME_OR_NULL}),
                "nullable": True,
            },
            "lastOutcome": {
                **closed(
                    {
                        "runId": UUID,
                        "action": TEXT,
                        "outcome": TEXT_OR_NULL,
                        "reason": TEXT,
                        "errorCode": TEXT_OR_NULL,
                        "at": TIME_OR_NULL,
                    }
                ),
                "nullable": True,
            },
            "lastCheckedAt": TIME_OR_NULL,
        }
    ),
)
_RUN_CHANGE = closed(
    {
        "key": TEXT,
        "sourceKey": TEXT_OR_NULL,
        "action": TEXT,
        "outcome": TEXT_OR_NULL,
        "reason": TEXT,
        "error": {**closed({"code": TEXT, "message": TEXT}), "nullable": True},
    }
)
RUN = component("Run", closed(_RUN))
RUN_DETAIL = component("RunWithKeys", closed({**_RUN, "changes": listed(_RUN_CHANGE)}))
