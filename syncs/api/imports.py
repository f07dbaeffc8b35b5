"""Secret imports: a folder takes another's secrets too.

Source: https://infisical.com/docs/api-reference/endpoints/secret-imports/list
"""

from __future__ import annotations

from typing import Any

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from config.access import audit
from config.access.roles import Right
from config.api.base import View
from config.api.openapi import FLAG, TEXT, TEXT_OR_NULL, TIME, TIME_OR_NULL, UUID, WHOLE, closed, described, listed
from config.conventions import timestamp
from config.errors import BadRequest
from config.schemas.schema import Field, Flag, Id, Nested, Schema, Whole
from syncs.models import SecretImport
from syncs.services import imports
from syncs.source import selectors
from syncs.source.paths import FolderPath
from syncs.source.queries import Wish, find_folder, secrets_of

from .fields import Dialect, environment_field
from .secret_wire import SECRET, secret_wire

TAG = "Secret Imports"
DIALECTS = (Dialect("v1", "workspaceId"), Dialect("v2", "projectId"))
ID = Schema((Id("secretImportId"),))
PATH = (("secretImportId", "The import's id."),)
_ENVIRONMENT = closed({"id": UUID, "name": TEXT, "slug": TEXT})
SHAPE: dict[str, Any] = {
    "id": UUID,
    "version": WHOLE,
    "folderId": UUID,
    "importPath": TEXT,
    "importEnv": _ENVIRONMENT,
    "position": WHOLE,
    "isReplication": FLAG,
    "isReplicationSuccess": {**FLAG, "nullable": True},
    "replicationStatus": TEXT_OR_NULL,
    "lastReplicated": TIME_OR_NULL,
    "isReserved": FLAG,
    "createdAt": TIME,
    "updatedAt": TIME,
}
IMPORT = closed(SHAPE)
PLACED = closed({**SHAPE, "environment": _ENVIRONMENT, "projectId": UUID, "secretPath": TEXT})
BROUGHT = closed(
    {
        "secretPath": TEXT,
        "environment": TEXT,
        "environmentInfo": _ENVIRONMENT,
        "folderId": UUID,
        "secrets": listed(SECRET),
    }
)
TARGET = Schema((environment_field(), FolderPath("path", required=True, default=None)), strict=False)
CHANGED_TARGET = Schema(
    (
        environment_field(required=False),
        FolderPath("path", default=None),
        Whole("position", "From 1; the last has precedence.", minimum=1, maximum=10_000),
    ),
    strict=False,
)


def wire(row: SecretImport, **more: Any) -> dict[str, Any]:
    environment = row.import_environment
    return {
        "id": str(row.pk),
        "version": 1,
        "folderId": str(row.folder_id),
        "importPath": row.import_path,
        "importEnv": {"id": str(environment.pk), "name": environment.name, "slug": environment.slug},
        "position": row.position,
        "isReplication": False,
        "isReplicationSuccess": None,
        "replicationStatus": None,
        "lastReplicated": None,
        "isReserved": False,
        "createdAt": timestamp(row.created_at),
        "updatedAt": timestamp(row.updated_at),
        **more,
    }


