"""Every change of notification targets, which receive the messages of a project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from config.access import audit
from config.access.models import Project
from config.access.roles import Actor, Right
from config.encryption import seal
from config.errors import BadRequest, Invalid, Issue, problem
from syncs.models import NoticeState, NotificationTarget
from syncs.notifications import sender
from syncs.notifications.outbox import remember

RECIPIENTS = ("members", "admins")
MAX_URL = 2048


@dataclass(frozen=True)
class TargetInput:
    """A target as it is to be stored: `url` (apprise) or `recipients` (e-mail). In an update, None stays as it is."""

    name: str | None = None
    url: str | None = field(default=None, repr=False)
    recipients: str | None = None
    states: Sequence[str] | None = None
    is_enabled: bool | None = None


def create_target(actor: Actor, project: Project, data: TargetInput) -> NotificationTarget:
    """Without `states` it receives messages of all of them."""
    actor.require(Right.MANAGE_PROJECT, project.pk)
    target = NotificationTarget(project=project, states=list(NoticeState.values))
    if not data.url and not data.recipients:
        raise BadRequest("Give an apprise URL, or recipients for e-mail")
    _put(target, data)
    return _stored(actor, target, "create-notification-target", force_insert=True)


def update_target(actor: Actor, target: NotificationTarget, data: TargetInput) -> NotificationTarget:
    """New URL or recipients clear the target's error."""
    actor.require(Right.MANAGE_PROJECT, target.project_id)
    if data.url or data.recipients:
        target.last_error = ""
    _put(target, data)
    return _stored(actor, target, "update-notification-target")


@transaction.atomic
def delete_target(actor: Actor, target: NotificationTarget) -> None:
    """Raises PermissionDenied."""
    actor.require(Right.MANAGE_PROJECT, target.project_id)
    audit.record(actor, "delete-notification-target", target.project_id, **_audited(target))
    NotificationTarget.objects.filter(pk=target.pk).delete()


def test_target(actor: Actor, target: NotificationTarget) -> None:
    """Send a message now. Raises BadRequest with the reason if it was not delivered."""
    actor.require(Right.MANAGE_PROJECT, target.project_id)
    url = f"{settings.PUBLIC_URL}/admin/syncs/notificationtarget/{target.pk}/change/"
    text = f"Messages about the syncs of the project {target.project.name} arrive here.\n{url}"
    error = sender.send(target, "Keyferry: a test", text)
    remember(target, error)
    audit.record(actor, "test-notification-target", target.project_id, delivered=not error, **_audited(target))
    if error:
        raise BadRequest(f"The test did not reach {target.name}: {error}")


def _put(target: NotificationTarget, data: TargetInput) -> None:
    """Raises Invalid with every problem, BadRequest for other problems; an address is never part of a message."""
    issues: list[Issue] = []
    refusal = ""
    if data.name is not None:
        target.name = data.name.strip()
    if not 1 <= len(target.name) <= 64:
        issues.append(problem(["name"], "Name must be 1 to 64 characters long"))
    if data.url and data.recipients:
        refusal = "Give either an apprise URL or recipients, not both"
    elif data.url:
        scheme = sender.scheme_of(data.url) if len(data.url) <= MAX_URL else ""
        if not scheme:
            refusal = "This is no URL that apprise can send to; see https://appriseit.com/services/"
        target.scheme, target.recipients = scheme, ""
        target.url_sealed = seal(target.project_id, sender.url_context(target), data.url.strip())
    elif data.recipients:
        if data.recipients not in RECIPIENTS:
            issues.append(problem(["recipients"], f"It must be one of {', '.join(RECIPIENTS)}"))
        target.scheme, target.recipients, target.url_sealed = sender.EMAIL, data.recipients, None
    if data.states is not None:
        if not data.states or set(data.states) - set(NoticeState.values):
            refusal = refusal or f"Some of {', '.join(NoticeState.values)}"
        else:
            target.states = sorted(set(data.states), key=NoticeState.values.index)
    if data.is_enabled is not None:
        target.is_enabled = data.is_enabled
    if issues:
        raise Invalid(issues)
    if refusal:
        raise BadRequest(refusal)


def _stored(actor: Actor, target: NotificationTarget, event: str, **options: Any) -> NotificationTarget:
    others = NotificationTarget.objects.filter(project=target.project_id, name=target.name).exclude(pk=target.pk)
    in_use = BadRequest(f'A notification target with the name "{target.name}" already exists in this project')
    if others.exists():
        raise in_use
    try:
        with transaction.atomic():
            target.save(**options)
            audit.record(actor, event, target.project_id, **_audited(target))
    except IntegrityError:
        raise in_use from None
    return target


def _audited(target: NotificationTarget) -> dict[str, Any]:
    return {"target": target.pk, "name": target.name, "scheme": target.scheme}
