"""App connections. Source: https://infisical.com/docs/api-reference/endpoints/app-connections/list"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from django.urls import path
from pydantic import create_model
from rest_framework.request import Request
from rest_framework.response import Response

from config.access import audit
from config.access.models import Project
from config.access.roles import Right, project_for
from config.access.services import instance
from config.api import pause
from config.api.base import View
from config.api.openapi import FLAG, TEXT, TEXT_OR_NULL, TIME, UUID, WHOLE, bare, closed, component, described, listed
from config.conventions import timestamp
from config.schemas.json_schema import EXAMPLE_ID, openapi
from config.schemas.model import Body, Model
from config.schemas.types import Anything, Flag, Id, Slug, Text
from config.schemas.unions import AllOf

from . import selectors, services
from .models import AppConnection
from .provider import Provider, providers

TAG = "App Connections"
_PAUSE = openapi(pause.OnePause)
ID = (("connectionId", "The connection's id."),)


class OfProject(Body):
    projectId: Annotated[str | None, Text("Project", "Leave out for the organisation's.")] = None


class InProject(Body):
    projectId: Annotated[str, Text("Project", empty_message="Project ID required")]


class ConnectionId(Model):
    connectionId: Annotated[str, Id(label="connectionId")]


class _Common(Body):
    # Dropped as strays, they would send straight to the vendor what was to go through them.
    blank = ("gatewayId", "gatewayPoolId")

    name: str | None
    description: Annotated[
        str | None,
        Text("Description", min_length=0, max_length=256, multiline=True, example="What the shop needs"),
    ] = None
    isPlatformManagedCredentials: Annotated[bool | None, Flag(only=False)] = None
    isAutoRotationEnabled: Annotated[bool | None, Flag(only=False)] = None


class NewConnection(_Common):
    """The body that creates a connection, without its login."""

    name: Annotated[str, Slug("name", "Unique in its scope.", example="shop-dev")]
    projectId: Annotated[
        str | None, Text("Project", "Leave out for an organisation-wide connection.", example=EXAMPLE_ID)
    ] = None


class ConnectionChanges(_Common):
    """The body that changes a connection. The service validates the credentials, by the connection's method."""

    name: Annotated[str | None, Slug("name", example="shop-dev")] = None
    credentials: Annotated[Any, Anything()] = None


def wire(connection: AppConnection, organisation: str) -> dict[str, Any]:
    """The modelled object. No member of the credentials that is secret is ever in it."""
    project = connection.project
    return {
        "id": str(connection.pk),
        "name": connection.name,
        "description": connection.description,
        "app": connection.app,
        "method": connection.method,
        "version": connection.version,
        "orgId": organisation,
        "projectId": str(project.pk) if project else None,
        "project": _project(project) if project else None,
        "isPlatformManagedCredentials": False,
        "gatewayId": None,
        "gatewayPoolId": None,
        "isAutoRotationEnabled": False,
        "credentialsHash": connection.credentials_hash,
        "credentials": services.shown_credentials(connection),
        "createdAt": timestamp(connection.created_at),
        "updatedAt": timestamp(connection.updated_at),
    }


def _project(project: Project) -> dict[str, str]:
    return {"id": str(project.pk), "name": project.name, "type": "secret-manager", "slug": project.slug}


def _shape(provider: type[Provider]) -> dict[str, Any]:
    variants = [_shown(model) for model in provider.methods.values()]
    pascal = "".join(part.title() for part in provider.slug.split("-"))
    made = closed(
        {
            "id": UUID,
            "name": TEXT,
            "description": TEXT_OR_NULL,
            "app": {"type": "string", "enum": [provider.slug]},
            "method": {"type": "string", "enum": list(provider.methods)},
            "version": WHOLE,
            "orgId": UUID,
            "projectId": TEXT_OR_NULL,
            "project": {**closed({"id": TEXT, "name": TEXT, "type": TEXT, "slug": TEXT}), "nullable": True},
            "isPlatformManagedCredentials": FLAG,
            "gatewayId": TEXT_OR_NULL,
            "gatewayPoolId": TEXT_OR_NULL,
            "isAutoRotationEnabled": FLAG,
            "credentialsHash": TEXT,
            "credentials": variants[0] if len(variants) == 1 else {"anyOf": variants},
            "createdAt": TIME,
            "updatedAt": TIME,
        },
        title=provider.label,
    )
    return component(f"{pascal}AppConnection", made)


