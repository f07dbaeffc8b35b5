"""Secrets: v3 raw, which the SDKs use, and v4, which is the same with other names and defaults.

Source: https://infisical.com/docs/api-reference/endpoints/secrets/list
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.urls import path
from rest_framework.request import Request

from config.access import audit
from config.access.roles import Right
from config.api.base import View, or_named, with_etag
from config.api.operations import TypedResponse, operation
from config.errors import BadRequest
from syncs import models
from syncs.services import secrets as services
from syncs.source import queries
from syncs.source.queries import ReadSecret, SecretQuery, find_folder
from syncs.source.tags import tags_by_id
from syncs.source.validation import SecretInput

from .fields import project_of
from .secret_requests import (
    MODES,
    V3,
    V4,
    BatchChange,
    BatchDeletion,
    ChangedContent,
    Deletion,
    InFolder,
    InFolderOrMissing,
    ListOptions,
    ReadOptions,
    SecretContent,
    Tagging,
    Version,
)
from .secret_responses import OneSecret, Secret, SecretList, SecretListWithImports, import_json, secret_json


class SecretView(View):
    tag = "Secrets"
    version: Version = V4

    def folder(
        self,
        request: InFolder | InFolderOrMissing | Tagging,
        right: Right = Right.SEE,
        missing: str = "Missing environment",
    ) -> models.Folder:
        if not request.environment:
            raise BadRequest(missing)
        project = project_of(request, "You must provide workspaceSlug or workspaceId")
        return find_folder(self.actor, project, request.environment, request.secretPath, right)

    def read_options(self, query: ReadOptions, project_id: UUID) -> SecretQuery:
        """As requested, without the values that the caller may not read."""
        imports = [each for each in (query.include_imports, query.includeImports) if each is not None]
        listed = query if isinstance(query, ListOptions) else ListOptions()
        return SecretQuery(
            values=query.viewSecretValue and self.actor.may(Right.READ_VALUES, project_id),
            expanded=query.expandSecretReferences,
            imports=any(imports) if imports else self.version is V4,
            recursive=listed.recursive,
            tags=frozenset(filter(None, (slug.strip() for slug in (listed.tagSlugs or "").split(",")))),
            metadata=queries.metadata_filters(listed.metadataFilter or ""),
        )

    def inputs(self, folder: models.Folder, items: Sequence[tuple[str, SecretContent]]) -> list[SecretInput]:
        refuse_personal(content for _, content in items)
        ids = sorted({tag_id for _, content in items for tag_id in content.tagIds or ()})
        slugs = tags_by_id(folder.environment.project, ids) if ids else {}
        return [_input(key, content, slugs) for key, content in items]

    def one(self, secret: models.Secret) -> TypedResponse[OneSecret]:
        return TypedResponse({"secret": self.written([secret])[0]})

    def written(self, secrets: Sequence[models.Secret]) -> list[Secret]:
        """After a write: whoever may write may read."""
        if not secrets:
            return []
        project_id = secrets[0].folder.environment.project_id
        values = self.actor.may(Right.READ_VALUES, project_id)
        return [secret_json(found, project_id) for found in queries.views_of(secrets, values=values)]

    def read(self, found: ReadSecret) -> TypedResponse[OneSecret]:
        """One secret, recorded in the audit log as read."""
        secret, environment = found.secret, found.secret.folder.environment
        audit.record(
            self.actor,
            "get-secret",
            environment.project_id,
            environment=environment.slug,
            secretPath=secret.folder.path,
            secretId=secret.pk,
            secretKey=secret.key,
            secretVersion=secret.version,
            isValueShown=found.value is not None,
        )
        response = TypedResponse[OneSecret]({"secret": secret_json(found, environment.project_id)})
        return with_etag(self.request, response, environment.project_id)


def refuse_personal(items: Iterable[SecretContent | Deletion | BatchDeletion]) -> None:
    if any(item.type == "personal" for item in items):
        raise BadRequest("Personal secrets are not supported. Leave out `type`, or send 'shared'.")


def _input(key: str, content: SecretContent, slugs: dict[str, str]) -> SecretInput:
    value, metadata = content.secretValue, content.secretMetadata
    return SecretInput(
        key=key,
        value=None if value is None else value.get_secret_value(),
        comment=content.secretComment,
        tags=None if content.tagIds is None else [slugs[tag_id] for tag_id in content.tagIds],
        metadata=None if metadata is None else [each.stored() for each in metadata],
        skip_multiline_encoding=content.skipMultilineEncoding,
        new_key=content.newSecretName if isinstance(content, ChangedContent) else None,
        reminder_note=content.secretReminderNote,
        reminder_repeat_days=content.secretReminderRepeatDays,
    )


class Secrets(SecretView):
    @operation(
        "listSecrets{suffix}",
        "List the secrets of a folder and of its imports; the last import has precedence.",
        query="version.list_query",
        has_etag=True,
    )
    def get(self, request: Request) -> TypedResponse[SecretListWithImports]:
        query = self.query(self.version.list_query)
        missing = "Missing project id or environment"
        if not query.environment:
            raise BadRequest(missing)
        folder = find_folder(self.actor, project_of(query, missing), query.environment, query.secretPath)
        project_id = folder.environment.project_id
        options = self.read_options(query, project_id)
        own, imported = queries.secrets_of(folder, options)
        audit.record(
            self.actor,
            "get-secrets",
            project_id,
            environment=folder.environment.slug,
            secretPath=folder.path,
            numberOfSecrets=len(own) + sum(len(each.secrets) for each in imported),
            areValuesShown=options.values,
        )
        response = TypedResponse[SecretListWithImports](
            {
                "secrets": [secret_json(each, project_id) for each in own],
                "imports": [import_json(each, project_id) for each in imported],
            }
        )
        return with_etag(request, response, project_id)


class OneSecretView(SecretView):
    @operation("getSecret{suffix}", "Get a secret by its name.", query="version.read_query", has_etag=True)
    def get(self, request: Request, secretName: str) -> TypedResponse[OneSecret]:
        query = self.query(self.version.read_query)
        folder = self.folder(query)
        options = self.read_options(query, folder.environment.project_id)
        return self.read(queries.secret_at(folder, secretName.strip(), options, query.version))

    @operation("createSecret{suffix}", "Create a secret.", body="version.new")
    def post(self, request: Request, secretName: str) -> TypedResponse[OneSecret]:
        body = self.body(self.version.new)
        return self._set(self.folder(body, Right.WRITE_SECRETS), secretName, body, "create")

    @operation(
        "updateSecret{suffix}", "Change a secret. Members that are left out are unchanged.", body="version.change"
    )
    def patch(self, request: Request, secretName: str) -> TypedResponse[OneSecret]:
        body = self.body(self.version.change)
        return self._set(self.folder(body, Right.WRITE_SECRETS), secretName, body, "update")

    def _set(self, folder: models.Folder, key: str, content: SecretContent, mode: str) -> TypedResponse[OneSecret]:
        (secret,) = services.set_secrets(self.actor, folder, self.inputs(folder, [(key, content)]), mode=mode)
        return self.one(secret)

    @operation("deleteSecret{suffix}", "Delete a secret.", body="version.deletion")
    def delete(self, request: Request, secretName: str) -> TypedResponse[OneSecret]:
        body = self.body(self.version.deletion)
        folder = self.folder(body, Right.WRITE_SECRETS)
        refuse_personal([body])
        (gone,) = services.delete_secrets(self.actor, folder, [secretName.strip()])
        return self.one(gone)


class SecretById(SecretView):
    @operation("getSecretById{suffix}", "Get a secret by its ID.", query="version.read_by_id_query", has_etag=True)
    def get(self, request: Request, secretId: str) -> TypedResponse[OneSecret]:
        secret_id = self.id("secretId")
        query = self.query(self.version.read_by_id_query)
        known = queries.secret_with_id(self.actor, secret_id, SecretQuery(values=False))
        options = self.read_options(query, known.secret.folder.environment.project_id)
        return self.read(queries.with_values(known, options, query.version))


class SecretBatch(SecretView):
    @operation("createSecrets{suffix}", "Create several secrets, all or none.", body="version.batch_of_new")
    def post(self, request: Request) -> TypedResponse[SecretList]:
        body = self.body(self.version.batch_of_new)
        folder = self.folder(body, Right.WRITE_SECRETS)
        inputs = self.inputs(folder, [(each.secretKey, each) for each in body.secrets])
        created = services.set_secrets(self.actor, folder, inputs, mode="create")
        return TypedResponse({"secrets": self.written(created)})

    @operation("updateSecrets{suffix}", "Change several secrets, all or none.", body="version.batch_of_changes")
    def patch(self, request: Request) -> TypedResponse[SecretList]:
        body = self.body(self.version.batch_of_changes)
        by_path: dict[str, list[BatchChange]] = {}
        for item in body.secrets:
            by_path.setdefault(item.secretPath or body.secretPath, []).append(item)
        project = project_of(body, "You must provide workspaceSlug or workspaceId")
        found = queries.find_folders(self.actor, project, body.environment, by_path, Right.WRITE_SECRETS)
        ordered = [(item.secretKey, item) for items in by_path.values() for item in items]
        inputs = iter(self.inputs(next(iter(found.values())), ordered))
        groups = [(found[location], [next(inputs) for _ in items]) for location, items in by_path.items()]
        changed = services.set_in_folders(self.actor, groups, mode=MODES[body.mode])
        return TypedResponse({"secrets": self.written(changed)})

    @operation("deleteSecrets{suffix}", "Delete several secrets, all or none.", body="version.batch_of_deletions")
    def delete(self, request: Request) -> TypedResponse[SecretList]:
        body = self.body(self.version.batch_of_deletions)
        folder = self.folder(body, Right.WRITE_SECRETS)
        refuse_personal(body.secrets)
        gone = services.delete_secrets(self.actor, folder, [each.secretKey for each in body.secrets])
        return TypedResponse({"secrets": self.written(gone)})


NAMED = ("get", "post", "patch", "delete")
"""Methods of a secret by its name, which may be that of an endpoint."""


def one_secret(version: Version) -> Any:
    return _as_view(OneSecretView, version)


def _as_view(view: type[SecretView], version: Version) -> Any:
    return view.as_view(version=version, terms={"suffix": version.suffix})


def _paths(version: Version, batch: Any) -> list[Any]:
    return [
        path(version.base, _as_view(Secrets, version)),
        path(f"{version.base}/id/<str:secretId>", _as_view(SecretById, version)),
        batch,
        path(f"{version.base}/<str:secretName>", one_secret(version)),
    ]


_batch_v4 = or_named(_as_view(SecretBatch, V4), one_secret(V4), NAMED, secretName="batch")
urlpatterns = [
    *_paths(V3, path("v3/secrets/batch/raw", _as_view(SecretBatch, V3))),
    *_paths(V4, path("v4/secrets/batch", _batch_v4)),
]
