"""Folders. Source: https://infisical.com/docs/api-reference/endpoints/folders/list"""

from __future__ import annotations

from typing import Any, ClassVar, NotRequired
from uuid import UUID

from django.urls import path
from rest_framework.request import Request
from typing_extensions import TypedDict

from config.access.roles import Right
from config.api.base import View, ViewSet, or_named, router
from config.api.operations import TypedResponse, operation
from config.conventions import timestamp
from config.errors import NotFound
from config.responses import Description, FolderPath, Name, Time, Uuid
from syncs import models
from syncs.engine.addresses import child_path
from syncs.services import folders
from syncs.source import selectors
from syncs.source.paths import below, folder_name
from syncs.source.queries import find_folder, project_by_id_or_slug

from .fields import project_of
from .folder_requests import (
    FolderContent,
    FolderContentV1,
    FolderContentV2,
    FolderDeletion,
    FolderDeletionV1,
    FolderDeletionV2,
    FolderQuery,
    FolderQueryV1,
    FolderQueryV2,
    FolderUpdates,
    InFolder,
)


class Folder(TypedDict):
    id: Uuid
    name: Name
    version: int
    envId: Uuid
    parentId: Uuid | None
    isReserved: bool
    description: Description | None
    lastSecretModified: Time | None
    createdAt: Time
    updatedAt: Time


class FolderWithPath(Folder):
    path: FolderPath


class ListedFolder(Folder):
    relativePath: NotRequired[str]


class FolderEnvironment(TypedDict):
    envId: Uuid
    envName: str
    envSlug: str


class FolderDetail(FolderWithPath):
    projectId: Uuid
    environment: FolderEnvironment


class FolderList(TypedDict):
    folders: list[ListedFolder]


class DeletedFolder(TypedDict):
    folder: Folder


class OneFolder(TypedDict):
    folder: FolderWithPath


class OneFolderDetail(TypedDict):
    folder: FolderDetail


class UpdatedFolders(TypedDict):
    folders: list[FolderWithPath]


def folder_json(folder: models.Folder) -> Folder:
    return {
        "id": str(folder.pk),
        "name": folder.name,
        "version": folder.version,
        "envId": str(folder.environment_id),
        "parentId": str(folder.parent_id) if folder.parent_id else None,
        "isReserved": False,
        "description": folder.description,
        "lastSecretModified": timestamp(folder.last_secret_modified),
        "createdAt": timestamp(folder.created_at),
        "updatedAt": timestamp(folder.updated_at),
    }


def _listed(folder: models.Folder) -> ListedFolder:
    found: ListedFolder = {**folder_json(folder)}  # type: ignore[typeddict-item]  # relativePath is not required
    return found


def with_path(folder: models.Folder) -> FolderWithPath:
    return {**folder_json(folder), "path": folder.path}


class _FolderView(View):
    tag = "Folders"
    terms = {"suffix": ""}

    def in_parent(self, body: InFolder, right: Right = Right.WRITE_SECRETS) -> models.Folder:
        return find_folder(self.actor, project_of(body), body.environment, body.parent, right)

    def environment(self, body: InFolder, right: Right = Right.SEE) -> models.Environment:
        return selectors.environment_by_slug(
            project_by_id_or_slug(self.actor, project_of(body), right), body.environment
        )