def _shown(model: type[Model]) -> dict[str, Any]:
    """Credentials without their secrets."""
    names, schema = services.shown_members(model), openapi(model)
    required = [name for name in schema.get("required", ()) if name in names]
    found = {**schema, "properties": {name: schema["properties"][name] for name in names}, "required": required}
    return found if required else {name: value for name, value in found.items() if name != "required"}


class _ConnectionView(View):
    provider: type[Provider] = Provider  # type: ignore[type-abstract]

    def scope(self, data: OfProject | NewConnection, right: Right = Right.SEE_CONNECTIONS) -> Project | None:
        return project_for(self.actor, data.projectId, right) if data.projectId else None

    def answer(self, *found: AppConnection) -> list[dict[str, Any]]:
        organisation = str(instance().pk)
        return [wire(connection, organisation) for connection in found]

    def one(self, connection: AppConnection) -> Response:
        return Response({"appConnection": self.answer(connection)[0]})

    def read(self, connection: AppConnection) -> Response:
        audit.record(self.actor, "get-app-connection", connection.project_id, connectionId=connection.pk)
        return self.one(connection)

    def told(self, found: Iterable[AppConnection], project: Project | None, event: str, app: str | None) -> list[Any]:
        """The connections, after the log was told that they were listed."""
        rows = list(found)
        if rows:
            ids = [str(row.pk) for row in rows[:100]]
            project_id = project.pk if project else None
            audit.record(self.actor, event, project_id, app=app, count=len(rows), connectionIds=ids)
        return rows

    def listed(self, found: Iterable[AppConnection], project: Project | None, app: str | None = None) -> Response:
        rows = self.told(found, project, "get-app-connections", app)
        return Response({"appConnections": self.answer(*rows)})

    def named(self, connection_id: str) -> AppConnection:
        found = ConnectionId.parse({"connectionId": connection_id}).connectionId
        return selectors.connection_by_id(self.actor, found, self.provider.slug)


class OptionsView(_ConnectionView):
    @described(
        "listAppConnectionOptions",
        TAG,
        "The apps that can be connected, with their methods.",
        closed({"appConnectionOptions": listed(closed({"name": TEXT, "app": TEXT, "methods": listed(TEXT)}))}),
    )
    def get(self, request: Request) -> Response:
        options = [{"name": p.label, "app": p.slug, "methods": list(p.methods)} for p in providers]
        return Response({"appConnectionOptions": options})


class ListView(_ConnectionView):
    @described(
        "listAppConnections",
        TAG,
        "The organisation's connections, or a project's.",
        closed({"appConnections": listed({"anyOf": [_shape(provider) for provider in providers]})}),
        query=OfProject,
    )
    def get(self, request: Request) -> Response:
        project = self.scope(self.query(OfProject))
        return self.listed(selectors.connections_of(self.actor, project), project)