def _routes(dialect: Dialect) -> list[Any]:
    suffix = "" if dialect.version == "v2" else "V1"
    where: tuple[Field, ...] = (*dialect.body_fields(), environment_field(), FolderPath("path"))
    at = Schema(where, strict=False)
    create = Schema(
        (*where, Nested("import", TARGET), Flag("isReplication", help="Copies are not made here.", default=False)),
        strict=False,
    )
    update = Schema((*where, Nested("import", CHANGED_TARGET)), strict=False)
    told = closed({"message": TEXT, "secretImport": IMPORT})

    class _ImportView(View):
        def folder(self, given: dict[str, Any], right: Right = Right.SEE) -> Any:
            project = dialect.project(given, "Missing project id")
            return find_folder(self.actor, project, given["environment"], given["path"], right)

        def named(self, import_id: str, given: dict[str, Any]) -> SecretImport:
            return selectors.import_of(self.folder(given, Right.WRITE_SECRETS), import_id)

        def told(self, row: SecretImport, done: str) -> Response:
            return Response({"message": f"Successfully {done} secret import", "secretImport": wire(row)})

        @staticmethod
        def id_of(import_id: str) -> str:
            return str(ID.validate({"secretImportId": import_id})["secretImportId"])

    class Imports(_ImportView):
        @described(
            f"listSecretImports{suffix}",
            TAG,
            "A folder's imports, in the order of their positions; the last has precedence.",
            closed({"message": TEXT, "secretImports": listed(IMPORT)}),
            query=at,
        )
        def get(self, request: Request) -> Response:
            folder = self.folder(self.query(at))
            found = folder.imports.select_related("import_environment").order_by("position", "pk")
            shown = [wire(row) for row in found]
            audit.record(
                self.actor,
                "get-secret-imports",
                folder.environment.project_id,
                environment=folder.environment.slug,
                folderId=folder.pk,
                numberOfImports=len(shown),
            )
            return Response({"message": "Successfully fetched secret imports", "secretImports": shown})

        @described(f"createSecretImport{suffix}", TAG, "Import a folder, after the others.", told, body=create)
        def post(self, request: Request) -> Response:
            given = self.body(create)
            if given["isReplication"]:
                raise BadRequest("Replication is not offered: an import always shows what its folder holds now")
            folder = self.folder(given, Right.WRITE_SECRETS)
            wanted = given["import"]
            environment = selectors.environment_by_slug(folder.environment.project, wanted["environment"])
            made = imports.add_import(self.actor, folder, environment, wanted["path"])
            return self.told(made, "created")

    class OneImport(_ImportView):
        @described(f"getSecretImport{suffix}", TAG, "An import.", closed({"secretImport": PLACED}), path=PATH)
        def get(self, request: Request, secretImportId: str) -> Response:
            row = selectors.import_by_id(self.actor, self.id_of(secretImportId))
            folder, environment = row.folder, row.folder.environment
            audit.record(
                self.actor, "get-secret-import", environment.project_id, secretImportId=row.pk, folderId=folder.pk
            )
            shown = wire(
                row,
                environment={"id": str(environment.pk), "name": environment.name, "slug": environment.slug},
                projectId=str(environment.project_id),
                secretPath=folder.path,
            )
            return Response({"secretImport": shown})

        @described(f"updateSecretImport{suffix}", TAG, "Point it elsewhere, or move it.", told, body=update, path=PATH)
        def patch(self, request: Request, secretImportId: str) -> Response:
            import_id = self.id_of(secretImportId)
            given = self.body(update)
            row = self.named(import_id, given)
            wanted = given["import"]
            environment = None
            if slug := wanted.get("environment"):
                environment = selectors.environment_by_slug(row.folder.environment.project, slug)
            changed = imports.update_import(
                self.actor, row, environment=environment, path=wanted.get("path"), position=wanted.get("position")
            )
            return self.told(changed, "updated")

        @described(f"deleteSecretImport{suffix}", TAG, "Import it no more.", told, body=at, path=PATH)
        def delete(self, request: Request, secretImportId: str) -> Response:
            import_id = self.id_of(secretImportId)
            row = self.named(import_id, self.body(at))
            answer = self.told(row, "deleted")
            imports.delete_import(self.actor, row)
            return answer

    class Brought(_ImportView):
        @described(
            f"listImportedSecrets{suffix}",
            TAG,
            "What a folder's imports bring, import by import.",
            closed({"secrets": listed(BROUGHT)}),
            query=at,
        )
        def get(self, request: Request) -> Response:
            folder = self.folder(self.query(at))
            project = folder.environment.project
            shown = self.actor.may(Right.READ_VALUES, project.pk)
            _, brought = secrets_of(folder, Wish(values=shown, imports=True))
            count = sum(len(each.secrets) for each in brought)
            audit.record(
                self.actor,
                "get-secrets",
                project.pk,
                environment=folder.environment.slug,
                secretPath=folder.path,
                numberOfSecrets=count,
            )
            return Response(
                {
                    "secrets": [
                        {
                            "secretPath": each.path,
                            "environment": each.environment,
                            "environmentInfo": {
                                "id": str(each.folder.environment_id),
                                "name": each.folder.environment.name,
                                "slug": each.environment,
                            },
                            "folderId": str(each.folder.pk),
                            "secrets": [secret_wire(one, project.pk) for one in each.secrets],
                        }
                        for each in brought
                    ]
                }
            )

    base = f"{dialect.version}/secret-imports"
    raw = [path(f"{base}/secrets/raw", _hidden(Brought).as_view())] if dialect.version == "v1" else []
    return [
        path(base, Imports.as_view()),
        path(f"{base}/secrets", Brought.as_view()),
        *raw,
        path(f"{base}/<str:secretImportId>", OneImport.as_view()),
    ]


def _hidden(view: type[View]) -> type[View]:
    """The same under another path, which OpenAPI does not repeat."""
    return type(f"{view.__name__}Alias", (view,), {"schema": None})


urlpatterns = [route for dialect in DIALECTS for route in _routes(dialect)]
