"""The endpoints of each destination, made from its registry entry."""

from __future__ import annotations

import contextlib
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from config.access import audit
from config.access.roles import Actor, Right, project_for
from config.api.base import View
from config.api.openapi import FLAG, TEXT, WHOLE, closed, described, listed
from config.errors import Invalid, NotFound
from config.schemas.schema import Anything, Flag, Id, Schema, Text, Whole
from syncs.destination.base import Destination, destinations
from syncs.engine.error_codes import Code
from syncs.history.explain import why
from syncs.history.export import FORMATS
from syncs.history.serialize import run_as_json, run_with_keys
from syncs.models import SecretSync, Status, SyncRun
from syncs.planning.builder import IMPORT_PRIORITIES
from syncs.planning.preflight import checked_plan
from syncs.planning.preview import plan_as_json, preview
from syncs.planning.undo import require_undoable
from syncs.running.drift import check, drift_as_json
from syncs.services import approvals, deletion, triggers
from syncs.services import syncs as services
from syncs.services.policy import Policy, policy_as_json, policy_changes, policy_shape
from syncs.source import selectors

from .wire import DRIFT, PLAN, RUN, RUN_DETAIL, RUN_IN_HISTORY, WHY, sync_as_json, sync_shape

TAG = "Secret Syncs"
OF_PROJECT = Schema((Text("projectId", "Project", "The project's id.", empty_message="Project ID required"),), False)
PURGE = Flag(
    "purgeVersions",
    "",
    "Also take the old values out of the vendor's own history, where it keeps one.",
    text=True,
    default=False,
)
REMOVE = Schema((PURGE,), False)
DELETE = Schema((Flag("removeSecrets", "", "Remove what the sync owns first.", text=True, default=False), PURGE), False)
IMPORT = Schema((Text("importBehavior", "Behavior", choices=IMPORT_PRIORITIES),), strict=False)
OPERATION = Schema(
    (
        Text("operation", "Operation", required=False, choices=("sync", "import", "remove"), default="sync"),
        Text("importBehavior", "Of an import: which side wins", required=False, choices=IMPORT_PRIORITIES),
    ),
    False,
)
PAGE = Schema(
    (Whole("offset", default=0, text=True), Whole("limit", default=20, minimum=1, maximum=100, text=True)), False
)
_CHOICE = (
    Text("status", "Status", required=False, choices=tuple(Status.values)),
    Text("operation", "Operation", required=False, choices=("sync", "import", "remove", "undo")),
    Text(
        "trigger",
        "Trigger",
        required=False,
        choices=("manual", "change", "schedule", "retry", "approval"),
    ),
    Text("key", "Key", "Runs that touched this key of the destination.", required=False, max_length=1024),
)
RUNS = Schema((*PAGE.fields, *_CHOICE), strict=False)
KEY = Schema((Text("key", "Key", "Its name at the destination.", max_length=1024),), strict=False)
EXPORT = Schema((Text("format", "Format", required=False, choices=tuple(FORMATS), default="json"), *_CHOICE), False)
APPROVE = Schema((Flag("writesOnly", "", "Create and update, delete nothing.", default=False),), strict=False)
UNDO = Schema(
    (Text("digest", "Digest", "Of the plan that was looked at: refused where it is another now.", required=False),),
    strict=False,
)
CHECK = Schema(
    (
        Anything("destinationConfig"),
        Id("projectId"),
        Id("connectionId", required=False),
        Id("excludeSyncId", required=False),
    ),
    strict=False,
)
IDS = Schema((Id("syncId"), Id("runId", required=False)))
SYNC = (("syncId", "The sync's id."),)
RUN_ID = (*SYNC, ("runId", "The run's id."))


class _SyncView(View):
    destination: type[Destination] = Destination  # type: ignore[type-abstract]

    def named_ids(self, **given: str) -> dict[str, str]:
        return IDS.validate(given)

    def sync(self, sync_id: str, right: Right = Right.SEE_SYNCS) -> SecretSync:
        """The sync, of this destination, where the actor has the right."""
        found = selectors.syncs_seen_by(self.actor).filter(pk=sync_id).first()
        if found is None:
            raise NotFound(f'Could not find {self.destination.label} Sync with ID "{sync_id}"')
        self.actor.require(right, found.project_id)
        services.require_destination(found, self.destination.slug)
        return found

    def remembered(self, sync_id: str) -> SecretSync:
        """The sync, also one that was deleted: for the history of its runs alone."""
        found = selectors.with_history_seen_by(self.actor).filter(pk=sync_id, deleted_at__isnull=False).first()
        if found is None:
            return self.sync(sync_id)
        self.actor.require(Right.SEE_SYNCS, found.project_id)
        services.require_destination(found, self.destination.slug)
        return found

    def run(self, sync: SecretSync, run_id: str) -> SyncRun:
        found = SyncRun.objects.select_related("sync").filter(sync=sync, pk=run_id).first()
        if found is None:
            raise NotFound(f'Could not find a run with ID "{run_id}" of the sync "{sync.name}"')
        return found


