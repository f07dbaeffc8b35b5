"""Every change of notification targets: where the messages of a project go."""

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
    """What a target shall be: `url` (apprise) or `recipients` (e-mail). In an update, None stays as it is."""

    name: str | None = None
    url: str | None = field(default=None, repr=False)
    recipients: str | None = None
    states: Sequence[str] | None = None
    is_enabled: bool | None = None


def create_target(actor: Actor, project: Project, given: TargetInput) -> NotificationTarget:
    """Without `states` it is told of every one."""
    actor.require(Right.MANAGE_PROJECT, project.pk)
    target = NotificationTarget(project=project, states=list(NoticeState.values))
    if not given.url and not given.recipients:
        raise BadRequest("Give an apprise URL, or recipients for e-mail")
    _put(target, given)
    return _stored(actor, target, "create-notification-target", force_insert=True)


def update_target(actor: Actor, target: NotificationTarget, given: TargetInput) -> NotificationTarget:
    """A target whose URL or recipients are given anew has no error any more."""
    actor.require(Right.MANAGE_PROJECT, target.project_id)
    if given.url or given.recipients:
        target.last_error = ""
    _put(target, given)
    return _stored(actor, target, "update-notification-target")


@transaction.atomic
def delete_target(actor: Actor, target: NotificationTarget) -> None:
    actor.require(Right.MANAGE_PROJECT, target.project_id)
    audit.record(actor, "delete-notification-target", target.project_id, **_named(target))
    NotificationTarget.objects.filter(pk=target.pk).delete()


def test_target(actor: Actor, target: NotificationTarget) -> None:
    """Send a message now. Raises BadRequest that says why it did not arrive."""
    actor.require(Right.MANAGE_PROJECT, target.project_id)
    where = f"{settings.PUBLIC_URL}/admin/syncs/notificationtarget/{target.pk}/change/"
    text = f"Messages about the syncs of the project {target.project.name} arrive here.\n{where}"
    error = sender.send(target, "Keyferry: a test", text)
    remember(target, error)
    audit.record(actor, "test-notification-target", target.project_id, delivered=not error, **_named(target))
    if error:
        raise BadRequest(f"The test did not reach {target.name}: {error}")


def _put(target: NotificationTarget, given: TargetInput) -> None:
    """Raises Invalid with every problem, BadRequest for what no schema can say; an address is never said back."""
    issues: list[Issue] = []
    said = ""
    if given.name is not None:
        target.name = given.name.strip()
    if not 1 <= len(target.name) <= 64:
        issues.append(problem(["name"], "Name must be 1 to 64 characters long"))
    if given.url and given.recipients:
        said = "Give either an apprise URL or recipients, not both"
    elif given.url:
        scheme = sender.scheme_of(given.url) if len(given.url) <= MAX_URL else ""
        if not scheme:
            said = "This is no URL that apprise can send to; see https://appriseit.com/services/"
        target.scheme, target.recipients = scheme, ""
        target.url_sealed = seal(target.project_id, sender.url_context(target), given.url.strip())
    elif given.recipients:
        if given.recipients not in RECIPIENTS:
            issues.append(problem(["recipients"], f"It must be one of {', '.join(RECIPIENTS)}"))
        target.scheme, target.recipients, target.url_sealed = sender.EMAIL, given.recipients, None
    if given.states is not None:
        if not given.states or set(given.states) - set(NoticeState.values):
            said = said or f"Some of {', '.join(NoticeState.values)}"
        else:
            target.states = sorted(set(given.states), key=NoticeState.values.index)
    if given.is_enabled is not None:
        target.is_enabled = given.is_enabled
    if issues:
        raise Invalid(issues)
    if said:
        raise BadRequest(said)


def _stored(actor: Actor, target: NotificationTarget, event: str, **how: Any) -> NotificationTarget:
    others = NotificationTarget.objects.filter(project=target.project_id, name=target.name).exclude(pk=target.pk)
    taken = BadRequest(f'A notification target with the name "{target.name}" already exists in this project')
    if others.exists():
        raise taken
    try:
        with transaction.atomic():
            target.save(**how)
            audit.record(actor, event, target.project_id, **_named(target))
    except IntegrityError:
        raise taken from None
    return target


def _named(target: NotificationTarget) -> dict[str, Any]:
    return {"target": target.pk, "name": target.name, "scheme": target.scheme}
