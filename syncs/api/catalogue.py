"""Endpoints that belong to no single destination: destinations, error codes, and the syncs of all destinations.

Source: https://infisical.com/docs/api-reference/endpoints/secret-syncs/list
"""

from __future__ import annotations

from typing import Annotated

from django.urls import path
from rest_framework.request import Request
from typing_extensions import TypedDict

from config.access.roles import Right, project_for
from config.api.base import View
from config.api.operations import TypedResponse, operation
from config.responses import Name
from config.schemas.json_schema import JsonSchema, with_component
from config.schemas.types import Text
from syncs.destination.base import destinations
from syncs.engine.error_codes import Code
from syncs.planning.conflicts import Conflict, conflicts_below
from syncs.services.sync_checks import source_folder
from syncs.source import selectors
from syncs.source.paths import PathText

from .destination_views import ProjectQuery, listed
from .sync_responses import SecretSyncList, sync_schema


class ErrorCode(TypedDict):
    code: str
    meaning: str
    remedy: str


class ErrorCodeList(TypedDict):
    errorCodes: list[ErrorCode]


class SecretSyncOption(TypedDict):
    name: Name
    connection: str
    destination: str
    canImportSecrets: bool
    canRemoveSecretsOnDeletion: bool


class SecretSyncOptionList(TypedDict):
    secretSyncOptions: list[SecretSyncOption]


class ErrorCodes(View):
    tag = "Secret Syncs"

    @operation("listSecretSyncErrorCodes", "List the error codes of keys that were not synced, with their remedies.")
    def get(self, request: Request) -> TypedResponse[ErrorCodeList]:
        codes: list[ErrorCode] = [{"code": code.value, "meaning": code.meaning, "remedy": code.remedy} for code in Code]
        return TypedResponse({"errorCodes": codes})


class Options(View):
    tag = "Secret Syncs"

    @operation("listSecretSyncOptions", "List the destinations that secrets can be synced to.")
    def get(self, request: Request) -> TypedResponse[SecretSyncOptionList]:
        options: list[SecretSyncOption] = [
            {
                "name": found.label,
                "connection": found.provider,
                "destination": found.slug,
                "canImportSecrets": found.capabilities.can_import,
                "canRemoveSecretsOnDeletion": True,
            }
            for found in destinations
        ]
        return TypedResponse({"secretSyncOptions": options})


class SyncsOfProject(View):
    tag = "Secret Syncs"

    def specialized(self, schema: JsonSchema) -> JsonSchema:
        variants = [sync_schema(found) for found in destinations]
        return with_component(schema, "SecretSync", {"anyOf": variants})

    @operation("listSecretSyncs", "List all syncs of a project.", query=ProjectQuery)
    def get(self, request: Request) -> TypedResponse[SecretSyncList]:
        project_id = self.query(ProjectQuery).projectId
        return listed(self.actor, selectors.syncs_of_project(self.actor, project_id))


class FolderQuery(ProjectQuery):
    environment: Annotated[str, Text("Environment", "The slug of the environment.", max_length=64, example="dev")]
    secretPath: Annotated[str, PathText("secretPath", "The folder.", example="/services/api")] = "/"


class ConflictList(TypedDict):
    conflicts: list[Conflict]


class RecursiveConflicts(View):
    tag = "Secret Syncs"

    @operation(
        "listSecretSyncRecursiveConflicts",
        "List the keys that more than one folder has, of a folder and all folders below it.",
        query=FolderQuery,
    )
    def get(self, request: Request) -> TypedResponse[ConflictList]:
        query = self.query(FolderQuery)
        project = project_for(self.actor, query.projectId, Right.SEE_SYNCS)
        folder = source_folder(self.actor, project, query.environment, query.secretPath)
        return TypedResponse({"conflicts": conflicts_below(folder)})


urlpatterns = [
    path("v1/secret-syncs", SyncsOfProject.as_view()),
    path("v1/secret-syncs/options", Options.as_view()),
    path("v1/secret-syncs/error-codes", ErrorCodes.as_view()),
    path("v1/secret-syncs/recursive-conflicts", RecursiveConflicts.as_view()),
]
