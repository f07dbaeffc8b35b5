"""Bodies of requests that create or change a sync, one for each destination."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import create_model

from config.responses import EXAMPLE_ID
from config.schemas.model import Body
from config.schemas.types import Flag, Id, Slug, Text
from syncs.destination.base import Destination
from syncs.source.paths import PathText

from .policy_options import requested_options
from .syncs import SyncInput

_NAME = Slug("name", "Unique in the project.", most=256, example="shop-dev")
_ENVIRONMENT = Text("Environment", "The slug of the source's environment.", max_length=64, example="dev")
_SECRET_PATH = PathText(
    "secretPath", "The source's folder.", empty_message="Secret path required", example="/services/api"
)


class SyncChanges(Body):
    """The body that changes a sync; one for each destination, made by `sync_changes`."""

    name: Annotated[str | None, _NAME] = None
    description: Annotated[
        str | None,
        Text("Description", min_length=0, max_length=256, multiline=True, example="What the shop needs"),
    ] = None
    connectionId: str | None = None
    environment: Annotated[str | None, _ENVIRONMENT] = None
    secretPath: Annotated[str | None, _SECRET_PATH] = None
    isAutoSyncEnabled: Annotated[bool | None, Flag("Auto-sync", "Run on every change of the source.")] = None
    syncOptions: Any = None
    destinationConfig: Any = None


class NewSync(SyncChanges):
    """The body that creates a sync; one for each destination, made by `new_sync`."""

    name: Annotated[str, _NAME]
    connectionId: str
    environment: Annotated[str, _ENVIRONMENT]
    secretPath: Annotated[str, _SECRET_PATH]
    projectId: Annotated[
        str, Text("Project", "The project's id.", empty_message="Project ID required", example=EXAMPLE_ID)
    ]


def new_sync(found: type[Destination]) -> type[NewSync]:
    return create_model("NewSync", __base__=NewSync, **_members(found, ...))


def sync_changes(found: type[Destination]) -> type[SyncChanges]:
    return create_model("SyncChanges", __base__=SyncChanges, **_members(found, None))


def _members(found: type[Destination], default: Any) -> dict[str, Any]:
    """The members that differ by destination; `default` is ... where they are required."""
    config = found.described_config()
    connection = Id(f"A connection of {found.label}.", label="connectionId")
    return {
        "connectionId": (Annotated[str if default is ... else str | None, connection], default),
        "syncOptions": (requested_options(found), default),
        "destinationConfig": (config if isinstance(config, type) else Annotated[Any, config], default),
    }


def sync_input(body: SyncChanges) -> SyncInput:
    """A body as the services take it."""
    return SyncInput(
        name=body.name,
        description=body.description,
        connection_id=body.connectionId,
        environment=body.environment,
        secret_path=body.secretPath,
        is_auto_sync_enabled=body.isAutoSyncEnabled,
        sync_options=body.syncOptions,
        destination_config=body.destinationConfig,
    )
