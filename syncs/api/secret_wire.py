"""A secret as the modelled API writes it: v3 raw and v4 alike.

Source: https://infisical.com/docs/api-reference/endpoints/secrets/list
"""

from __future__ import annotations

from typing import Any
from uuid import UUID as Uuid

from config.api.openapi import FLAG, TEXT, TEXT_OR_NULL, TIME, UUID, WHOLE, closed, component, listed
from config.conventions import timestamp
from syncs.source.queries import Imported, Shown
from syncs.source.selectors import HIDDEN, metadata_of

ACTOR = {
    **closed(
        {
            "actorId": TEXT_OR_NULL,
            "actorType": TEXT,
            "name": TEXT,
            "membershipId": TEXT_OR_NULL,
            "groupId": TEXT_OR_NULL,
        }
    ),
    "nullable": True,
}
SECRET = component(
    "Secret",
    closed(
        {
            "id": UUID,
            "_id": UUID,
            "workspace": UUID,
            "environment": TEXT,
            "version": WHOLE,
            "type": {"type": "string", "enum": ["shared"]},
            "secretKey": TEXT,
            "secretValue": TEXT,
            "secretComment": TEXT,
            "secretPath": TEXT,
            "secretValueHidden": FLAG,
            "secretMetadata": listed(closed({"key": TEXT, "value": TEXT, "isEncrypted": FLAG})),
            "tags": listed(closed({"id": UUID, "slug": TEXT, "name": TEXT, "color": TEXT})),
            "secretReminderNote": TEXT_OR_NULL,
            "secretReminderRepeatDays": {**WHOLE, "nullable": True},
            "skipMultilineEncoding": FLAG,
            "actor": ACTOR,
            "isRotatedSecret": FLAG,
            "rotationId": TEXT_OR_NULL,
            "createdAt": TIME,
            "updatedAt": TIME,
        },
        title="Secret",
    ),
)
IMPORTED = closed({"secretPath": TEXT, "environment": TEXT, "folderId": UUID, "secrets": listed(SECRET)})
ONE, MANY = closed({"secret": SECRET}), closed({"secrets": listed(SECRET)})
LISTED = closed({"secrets": listed(SECRET), "imports": listed(IMPORTED)})
VERSION = closed(
    {
        "id": TEXT,
        "secretId": UUID,
        "version": WHOLE,
        "secretKey": TEXT,
        "secretValue": TEXT,
        "secretValueHidden": FLAG,
        "actor": ACTOR,
        "createdAt": TIME,
    }
)


def secret_wire(shown: Shown, project_id: Uuid) -> dict[str, Any]:
    """The modelled object; a value that is not shown is its literal text for that."""
    secret = shown.secret
    hidden = shown.value is None
    pk, folder = str(secret.pk), secret.folder
    return {
        "id": pk,
        "_id": pk,
        "workspace": str(project_id),
        "environment": folder.environment.slug,
        "version": secret.version,
        "type": "shared",
        "secretKey": secret.key,
        "secretValue": HIDDEN if hidden else shown.value,
        "secretComment": shown.comment,
        "secretPath": folder.path,
        "secretValueHidden": hidden,
        "secretMetadata": metadata_of(secret, hidden=hidden) if secret.metadata else [],
        "tags": [{"id": tag, "slug": slug, "name": slug, "color": color} for tag, slug, color in shown.tags],
        "secretReminderNote": secret.reminder_note,
        "secretReminderRepeatDays": secret.reminder_repeat_days,
        "skipMultilineEncoding": secret.skip_multiline_encoding,
        "actor": actor_wire(secret.actor_kind, secret.actor_id, secret.actor_name),
        "isRotatedSecret": False,
        "rotationId": None,
        "createdAt": timestamp(secret.created_at),
        "updatedAt": timestamp(secret.updated_at),
    }


def actor_wire(kind: str, actor_id: str, name: str) -> dict[str, Any] | None:
    """Who made a version; None where that is not known."""
    if not kind:
        return None
    return {"actorId": actor_id or None, "actorType": kind, "name": name, "membershipId": None, "groupId": None}


def import_wire(one: Imported, project_id: Uuid) -> dict[str, Any]:
    """A folder that is imported, with its secrets."""
    return {
        "secretPath": one.path,
        "environment": one.environment,
        "folderId": str(one.folder.pk),
        "secrets": [secret_wire(each, project_id) for each in one.secrets],
    }
