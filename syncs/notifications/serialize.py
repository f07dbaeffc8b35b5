"""Notification targets as the API and the command return them."""

from __future__ import annotations

from typing import Annotated

from typing_extensions import TypedDict

from config.conventions import timestamp
from config.responses import Name, Time, Uuid, one_of
from syncs import models


class NotificationTarget(TypedDict):
    id: Uuid
    projectId: Uuid
    name: Name
    scheme: str
    recipients: str | None
    states: list[Annotated[str, one_of(models.NoticeState.values)]]
    isEnabled: bool
    lastSentAt: Time | None
    lastFailedAt: Time | None
    lastError: str | None
    createdAt: Time
    updatedAt: Time


def target_as_json(target: models.NotificationTarget) -> NotificationTarget:
    """Of a URL its scheme alone."""
    return {
        "id": str(target.pk),
        "projectId": str(target.project_id),
        "name": target.name,
        "scheme": target.scheme,
        "recipients": target.recipients or None,
        "states": target.states,
        "isEnabled": target.is_enabled,
        "lastSentAt": timestamp(target.last_sent_at),
        "lastFailedAt": timestamp(target.last_failed_at),
        "lastError": target.last_error or None,
        "createdAt": timestamp(target.created_at),
        "updatedAt": timestamp(target.updated_at),
    }
