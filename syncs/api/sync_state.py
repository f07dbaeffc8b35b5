"""What is known about a sync and its keys: drift, and why a key is as it is. The same for every destination."""

from __future__ import annotations

from typing import Annotated

from rest_framework.decorators import action
from rest_framework.request import Request
from typing_extensions import TypedDict

from config.access.roles import Right
from config.api.base import router
from config.api.operations import TypedResponse, operation
from config.schemas.model import Body
from config.schemas.types import Text
from syncs.history.explain import Why, why
from syncs.running.drift import DriftJson, check, drift_as_json

from .destination_views import AnyDestinationViewSet


class KeyQuery(Body):
    key: Annotated[str, Text("Key", "The name of the key at the destination.", max_length=1024)]


class OneDrift(TypedDict):
    drift: DriftJson


class OneWhy(TypedDict):
    why: Why


class SyncState(AnyDestinationViewSet):
    lookup_url_kwarg = "syncId"

    @action(detail=True)
    @operation("getSecretSyncDrift", "Get the result of the last drift check.")
    def drift(self, request: Request, syncId: str) -> TypedResponse[OneDrift]:
        return TypedResponse({"drift": drift_as_json(self.sync())})

    @drift.mapping.post
    @operation("checkSecretSyncDrift", "Check for drift now. Nothing is written.")
    def check_drift(self, request: Request, syncId: str) -> TypedResponse[OneDrift]:
        sync = self.sync(Right.RUN_SYNCS)
        check(sync)
        return TypedResponse({"drift": drift_as_json(sync)})

    @action(detail=True)
    @operation(
        "explainSecretSyncKey",
        "Explain a key of the destination: its secret, its source, and who wrote it when.",
        query=KeyQuery,
    )
    def why(self, request: Request, syncId: str) -> TypedResponse[OneWhy]:
        self.id("syncId")
        key = self.query(KeyQuery).key
        return TypedResponse({"why": why(self.actor, self.sync(), key)})


_router = router()
_router.register(SyncState.path, SyncState, basename="sync-state")
urlpatterns = _router.urls