def _listed(actor: Actor, found: QuerySet[SecretSync], destination: str | None = None) -> Response:
    """Syncs of one project, after the log was told."""
    syncs = list(found)
    if syncs:
        told = {"destination": destination, "count": len(syncs), "syncIds": [str(sync.pk) for sync in syncs[:100]]}
        audit.record(actor, "get-secret-syncs", syncs[0].project_id, **told)
    return Response({"secretSyncs": [sync_as_json(sync) for sync in syncs]})


def _read(actor: Actor, sync: SecretSync) -> Response:
    audit.record(actor, "get-secret-sync", sync.project_id, syncId=sync.pk, destination=sync.destination)
    return _answer(sync)


def _answer(sync: SecretSync) -> Response:
    return Response({"secretSync": sync_as_json(sync)})


def _chosen(sync: SecretSync, wish: dict[str, Any]) -> QuerySet[SyncRun]:
    runs = SyncRun.objects.filter(
        sync=sync, **{name: wish[name] for name in ("status", "operation", "trigger") if name in wish}
    )
    return runs.filter(changes__key=wish["key"]).distinct() if "key" in wish else runs


class CodesView(View):
    @described(
        "listSecretSyncErrorCodes",
        TAG,
        "What can keep a key from arriving, and what to do about it.",
        closed({"errorCodes": listed(closed({"code": TEXT, "meaning": TEXT, "remedy": TEXT}))}),
    )
    def get(self, request: Request) -> Response:
        codes = [{"code": code.value, "meaning": code.meaning, "remedy": code.remedy} for code in Code]
        return Response({"errorCodes": codes})


class OptionsView(View):
    @described(
        "listSecretSyncOptions",
        TAG,
        "The destinations that secrets can be synced to.",
        closed(
            {
                "secretSyncOptions": listed(
                    closed(
                        {
                            "name": TEXT,
                            "connection": TEXT,
                            "destination": TEXT,
                            "canImportSecrets": FLAG,
                            "canRemoveSecretsOnDeletion": FLAG,
                        }
                    )
                )
            }
        ),
    )
    def get(self, request: Request) -> Response:
        options = [
            {
                "name": found.label,
                "connection": found.provider,
                "destination": found.slug,
                "canImportSecrets": found.capabilities.can_import,
                "canRemoveSecretsOnDeletion": True,
            }
            for found in destinations
        ]
        return Response({"secretSyncOptions": options})


class ListView(View):
    @described(
        "listSecretSyncs",
        TAG,
        "All syncs of a project.",
        closed({"secretSyncs": listed({"anyOf": [sync_shape(found) for found in destinations]})}),
        query=OF_PROJECT,
    )
    def get(self, request: Request) -> Response:
        project_id = self.query(OF_PROJECT)["projectId"]
        return _listed(self.actor, selectors.syncs_of_project(self.actor, project_id))


def routes() -> list[Any]:
    return [route for found in destinations for route in _routes(found)]


