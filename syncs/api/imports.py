"""Secret imports: a folder includes the secrets of another folder.

Source: https://infisical.com/docs/api-reference/endpoints/secret-imports/list
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from django.urls import path
from pydantic import create_model
from rest_framework.decorators import action
from rest_framework.request import Request
from typing_extensions import TypedDict

from config.access import audit
from config.access.roles import Right
from config.api.base import View, ViewSet, router
from config.api.operations import TypedResponse, operation
from config.conventions import timestamp
from config.errors import BadRequest
from config.responses import Environment, FolderPath, Message, Name, Time, Uuid, text
from config.schemas.model import Body
from config.schemas.types import Flag, Whole
from syncs import models
from syncs.services import imports
from syncs.source import selectors
from syncs.source.paths import PathText
from syncs.source.queries import SecretQuery, find_folder, secrets_of

from .fields import ENVIRONMENT, OfProject, OfWorkspace, project_of
from .secret_responses import Secret, secret_json

_PATH = PathText("path", example="/services/api")


class InFolder(Body):
    environment: Annotated[str, ENVIRONMENT]
    path: Annotated[str, _PATH] = "/"


class InFolderV1(InFolder, OfWorkspace): ...


class InFolderV2(InFolder, OfProject): ...


class ImportSource(Body):
    environment: Annotated[str, ENVIRONMENT]
    path: Annotated[str, _PATH]


class ImportSourceChange(Body):
    environment: Annotated[str | None, ENVIRONMENT] = None
    path: Annotated[str | None, _PATH] = None
    position: Annotated[
        int | None, Whole("Starts at 1; the last import has precedence.", minimum=1, maximum=10_000)
    ] = None


def _new_import(base: type[InFolder]) -> type[InFolder]:
    """`import` is a keyword of Python, so it cannot be declared as the other members are."""
    replication = Annotated[bool, Flag(help="Replication is not supported.")]
    members: dict[str, Any] = {"import": (ImportSource, ...), "isReplication": (replication, False)}
    return create_model("NewImport", __base__=base, **members)


def _import_change(base: type[InFolder]) -> type[InFolder]:
    members: dict[str, Any] = {"import": (ImportSourceChange, ...)}
    return create_model("ImportChange", __base__=base, **members)


class ImportEnvironment(TypedDict):
    id: Uuid
    name: Name
    slug: Name


class SecretImport(TypedDict):
    id: Uuid
    version: int
    folderId: Uuid
    importPath: Annotated[str, text(example="/shared")]
    importEnv: ImportEnvironment
    position: int
    isReplication: bool
    isReplicationSuccess: bool | None
    replicationStatus: str | None
    lastReplicated: Time | None
    isReserved: bool
    createdAt: Time
    updatedAt: Time


class SecretImportDetail(SecretImport):
    environment: ImportEnvironment
    projectId: Uuid
    secretPath: FolderPath


class ImportedFolder(TypedDict):
    secretPath: FolderPath
    environment: Environment
    environmentInfo: ImportEnvironment
    folderId: Uuid
    secrets: list[Secret]


class SecretImportList(TypedDict):
    message: Message
    secretImports: list[SecretImport]


class SecretImportChanged(TypedDict):
    message: Message
    secretImport: SecretImport


class OneSecretImport(TypedDict):
    secretImport: SecretImportDetail


class ImportedSecrets(TypedDict):
    secrets: list[ImportedFolder]


def _environment(environment: models.Environment) -> ImportEnvironment:
    return {"id": str(environment.pk), "name": environment.name, "slug": environment.slug}


def import_json(row: models.SecretImport) -> SecretImport:
    return {
        "id": str(row.pk),
        "version": 1,
        "folderId": str(row.folder_id),
        "importPath": row.import_path,
        "importEnv": _environment(row.import_environment),
        "position": row.position,
        "isReplication": False,
        "isReplicationSuccess": None,
        "replicationStatus": None,
        "lastReplicated": None,
        "isReserved": False,
        "createdAt": timestamp(row.created_at),
        "updatedAt": timestamp(row.updated_at),
    }


class _ImportView(View):
    tag = "Secret Imports"
    terms = {"suffix": ""}
    in_folder: ClassVar[type[InFolder]] = InFolderV2

    def folder(self, request: InFolder, right: Right = Right.SEE) -> models.Folder:
        return find_folder(self.actor, project_of(request), request.environment, request.path, right)


class SecretImports(ViewSet, _ImportView):
    """Version 2. What version 1 has otherwise is in the attributes."""

    lookup_url_kwarg = "secretImportId"
    new: ClassVar[type[InFolder]] = _new_import(InFolderV2)
    change: ClassVar[type[InFolder]] = _import_change(InFolderV2)

    def done(self, row: models.SecretImport, what: str) -> TypedResponse[SecretImportChanged]:
        return TypedResponse({"message": f"Successfully {what} secret import", "secretImport": import_json(row)})

    def row(self, import_id: str, request: InFolder) -> models.SecretImport:
        return selectors.import_of(self.folder(request, Right.WRITE_SECRETS), import_id)

    @operation(
        "listSecretImports{suffix}",
        "List the imports of a folder by position; the last one has precedence.",
        query="in_folder",
    )
    def list(self, request: Request) -> TypedResponse[SecretImportList]:
        folder = self.folder(self.query(self.in_folder))
        found = folder.imports.select_related("import_environment").order_by("position", "pk")
        rows = [import_json(row) for row in found]
        audit.record(
            self.actor,
            "get-secret-imports",
            folder.environment.project_id,
            environment=folder.environment.slug,
            folderId=folder.pk,
            numberOfImports=len(rows),
        )
        return TypedResponse({"message": "Successfully fetched secret imports", "secretImports": rows})

    @operation("createSecretImport{suffix}", "Import a folder, after the existing imports.", body="new")
    def create(self, request: Request) -> TypedResponse[SecretImportChanged]:
        body: Any = self.body(self.new)
        if body.isReplication:
            raise BadRequest("Replication is not supported: an import always returns the current secrets of its folder")
        folder = self.folder(body, Right.WRITE_SECRETS)
        source: ImportSource = getattr(body, "import")
        environment = selectors.environment_by_slug(folder.environment.project, source.environment)
        return self.done(imports.add_import(self.actor, folder, environment, source.path), "created")

    @operation("getSecretImport{suffix}", "Get an import.")
    def retrieve(self, request: Request, secretImportId: str) -> TypedResponse[OneSecretImport]:
        row = selectors.import_by_id(self.actor, self.id("secretImportId"))
        folder, environment = row.folder, row.folder.environment
        audit.record(self.actor, "get-secret-import", environment.project_id, secretImportId=row.pk, folderId=folder.pk)
        detail: SecretImportDetail = {
            **import_json(row),
            "environment": _environment(environment),
            "projectId": str(environment.project_id),
            "secretPath": folder.path,
        }
        return TypedResponse({"secretImport": detail})

    @operation("updateSecretImport{suffix}", "Change the imported folder or the position of an import.", body="change")
    def partial_update(self, request: Request, secretImportId: str) -> TypedResponse[SecretImportChanged]:
        import_id = self.id("secretImportId")
        body = self.body(self.change)
        row = self.row(import_id, body)
        source: ImportSourceChange = getattr(body, "import")
        environment = None
        if source.environment:
            environment = selectors.environment_by_slug(row.folder.environment.project, source.environment)
        changed = imports.update_import(
            self.actor, row, environment=environment, path=source.path, position=source.position
        )
        return self.done(changed, "updated")

    @operation("deleteSecretImport{suffix}", "Delete an import.", body="in_folder")
    def destroy(self, request: Request, secretImportId: str) -> TypedResponse[SecretImportChanged]:
        import_id = self.id("secretImportId")
        row = self.row(import_id, self.body(self.in_folder))
        response = self.done(row, "deleted")
        imports.delete_import(self.actor, row)
        return response

    @action(detail=False)
    @operation(
        "listImportedSecrets{suffix}", "List the secrets that a folder imports, grouped by import.", query="in_folder"
    )
    def secrets(self, request: Request) -> TypedResponse[ImportedSecrets]:
        folder = self.folder(self.query(self.in_folder))
        project = folder.environment.project
        values = self.actor.may(Right.READ_VALUES, project.pk)
        _, imported = secrets_of(folder, SecretQuery(values=values, imports=True))
        audit.record(
            self.actor,
            "get-secrets",
            project.pk,
            environment=folder.environment.slug,
            secretPath=folder.path,
            numberOfSecrets=sum(len(each.secrets) for each in imported),
        )
        found: list[ImportedFolder] = [
            {
                "secretPath": each.path,
                "environment": each.environment,
                "environmentInfo": _environment(each.folder.environment),
                "folderId": str(each.folder.pk),
                "secrets": [secret_json(one, project.pk) for one in each.secrets],
            }
            for each in imported
        ]
        return TypedResponse({"secrets": found})


class SecretImportsV1(SecretImports):
    terms = {"suffix": "V1"}
    in_folder = InFolderV1
    new = _new_import(InFolderV1)
    change = _import_change(InFolderV1)


_router = router()
_router.register("v1/secret-imports", SecretImportsV1, basename="secret-import-v1")
_router.register("v2/secret-imports", SecretImports, basename="secret-import")
urlpatterns = [
    # An older path of the same, which OpenAPI does not repeat.
    path("v1/secret-imports/secrets/raw", SecretImportsV1.as_view({"get": "secrets"}, schema=None)),
    *_router.urls,
]