class Folders(ViewSet, _FolderView):
    """Version 2. What version 1 has otherwise is in the attributes."""

    lookup_url_kwarg = "folderId"
    folder_query: ClassVar[type[FolderQuery]] = FolderQueryV2
    content: ClassVar[type[FolderContent]] = FolderContentV2
    deletion: ClassVar[type[InFolder]] = FolderDeletionV2

    @operation("listFolders{suffix}", "List the folders in a folder.", query="folder_query")
    def list(self, request: Request) -> TypedResponse[FolderList]:
        query = self.query(self.folder_query)
        environment = self.environment(query)
        found = models.Folder.objects.filter(below(query.parent), environment=environment)
        if not query.recursive:
            found = found.filter(parent__path=query.parent)
        if query.lastSecretModified:
            found = found.filter(last_secret_modified__gte=query.lastSecretModified)
        start = len(child_path(query.parent, "")) - 1
        listed: list[ListedFolder] = []
        for each in found.order_by("path"):
            listed.append(
                {**folder_json(each), "relativePath": each.path[start:]} if query.recursive else _listed(each)
            )
        return TypedResponse({"folders": listed})

    @operation(
        "createFolder{suffix}",
        "Create a folder and its missing parents. An existing folder is returned unchanged.",
        body="content",
    )
    def create(self, request: Request) -> TypedResponse[OneFolder]:
        body = self.body(self.content)
        environment = self.environment(body, Right.WRITE_SECRETS)
        location = child_path(body.parent, folder_name(body.name))
        folder = folders.ensure_folder(self.actor, environment, location, description=body.description)
        return TypedResponse({"folder": with_path(folder)})

    @operation("getFolder{suffix}", "Get a folder by its ID.")
    def retrieve(self, request: Request, folderId: str) -> TypedResponse[OneFolderDetail]:
        folder = selectors.folder_by_id(self.actor, self.id("folderId"))
        environment = folder.environment
        detail: FolderDetail = {
            **with_path(folder),
            "projectId": str(environment.project_id),
            "environment": {
                "envId": str(environment.pk),
                "envName": environment.name,
                "envSlug": environment.slug,
            },
        }
        return TypedResponse({"folder": detail})

    @operation("updateFolder{suffix}", "Change the name or description of a folder in `path`.", body="content")
    def partial_update(self, request: Request, folderId: str) -> TypedResponse[OneFolder]:
        folder_id = self.id("folderId")
        body = self.body(self.content)
        parent = self.in_parent(body)
        folder = selectors.folders().filter(pk=folder_id, parent=parent).first()
        if folder is None:
            raise NotFound(f"Folder with ID '{folder_id}' not found in {parent.path}")
        changes = {"name": body.name, "description": body.description}
        (changed,) = folders.update_folders(self.actor, [(folder, changes)])
        return TypedResponse({"folder": with_path(changed)})

    @operation(
        "deleteFolder{suffix}",
        "Delete a folder in `path`, by its ID or name, with everything below it.",
        body="deletion",
        parameters={"folderId": {"type": "string", "description": "The folder's ID or name."}},
    )
    def destroy(self, request: Request, folderId: str) -> TypedResponse[DeletedFolder]:
        body = self.body(self.deletion)
        folder = child_folder(self.in_parent(body), folderId)
        response = TypedResponse[DeletedFolder]({"folder": folder_json(folder)})
        force = body.forceDelete if isinstance(body, FolderDeletion) else True
        folders.delete_folder(self.actor, folder, force=force)
        return response


class FoldersV1(Folders):
    terms = {"suffix": "V1"}
    folder_query = FolderQueryV1
    content = FolderContentV1
    deletion = FolderDeletionV1


class FolderBatch(_FolderView):
    @operation(
        "updateFolders{suffix}", "Change the names or descriptions of several folders, all or none.", body=FolderUpdates
    )
    def patch(self, request: Request) -> TypedResponse[UpdatedFolders]:
        body = self.body(FolderUpdates)
        project = project_by_id_or_slug(self.actor, {"slug": body.projectSlug}, Right.WRITE_SECRETS)
        changes = {UUID(each.id): {"name": each.name, "description": each.description} for each in body.folders}
        known = selectors.folders().filter(pk__in=changes, environment__project=project)
        if missing := set(changes) - {folder.pk for folder in known}:
            raise NotFound(f"Folder with ID '{missing.pop()}' not found")
        changed = folders.update_folders(self.actor, [(folder, changes[folder.pk]) for folder in known])
        return TypedResponse({"folders": [with_path(each) for each in changed]})


class FolderBatchV1(FolderBatch):
    terms = {"suffix": "V1"}


def child_folder(parent: models.Folder, id_or_name: str) -> models.Folder:
    """By its ID or name. Raises NotFound."""
    children = selectors.folders().filter(parent=parent)
    try:
        found = children.filter(pk=UUID(id_or_name)).first()
    except ValueError:
        found = None
    found = found or children.filter(name=id_or_name).first()
    if found is None:
        raise NotFound(f"Folder with ID '{id_or_name}' not found")
    return found


def _batch(version: str, batch: type[View], one: type[ViewSet]) -> Any:
    """A folder may be called `batch`: it is deleted by that name."""
    other = one.as_view({"delete": "destroy"})
    return path(f"{version}/folders/batch", or_named(batch.as_view(), other, ("delete",), folderId="batch"))


_router = router()
_router.register("v1/folders", FoldersV1, basename="folder-v1")
_router.register("v2/folders", Folders, basename="folder")
urlpatterns = [_batch("v1", FolderBatchV1, FoldersV1), _batch("v2", FolderBatch, Folders), *_router.urls]
