"""What deleting, moving or renaming something would mean for syncs and references. An extension of the modelled API.

Each path is that of the request that makes the change, followed by `/impact`, with the same body and the same rights.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from django.urls import path
from rest_framework.request import Request
from typing_extensions import TypedDict

from config.access.roles import Right, project_for
from config.api.base import View
from config.api.operations import TypedResponse, operation
from config.responses import Environment, FolderPath, Name, Uuid, one_of
from config.schemas.model import Body
from config.schemas.types import Slug
from connections.provider import Provider, providers
from connections.responses import pascal
from connections.selectors import connection_by_id
from syncs.planning.impact import Impact
from syncs.services import impact
from syncs.source import selectors
from syncs.source.queries import find_folder, project_by_id_or_slug

from .destination_views import AnyDestinationViewSet
from .fields import SecretName, project_of
from .folder_requests import FolderDeletionV1, FolderDeletionV2, InFolder, NewFolderName
from .folders import child_folder
from .secret_requests import V3, V4, BatchOfDeletionsV3, BatchOfDeletionsV4, DeletionV3, DeletionV4, MoveV4
from .secrets import SecretView
from .syncs import DeletionQuery


class NewSlug(Body):
    slug: Annotated[
        str | None, Slug("slug", "With it: of the rename, instead of the deletion.", example="shop-dev")
    ] = None


class NewSecretName(Body):
    newSecretName: Annotated[
        str | None, SecretName("With it: of the rename, instead of the deletion.", empty=True, example="DATABASE_URL")
    ] = None


class FolderImpactV1(NewFolderName, FolderDeletionV1): ...


class FolderImpactV2(NewFolderName, FolderDeletionV2): ...


class SecretImpactV3(NewSecretName, DeletionV3): ...


class SecretImpactV4(NewSecretName, DeletionV4): ...


class ImpactSync(TypedDict):
    id: Uuid
    name: Name
    destination: str
    location: str
    removes: int
    keeps: int


class ImpactReference(TypedDict):
    environment: Environment
    secretPath: FolderPath
    secretKey: str | None
    referenceType: Annotated[str, one_of(("reference", "import"))]
    target: str


class ImpactJson(TypedDict):
    syncs: list[ImpactSync]
    references: list[ImpactReference]


def impact_json(found: Impact) -> ImpactJson:
    return {
        "syncs": [
            {
                "id": str(each.sync.pk),
                "name": each.sync.name,
                "destination": each.sync.destination,
                "location": each.sync.location,
                "removes": each.removes,
                "keeps": each.keeps,
            }
            for each in found.syncs
        ],
        "references": [
            {
                "environment": each.environment,
                "secretPath": each.path,
                "secretKey": each.key or None,
                "referenceType": "reference" if each.key else "import",
                "target": each.target,
            }
            for each in found.references
        ],
    }


def _answer(found: Impact) -> TypedResponse[ImpactJson]:
    return TypedResponse(impact_json(found))


class ProjectImpact(View):
    tag = "Projects"

    @operation("getProjectImpact{suffix}", "Show what deleting a project would mean. Nothing is written.")
    def post(self, request: Request, **names: str) -> TypedResponse[ImpactJson]:
        by = {"projectId": "id", "projectSlug": "slug"}
        project = project_by_id_or_slug(self.actor, {by[name]: value for name, value in names.items()})
        return _answer(impact.impact_of_project_deletion(self.actor, project))


class EnvironmentImpact(View):
    tag = "Environments"

    @operation(
        "getEnvironmentImpact{suffix}",
        "Show what deleting an environment, or giving it another slug, would mean. Nothing is written.",
        body=NewSlug,
    )
    def post(self, request: Request, projectId: str, environmentId: str) -> TypedResponse[ImpactJson]:
        environment_id = self.id("environmentId")
        slug = self.body(NewSlug).slug
        environment = selectors.environment_by_id(project_for(self.actor, projectId), environment_id)
        if slug:
            return _answer(impact.impact_of_environment_rename(self.actor, environment, slug))
        return _answer(impact.impact_of_environment_deletion(self.actor, environment))


class FolderImpact(View):
    tag = "Folders"
    shape: ClassVar[type[InFolder]] = FolderImpactV2

    @operation(
        "getFolderImpact{suffix}",
        "Show what deleting a folder in `path`, or renaming it, would mean. Nothing is written.",
        body="shape",
        parameters={"folderId": {"type": "string", "description": "The folder's ID or name."}},
    )
    def post(self, request: Request, folderId: str) -> TypedResponse[ImpactJson]:
        body: Any = self.body(self.shape)
        parent = find_folder(self.actor, project_of(body), body.environment, body.parent, Right.WRITE_SECRETS)
        folder = child_folder(parent, folderId)
        if body.name:
            return _answer(impact.impact_of_folder_move(self.actor, folder, name=body.name))
        return _answer(impact.impact_of_folder_deletion(self.actor, folder))


class SecretImpact(SecretView):
    shape: ClassVar[type[DeletionV3 | DeletionV4]] = SecretImpactV4

    @operation(
        "getSecretImpact{suffix}",
        "Show what deleting a secret, or renaming it, would mean. Nothing is written.",
        body="shape",
    )
    def post(self, request: Request, secretName: str) -> TypedResponse[ImpactJson]:
        body: Any = self.body(self.shape)
        folder, key = self.folder(body, Right.WRITE_SECRETS), secretName.strip()
        if body.newSecretName:
            return _answer(impact.impact_of_secret_rename(self.actor, folder, key, body.newSecretName))
        return _answer(impact.impact_of_secret_deletion(self.actor, folder, [key]))


class SecretsImpact(SecretView):
    shape: ClassVar[type[BatchOfDeletionsV3 | BatchOfDeletionsV4]] = BatchOfDeletionsV4

    @operation(
        "getSecretsImpact{suffix}", "Show what deleting several secrets would mean. Nothing is written.", body="shape"
    )
    def post(self, request: Request) -> TypedResponse[ImpactJson]:
        body = self.body(self.shape)
        folder = self.folder(body, Right.WRITE_SECRETS)
        return _answer(impact.impact_of_secret_deletion(self.actor, folder, [each.secretKey for each in body.secrets]))


class MoveImpact(SecretView):
    @operation("getSecretMoveImpact", "Show what moving secrets would mean. Nothing is written.", body=MoveV4)
    def post(self, request: Request) -> TypedResponse[ImpactJson]:
        body = self.body(MoveV4)
        project, right = project_of(body), Right.WRITE_SECRETS
        source = find_folder(self.actor, project, body.sourceEnvironment, body.sourceSecretPath, right)
        target = find_folder(self.actor, project, body.destinationEnvironment, body.destinationSecretPath, right)
        return _answer(impact.impact_of_secret_move(self.actor, source, target, body.secretIds))


class ConnectionImpact(View):
    tag = "App Connections"
    provider: type[Provider] = Provider  # type: ignore[type-abstract]

    @operation(
        "get{Name}AppConnectionImpact", "Show the syncs that keep a connection from being deleted. Nothing is written."
    )
    def post(self, request: Request, connectionId: str) -> TypedResponse[ImpactJson]:
        connection = connection_by_id(self.actor, self.id("connectionId"), self.provider.slug)
        return _answer(impact.impact_of_connection_deletion(self.actor, connection))


class SyncImpact(AnyDestinationViewSet):
    @operation("getSecretSyncImpact", "Show what deleting a sync would mean. Nothing is written.", query=DeletionQuery)
    def create(self, request: Request, syncId: str) -> TypedResponse[ImpactJson]:
        self.id("syncId")
        removed = self.query(DeletionQuery).removeSecrets
        sync = self.sync(Right.EDIT_SYNCS)
        return _answer(impact.impact_of_sync_deletion(self.actor, sync, with_secrets=removed))


def _of_version(view: type[View], suffix: str = "", **attributes: Any) -> Any:
    return view.as_view(terms={"suffix": suffix}, **attributes)


_SECRETS = ((V3, SecretImpactV3, BatchOfDeletionsV3, "batch/raw"), (V4, SecretImpactV4, BatchOfDeletionsV4, "batch"))
urlpatterns = [
    path("v1/projects/<str:projectId>/impact", _of_version(ProjectImpact)),
    path("v1/workspace/<str:projectId>/impact", _of_version(ProjectImpact, "OfWorkspace")),
    path("v2/workspace/<str:projectSlug>/impact", _of_version(ProjectImpact, "BySlugOfWorkspace")),
    path("v1/projects/<str:projectId>/environments/<str:environmentId>/impact", _of_version(EnvironmentImpact)),
    path(
        "v1/workspace/<str:projectId>/environments/<str:environmentId>/impact",
        _of_version(EnvironmentImpact, "OfWorkspace"),
    ),
    path("v1/folders/<str:folderId>/impact", _of_version(FolderImpact, "V1", shape=FolderImpactV1)),
    path("v2/folders/<str:folderId>/impact", _of_version(FolderImpact)),
    path("v4/secrets/move/impact", MoveImpact.as_view()),
    *(
        path(
            f"{version.base.removesuffix('/raw') if '/' in batch else version.base}/{batch}/impact",
            _of_version(SecretsImpact, version.suffix, version=version, shape=many),
        )
        for version, _, many, batch in _SECRETS
    ),
    *(
        path(
            f"{version.base}/<str:secretName>/impact",
            _of_version(SecretImpact, version.suffix, version=version, shape=one),
        )
        for version, one, _, _ in _SECRETS
    ),
    *(
        path(
            f"v1/app-connections/{each.slug}/<str:connectionId>/impact",
            ConnectionImpact.as_view(provider=each, terms={"Name": pascal(each.slug), "label": each.label}),
        )
        for each in providers
    ),
    path(f"{SyncImpact.path}/<str:syncId>/impact", SyncImpact.as_view({"post": "create"})),
]
