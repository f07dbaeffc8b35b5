"""The syncs of each destination: create, change, delete, run, plan, drift, policy.

Source: https://infisical.com/docs/api-reference/endpoints/secret-syncs/list
"""

from __future__ import annotations

import contextlib
from typing import Annotated, Any, ClassVar, NotRequired

from rest_framework.decorators import action
from rest_framework.request import Request
from typing_extensions import TypedDict

from config.access.roles import Right, project_for
from config.api.base import router
from config.api.operations import TypedResponse, operation
from config.errors import BadRequest, Invalid, NotFound
from config.responses import IdText
from config.schemas.model import Body
from config.schemas.types import Anything, Flag, Id, Slug, Text
from syncs.destination.base import destinations
from syncs.planning.opening import IMPORT_PRIORITIES
from syncs.planning.preflight import checked_plan
from syncs.planning.preview import KEEP, LEAVING, PlanJson
from syncs.services import deletion, duplicates, sync_bodies, triggers
from syncs.services import syncs as services
from syncs.services.policy import Policy, policy_as_json, policy_change_of, policy_changes
from syncs.services.sync_bodies import NewSync, SyncChanges
from syncs.services.syncs import SyncInput
from syncs.source import selectors
from syncs.source.paths import PathText

from .destination_views import DestinationViewSet, ProjectQuery, listed, of_destination, read, sync_response
from .sync_responses import OneSecretSync, SecretSyncList, policy_response

_PURGE = Flag(help="Also delete old values from the vendor's version history, if it keeps one.", query=True)


class RemovalQuery(Body):
    purgeVersions: Annotated[bool, _PURGE] = False


class DeletionQuery(Body):
    removeSecrets: Annotated[
        bool, Flag(help="First remove the secrets that the sync owns from the destination.", query=True)
    ] = False
    purgeVersions: Annotated[bool, _PURGE] = False


class ImportQuery(Body):
    importBehavior: Annotated[str, Text("Behavior", choices=IMPORT_PRIORITIES)]


class ChangeQuery(Body):
    digest: Annotated[
        str | None,
        Text(
            "Digest",
            "Of the plan of this change, as `plan` answered it: 400 if the plan is another one now.",
            max_length=64,
        ),
    ] = None


class MoveQuery(ChangeQuery):
    leaving: Annotated[
        str, Text("Leaving", "What happens to the keys at the location that the sync leaves.", choices=LEAVING)
    ] = KEEP


class PlanQuery(Body):
    operation: Annotated[str, Text("Operation", choices=("sync", "import", "remove"))] = "sync"
    importBehavior: Annotated[str | None, Text("Import priority", choices=IMPORT_PRIORITIES)] = None
    leaving: Annotated[
        str, Text("Leaving", "What happens to the keys at the location that the sync leaves.", choices=LEAVING)
    ] = KEEP


class Duplication(Body):
    environment: Annotated[str, Text("Environment", "Slug of the other environment.", max_length=64, example="prod")]
    secretPath: Annotated[str | None, PathText("secretPath", example="/services/api")] = None
    name: Annotated[str | None, Slug("name", "Of the copy.", most=256, example="shop-prod")] = None
    destinationConfig: Annotated[Any, Anything("As in the sync, if left out.")] = None


class DestinationCheck(Body):
    destinationConfig: Annotated[Any, Anything()] = None
    projectId: Annotated[str, Id(label="projectId")]
    connectionId: Annotated[str | None, Id(label="connectionId")] = None
    excludeSyncId: Annotated[str | None, Id(label="excludeSyncId")] = None


class Duplicate(TypedDict):
    hasDuplicate: bool
    duplicateProjectId: NotRequired[IdText]


class OnePlan(TypedDict):
    plan: PlanJson


class OnePolicy(TypedDict):
    """Its members differ by destination: see `policy_response`."""

    policy: dict[str, Any]


