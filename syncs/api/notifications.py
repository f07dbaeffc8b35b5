"""Targets of notifications about a project's syncs. An extension of the modelled API."""

from __future__ import annotations

from typing import Annotated

from pydantic import SecretStr
from rest_framework.decorators import action
from rest_framework.request import Request
from typing_extensions import TypedDict

from config.access.roles import Right, project_for
from config.api.base import ViewSet, router
from config.api.operations import TypedResponse, operation
from config.schemas.model import Body
from config.schemas.pages import Page
from config.schemas.types import Flag, Items, Secret, Text
from syncs import models
from syncs.notifications import targets as services
from syncs.notifications.serialize import NotificationTarget, target_as_json
from syncs.notifications.targets import MAX_URL, RECIPIENTS, TargetInput
from syncs.source import selectors


class TargetContent(Body):
    url: Annotated[
        SecretStr | None,
        Secret(
            "URL",
            "An apprise URL, such as slack://... or json://.... It is stored encrypted and never returned.",
            max_length=MAX_URL,
        ),
    ] = None
    recipients: Annotated[
        str | None, Text("Recipients", "Send e-mail to these people instead of using a URL.", choices=RECIPIENTS)
    ] = None
    states: Annotated[
        list[Annotated[str, Text("State", choices=tuple(models.NoticeState.values))]] | None,
        Items("States to notify about; all if left out.", max_items=4),
    ] = None
    isEnabled: Annotated[bool | None, Flag()] = None

    def content(self, name: str | None) -> TargetInput:
        return TargetInput(
            name=name,
            url=None if self.url is None else self.url.get_secret_value(),
            recipients=self.recipients,
            states=self.states,
            is_enabled=self.isEnabled,
        )


class _Named(Body):
    name: Annotated[str, Text("Name", "Unique in the project.", max_length=64, example="shop-dev")]


class _MaybeNamed(Body):
    name: Annotated[str | None, Text("Name", max_length=64, example="shop-dev")] = None


class NewTarget(TargetContent, _Named): ...


class TargetChange(TargetContent, _MaybeNamed): ...


class OneTarget(TypedDict):
    notificationTarget: NotificationTarget


class TargetList(TypedDict):
    notificationTargets: list[NotificationTarget]
    totalCount: int


class Targets(ViewSet):
    tag = "Notifications"
    lookup_url_kwarg = "targetId"

    def target(self, right: Right = Right.MANAGE_PROJECT) -> models.NotificationTarget:
        target_id = self.id("targetId")
        return selectors.target_of(project_for(self.actor, self.kwargs["projectId"], right), pk=target_id)

    def one(self, target: models.NotificationTarget) -> TypedResponse[OneTarget]:
        return TypedResponse({"notificationTarget": target_as_json(target)})

    @operation("listNotificationTargets", "List the notification targets of a project.", query=Page)
    def list(self, request: Request, projectId: str) -> TypedResponse[TargetList]:
        page = self.query(Page)
        found = project_for(self.actor, projectId).notification_targets.all()
        rows = [target_as_json(target) for target in page.of(found)]
        return TypedResponse({"notificationTargets": rows, "totalCount": found.count()})

    @operation("createNotificationTarget", "Create a notification target.", body=NewTarget)
    def create(self, request: Request, projectId: str) -> TypedResponse[OneTarget]:
        body = self.body(NewTarget)
        project = project_for(self.actor, projectId, Right.MANAGE_PROJECT)
        return self.one(services.create_target(self.actor, project, body.content(body.name)))

    @operation("getNotificationTarget", "Get a notification target.")
    def retrieve(self, request: Request, projectId: str, targetId: str) -> TypedResponse[OneTarget]:
        return self.one(self.target(Right.SEE))

    @operation("updateNotificationTarget", "Change a notification target.", body=TargetChange)
    def partial_update(self, request: Request, projectId: str, targetId: str) -> TypedResponse[OneTarget]:
        body = self.body(TargetChange)
        return self.one(services.update_target(self.actor, self.target(), body.content(body.name)))

    @operation("deleteNotificationTarget", "Delete a notification target.")
    def destroy(self, request: Request, projectId: str, targetId: str) -> TypedResponse[OneTarget]:
        target = self.target()
        response = self.one(target)
        services.delete_target(self.actor, target)
        return response

    @action(detail=True, methods=["post"])
    @operation(
        "testNotificationTarget", "Send a test message. If it cannot be delivered, the status is 400 with the reason."
    )
    def test(self, request: Request, projectId: str, targetId: str) -> TypedResponse[OneTarget]:
        target = self.target()
        services.test_target(self.actor, target)
        return self.one(selectors.target_of(target.project, pk=target.pk))


_router = router()
_router.register("v1/projects/<str:projectId>/notification-targets", Targets, basename="notification-target")
urlpatterns = _router.urls
