"""The runs of a sync: history, approval and undo. An extension of the modelled API."""

from __future__ import annotations

from typing import Annotated

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from rest_framework.decorators import action
from rest_framework.request import Request
from typing_extensions import TypedDict

from config.access.roles import Right
from config.api.base import router
from config.api.operations import TypedResponse, operation
from config.errors import NotFound
from config.schemas.model import Body
from config.schemas.pages import Page
from config.schemas.types import Flag, Text
from syncs import models
from syncs.history.export import FORMATS
from syncs.history.serialize import (
    OPERATIONS,
    TRIGGERS,
    Run,
    RunInHistory,
    RunWithKeys,
    run_with_keys,
    runs_as_json,
)
from syncs.planning.preview import plan_as_json, preview
from syncs.planning.undo import require_undoable
from syncs.services import approvals, cancellation, triggers
from syncs.services import syncs as services
from syncs.source import selectors

from .destination_views import AnyDestinationViewSet
from .syncs import OnePlan


class RunFilters(Body):
    status: Annotated[str | None, Text("Status", choices=tuple(models.Status.values))] = None
    operation: Annotated[str | None, Text("Operation", choices=OPERATIONS)] = None
    trigger: Annotated[str | None, Text("Trigger", choices=TRIGGERS)] = None
    key: Annotated[
        str | None, Text("Key", "Only runs that changed or checked this key of the destination.", max_length=1024)
    ] = None

    def runs_of(self, sync: models.SecretSync) -> QuerySet[models.SyncRun]:
        filters = {"status": self.status, "operation": self.operation, "trigger": self.trigger}
        runs = models.SyncRun.objects.filter(
            sync=sync, **{name: value for name, value in filters.items() if value is not None}
        )
        return runs if self.key is None else runs.filter(changes__key=self.key).distinct()


class RunQuery(RunFilters, Page): ...


class _Format(Body):
    format: Annotated[str, Text("Format", choices=tuple(FORMATS))] = "json"


class ExportQuery(RunFilters, _Format): ...


class Dismissal(Body):
    comment: Annotated[str, Text("Comment", "Why.", min_length=0, max_length=approvals.MAX_COMMENT)] = ""


class _Writes(Body):
    writesOnly: Annotated[bool, Flag(help="Create and update only; delete nothing.")] = False


class Approval(Dismissal, _Writes): ...


class Undoing(Body):
    digest: Annotated[
        str | None, Text("Digest", "Digest of the reviewed plan; the request is refused if the plan has changed.")
    ] = None


class RunList(TypedDict):
    runs: list[Run]
    totalCount: int


RunHistory = list[RunInHistory]


class OneRun(TypedDict):
    run: RunWithKeys


class Runs(AnyDestinationViewSet):
    lookup_url_kwarg = "runId"

    def sync_with_history(self) -> models.SecretSync:
        """The sync, also one that was deleted: for the history of its runs alone."""
        found = (
            selectors.with_history_seen_by(self.actor).filter(pk=self.id("syncId"), deleted_at__isnull=False).first()
        )
        if found is None:
            return self.sync()
        self.actor.require(Right.SEE_SYNCS, found.project_id)
        services.require_destination(found, self.destination.slug)
        return found

    def run(self, sync: models.SecretSync) -> models.SyncRun:
        """The run that the path names. Raises NotFound."""
        run_id = self.id("runId")
        found = models.SyncRun.objects.select_related("sync").filter(sync=sync, pk=run_id).first()
        if found is None:
            raise NotFound(f'Could not find a run with ID "{run_id}" of the sync "{sync.name}"')
        return found

    def run_to_change(self) -> models.SyncRun:
        self.ids("syncId", "runId")
        return self.run(self.sync(Right.RUN_SYNCS))

    def one(self, run: models.SyncRun) -> TypedResponse[OneRun]:
        return TypedResponse({"run": run_with_keys(run)})

    @operation("listSecretSyncRuns", "List the runs of a sync, also of a deleted one, newest first.", query=RunQuery)
    def list(self, request: Request, syncId: str) -> TypedResponse[RunList]:
        self.id("syncId")
        query = self.query(RunQuery)
        runs = query.runs_of(self.sync_with_history())
        return TypedResponse({"runs": runs_as_json(query.of(runs)), "totalCount": runs.count()})

    @action(detail=False)
    @operation(
        "exportSecretSyncRuns",
        "Export the runs with every key, newest first, as JSON or CSV.",
        query=ExportQuery,
        response=RunHistory,
    )
    def export(self, request: Request, syncId: str) -> StreamingHttpResponse:
        self.id("syncId")
        query = self.query(ExportQuery)
        sync = self.sync_with_history()
        write, kind = FORMATS[query.format]
        runs = query.runs_of(sync).select_related("sync").prefetch_related("changes")
        response = StreamingHttpResponse(write(runs.iterator(chunk_size=20)), content_type=kind)
        response["Content-Disposition"] = f'attachment; filename="{sync.name}-runs.{query.format}"'
        response["Cache-Control"] = "no-store"
        return response

    @operation("getSecretSyncRun", "Get a run with its keys.")
    def retrieve(self, request: Request, syncId: str, runId: str) -> TypedResponse[OneRun]:
        self.ids("syncId", "runId")
        return self.one(self.run(self.sync_with_history()))

    @action(detail=True, methods=["post"])
    @operation(
        "approveSecretSyncRun",
        "Approve a held run: with its deletes, or only its creates and updates.",
        body=Approval,
    )
    def approve(self, request: Request, syncId: str, runId: str) -> TypedResponse[OneRun]:
        self.ids("syncId", "runId")
        body = self.body(Approval)
        run = self.run_to_change()
        return self.one(approvals.approve(self.actor, run, writes_only=body.writesOnly, comment=body.comment))

    @action(detail=True, methods=["post"])
    @operation("dismissSecretSyncRun", "Dismiss a held run and keep the keys that it would delete.", body=Dismissal)
    def dismiss(self, request: Request, syncId: str, runId: str) -> TypedResponse[OneRun]:
        self.ids("syncId", "runId")
        comment = self.body(Dismissal).comment
        return self.one(approvals.dismiss(self.actor, self.run_to_change(), comment=comment))

    @action(detail=True, methods=["post"])
    @operation(
        "cancelSecretSyncRun",
        "Cancel a run that has not ended. It stops between keys: what it wrote stays, the rest is skipped.",
    )
    def cancel(self, request: Request, syncId: str, runId: str) -> TypedResponse[OneRun]:
        return self.one(cancellation.cancel(self.actor, self.run_to_change()))

    @action(detail=True, url_path="undo")
    @operation(
        "planUndoSecretSyncRun",
        "Show what undoing a run would restore, and what it could not. Nothing is written.",
    )
    def plan_undo(self, request: Request, syncId: str, runId: str) -> TypedResponse[OnePlan]:
        run = self.run_to_change()
        require_undoable(run)
        return TypedResponse({"plan": plan_as_json(preview(selectors.syncs().get(pk=run.sync_id), undone=run))})

    @plan_undo.mapping.post
    @operation(
        "undoSecretSyncRun",
        "Undo a run: restore the keys that have not changed since. Pauses the sync.",
        body=Undoing,
    )
    def undo(self, request: Request, syncId: str, runId: str) -> TypedResponse[OneRun]:
        digest = self.body(Undoing).digest or ""
        run = self.run_to_change()
        require_undoable(run)
        return self.one(triggers.undo(self.actor, run, digest))


_router = router()
_router.register(f"{Runs.path}/<str:syncId>/runs", Runs, basename="sync-run")
urlpatterns = _router.urls
