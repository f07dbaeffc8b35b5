"""What the view sets of a destination share: the destination and its syncs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, TypeVar, cast

from django.http import HttpRequest
from django.urls import register_converter

from config.access import audit
from config.access.roles import Actor, Right
from config.api.base import ViewSet
from config.api.operations import TypedResponse
from config.errors import NotFound
from config.schemas.json_schema import JsonSchema, with_component
from config.schemas.model import Body
from config.schemas.types import Text
from syncs import models
from syncs.destination.base import Destination, destinations
from syncs.planning.opening import destination_class
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


class DestinationSlug:
    """In a path: the slug of a destination, whatever it is."""

    regex = "|".join(re.escape(destination.slug) for destination in destinations)

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class AnyDestinationViewSet(DestinationViewSet):
    """Views that are the same for each destination, which the path names: OpenAPI describes them once."""

    terms = {"Name": "", "label": "secret"}
    parameters = {"destination": {"type": "string", "enum": [destination.slug for destination in destinations]}}
    path = "v1/secret-syncs/<destination:destination>"

    def dispatch(self, request: HttpRequest, *args: Any, destination: str, **kwargs: Any) -> Any:
        self.destination = destination_class(destination)  # type: ignore[misc]
        return super().dispatch(request, *args, **kwargs)

    def specialized(self, schema: JsonSchema) -> JsonSchema:
        return schema


register_converter(DestinationSlug, "destination")


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
