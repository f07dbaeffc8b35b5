"""Bodies and queries of the endpoints of app connections."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

from pydantic import create_model

from config.responses import EXAMPLE_ID
from config.schemas.model import Body, Model
from config.schemas.types import Anything, Flag, Slug, Text
from config.schemas.unions import AllOf

from .credentials import login_shape
from .provider import Provider


class OfProject(Body):
    projectId: Annotated[str | None, Text("Project", "Leave out for the connections of the organization.")] = None


class InProject(Body):
    projectId: Annotated[str, Text("Project", empty_message="Project ID required")]


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
        str | None, Text("Project", "Leave out for a connection of the organization.", example=EXAMPLE_ID)
    ] = None


class ConnectionChanges(_Common):
    """The body that changes a connection. The service validates the credentials, by the connection's method."""

    name: Annotated[str | None, Slug("name", example="shop-dev")] = None
    credentials: Annotated[Any, Anything()] = None


def new_connection(provider: type[Provider]) -> AllOf:
    return AllOf(NewConnection, login_shape(provider))


@cache
def described_changes(provider: type[Provider]) -> type[ConnectionChanges]:
    """ConnectionChanges as OpenAPI and forms show it, with the members of the credentials."""
    return create_model("ConnectionChanges", __base__=ConnectionChanges, credentials=(_any_of(provider), None))


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
