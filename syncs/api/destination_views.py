"""What the view sets of a destination share: the destination and its syncs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, TypeVar, cast

from config.access import audit
from config.access.roles import Actor, Right
from config.api.base import ViewSet
from config.api.operations import TypedResponse
from config.errors import NotFound
from config.schemas.json_schema import JsonSchema, with_component
from config.schemas.model import Body
from config.schemas.types import Text
from syncs import models
from syncs.destination.base import Destination
from syncs.services import syncs as services
from syncs.source import selectors

from .sync_responses import OneSecretSync, SecretSyncList, pascal, sync_json, sync_schema

V = TypeVar("V", bound="DestinationViewSet")


class ProjectQuery(Body):
    projectId: Annotated[str, Text("Project", "The project's ID.", empty_message="Project ID required")]


class DestinationViewSet(ViewSet):
    """The views of one destination; a subclass for each carries it."""

    tag = "Secret Syncs"
    destination: ClassVar[type[Destination]]

    def specialized(self, schema: JsonSchema) -> JsonSchema:
        return with_component(schema, "SecretSync", sync_schema(self.destination))

    def sync(self, right: Right = Right.SEE_SYNCS) -> models.SecretSync:
        """The sync that the path names, of this destination, if the actor has the right."""
        sync_id = self.id("syncId")
        found = selectors.syncs_seen_by(self.actor).filter(pk=sync_id).first()
        if found is None:
            raise NotFound(f'Could not find {self.destination.label} Sync with ID "{sync_id}"')
        self.actor.require(right, found.project_id)
        services.require_destination(found, self.destination.slug)
        return found


def of_destination(base: type[V], destination: type[Destination], **attributes: Any) -> type[V]:
    """The subclass of a view set that carries the destination."""
    name = pascal(destination.slug)
    terms = {"Name": name, "label": destination.label}
    found = type(f"{name}{base.__name__}", (base,), {"destination": destination, "terms": terms, **attributes})
    return cast("type[V]", found)


def listed(
    actor: Actor, syncs: Iterable[models.SecretSync], destination: str | None = None
) -> TypedResponse[SecretSyncList]:
    """Syncs of one project, recorded in the audit log as read."""
    rows = list(syncs)
    if rows:
        ids = [str(row.pk) for row in rows[:100]]
        audit.record(
            actor,
            "get-secret-syncs",
            rows[0].project_id,
            destination=destination,
            count=len(rows),
            syncIds=ids,
        )
    return TypedResponse({"secretSyncs": [sync_json(row) for row in rows]})


def sync_response(sync: models.SecretSync) -> TypedResponse[OneSecretSync]:
    return TypedResponse({"secretSync": sync_json(sync)})


def read(actor: Actor, sync: models.SecretSync) -> TypedResponse[OneSecretSync]:
    """A sync, recorded in the audit log as read."""
    audit.record(actor, "get-secret-sync", sync.project_id, syncId=sync.pk, destination=sync.destination)
    return sync_response(sync)
