"""Whom a project's syncs tell when their state changes. Keyferry's own, beside the modelled API."""

from __future__ import annotations

from typing import Any

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from config.access.roles import Right, project_for
from config.api.base import View
from config.api.openapi import (
    FLAG,
    TEXT,
    TEXT_OR_NULL,
    TIME,
    TIME_OR_NULL,
    UUID,
    WHOLE,
    closed,
    component,
    described,
    listed,
)
from config.schemas.schema import Flag, Id, Schema, Text, Texts, Whole
from syncs.models import NoticeState, NotificationTarget
from syncs.notifications import targets as services
from syncs.notifications.targets import MAX_URL, RECIPIENTS, TargetInput, target_as_json
from syncs.source import selectors

TAG = "Notifications"
_STATE = Text("states", "State", choices=tuple(NoticeState.values))
_WISH = (
    Text(
        "url",
        "URL",
        "Where apprise sends to, as slack://..., discord://..., json://.... It is sealed and never shown again.",
        required=False,
        max_length=MAX_URL,
        secret=True,
    ),
    Text("recipients", "Recipients", "E-mail instead of a URL, to these.", required=False, choices=RECIPIENTS),
    Texts("states", "What it is told of; all where it is left out.", item=_STATE, max_items=4),
    Flag("isEnabled"),
)
CREATE = Schema((Text("name", "Name", "Unique in the project.", max_length=64), *_WISH), strict=False)
UPDATE = Schema((Text("name", "Name", required=False, max_length=64), *_WISH), strict=False)
PAGE = Schema(
    (Whole("offset", default=0, text=True), Whole("limit", default=20, minimum=1, maximum=100, text=True)), False
)
PROJECT = (("projectId", "The project's id."),)
ONE = (*PROJECT, ("targetId", "The target's id."))
SHAPE = component(
    "NotificationTarget",
    closed(
        {
            "id": UUID,
            "projectId": UUID,
            "name": TEXT,
            "scheme": TEXT,
            "recipients": TEXT_OR_NULL,
            "states": listed({"type": "string", "enum": list(NoticeState.values)}),
            "isEnabled": FLAG,
            "lastSentAt": TIME_OR_NULL,
            "lastFailedAt": TIME_OR_NULL,
            "lastError": TEXT_OR_NULL,
            "createdAt": TIME,
            "updatedAt": TIME,
        }
    ),
)
ANSWER = closed({"notificationTarget": SHAPE})


def _given(data: dict[str, Any]) -> TargetInput:
    return TargetInput(
        name=data.get("name"),
        url=data.get("url"),
        recipients=data.get("recipients"),
        states=data.get("states"),
        is_enabled=data.get("isEnabled"),
    )


class _TargetView(View):
    def named(self, project_id: str, target_id: str, right: Right = Right.MANAGE_PROJECT) -> NotificationTarget:
        found = Schema((Id("targetId"),)).validate({"targetId": target_id})["targetId"]
        return selectors.target_of(project_for(self.actor, project_id, right), pk=found)

    def one(self, target: NotificationTarget) -> Response:
        return Response({"notificationTarget": target_as_json(target)})


class Targets(_TargetView):
    @described(
        "listNotificationTargets",
        TAG,
        "Whom a project's syncs tell.",
        closed({"notificationTargets": listed(SHAPE), "totalCount": WHOLE}),
        query=PAGE,
        path=PROJECT,
    )
    def get(self, request: Request, projectId: str) -> Response:
        page = self.query(PAGE)
        found = project_for(self.actor, projectId).notification_targets.all()
        shown = found[page["offset"] : page["offset"] + page["limit"]]
        return Response(
            {"notificationTargets": [target_as_json(target) for target in shown], "totalCount": found.count()}
        )

    @described("createNotificationTarget", TAG, "Tell somebody else too.", ANSWER, body=CREATE, path=PROJECT)
    def post(self, request: Request, projectId: str) -> Response:
        given = _given(self.body(CREATE))
        project = project_for(self.actor, projectId, Right.MANAGE_PROJECT)
        return self.one(services.create_target(self.actor, project, given))


class Target(_TargetView):
    @described("getNotificationTarget", TAG, "A target.", ANSWER, path=ONE)
    def get(self, request: Request, projectId: str, targetId: str) -> Response:
        return self.one(self.named(projectId, targetId, Right.SEE))

    @described("updateNotificationTarget", TAG, "Change a target.", ANSWER, body=UPDATE, path=ONE)
    def patch(self, request: Request, projectId: str, targetId: str) -> Response:
        given = _given(self.body(UPDATE))
        return self.one(services.update_target(self.actor, self.named(projectId, targetId), given))

    @described("deleteNotificationTarget", TAG, "Tell this one no more.", ANSWER, path=ONE)
    def delete(self, request: Request, projectId: str, targetId: str) -> Response:
        target = self.named(projectId, targetId)
        answer = self.one(target)
        services.delete_target(self.actor, target)
        return answer


class Test(_TargetView):
    @described("testNotificationTarget", TAG, "Send a message now; 400 says why it did not arrive.", ANSWER, path=ONE)
    def post(self, request: Request, projectId: str, targetId: str) -> Response:
        target = self.named(projectId, targetId)
        services.test_target(self.actor, target)
        return self.one(selectors.target_of(target.project, pk=target.pk))


_BASE = "v1/projects/<str:projectId>/notification-targets"
urlpatterns = [
    path(_BASE, Targets.as_view()),
    path(f"{_BASE}/<str:targetId>", Target.as_view()),
    path(f"{_BASE}/<str:targetId>/test", Test.as_view()),
]