def _routes(provider: type[Provider]) -> list[Any]:
    """The endpoints of one app."""
    slug, label = provider.slug, provider.label
    pascal = "".join(part.title() for part in slug.split("-"))
    shape = _shape(provider)
    one, many = closed({"appConnection": shape}), closed({"appConnections": listed(shape)})
    create_body = AllOf(NewConnection, services.login_shape(provider))
    brief = closed({"app": TEXT, "name": TEXT, "id": UUID, "projectId": TEXT_OR_NULL, "orgId": UUID})

    class Collection(_ConnectionView):
        @described(f"list{pascal}AppConnections", TAG, f"Connections to {label}.", many, query=OfProject)
        def get(self, request: Request) -> Response:
            project = self.scope(self.query(OfProject))
            return self.listed(selectors.connections_of(self.actor, project).filter(app=slug), project, slug)

        @described(
            f"create{pascal}AppConnection",
            TAG,
            f"Connect {label}; the credentials are checked before anything is stored.",
            one,
            body=create_body,
        )
        def post(self, request: Request) -> Response:
            body, login = self.body(create_body)
            made = services.create_connection(
                self.actor,
                slug,
                name=body.name,
                method=login.method,
                credentials=login.credentials,
                description=body.description,
                project=self.scope(body, Right.MANAGE_CONNECTIONS),
            )
            return self.one(made)

    class Available(_ConnectionView):
        @described(
            f"listAvailable{pascal}AppConnections",
            TAG,
            f"The connections to {label} that you may use in a project.",
            closed({"appConnections": listed(brief)}),
            query=InProject,
        )
        def get(self, request: Request) -> Response:
            project = project_for(self.actor, self.query(InProject).projectId)
            organisation = str(instance().pk)
            usable = selectors.usable_in(self.actor, project, slug)
            found = self.told(usable, project, "get-available-app-connections-details", slug)
            return Response(
                {
                    "appConnections": [
                        {
                            "app": each.app,
                            "name": each.name,
                            "id": str(each.pk),
                            "projectId": str(each.project_id) if each.project_id else None,
                            "orgId": organisation,
                        }
                        for each in found
                    ]
                }
            )

    class ByName(_ConnectionView):
        @described(f"get{pascal}AppConnectionByName", TAG, "A connection by its name.", one, query=OfProject)
        def get(self, request: Request, name: str) -> Response:
            project = self.scope(self.query(OfProject))
            return self.read(selectors.connection_by_name(self.actor, slug, name, project))

    class One(_ConnectionView):
        @described(f"get{pascal}AppConnection", TAG, "A connection.", one, path=ID)
        def get(self, request: Request, connectionId: str) -> Response:
            return self.read(self.named(connectionId))

        @described(
            f"update{pascal}AppConnection",
            TAG,
            "Change a connection; new credentials are checked first.",
            one,
            body=create_model("ConnectionChanges", __base__=ConnectionChanges, credentials=(_any_of(provider), None)),
            path=ID,
        )
        def patch(self, request: Request, connectionId: str) -> Response:
            connection_id = ConnectionId.parse({"connectionId": connectionId}).connectionId
            body = self.body(ConnectionChanges)
            changed = services.update_connection(
                self.actor,
                self.named(connection_id),
                name=body.name,
                description=body.description,
                credentials=body.credentials,
            )
            return self.one(changed)

        @described(f"delete{pascal}AppConnection", TAG, "Delete a connection that no sync uses.", one, path=ID)
        def delete(self, request: Request, connectionId: str) -> Response:
            connection = self.named(connectionId)
            services.delete_connection(self.actor, connection)
            return self.one(connection)

    class Pause(_ConnectionView):
        def shown(self, connection: AppConnection) -> Response:
            return Response(pause.pause_json(connection.paused_at, connection.paused_by))

        @described(f"get{pascal}AppConnectionPause", TAG, "Whether syncs through it are paused.", _PAUSE, path=ID)
        def get(self, request: Request, connectionId: str) -> Response:
            return self.shown(self.named(connectionId))

        @described(
            f"set{pascal}AppConnectionPause",
            TAG,
            "Stop every sync through it, or let them go on; in effect between two keys.",
            _PAUSE,
            body=pause.PauseChange,
            path=ID,
        )
        def patch(self, request: Request, connectionId: str) -> Response:
            paused = self.body(pause.PauseChange).isPaused
            services.pause_connection(self.actor, self.named(connectionId), paused=paused)
            return self.shown(self.named(connectionId))

    class Check(_ConnectionView):
        @described(
            f"check{pascal}AppConnection", TAG, "Ask the vendor now whether it takes the credentials.", one, path=ID
        )
        def post(self, request: Request, connectionId: str) -> Response:
            connection = self.named(connectionId)
            services.check_connection(self.actor, connection)
            return self.one(connection)

    class Picker(_ConnectionView):
        """A list that the modelled API offers for this app; people and machines alike."""

        picker = ""

        @bare
        def get(self, request: Request, connectionId: str) -> Response:
            return Response(services.pick(self.actor, self.named(connectionId), self.picker))

    views: list[tuple[str, type[View]]] = [
        ("", Collection),
        ("/available", Available),
        ("/connection-name/<str:name>", ByName),
        ("/<str:connectionId>", One),
        ("/<str:connectionId>/pause", Pause),
        ("/<str:connectionId>/check", Check),
    ]
    base = f"v1/app-connections/{slug}"
    pickers = [
        path(f"{base}/<str:connectionId>/{name}", Picker.as_view(provider=provider, picker=name))
        for name in provider.pickers
    ]
    return [*pickers, *(path(f"{base}{tail}", view.as_view(provider=provider)) for tail, view in views)]


def _any_of(provider: type[Provider]) -> type[Model]:
    """The credentials of whatever method the connection has: of several methods every member, none required."""
    models = list(provider.methods.values())
    if len(models) == 1:
        return models[0]
    fields = {name: field for model in models for name, field in model.model_fields.items()}
    members: dict[str, Any] = {
        name: (Annotated[(field.annotation, *field.metadata)], None) for name, field in fields.items()
    }
    return create_model("Credentials", __base__=Model, **members)


urlpatterns = [
    path("v1/app-connections", ListView.as_view()),
    path("v1/app-connections/options", OptionsView.as_view()),
    *(route for provider in providers for route in _routes(provider)),
]
