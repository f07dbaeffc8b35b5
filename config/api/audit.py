"""The audit log: of a project for its admins, of everything for instance admins. Read-only, as the log is.

Source: https://infisical.com/docs/api-reference/endpoints/audit-logs/export-audit-log
"""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from config.access.audit import event_as_json, search
from config.access.models import AuditEvent
from config.access.roles import Right, project_for
from config.api.base import View
from config.api.openapi import TEXT, TEXT_OR_NULL, TIME, WHOLE, closed, component, described, listed
from config.schemas.schema import Id, Moment, Schema, Text, Whole

TAG = "Audit Logs"
_WISH = (
    Text("eventType", "Event", "As get-secret, or several with commas.", required=False, max_length=1024),
    Text("actor", "Actor", "Name or id of who did it.", required=False, max_length=255),
    Moment("startDate", "From this moment on."),
    Moment("endDate", "Until this moment."),
    Whole("offset", default=0, text=True),
    Whole("limit", default=20, minimum=1, maximum=1000, text=True),
)
QUERY = Schema(_WISH, strict=False)
EVERYWHERE = Schema((Id("projectId", "Of this project only.", required=False), *_WISH), strict=False)
EVENT = component(
    "AuditLog",
    closed(
        {
            "id": WHOLE,
            "eventType": TEXT,
            "actor": closed({"type": TEXT, "id": TEXT_OR_NULL, "name": TEXT}),
            "ipAddress": TEXT_OR_NULL,
            "projectId": TEXT_OR_NULL,
            "eventMetadata": {"type": "object", "additionalProperties": True},
            "hash": TEXT,
            "createdAt": TIME,
        }
    ),
)
ANSWER = closed({"auditLogs": listed(EVENT), "totalCount": WHOLE})


def _page(found: QuerySet[AuditEvent], wish: dict[str, Any]) -> Response:
    rows = found[wish["offset"] : wish["offset"] + wish["limit"]]
    return Response({"auditLogs": [event_as_json(row) for row in rows], "totalCount": found.count()})


def _chosen(wish: dict[str, Any]) -> dict[str, Any]:
    events = [name.strip() for name in wish.get("eventType", "").split(",") if name.strip()]
    return {"events": events, "actor": wish.get("actor"), "since": wish.get("startDate"), "until": wish.get("endDate")}


class OfProject(View):
    @described(
        "listProjectAuditLogs",
        TAG,
        "What was done in a project, newest first.",
        ANSWER,
        query=QUERY,
        path=(("projectId", "The project's id."),),
    )
    def get(self, request: Request, projectId: str) -> Response:
        wish = self.query(QUERY)
        project = project_for(self.actor, projectId, Right.MANAGE_MEMBERS)
        return _page(search(project_id=project.pk, **_chosen(wish)), wish)


class OfAll(View):
    @described("listAuditLogs", TAG, "What was done anywhere, newest first.", ANSWER, query=EVERYWHERE)
    def get(self, request: Request) -> Response:
        wish = self.query(EVERYWHERE)
        self.actor.require_instance_admin("read the whole audit log")
        return _page(search(project_id=wish.get("projectId"), **_chosen(wish)), wish)


urlpatterns = [
    path("v1/projects/<str:projectId>/audit-logs", OfProject.as_view()),
    path("v1/organization/audit-logs", OfAll.as_view()),
]
