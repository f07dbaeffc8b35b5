"""The audit log of a project, for its admins, and of all projects, for instance admins. Read-only.

Source: https://infisical.com/docs/api-reference/endpoints/audit-logs/export-audit-log
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from django.urls import path
from rest_framework.request import Request
from typing_extensions import TypedDict

from config.access.audit import AuditLog, event_as_json, search
from config.access.roles import Right, project_for
from config.api.base import View
from config.api.operations import TypedResponse, operation
from config.schemas.model import Body
from config.schemas.types import Id, Moment, Text, Whole


class AuditQuery(Body):
    eventType: Annotated[
        str | None, Text("Event", "Such as get-secret; comma-separated for several.", max_length=1024)
    ] = None
    actor: Annotated[str | None, Text("Actor", "Name or ID of the actor.", max_length=255)] = None
    objectId: Annotated[
        str | None, Text("Object", "ID of a sync, connection, folder, secret, run, person and so on.", max_length=64)
    ] = None
    startDate: Annotated[datetime | None, Moment("Events from this time on.", "startDate")] = None
    endDate: Annotated[datetime | None, Moment("Events up to this time.", "endDate")] = None
    offset: Annotated[int, Whole(query=True)] = 0
    limit: Annotated[int, Whole(query=True, minimum=1, maximum=1000)] = 20

    def page(self, project_id: UUID | str | None) -> TypedResponse[AuditLogs]:
        events = [name.strip() for name in (self.eventType or "").split(",") if name.strip()]
        found = search(
            project_id=project_id,
            events=events,
            actor=self.actor,
            since=self.startDate,
            until=self.endDate,
            object_id=self.objectId,
        )
        rows = found[self.offset : self.offset + self.limit]
        return TypedResponse({"auditLogs": [event_as_json(row) for row in rows], "totalCount": found.count()})


class _OfProject(Body):
    projectId: Annotated[str | None, Id("Only events of this project.", "projectId")] = None


class AuditQueryAnywhere(AuditQuery, _OfProject):
    """The members of the last base come first."""


class AuditLogs(TypedDict):
    auditLogs: list[AuditLog]
    totalCount: int


class AuditLogsOfProject(View):
    tag = "Audit Logs"

    @operation("listProjectAuditLogs", "List the audit log of a project, newest first.", query=AuditQuery)
    def get(self, request: Request, projectId: str) -> TypedResponse[AuditLogs]:
        query = self.query(AuditQuery)
        return query.page(project_for(self.actor, projectId, Right.MANAGE_MEMBERS).pk)


class AuditLogsAnywhere(View):
    tag = "Audit Logs"

    @operation("listAuditLogs", "List the audit log of all projects, newest first.", query=AuditQueryAnywhere)
    def get(self, request: Request) -> TypedResponse[AuditLogs]:
        query = self.query(AuditQueryAnywhere)
        self.actor.require_instance_admin("read the audit log of all projects")
        return query.page(query.projectId)


urlpatterns = [
    path("v1/projects/<str:projectId>/audit-logs", AuditLogsOfProject.as_view()),
    path("v1/organization/audit-logs", AuditLogsAnywhere.as_view()),
]
