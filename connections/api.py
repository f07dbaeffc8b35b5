"""App connections: of all apps, and of each app.

Source: https://infisical.com/docs/api-reference/endpoints/app-connections/list
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, cast

from django.urls import path
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from config.access import audit
from config.access.models import Project
from config.access.roles import Right, project_for
from config.access.services import instance
from config.api.base import View, ViewSet, router
from config.api.operations import TypedResponse, operation
from config.api.pause import OnePause, PauseChange, pause_json
from config.schemas.json_schema import JsonSchema, with_component
from config.schemas.unions import AllOf
from connections import models, selectors, services
from connections.provider import Provider, providers

from .requests import ConnectionChanges, InProject, NewConnection, OfProject, described_changes, new_connection
from .responses import (
    AppConnectionBriefList,
    AppConnectionList,
    AppConnectionOption,
    AppConnectionOptionList,
    CheckedAppConnection,
    OneAppConnection,
    OneCheck,
    brief_json,
    check_json,
    connection_json,
    connection_schema,
    pascal,
)


class _ConnectionView(View):
    tag = "App Connections"

    def scope(self, request: OfProject | NewConnection, right: Right = Right.SEE_CONNECTIONS) -> Project | None:
        return project_for(self.actor, request.projectId, right) if request.projectId else None

    def recorded(
        self, found: Iterable[models.AppConnection], project: Project | None, event: str, app: str | None
    ) -> list[models.AppConnection]:
        """The connections, recorded in the audit log as listed."""
        rows = list(found)
        if rows:
            ids = [str(row.pk) for row in rows[:100]]
            project_id = project.pk if project else None
            audit.record(self.actor, event, project_id, app=app, count=len(rows), connectionIds=ids)
        return rows

    def listed(
        self, found: Iterable[models.AppConnection], project: Project | None, app: str | None = None
    ) -> TypedResponse[AppConnectionList]:
        organisation = str(instance().pk)
        rows = self.recorded(found, project, "get-app-connections", app)
        return TypedResponse({"appConnections": [connection_json(row, organisation) for row in rows]})


class Options(_ConnectionView):
    @operation("listAppConnectionOptions", "List the apps that can be connected, with their methods.")
    def get(self, request: Request) -> TypedResponse[AppConnectionOptionList]:
        options: list[AppConnectionOption] = [
            {"name": each.label, "app": each.slug, "methods": list(each.methods)} for each in providers
        ]
        return TypedResponse({"appConnectionOptions": options})


class EveryApp(_ConnectionView):
    def specialized(self, schema: JsonSchema) -> JsonSchema:
        return with_component(schema, "AppConnection", {"anyOf": [connection_schema(each) for each in providers]})

    @operation("listAppConnections", "List the connections of the organization or of a project.", query=OfProject)
    def get(self, request: Request) -> TypedResponse[AppConnectionList]:
        project = self.scope(self.query(OfProject))
        return self.listed(selectors.connections_of(self.actor, project), project)


class _OfApp(_ConnectionView):
    provider: type[Provider] = Provider  # type: ignore[type-abstract]

    def connection(self) -> models.AppConnection:
        return selectors.connection_by_id(self.actor, self.id("connectionId"), self.provider.slug)


class AppConnections(ViewSet, _OfApp):
    """The connections of one app; a subclass for each carries its provider."""

    lookup_url_kwarg = "connectionId"
    new: ClassVar[AllOf]
    changes: ClassVar[type[ConnectionChanges]]

    def specialized(self, schema: JsonSchema) -> JsonSchema:
        return with_component(schema, "AppConnection", connection_schema(self.provider))

    def one(self, connection: models.AppConnection) -> TypedResponse[OneAppConnection]:
        return TypedResponse({"appConnection": connection_json(connection, str(instance().pk))})

    def read(self, connection: models.AppConnection) -> TypedResponse[OneAppConnection]:
        audit.record(self.actor, "get-app-connection", connection.project_id, connectionId=connection.pk)
        return self.one(connection)

    @operation("list{Name}AppConnections", "List the connections to {label}.", query=OfProject)
    def list(self, request: Request) -> TypedResponse[AppConnectionList]:
        project, slug = self.scope(self.query(OfProject)), self.provider.slug
        return self.listed(selectors.connections_of(self.actor, project).filter(app=slug), project, slug)

    @operation(
        "create{Name}AppConnection",
        "Create a connection to {label}. The credentials are checked before they are stored.",
        body="new",
    )
    def create(self, request: Request) -> TypedResponse[OneAppConnection]:
        body, login = self.body(self.new)
        connection = services.create_connection(
            self.actor,
            self.provider.slug,
            name=body.name,
            method=login.method,
            credentials=login.credentials,
            description=body.description,
            project=self.scope(body, Right.MANAGE_CONNECTIONS),
        )
        return self.one(connection)

    @operation("get{Name}AppConnection", "Get a connection.")
    def retrieve(self, request: Request, connectionId: str) -> TypedResponse[OneAppConnection]:
        return self.read(self.connection())

    @operation(
        "update{Name}AppConnection",
        "Change a connection. New credentials are checked before they are stored.",
        body="changes",
    )
    def partial_update(self, request: Request, connectionId: str) -> TypedResponse[OneAppConnection]:
        self.id("connectionId")
        body = self.body(ConnectionChanges)
        changed = services.update_connection(
            self.actor,
            self.connection(),
            name=body.name,
            description=body.description,
            credentials=body.credentials,
        )
        return self.one(changed)

    @operation("delete{Name}AppConnection", "Delete a connection that no sync uses.")
    def destroy(self, request: Request, connectionId: str) -> TypedResponse[OneAppConnection]:
        connection = self.connection()
        services.delete_connection(self.actor, connection)
        return self.one(connection)

    @action(detail=False)
    @operation(
        "listAvailable{Name}AppConnections",
        "List the connections to {label} that you may use in a project.",
        query=InProject,
    )
    def available(self, request: Request) -> TypedResponse[AppConnectionBriefList]:
        project = project_for(self.actor, self.query(InProject).projectId)
        organisation = str(instance().pk)
        usable = selectors.usable_in(self.actor, project, self.provider.slug)
        event = "get-available-app-connections-details"
        found = self.recorded(usable, project, event, self.provider.slug)
        return TypedResponse({"appConnections": [brief_json(each, organisation) for each in found]})

    @action(detail=False, url_path="connection-name/<str:name>")
    @operation("get{Name}AppConnectionByName", "Get a connection by its name.", query=OfProject)
    def by_name(self, request: Request, name: str) -> TypedResponse[OneAppConnection]:
        project = self.scope(self.query(OfProject))
        return self.read(selectors.connection_by_name(self.actor, self.provider.slug, name, project))

    @action(detail=True)
    @operation("get{Name}AppConnectionPause", "Get whether the syncs of a connection are paused.")
    def pause(self, request: Request, connectionId: str) -> TypedResponse[OnePause]:
        return self.paused(self.connection())

    @pause.mapping.patch
    @operation(
        "set{Name}AppConnectionPause",
        "Pause or resume all syncs of a connection. Takes effect before the next key is written.",
        body=PauseChange,
    )
    def set_pause(self, request: Request, connectionId: str) -> TypedResponse[OnePause]:
        wanted = self.body(PauseChange)
        services.pause_connection(self.actor, self.connection(), paused=wanted.isPaused, reason=wanted.reason or "")
        return self.paused(self.connection())

    def paused(self, connection: models.AppConnection) -> TypedResponse[OnePause]:
        return TypedResponse(pause_json(connection.paused_at, connection.paused_by, connection.pause_reason))

    @action(detail=True, methods=["post"])
    @operation("check{Name}AppConnection", "Check the credentials of a connection with the vendor now.")
    def check(self, request: Request, connectionId: str) -> TypedResponse[CheckedAppConnection]:
        services.check_connection(self.actor, self.connection())
        connection = self.connection()
        organisation = str(instance().pk)
        return TypedResponse(
            {"appConnection": connection_json(connection, organisation), "check": check_json(connection)}
        )

    @check.mapping.get
    @operation("get{Name}AppConnectionCheck", "Get the result of the last check of a connection.")
    def last_check(self, request: Request, connectionId: str) -> TypedResponse[OneCheck]:
        return TypedResponse({"check": check_json(self.connection())})


class Picker(_OfApp):
    """A list that the modelled API offers for this app; OpenAPI does not describe it."""

    picker = ""

    def get(self, request: Request, connectionId: str) -> Response:
        return Response(services.pick(self.actor, self.connection(), self.picker))


def _of_app(provider: type[Provider]) -> type[AppConnections]:
    """The subclass of the view set that carries the provider."""
    name = pascal(provider.slug)
    attributes: dict[str, Any] = {
        "provider": provider,
        "terms": {"Name": name, "label": provider.label},
        "new": new_connection(provider),
        "changes": described_changes(provider),
    }
    return cast("type[AppConnections]", type(f"{name}AppConnections", (AppConnections,), attributes))


_router = router()
for _provider in providers:
    _router.register(
        f"v1/app-connections/{_provider.slug}", _of_app(_provider), basename=f"{_provider.slug}-connection"
    )
urlpatterns = [
    path("v1/app-connections", EveryApp.as_view()),
    path("v1/app-connections/options", Options.as_view()),
    *(
        path(
            f"v1/app-connections/{each.slug}/<str:connectionId>/{picker}",
            Picker.as_view(provider=each, picker=picker),
        )
        for each in providers
        for picker in each.pickers
    ),
    *_router.urls,
]
