"""A connection as the modelled API has it, and its OpenAPI for each app."""

from __future__ import annotations

from typing import Annotated, Any

from typing_extensions import TypedDict

from config.access.models import Project
from config.conventions import timestamp
from config.responses import Description, IdText, Name, Time, Uuid, text
from config.schemas.json_schema import JsonSchema, described
from config.schemas.model import Model

from . import models
from .credentials import shown_credentials, shown_members
from .provider import Provider


class ConnectionProject(TypedDict):
    id: str
    name: Name
    type: Annotated[str, text(example="shared")]
    slug: Name


class AppConnection(TypedDict):
    """No member of the credentials that is secret is ever in it."""

    id: Uuid
    name: Name
    description: Description | None
    app: str
    method: str
    version: int
    orgId: Uuid
    projectId: IdText | None
    project: ConnectionProject | None
    isPlatformManagedCredentials: bool
    gatewayId: IdText | None
    gatewayPoolId: IdText | None
    isAutoRotationEnabled: bool
    credentialsHash: Annotated[str, text(example="b1f0...")]
    credentials: dict[str, str]
    createdAt: Time
    updatedAt: Time


class OneAppConnection(TypedDict):
    appConnection: AppConnection


class AppConnectionList(TypedDict):
    appConnections: list[AppConnection]


class AppConnectionBrief(TypedDict):
    app: Annotated[str, text(example="humanitec")]
    name: Name
    id: Uuid
    projectId: IdText | None
    orgId: Uuid


class AppConnectionBriefList(TypedDict):
    appConnections: list[AppConnectionBrief]


class AppConnectionOption(TypedDict):
    name: Name
    app: Annotated[str, text(example="humanitec")]
    methods: list[str]


class AppConnectionOptionList(TypedDict):
    appConnectionOptions: list[AppConnectionOption]


class Check(TypedDict):
    """The result of the last check; the rights have the vendor's names, and are listed where it states them."""

    checkedAt: Time | None
    problem: str | None
    missingRights: list[str]
    excessRights: list[str]


class OneCheck(TypedDict):
    check: Check


class CheckedAppConnection(OneAppConnection, OneCheck):
    pass


def check_json(connection: models.AppConnection) -> Check:
    return {
        "checkedAt": timestamp(connection.checked_at),
        "problem": connection.check_problem or None,
        "missingRights": connection.missing_rights,
        "excessRights": connection.excess_rights,
    }


def connection_json(connection: models.AppConnection, organisation: str) -> AppConnection:
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
        "credentials": shown_credentials(connection),
        "createdAt": timestamp(connection.created_at),
        "updatedAt": timestamp(connection.updated_at),
    }


def brief_json(connection: models.AppConnection, organisation: str) -> AppConnectionBrief:
    return {
        "app": connection.app,
        "name": connection.name,
        "id": str(connection.pk),
        "projectId": str(connection.project_id) if connection.project_id else None,
        "orgId": organisation,
    }


def _project(project: Project) -> ConnectionProject:
    return {"id": str(project.pk), "name": project.name, "type": "secret-manager", "slug": project.slug}


def pascal(slug: str) -> str:
    """`external-infisical` as names in OpenAPI have it: ExternalInfisical."""
    return "".join(part.title() for part in slug.split("-"))


def connection_schema(provider: type[Provider]) -> JsonSchema:
    """OpenAPI of AppConnection for one app."""
    schema = described(AppConnection)
    variants = [_without_secrets(model) for model in provider.methods.values()]
    own = {
        "app": {"type": "string", "enum": [provider.slug]},
        "method": {"type": "string", "enum": list(provider.methods)},
        "credentials": variants[0] if len(variants) == 1 else {"anyOf": variants},
    }
    return {
        **schema,
        "title": provider.label,
        "properties": {**schema["properties"], **own},
        "x-component": f"{pascal(provider.slug)}AppConnection",
    }


def _without_secrets(model: type[Model]) -> dict[str, Any]:
    names, schema = shown_members(model), described(model)
    required = [name for name in schema.get("required", ()) if name in names]
    found = {**schema, "properties": {name: schema["properties"][name] for name in names}, "required": required}
    return found if required else {name: value for name, value in found.items() if name != "required"}
