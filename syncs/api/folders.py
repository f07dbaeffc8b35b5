"""Folders. Source: https://infisical.com/docs/api-reference/endpoints/folders/list"""

from __future__ import annotations

from typing import Any
from uuid import UUID as Uuid

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from config.access.roles import Right
from config.api.base import View, or_named
from config.api.openapi import FLAG, TEXT, TEXT_OR_NULL, TIME, TIME_OR_NULL, UUID, WHOLE, closed, described, listed
from config.conventions import timestamp
from config.errors import NotFound
from config.schemas.schema import Flag, Id, Moment, Objects, Schema, Text
from syncs.models import Environment, Folder
from syncs.services import folders
from syncs.source import paths, selectors
from syncs.source.paths import FolderPath, folder_name
from syncs.source.queries import find_folder, named_project

from .fields import Dialect, environment_field

TAG = "Folders"
DIALECTS = (Dialect("v1", "workspaceId"), Dialect("v2", "projectId"))
NAME = Text(
    "name",
    "Name",
    "Letters, digits, dashes and underscores.",
    max_length=255,
    pattern=paths.NAME,
    pattern_message=paths.BAD_NAME,
)
DESCRIPTION = Text("description", "Description", required=False, min_length=0, max_length=1024, multiline=True)
ID = Schema((Id("folderId"),))
PATH = (("folderId", "The folder's id."),)
SHAPE: dict[str, Any] = {
    "id": UUID,
    "name": TEXT,
    "version": WHOLE,
    "envId": UUID,
    "parentId": {**UUID, "nullable": True},
    "isReserved": FLAG,
    "description": TEXT_OR_NULL,
    "lastSecretModified": TIME_OR_NULL,
    "createdAt": TIME,
    "updatedAt": TIME,
}
BARE = closed(SHAPE)
PLACED = closed({**SHAPE, "path": TEXT})
LISTED = closed({**SHAPE, "relativePath": TEXT}, optional=("relativePath",))
MANY = closed({"folders": listed(LISTED)})
WHOLE_FOLDER = closed(
    {
        **SHAPE,
        "path": TEXT,
        "projectId": UUID,
        "environment": closed({"envId": UUID, "envName": TEXT, "envSlug": TEXT}),
    }
)


def wire(folder: Folder, **more: Any) -> dict[str, Any]:
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
        **more,
    }


class _FolderView(View):
    def identified(self, folder_id: str) -> Folder:
        return selectors.folder_by_id(self.actor, ID.validate({"folderId": folder_id})["folderId"])

    def environment(self, project: dict[str, str], slug: str, right: Right = Right.SEE) -> Environment:
        return selectors.environment_by_slug(named_project(self.actor, project, right), slug)