class SecretSyncs(DestinationViewSet):
    lookup_url_kwarg = "syncId"
    new: ClassVar[type[NewSync]]
    changes: ClassVar[type[SyncChanges]]
    policy_changes: ClassVar[type[Policy]]
    one_policy: ClassVar[Any]

    @operation("list{Name}SecretSyncs", "List the {label} syncs of a project.", query=ProjectQuery)
    def list(self, request: Request) -> TypedResponse[SecretSyncList]:
        project_id, slug = self.query(ProjectQuery).projectId, self.destination.slug
        return listed(self.actor, selectors.syncs_of_project(self.actor, project_id, slug), slug)

    @operation("create{Name}SecretSync", "Create a {label} sync.", body="new")
    def create(self, request: Request) -> TypedResponse[OneSecretSync]:
        body = self.body(self.new)
        project = project_for(self.actor, body.projectId, Right.EDIT_SYNCS)
        return sync_response(
            services.create_sync(self.actor, project, self.destination.slug, sync_bodies.sync_input(body))
        )

    @operation("get{Name}SecretSync", "Get a {label} sync.")
    def retrieve(self, request: Request, syncId: str) -> TypedResponse[OneSecretSync]:
        return read(self.actor, self.sync())

    @operation("update{Name}SecretSync", "Change a {label} sync.", body="changes", query=MoveQuery)
    def partial_update(self, request: Request, syncId: str) -> TypedResponse[OneSecretSync]:
        self.id("syncId")
        body = self.body(self.changes)
        query = self.query(MoveQuery)
        sync, data = self.sync(Right.EDIT_SYNCS), sync_bodies.sync_input(body)
        changed = services.update_sync(self.actor, sync, data, digest=query.digest or "", leaving=query.leaving)
        return sync_response(changed)

    @operation("delete{Name}SecretSync", "Delete a {label} sync.", query=DeletionQuery)
    def destroy(self, request: Request, syncId: str) -> TypedResponse[OneSecretSync]:
        self.id("syncId")
        query = self.query(DeletionQuery)
        sync = self.sync(Right.EDIT_SYNCS)
        return sync_response(
            deletion.delete_sync(self.actor, sync, with_secrets=query.removeSecrets, purge=query.purgeVersions)
        )

    @action(detail=True, methods=["post"])
    @operation(
        "duplicate{Name}SecretSync",
        "Copy a sync for another environment. Auto-sync of the copy is off.",
        body=Duplication,
    )
    def duplicate(self, request: Request, syncId: str) -> TypedResponse[OneSecretSync]:
        self.id("syncId")
        body = self.body(Duplication)
        copy = duplicates.duplicate_sync(
            self.actor,
            self.sync(Right.EDIT_SYNCS),
            environment=body.environment,
            secret_path=body.secretPath,
            name=body.name,
            destination_config=body.destinationConfig,
        )
        return sync_response(copy)

    @action(detail=False, url_path="sync-name/<str:name>")
    @operation("get{Name}SecretSyncByName", "Get a {label} sync by its name.", query=ProjectQuery)
    def by_name(self, request: Request, name: str) -> TypedResponse[OneSecretSync]:
        project_id = self.query(ProjectQuery).projectId
        found = selectors.syncs_of_project(self.actor, project_id, self.destination.slug)
        sync = found.filter(name=name).first()
        if sync is None:
            raise NotFound(f'Could not find {self.destination.label} Sync with name "{name}"')
        return read(self.actor, sync)

    @action(detail=False, methods=["post"], url_path="plan")
    @operation("plan{Name}SecretSyncDraft", "Show what a new sync would do. Nothing is stored.", body="new")
    def plan_draft(self, request: Request) -> TypedResponse[OnePlan]:
        body = self.body(self.new)
        project = project_for(self.actor, body.projectId, Right.EDIT_SYNCS)
        sync = services.draft_sync(self.actor, project, self.destination.slug, sync_bodies.sync_input(body))
        return TypedResponse({"plan": checked_plan(self.actor, sync).as_json()})

    @action(detail=False, methods=["post"], url_path="check-destination")
    @operation(
        "check{Name}SecretSyncDestination",
        "Check whether another sync has the same destination config.",
        body=DestinationCheck,
    )
    def check_destination(self, request: Request) -> TypedResponse[Duplicate]:
        body = self.body(DestinationCheck)
        project_for(self.actor, body.projectId, Right.SEE_SYNCS)
        config = body.destinationConfig
        with contextlib.suppress(Invalid):  # no sync has a config that is not valid
            config = self.destination.Config.parse(config).stored()
        twin = services.find_duplicate(self.destination.slug, config, body.excludeSyncId)
        found: Duplicate = {"hasDuplicate": twin is not None}
        if twin and self.actor.may(Right.SEE_SYNCS, twin.project_id):
            found["duplicateProjectId"] = str(twin.project_id)
        return TypedResponse(found)

    @action(detail=True, methods=["post"], url_path="sync-secrets")
    @operation("sync{Name}SecretSync", "Trigger a {label} sync.")
    def sync_secrets(self, request: Request, syncId: str) -> TypedResponse[OneSecretSync]:
        sync = self.sync(Right.RUN_SYNCS)
        triggers.trigger(self.actor, sync, "sync")
        return sync_response(selectors.syncs().get(pk=sync.pk))

    @action(detail=True, methods=["post"], url_path="import-secrets")
    @operation("import{Name}SecretSyncSecrets", "Import the secrets of the destination.", query=ImportQuery)
    def import_secrets(self, request: Request, syncId: str) -> TypedResponse[OneSecretSync]:
        self.id("syncId")
        behavior = self.query(ImportQuery).importBehavior
        triggers.require_import(self.destination)
        sync = self.sync(Right.RUN_SYNCS)
        triggers.import_secrets(self.actor, sync, behavior)
        return sync_response(selectors.syncs().get(pk=sync.pk))

    @action(detail=True, methods=["post"], url_path="remove-secrets")
    @operation(
        "remove{Name}SecretSyncSecrets",
        "Remove the secrets that the sync owns from the destination. Pauses the sync.",
        query=RemovalQuery,
    )
    def remove_secrets(self, request: Request, syncId: str) -> TypedResponse[OneSecretSync]:
        self.id("syncId")
        purge = self.query(RemovalQuery).purgeVersions
        sync = self.sync(Right.REMOVE_SECRETS)
        triggers.remove_secrets(self.actor, sync, purge=purge)
        return sync_response(selectors.syncs().get(pk=sync.pk))

    @action(detail=True, methods=["post"])
    @operation(
        "plan{Name}SecretSync",
        "Show what a run would do now, or with the changes in the body. Nothing is stored or written.",
        body="changes",
        query=PlanQuery,
    )
    def plan(self, request: Request, syncId: str) -> TypedResponse[OnePlan]:
        self.id("syncId")
        query, data = self.query(PlanQuery), sync_bodies.sync_input(self.body(self.changes))
        sync = self.sync(Right.RUN_SYNCS)
        if data != SyncInput():
            if query.operation != "sync":
                raise BadRequest("A change is planned as a sync: leave out the operation, or the body.")
            return TypedResponse({"plan": services.propose(self.actor, sync, data).as_json(query.leaving)})
        if query.operation == "import":
            triggers.require_import(self.destination)
        found = checked_plan(self.actor, sync, query.operation, behavior=query.importBehavior or "")
        return TypedResponse({"plan": found.as_json()})

    @action(detail=True)
    @operation("get{Name}SecretSyncPolicy", "Get the policy of a sync.", response="one_policy")
    def policy(self, request: Request, syncId: str) -> TypedResponse[OnePolicy]:
        return TypedResponse({"policy": policy_as_json(self.sync().policy, self.destination)})

    @policy.mapping.patch
    @operation(
        "update{Name}SecretSyncPolicy",
        "Change the policy of a sync.",
        body="policy_changes",
        query=ChangeQuery,
        response="one_policy",
    )
    def update_policy(self, request: Request, syncId: str) -> TypedResponse[OnePolicy]:
        self.id("syncId")
        changes = policy_changes(self.body(self.policy_changes))
        digest = self.query(ChangeQuery).digest or ""
        policy = services.update_policy(self.actor, self.sync(), changes, digest=digest)
        return TypedResponse({"policy": policy_as_json(policy, self.destination)})

    @action(detail=True, methods=["post"], url_path="policy/plan")
    @operation(
        "plan{Name}SecretSyncPolicy",
        "Show what a run would do with another policy. Nothing is stored or written.",
        body="policy_changes",
    )
    def plan_policy(self, request: Request, syncId: str) -> TypedResponse[OnePlan]:
        self.id("syncId")
        changes = policy_changes(self.body(self.policy_changes))
        proposal = services.propose(self.actor, self.sync(Right.RUN_SYNCS), policy=changes)
        return TypedResponse({"plan": proposal.as_json()})


_router = router()
for _destination in destinations:
    _view = of_destination(
        SecretSyncs,
        _destination,
        new=sync_bodies.new_sync(_destination),
        changes=sync_bodies.sync_changes(_destination),
        policy_changes=policy_change_of(_destination),
        one_policy=policy_response(_destination),
    )
    _router.register(f"v1/secret-syncs/{_destination.slug}", _view, basename=f"{_destination.slug}-sync")
urlpatterns = _router.urls