def _routes(found: type[Destination]) -> list[Any]:
    """The endpoints of one destination."""
    slug, label = found.slug, found.label
    pascal = "".join(part.title() for part in slug.split("-"))
    shape = sync_shape(found)
    one, many = closed({"secretSync": shape}), closed({"secretSyncs": listed(shape)})
    create_body, update_body = services.new_sync(found), services.sync_changes(found)

    class Collection(_SyncView):
        @described(f"list{pascal}SecretSyncs", TAG, f"The {label} syncs of a project.", many, query=OF_PROJECT)
        def get(self, request: Request) -> Response:
            project_id = self.query(OF_PROJECT)["projectId"]
            return _listed(self.actor, selectors.syncs_of_project(self.actor, project_id, slug), slug)

        @described(f"create{pascal}SecretSync", TAG, f"Make a {label} sync.", one, body=create_body)
        def post(self, request: Request) -> Response:
            given = self.body(create_body)
            project = project_for(self.actor, given.projectId, Right.EDIT_SYNCS)
            return _answer(services.create_sync(self.actor, project, slug, services.sync_input(given)))

    class Draft(_SyncView):
        @described(
            f"plan{pascal}SecretSyncDraft",
            TAG,
            "What a sync about to be created would do; nothing is stored.",
            closed({"plan": PLAN}),
            body=create_body,
        )
        def post(self, request: Request) -> Response:
            given = self.body(create_body)
            project = project_for(self.actor, given.projectId, Right.EDIT_SYNCS)
            sync = services.draft_sync(self.actor, project, slug, services.sync_input(given))
            return Response({"plan": checked_plan(self.actor, sync).as_json()})

    class Check(_SyncView):
        @described(
            f"check{pascal}SecretSyncDestination",
            TAG,
            "Whether another sync has this destination.",
            closed({"hasDuplicate": FLAG, "duplicateProjectId": TEXT}, optional=("duplicateProjectId",)),
            body=CHECK,
        )
        def post(self, request: Request) -> Response:
            given = self.body(CHECK)
            project_for(self.actor, given["projectId"], Right.SEE_SYNCS)
            config = given.get("destinationConfig")
            with contextlib.suppress(Invalid):  # what is none is nobody's
                config = found.Config.parse(config).stored()
            twin = services.find_duplicate(slug, config, given.get("excludeSyncId"))
            answer: dict[str, Any] = {"hasDuplicate": twin is not None}
            if twin and self.actor.may(Right.SEE_SYNCS, twin.project_id):
                answer["duplicateProjectId"] = str(twin.project_id)
            return Response(answer)

    class ByName(_SyncView):
        @described(f"get{pascal}SecretSyncByName", TAG, f"A {label} sync by its name.", one, query=OF_PROJECT)
        def get(self, request: Request, name: str) -> Response:
            project_id = self.query(OF_PROJECT)["projectId"]
            sync = selectors.syncs_of_project(self.actor, project_id, slug).filter(name=name).first()
            if sync is None:
                raise NotFound(f'Could not find {label} Sync with name "{name}"')
            return _read(self.actor, sync)

    class One(_SyncView):
        @described(f"get{pascal}SecretSync", TAG, f"A {label} sync.", one, path=SYNC)
        def get(self, request: Request, syncId: str) -> Response:
            return _read(self.actor, self.sync(self.named_ids(syncId=syncId)["syncId"]))

        @described(f"update{pascal}SecretSync", TAG, f"Change a {label} sync.", one, body=update_body, path=SYNC)
        def patch(self, request: Request, syncId: str) -> Response:
            sync_id = self.named_ids(syncId=syncId)["syncId"]
            given = services.sync_input(self.body(update_body))
            return _answer(services.update_sync(self.actor, self.sync(sync_id, Right.EDIT_SYNCS), given))

        @described(f"delete{pascal}SecretSync", TAG, f"Delete a {label} sync.", one, query=DELETE, path=SYNC)
        def delete(self, request: Request, syncId: str) -> Response:
            sync_id = self.named_ids(syncId=syncId)["syncId"]
            given = self.query(DELETE)
            sync = self.sync(sync_id, Right.EDIT_SYNCS)
            secrets, purge = given["removeSecrets"], given["purgeVersions"]
            return _answer(deletion.delete_sync(self.actor, sync, with_secrets=secrets, purge=purge))

    class Sync(_SyncView):
        @described(f"sync{pascal}SecretSync", TAG, f"Trigger a sync for the {label} sync.", one, path=SYNC)
        def post(self, request: Request, syncId: str) -> Response:
            sync = self.sync(self.named_ids(syncId=syncId)["syncId"], Right.RUN_SYNCS)
            triggers.trigger(self.actor, sync, "sync")
            return _answer(selectors.syncs().get(pk=sync.pk))

    class Import(_SyncView):
        @described(
            f"import{pascal}SecretSyncSecrets", TAG, "Import what the destination holds.", one, query=IMPORT, path=SYNC
        )
        def post(self, request: Request, syncId: str) -> Response:
            sync_id = self.named_ids(syncId=syncId)["syncId"]
            behavior = self.query(IMPORT)["importBehavior"]
            triggers.require_import(found)
            sync = self.sync(sync_id, Right.RUN_SYNCS)
            triggers.import_secrets(self.actor, sync, behavior)
            return _answer(selectors.syncs().get(pk=sync.pk))

    class Remove(_SyncView):
        @described(f"remove{pascal}SecretSyncSecrets", TAG, "Remove what the sync owns.", one, query=REMOVE, path=SYNC)
        def post(self, request: Request, syncId: str) -> Response:
            sync_id, purge = self.named_ids(syncId=syncId)["syncId"], self.query(REMOVE)["purgeVersions"]
            sync = self.sync(sync_id, Right.REMOVE_SECRETS)
            triggers.remove_secrets(self.actor, sync, purge=purge)
            return _answer(selectors.syncs().get(pk=sync.pk))

    class Plan(_SyncView):
        @described(
            f"plan{pascal}SecretSync",
            TAG,
            "What a run would do now; nothing is written.",
            closed({"plan": PLAN}),
            query=OPERATION,
            path=SYNC,
        )
        def post(self, request: Request, syncId: str) -> Response:
            sync_id = self.named_ids(syncId=syncId)["syncId"]
            given = self.query(OPERATION)
            operation, behavior = given["operation"], given.get("importBehavior", "")
            sync = self.sync(sync_id, Right.RUN_SYNCS)
            if operation == "import":
                triggers.require_import(found)
            return Response({"plan": checked_plan(self.actor, sync, operation, behavior=behavior).as_json()})

    class Drift(_SyncView):
        @described(f"get{pascal}SecretSyncDrift", TAG, "What the last look found.", closed({"drift": DRIFT}), path=SYNC)
        def get(self, request: Request, syncId: str) -> Response:
            return Response({"drift": drift_as_json(self.sync(self.named_ids(syncId=syncId)["syncId"]))})

        @described(
            f"check{pascal}SecretSyncDrift", TAG, "Look now; nothing is written.", closed({"drift": DRIFT}), path=SYNC
        )
        def post(self, request: Request, syncId: str) -> Response:
            sync = self.sync(self.named_ids(syncId=syncId)["syncId"], Right.RUN_SYNCS)
            check(sync)
            return Response({"drift": drift_as_json(sync)})

    class Runs(_SyncView):
        @described(
            f"list{pascal}SecretSyncRuns",
            TAG,
            "Runs, newest first; also of a sync that was deleted.",
            closed({"runs": listed(RUN), "totalCount": WHOLE}),
            query=RUNS,
            path=SYNC,
        )
        def get(self, request: Request, syncId: str) -> Response:
            sync_id = self.named_ids(syncId=syncId)["syncId"]
            page = self.query(RUNS)
            runs = _chosen(self.remembered(sync_id), page)
            shown = runs[page["offset"] : page["offset"] + page["limit"]]
            return Response({"runs": [run_as_json(run) for run in shown], "totalCount": runs.count()})

    class History(_SyncView):
        @described(
            f"export{pascal}SecretSyncRuns",
            TAG,
            "The runs with every key, newest first, as JSON or CSV.",
            listed(RUN_IN_HISTORY),
            query=EXPORT,
            path=SYNC,
        )
        def get(self, request: Request, syncId: str) -> HttpResponseBase:
            sync_id = self.named_ids(syncId=syncId)["syncId"]
            wish = self.query(EXPORT)
            sync = self.remembered(sync_id)
            write, kind = FORMATS[wish["format"]]
            runs = _chosen(sync, wish).select_related("sync").prefetch_related("changes")
            answer = StreamingHttpResponse(write(runs.iterator(chunk_size=20)), content_type=kind)
            name = f"{sync.name}-runs.{wish['format']}"
            answer["Content-Disposition"] = f'attachment; filename="{name}"'
            answer["Cache-Control"] = "no-store"
            return answer

    class Run(_SyncView):
        @described(f"get{pascal}SecretSyncRun", TAG, "A run.", closed({"run": RUN_DETAIL}), path=RUN_ID)
        def get(self, request: Request, syncId: str, runId: str) -> Response:
            ids = self.named_ids(syncId=syncId, runId=runId)
            run = self.run(self.remembered(ids["syncId"]), ids["runId"])
            return Response({"run": run_with_keys(run)})

    class Approve(_SyncView):
        @described(
            f"approve{pascal}SecretSyncRun",
            TAG,
            "Let a held run go ahead with the deletes that it shows, or with its writes alone.",
            closed({"run": RUN_DETAIL}),
            body=APPROVE,
            path=RUN_ID,
        )
        def post(self, request: Request, syncId: str, runId: str) -> Response:
            ids = self.named_ids(syncId=syncId, runId=runId)
            writes_only = self.body(APPROVE)["writesOnly"]
            run = self.run(self.sync(ids["syncId"], Right.RUN_SYNCS), ids["runId"])
            approved = approvals.approve(self.actor, run, writes_only=writes_only)
            return Response({"run": run_with_keys(approved)})

    class Dismiss(_SyncView):
        @described(
            f"dismiss{pascal}SecretSyncRun",
            TAG,
            "Keep the keys that a held run would delete.",
            closed({"run": RUN_DETAIL}),
            path=RUN_ID,
        )
        def post(self, request: Request, syncId: str, runId: str) -> Response:
            ids = self.named_ids(syncId=syncId, runId=runId)
            run = self.run(self.sync(ids["syncId"], Right.RUN_SYNCS), ids["runId"])
            return Response({"run": run_with_keys(approvals.dismiss(self.actor, run))})

    class Undo(_SyncView):
        def ended(self, sync_id: str, run_id: str) -> SyncRun:
            ids = self.named_ids(syncId=sync_id, runId=run_id)
            run = self.run(self.sync(ids["syncId"], Right.RUN_SYNCS), ids["runId"])
            require_undoable(run)
            return run

        @described(
            f"planUndo{pascal}SecretSyncRun",
            TAG,
            "What undoing a run would restore, and what it cannot; nothing is written.",
            closed({"plan": PLAN}),
            path=RUN_ID,
        )
        def get(self, request: Request, syncId: str, runId: str) -> Response:
            run = self.ended(syncId, runId)
            return Response({"plan": plan_as_json(preview(selectors.syncs().get(pk=run.sync_id), undone=run))})

        @described(
            f"undo{pascal}SecretSyncRun",
            TAG,
            "Undo a run: the state before, for the keys that nobody touched since. Pauses the sync.",
            closed({"run": RUN_DETAIL}),
            body=UNDO,
            path=RUN_ID,
        )
        def post(self, request: Request, syncId: str, runId: str) -> Response:
            digest = self.body(UNDO).get("digest", "")
            made = triggers.undo(self.actor, self.ended(syncId, runId), digest)
            return Response({"run": run_with_keys(made)})

    class Why(_SyncView):
        @described(
            f"explain{pascal}SecretSyncKey",
            TAG,
            "Which secret a key of the destination is, through what it came, and who wrote it when.",
            closed({"why": WHY}),
            query=KEY,
            path=SYNC,
        )
        def get(self, request: Request, syncId: str) -> Response:
            sync_id = self.named_ids(syncId=syncId)["syncId"]
            key = self.query(KEY)["key"]
            return Response({"why": why(self.actor, self.sync(sync_id), key)})

    class PolicyOf(_SyncView):
        @described(
            f"get{pascal}SecretSyncPolicy", TAG, "The sync's policy.", closed({"policy": policy_shape()}), path=SYNC
        )
        def get(self, request: Request, syncId: str) -> Response:
            sync = self.sync(self.named_ids(syncId=syncId)["syncId"])
            return Response({"policy": policy_as_json(sync.policy)})

        @described(
            f"update{pascal}SecretSyncPolicy",
            TAG,
            "Change the sync's policy.",
            closed({"policy": policy_shape()}),
            body=Policy,
            path=SYNC,
        )
        def patch(self, request: Request, syncId: str) -> Response:
            sync_id = self.named_ids(syncId=syncId)["syncId"]
            changes = policy_changes(self.body(Policy))
            policy = services.update_policy(self.actor, self.sync(sync_id), changes)
            return Response({"policy": policy_as_json(policy)})

    views: list[tuple[str, type[View]]] = [
        ("", Collection),
        ("/plan", Draft),
        ("/check-destination", Check),
        ("/sync-name/<str:name>", ByName),
        ("/<str:syncId>", One),
        ("/<str:syncId>/sync-secrets", Sync),
        ("/<str:syncId>/import-secrets", Import),
        ("/<str:syncId>/remove-secrets", Remove),
        ("/<str:syncId>/plan", Plan),
        ("/<str:syncId>/drift", Drift),
        ("/<str:syncId>/runs", Runs),
        ("/<str:syncId>/runs/export", History),
        ("/<str:syncId>/runs/<str:runId>", Run),
        ("/<str:syncId>/runs/<str:runId>/approve", Approve),
        ("/<str:syncId>/runs/<str:runId>/dismiss", Dismiss),
        ("/<str:syncId>/runs/<str:runId>/undo", Undo),
        ("/<str:syncId>/policy", PolicyOf),
        ("/<str:syncId>/why", Why),
    ]
    return [path(f"v1/secret-syncs/{slug}{tail}", view.as_view(destination=found)) for tail, view in views]