def _routes(dialect: Dialect) -> list[Any]:
    """`path` has an old alias in v1, `directory`."""
    suffix = "" if dialect.version == "v2" else "V1"
    alias = (FolderPath("directory", "Old name of `path`.", default=None),) if dialect.version == "v1" else ()
    where = (*dialect.body_fields(), environment_field(), FolderPath("path", default=None), *alias)
    create = Schema((*where, NAME, DESCRIPTION), strict=False)
    update = Schema((*where, NAME, DESCRIPTION), strict=False)
    gone = (Flag("forceDelete", help="Also where there is something in it.", default=False),)
    delete_body = Schema((*where, *(gone if dialect.version == "v2" else ())), strict=False)
    query = Schema(
        (
            *where,
            Flag("recursive", help="All folders below, each with `relativePath`.", default=False, lenient=True),
            Moment("lastSecretModified", "Folders with a secret changed since then."),
        ),
        strict=False,
    )
    batch = Schema(
        (
            Text("projectSlug", "Project", "Its slug.", max_length=64),
            Objects(
                "folders",
                Schema(
                    (Id("id"), environment_field(required=False), NAME, FolderPath("path", default=None), DESCRIPTION),
                    strict=False,
                ),
                required=True,
                min_items=1,
                max_items=100,
            ),
        ),
        strict=False,
    )

    def parent_path(given: dict[str, Any]) -> str:
        return str(given.get("path") or given.get("directory") or "/")

    def project_of(given: dict[str, Any]) -> dict[str, str]:
        return dialect.project(given, "Missing project id")

    class Folders(_FolderView):
        @described(
            f"listFolders{suffix}", TAG, "What is in a folder.", closed({"folders": listed(LISTED)}), query=query
        )
        def get(self, request: Request) -> Response:
            given = self.query(query)
            since = given.get("lastSecretModified")
            environment = self.environment(project_of(given), given["environment"])
            parent = parent_path(given)
            below = f"{parent.rstrip('/')}/"
            found = Folder.objects.filter(environment=environment, path__startswith=below).exclude(path=parent)
            if not given["recursive"]:
                found = found.filter(parent__path=parent)
            if since:
                found = found.filter(last_secret_modified__gte=since)
            rows = [
                wire(each, **({"relativePath": each.path[len(below) - 1 :]} if given["recursive"] else {}))
                for each in found.order_by("path")
                if each.path.startswith(below)  # SQLite's LIKE ignores case
            ]
            return Response({"folders": rows})

        @described(
            f"createFolder{suffix}",
            TAG,
            "A folder, with its ancestors; one that is there already is answered with.",
            closed({"folder": PLACED}),
            body=create,
        )
        def post(self, request: Request) -> Response:
            given = self.body(create)
            environment = self.environment(project_of(given), given["environment"], Right.WRITE_SECRETS)
            made = folders.ensure_folder(
                self.actor,
                environment,
                f"{parent_path(given).rstrip('/')}/{folder_name(given['name'])}",
                description=given.get("description"),
            )
            return Response({"folder": wire(made, path=made.path)})

    class OneFolder(_FolderView):
        @described(f"getFolder{suffix}", TAG, "A folder by its id.", closed({"folder": WHOLE_FOLDER}), path=PATH)
        def get(self, request: Request, folderId: str) -> Response:
            folder = self.identified(folderId)
            environment = folder.environment
            shown = wire(
                folder,
                path=folder.path,
                projectId=str(environment.project_id),
                environment={
                    "envId": str(environment.pk),
                    "envName": environment.name,
                    "envSlug": environment.slug,
                },
            )
            return Response({"folder": shown})

        @described(
            f"updateFolder{suffix}",
            TAG,
            "Rename or describe a folder of `path`.",
            closed({"folder": PLACED}),
            body=update,
            path=PATH,
        )
        def patch(self, request: Request, folderId: str) -> Response:
            folder_id = ID.validate({"folderId": folderId})["folderId"]
            given = self.body(update)
            parent = find_folder(
                self.actor, project_of(given), given["environment"], parent_path(given), Right.WRITE_SECRETS
            )
            folder = selectors.folders().filter(pk=folder_id, parent=parent).first()
            if folder is None:
                raise NotFound(f"Folder with ID '{folder_id}' not found in {parent.path}")
            what = {"name": given["name"], "description": given.get("description")}
            (changed,) = folders.update_folders(self.actor, [(folder, what)])
            return Response({"folder": wire(changed, path=changed.path)})

        @described(
            f"deleteFolder{suffix}",
            TAG,
            "Delete a folder of `path`, named by its id or its name, with all below it.",
            closed({"folder": BARE}),
            body=delete_body,
            path=(("folderId", "The folder's id, or its name.", TEXT),),
        )
        def delete(self, request: Request, folderId: str) -> Response:
            given = self.body(delete_body)
            parent = find_folder(
                self.actor, project_of(given), given["environment"], parent_path(given), Right.WRITE_SECRETS
            )
            folder = _child(parent, folderId)
            shown = wire(folder)
            folders.delete_folder(self.actor, folder, force=given.get("forceDelete", True))
            return Response({"folder": shown})

    class Batch(_FolderView):
        @described(
            f"updateFolders{suffix}",
            TAG,
            "Rename or describe several folders, all or none.",
            closed({"folders": listed(PLACED)}),
            body=batch,
        )
        def patch(self, request: Request) -> Response:
            given = self.body(batch)
            project = named_project(self.actor, {"slug": given["projectSlug"]}, Right.WRITE_SECRETS)
            asked = {Uuid(each["id"]): each for each in given["folders"]}
            known = selectors.folders().filter(pk__in=asked, environment__project=project)
            if missing := set(asked) - {folder.pk for folder in known}:
                raise NotFound(f"Folder with ID '{missing.pop()}' not found")
            updates = [
                (
                    folder,
                    {
                        "name": asked[folder.pk]["name"],
                        "description": asked[folder.pk].get("description"),
                    },
                )
                for folder in known
            ]
            changed = folders.update_folders(self.actor, updates)
            return Response({"folders": [wire(each, path=each.path) for each in changed]})

    base = f"{dialect.version}/folders"
    one = OneFolder.as_view()
    return [
        path(base, Folders.as_view()),
        path(f"{base}/batch", or_named(Batch.as_view(), one, ("delete",), folderId="batch")),
        path(f"{base}/<str:folderId>", one),
    ]


def _child(parent: Folder, id_or_name: str) -> Folder:
    children = selectors.folders().filter(parent=parent)
    try:
        found = children.filter(pk=Uuid(id_or_name)).first()
    except ValueError:
        found = None
    found = found or children.filter(name=id_or_name).first()
    if found is None:
        raise NotFound(f"Folder with ID '{id_or_name}' not found")
    return found


urlpatterns = [route for dialect in DIALECTS for route in _routes(dialect)]
