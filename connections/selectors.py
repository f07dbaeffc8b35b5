"""Every read of connections that more than one caller needs."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Q, QuerySet

from config.access.models import Project
from config.access.roles import Actor, Right
from config.errors import BadRequest, NotFound

from .models import AppConnection
from .provider import providers


def connections_of(actor: Actor, project: Project | None) -> QuerySet[AppConnection]:
    """The organisation's connections, or the project's own, as far as the actor may see them."""
    found = AppConnection.objects.select_related("project").filter(project=project)
    if project is None and not actor.may_anywhere(Right.SEE_CONNECTIONS):
        return found.none()
    return found


def usable_in(actor: Actor, project: Project, app: str | None = None) -> QuerySet[AppConnection]:
    """The connections that a sync of the project may use."""
    actor.require(Right.USE_CONNECTIONS, project.pk)
    found = AppConnection.objects.select_related("project").filter(Q(project=project) | Q(project=None))
    return found.filter(app=app) if app else found


def usable_by(actor: Actor, app: str | None = None) -> QuerySet[AppConnection]:
    """The connections that the actor may use in some project, the organisation's among them."""
    mine = [project_id for project_id in actor.roles if actor.may(Right.USE_CONNECTIONS, project_id)]
    shared = Q(project=None) if actor.may_anywhere(Right.USE_CONNECTIONS) else Q(pk=None)
    found = AppConnection.objects.select_related("project").filter(Q(project__in=mine) | shared)
    return found.filter(app=app) if app else found


def connection_by_id(actor: Actor, connection_id: UUID | str, app: str | None = None) -> AppConnection:
    """Raises NotFound, or BadRequest where the id is another app's."""
    found = AppConnection.objects.select_related("project").filter(pk=connection_id).first()
    if found is None or not _seen(actor, found):
        raise NotFound(f"Could not find App Connection with ID {connection_id}")
    if app and found.app != app:
        raise BadRequest(f'App Connection with ID {connection_id} is not for App "{label_of(app)}"')
    return found


def connection_by_name(actor: Actor, app: str, name: str, project: Project | None) -> AppConnection:
    """Raises NotFound."""
    found = connections_of(actor, project).filter(name=name, app=app).first()
    if found is None:
        scope = "project" if project else "organization"
        raise NotFound(f"Could not find App Connection with name {name} in {scope} scope.")
    return found


def label_of(app: str) -> str:
    found = providers.get(app)
    return found.label if found else app


def _seen(actor: Actor, connection: AppConnection) -> bool:
    if connection.project_id:
        return actor.may(Right.SEE_CONNECTIONS, connection.project_id)
    return actor.may_anywhere(Right.SEE_CONNECTIONS)
