"""What is of no single destination: the destinations themselves, error codes, and the syncs of all destinations.

Source: https://infisical.com/docs/api-reference/endpoints/secret-syncs/list
"""

from __future__ import annotations

from django.urls import path
from rest_framework.request import Request
from typing_extensions import TypedDict

from config.api.base import View
from config.api.operations import Answer, operation
from config.schemas.answers import Name
from config.schemas.json_schema import JsonSchema, with_component
from syncs.destination.base import destinations
from syncs.engine.error_codes import Code
from syncs.source import selectors

from .destination_views import ProjectQuery, listed
from .sync_answers import SecretSyncList, sync_schema


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

    @operation("listSecretSyncErrorCodes", "What can keep a key from arriving, and what to do about it.")
    def get(self, request: Request) -> Answer[ErrorCodeList]:
        codes: list[ErrorCode] = [{"code": code.value, "meaning": code.meaning, "remedy": code.remedy} for code in Code]
        return Answer({"errorCodes": codes})


class Options(View):
    tag = "Secret Syncs"

    @operation("listSecretSyncOptions", "The destinations that secrets can be synced to.")
    def get(self, request: Request) -> Answer[SecretSyncOptionList]:
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
        return Answer({"secretSyncOptions": options})


class SyncsOfProject(View):
    tag = "Secret Syncs"

    def specialized(self, answer: JsonSchema) -> JsonSchema:
        variants = [sync_schema(found) for found in destinations]
        return with_component(answer, "SecretSync", {"anyOf": variants})

    @operation("listSecretSyncs", "All syncs of a project.", query=ProjectQuery)
    def get(self, request: Request) -> Answer[SecretSyncList]:
        project_id = self.query(ProjectQuery).projectId
        return listed(self.actor, selectors.syncs_of_project(self.actor, project_id))


urlpatterns = [
    path("v1/secret-syncs", SyncsOfProject.as_view()),
    path("v1/secret-syncs/options", Options.as_view()),
    path("v1/secret-syncs/error-codes", ErrorCodes.as_view()),
]
