"""What is known about a sync and its keys: status, drift, and why a key is as it is. The same for every destination."""

from __future__ import annotations

from typing import Annotated

from rest_framework.decorators import action
from rest_framework.request import Request
from typing_extensions import TypedDict

from config.access.roles import Right
from config.api.base import router
from config.api.operations import TypedResponse, operation
from config.schemas.model import Body
from config.schemas.types import Items, Text
from syncs.history.explain import Why, why
from syncs.history.serialize import run_with_keys
from syncs.history.status import SyncStatusJson, status_of
from syncs.planning.kept import KeptKey, KeptKeyJson, kept_as_json, kept_keys
from syncs.planning.preview import plan_as_json
from syncs.running.drift import DriftJson, check, drift_as_json
from syncs.services import drift
from syncs.services.kept import delete_kept, forget_kept, plan_of_delete

from .destination_views import AnyDestinationViewSet
from .runs import OneRun
from .syncs import OnePlan


class KeyQuery(Body):
    key: Annotated[str, Text("Key", "The name of the key at the destination.", max_length=1024)]


class Acceptance(Body):
    choice: Annotated[
        str,
        Text(
            "Choice",
            "take: the destination's values become the source's. leave: the sync no longer takes these secrets.",
            choices=drift.CHOICES,
        ),
    ]
    keys: Annotated[
        list[Annotated[str, Text("key", max_length=1024)]] | None,
        Items("Keys that the last check found changed or missing; all of them without it.", max_items=1000),
    ] = None


class OneStatus(TypedDict):
    status: SyncStatusJson


class OneDrift(TypedDict):
    drift: DriftJson


class OneWhy(TypedDict):
    why: Why


class ChosenKeys(Body):
    keys: Annotated[
        list[Annotated[str, Text("keys", max_length=1024)]] | None,
        Items("Names of kept keys; absent: all.", max_items=10_000, example=["OLD_KEY"]),
    ] = None


class ReviewedKeys(ChosenKeys):
    digest: Annotated[
        str | None, Text("Digest", "Digest of the reviewed plan; the request is refused if the plan has changed.")
    ] = None


class KeptKeys(TypedDict):
    kept: list[KeptKeyJson]
    totalCount: int


class SyncState(AnyDestinationViewSet):
    lookup_url_kwarg = "syncId"

    @action(detail=True)
    @operation("getSecretSyncStatus", "Get the status of a sync: its state, and the reasons as text.")
    def status(self, request: Request, syncId: str) -> TypedResponse[OneStatus]:
        return TypedResponse({"status": status_of(self.sync()).as_json()})

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

    @action(detail=True, methods=["post"], url_path="drift/heal")
    @operation("healSecretSyncDrift", "Run now, which writes the drifted keys again.")
    def heal(self, request: Request, syncId: str) -> TypedResponse[OneRun]:
        return TypedResponse({"run": run_with_keys(drift.heal(self.actor, self.sync(Right.RUN_SYNCS)))})

    @action(detail=True, methods=["post"], url_path="drift/accept")
    @operation(
        "acceptSecretSyncDrift",
        "Accept what drifted: take the destination's values into the source, or leave the keys.",
        body=Acceptance,
    )
    def accept(self, request: Request, syncId: str) -> TypedResponse[OneDrift]:
        self.id("syncId")
        body = self.body(Acceptance)
        sync = self.sync(Right.RUN_SYNCS)
        drift.accept(self.actor, sync, body.choice, body.keys)
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

    @action(detail=True)
    @operation("listSecretSyncKeptKeys", "List the keys kept on request, and those on offer after a first run.")
    def kept(self, request: Request, syncId: str) -> TypedResponse[KeptKeys]:
        return TypedResponse(_kept(kept_keys(self.sync())))

    @action(detail=True, methods=["post"], url_path="kept/plan")
    @operation(
        "planDeleteOfSecretSyncKeptKeys",
        "Show what a run would do if the deletes of kept keys were approved. Nothing is written.",
        body=ChosenKeys,
    )
    def plan_kept(self, request: Request, syncId: str) -> TypedResponse[OnePlan]:
        self.id("syncId")
        keys = self.body(ChosenKeys).keys
        return TypedResponse({"plan": plan_as_json(plan_of_delete(self.actor, self.sync(Right.RUN_SYNCS), keys))})

    @action(detail=True, methods=["post"], url_path="kept/delete")
    @operation("deleteSecretSyncKeptKeys", "Approve the deletes of kept keys, and run the sync.", body=ReviewedKeys)
    def delete_kept(self, request: Request, syncId: str) -> TypedResponse[OneRun]:
        self.id("syncId")
        body = self.body(ReviewedKeys)
        run = delete_kept(self.actor, self.sync(Right.RUN_SYNCS), body.keys, digest=body.digest)
        return TypedResponse({"run": run_with_keys(run)})

    @action(detail=True, methods=["post"], url_path="kept/forget")
    @operation(
        "forgetSecretSyncKeptKeys",
        "Forget kept keys: they stay at the destination, and no sync deletes them.",
        body=ChosenKeys,
    )
    def forget_kept(self, request: Request, syncId: str) -> TypedResponse[KeptKeys]:
        self.id("syncId")
        sync = self.sync(Right.RUN_SYNCS)
        return TypedResponse(_kept(forget_kept(self.actor, sync, self.body(ChosenKeys).keys)))


def _kept(keys: list[KeptKey]) -> KeptKeys:
    return {"kept": [kept_as_json(each) for each in keys], "totalCount": len(keys)}


_router = router()
_router.register(SyncState.path, SyncState, basename="sync-state")
urlpatterns = _router.urls
