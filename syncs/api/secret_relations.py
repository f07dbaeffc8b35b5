"""References, tags and versions of secrets, and moving secrets to another folder.

Source: https://infisical.com/docs/api-reference/endpoints/secrets/attach-tags and, for the rest, clients of the
modelled API
"""

from __future__ import annotations

from typing import Annotated, Any

from django.urls import path
from pydantic import WithJsonSchema
from rest_framework.request import Request
from typing_extensions import TypedDict

from config.access import audit
from config.access.roles import Right
from config.api.base import or_named
from config.api.operations import TypedResponse, operation
from config.conventions import timestamp
from config.responses import Environment, FolderPath, Uuid
from syncs.engine.references import Node
from syncs.services import secrets as services
from syncs.source import queries, references
from syncs.source.queries import SecretQuery, find_folder
from syncs.source.selectors import HIDDEN
from syncs.source.tags import require_tags
from syncs.source.validation import SecretInput

from .fields import project_of
from .secret_requests import V4, FolderQueryV4, MoveV4, Tagging, VersionPage
from .secret_responses import Key, OneSecret, SecretVersion, SecretVersionList, actor_json
from .secrets import NAMED, SecretView, one_secret


class Moved(TypedDict):
    isSourceUpdated: bool
    isDestinationUpdated: bool


class Reference(TypedDict):
    secretKey: Key
    secretId: Uuid
    environment: Environment
    secretPath: FolderPath
    referenceType: str


class ReferenceList(TypedDict):
    references: list[Reference]
    totalCount: int


class ReferenceNode(TypedDict):
    """A secret in the tree; each child is a node too, which OpenAPI cannot describe without a cycle."""

    key: Key
    value: str | None
    environment: Environment
    secretPath: FolderPath
    children: list[Annotated[Any, WithJsonSchema({"type": "object"})]]


class ReferenceTree(TypedDict):
    tree: ReferenceNode
    value: str | None


class Move(SecretView):
    @operation("moveSecrets", "Move secrets to another folder, all or none.", body=MoveV4)
    def post(self, request: Request) -> TypedResponse[Moved]:
        body = self.body(MoveV4)
        project = project_of(body)
        source = find_folder(self.actor, project, body.sourceEnvironment, body.sourceSecretPath, Right.WRITE_SECRETS)
        target = find_folder(
            self.actor, project, body.destinationEnvironment, body.destinationSecretPath, Right.WRITE_SECRETS
        )
        moved = services.move_secrets(self.actor, source, target, body.secretIds, overwrite=body.shouldOverwrite)
        return TypedResponse({"isSourceUpdated": bool(moved), "isDestinationUpdated": bool(moved)})


class References(SecretView):
    @operation("listSecretReferences", "List the secrets that refer to a secret.", query=FolderQueryV4)
    def get(self, request: Request, secretName: str) -> TypedResponse[ReferenceList]:
        folder = self.folder(self.query(FolderQueryV4))
        found: list[Reference] = [
            {
                "secretKey": each.key,
                "secretId": str(each.pk),
                "environment": each.folder.environment.slug,
                "secretPath": each.folder.path,
                "referenceType": "local" if each.folder_id == folder.pk else "cross-folder",
            }
            for each in references.referrers(folder, secretName.strip())
        ]
        return TypedResponse({"references": found, "totalCount": len(found)})


class ReferenceTreeView(SecretView):
    @operation(
        "getSecretReferenceTree",
        "Get the secrets that a secret refers to, directly and indirectly.",
        query=FolderQueryV4,
    )
    def get(self, request: Request, secretName: str) -> TypedResponse[ReferenceTree]:
        folder = self.folder(self.query(FolderQueryV4))
        project_id = folder.environment.project_id
        values = self.actor.may(Right.READ_VALUES, project_id)
        node = references.tree_of(folder, secretName.strip())
        audit.record(
            self.actor,
            "get-secret",
            project_id,
            environment=node.address[0],
            secretPath=node.address[1],
            secretKey=node.key,
            isValueShown=values,
        )
        return TypedResponse({"tree": _node_json(node, values), "value": node.value if values else HIDDEN})


def _node_json(node: Node, values: bool) -> ReferenceNode:
    return {
        "key": node.key,
        "value": node.value if values or node.value is None else HIDDEN,
        "environment": node.address[0],
        "secretPath": node.address[1],
        "children": [_node_json(child, values) for child in node.children],
    }


class TagsOfSecret(SecretView):
    @operation("attachTags", "Attach tags to a secret.", body=Tagging)
    def post(self, request: Request, secretName: str) -> TypedResponse[OneSecret]:
        return self._tag(secretName, remove=False)

    @operation("detachTags", "Detach tags from a secret.", body=Tagging)
    def delete(self, request: Request, secretName: str) -> TypedResponse[OneSecret]:
        return self._tag(secretName, remove=True)

    def _tag(self, name: str, *, remove: bool) -> TypedResponse[OneSecret]:
        body = self.body(Tagging)
        folder = self.folder(body, Right.WRITE_SECRETS)
        require_tags(folder.environment.project, body.tagSlugs)
        tags = {slug for _, slug, _ in queries.secret_at(folder, name.strip(), SecretQuery(values=False)).tags}
        desired = tags - set(body.tagSlugs) if remove else tags | set(body.tagSlugs)
        (secret,) = services.set_secrets(self.actor, folder, [SecretInput(name, tags=sorted(desired))], mode="update")
        return self.one(secret)


class SecretVersions(SecretView):
    @operation("listSecretVersions", "List the versions of a secret, newest first.", query=VersionPage)
    def get(self, request: Request, secretId: str) -> TypedResponse[SecretVersionList]:
        secret_id = self.id("secretId")
        page = self.query(VersionPage)
        secret = queries.secret_with_id(self.actor, secret_id, SecretQuery(values=False)).secret
        environment = secret.folder.environment
        values = self.actor.may(Right.READ_VALUES, environment.project_id)
        found: list[SecretVersion] = [
            {
                "id": str(row.pk),
                "secretId": str(secret.pk),
                "version": row.version,
                "secretKey": row.key,
                "secretValue": HIDDEN if value is None else value,
                "secretValueHidden": value is None,
                "actor": actor_json(row.actor_kind, row.actor_id, row.actor_name),
                "createdAt": timestamp(row.created_at),
            }
            for row, value in queries.versions_of(secret, page.offset, page.limit, values=values)
        ]
        audit.record(
            self.actor,
            "get-secret-versions",
            environment.project_id,
            environment=environment.slug,
            secretPath=secret.folder.path,
            secretId=secret.pk,
            secretKey=secret.key,
            areValuesShown=values,
        )
        return TypedResponse({"secretVersions": found, "totalCount": secret.versions.count()})


urlpatterns = [
    path("v3/secrets/tags/<str:secretName>", TagsOfSecret.as_view()),
    path("v4/secrets/<str:secretName>/secret-references", References.as_view()),
    path("v4/secrets/<str:secretName>/secret-reference-tree", ReferenceTreeView.as_view()),
    path("v1/secret/<str:secretId>/secret-versions", SecretVersions.as_view()),
    path("v4/secrets/move", or_named(Move.as_view(), one_secret(V4), NAMED, secretName="move")),
]
