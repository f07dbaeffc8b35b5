"""Secrets: v3 raw, which the SDKs use, and v4, which is the same with other names and defaults.

Source: https://infisical.com/docs/api-reference/endpoints/secrets/list
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID as Uuid

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from config.access import audit
from config.access.roles import Right
from config.api.base import View, or_named, with_etag
from config.api.openapi import FLAG, TEXT, TEXT_OR_NULL, UUID, WHOLE, closed, described, listed
from config.conventions import timestamp
from config.errors import BadRequest
from config.schemas.schema import Field, Flag, Id, Objects, Schema, Text, Texts, Whole
from syncs.engine.references import Node
from syncs.models import Folder, Secret
from syncs.services import secrets as service
from syncs.source import queries, references
from syncs.source.paths import FolderPath
from syncs.source.queries import Shown, Wish, find_folder
from syncs.source.selectors import HIDDEN
from syncs.source.validation import SecretInput

from .fields import Dialect, SecretName, environment_field
from .secret_wire import LISTED, MANY, ONE, VERSION, actor_wire, import_wire, secret_wire

TAG = "Secrets"
V3 = Dialect("v3", "workspaceId", slug_query="workspaceSlug", slug_body="projectSlug")
V4 = Dialect("v4", "projectId")
MAX_BATCH = 10_000
NAME = (("secretName", "The secret's name."),)
ID = Schema((Id("secretId"),))

_NODE: dict[str, Any] = {
    "key": TEXT,
    "value": TEXT_OR_NULL,
    "environment": TEXT,
    "secretPath": TEXT,
    "children": listed({"type": "object"}),
}
REFERRER = closed({"secretKey": TEXT, "secretId": UUID, "environment": TEXT, "secretPath": TEXT, "referenceType": TEXT})

# -- what is asked ---------------------------------------------------------------------------------------------

TYPE = Text(
    "type",
    "Type",
    "Personal secrets are not offered.",
    required=False,
    choices=("shared", "personal"),
    default="shared",
)
_METADATA = Schema(
    (
        Text("key", "Key", max_length=255),
        Text("value", "Value", required=False, default="", min_length=0, max_length=4096, verbatim=True),
        Flag("isEncrypted", help="Stored sealed, and shown to those only who read values."),
    ),
    strict=False,
)


def _content(*, value_needed: bool) -> tuple[Field, ...]:
    """What a secret is made of, besides its name."""
    said = "Blanks around it go; one newline at its end stays."
    return (
        Text("secretValue", "Value", said, required=value_needed, min_length=0, verbatim=True, secret=True),
        Text("secretComment", "Comment", required=False, min_length=0, verbatim=True),
        Objects("secretMetadata", _METADATA, max_items=100),
        Texts("tagIds", "Ids of the project's tags."),
        Flag("skipMultilineEncoding", help="Ferry a value of several lines as one, in quotes."),
        TYPE,
        Whole("secretReminderRepeatDays", "Kept for clients; nobody is reminded.", maximum=36500),
        Text(
            "secretReminderNote",
            "Reminder",
            "Kept for clients.",
            required=False,
            min_length=0,
            max_length=1024,
            multiline=True,
        ),
    )


RENAME = SecretName("newSecretName", "Another name for it.", empty=True)
KEY = SecretName("secretKey", required=True)


def _wish_fields(dialect: Dialect) -> tuple[Field, ...]:
    current = dialect is V4  # whose defaults are the newer ones
    return (
        Flag("viewSecretValue", help="Whether values are shown.", default=True, text=True),
        Flag("expandSecretReferences", help="Whether ${...} is followed.", default=current, text=True),
        Flag("include_imports", help="Whether imports are shown too.", text=True),
        Flag("includeImports", help="The same, spelt otherwise.", text=True),
    )


def _list_fields() -> tuple[Field, ...]:
    return (
        Flag("recursive", help="With all folders below.", default=False, text=True),
        Text("tagSlugs", "Tags", "Any of these, with commas.", required=False, min_length=0),
        Text("metadataFilter", "Metadata", "As key=a,value=b|key=c,value=d: all of it.", required=False, min_length=0),
    )


class _SecretView(View):
    dialect: Dialect = V4

    def folder(self, given: Mapping[str, Any], right: Right = Right.SEE, at: str = "secretPath") -> Folder:
        missing = "You must provide workspaceSlug or workspaceId"
        return find_folder(self.actor, self.dialect.project(given, missing), given["environment"], given[at], right)

    def wish(self, given: Mapping[str, Any], project_id: Uuid) -> Wish:
        """As asked for, without the values that the caller may not read."""
        asked = [given[name] for name in ("include_imports", "includeImports") if name in given]
        return Wish(
            values=given["viewSecretValue"] and self.actor.may(Right.READ_VALUES, project_id),
            expanded=given["expandSecretReferences"],
            imports=any(asked) if asked else self.dialect is V4,
            recursive=given.get("recursive", False),
            tags=frozenset(filter(None, (slug.strip() for slug in given.get("tagSlugs", "").split(",")))),
            metadata=queries.metadata_wish(given.get("metadataFilter", "")),
        )

    def inputs(self, folder: Folder, items: Iterable[Mapping[str, Any]]) -> list[SecretInput]:
        items = list(items)
        if any(item.get("type") == "personal" for item in items):
            raise BadRequest("Personal secrets are not offered. Leave `type` out, or send 'shared'.")
        ids = sorted({tag_id for item in items for tag_id in item.get("tagIds", ())})
        slugs = queries.tags_by_id(folder.environment.project, ids) if ids else {}
        return [
            SecretInput(
                key=item["secretKey"],
                value=item.get("secretValue"),
                comment=item.get("secretComment"),
                tags=[slugs[tag_id] for tag_id in item["tagIds"]] if "tagIds" in item else None,
                metadata=item.get("secretMetadata"),
                skip_multiline_encoding=item.get("skipMultilineEncoding"),
                new_key=item.get("newSecretName"),
                reminder_note=item.get("secretReminderNote"),
                reminder_repeat_days=item.get("secretReminderRepeatDays"),
            )
            for item in items
        ]

    def one(self, secret: Secret) -> Response:
        return Response({"secret": self.wires([secret])[0]})

    def wires(self, secrets: Sequence[Secret]) -> list[dict[str, Any]]:
        """After a write: whoever may write may read."""
        if not secrets:
            return []
        project_id = secrets[0].folder.environment.project_id
        values = self.actor.may(Right.READ_VALUES, project_id)
        return [secret_wire(shown, project_id) for shown in queries.shown_of(secrets, values=values)]

    def told(self, shown: Shown) -> Response:
        """One secret that was read, after the log was told."""
        secret, environment = shown.secret, shown.secret.folder.environment
        audit.record(
            self.actor,
            "get-secret",
            environment.project_id,
            environment=environment.slug,
            secretPath=secret.folder.path,
            secretId=secret.pk,
            secretKey=secret.key,
            secretVersion=secret.version,
            isValueShown=shown.value is not None,
        )
        response = Response({"secret": secret_wire(shown, environment.project_id)})
        return with_etag(self.request, response, environment.project_id)


def _routes(dialect: Dialect) -> list[Any]:
    suffix = "" if dialect is V4 else "V3"
    old = dialect is V3
    folder_query: tuple[Field, ...] = (
        *dialect.query_fields(),
        environment_field(required=not old),
        FolderPath("secretPath"),
    )
    folder_body: tuple[Field, ...] = (*dialect.body_fields(), environment_field(), FolderPath("secretPath"))
    list_query = Schema((*folder_query, *_wish_fields(dialect), *_list_fields()), strict=False)
    read_query = Schema(
        (*folder_query, *_wish_fields(dialect), Whole("version", "An older one.", minimum=1, text=True), TYPE),
        strict=False,
    )
    id_query = Schema((*_wish_fields(dialect), Whole("version", minimum=1, text=True)), strict=False)
    create = Schema((*folder_body, *_content(value_needed=True)), strict=False)
    update = Schema((*folder_body, *_content(value_needed=False), RENAME), strict=False)
    delete_body = Schema((*folder_body, TYPE), strict=False)

    def batch(item: tuple[Field, ...], *more: Field) -> Schema:
        items = Objects(
            "secrets", Schema(item, strict=False), "All or none.", required=True, min_items=1, max_items=MAX_BATCH
        )
        return Schema((*folder_body, items, *more), strict=False)

    batch_create = batch((KEY, *_content(value_needed=True)))
    batch_update = batch(
        (KEY, *_content(value_needed=False), RENAME, FolderPath("secretPath", default=None)),
        Text(
            "mode",
            "Mode",
            "What becomes of a name that is not there.",
            required=False,
            choices=tuple(MODES),
            default="failOnNotFound",
        ),
    )
    batch_delete = batch((KEY, TYPE))
    base = "v4/secrets" if dialect is V4 else "v3/secrets/raw"

    class Secrets(_SecretView):
        @described(
            f"listSecrets{suffix}",
            TAG,
            "The secrets of a folder, and what its imports bring: the last import has precedence.",
            LISTED,
            query=list_query,
        )
        def get(self, request: Request) -> Response:
            given = self.query(list_query)
            if old and not given.get("environment"):
                raise BadRequest("Missing project id or environment")
            project = dialect.project(given, "Missing project id or environment")
            folder = find_folder(self.actor, project, given["environment"], given["secretPath"])
            project_id = folder.environment.project_id
            wish = self.wish(given, project_id)
            own, brought = queries.secrets_of(folder, wish)
            audit.record(
                self.actor,
                "get-secrets",
                project_id,
                environment=folder.environment.slug,
                secretPath=folder.path,
                numberOfSecrets=len(own) + sum(len(each.secrets) for each in brought),
                areValuesShown=wish.values,
            )
            body = {
                "secrets": [secret_wire(each, project_id) for each in own],
                "imports": [import_wire(each, project_id) for each in brought],
            }
            return with_etag(request, Response(body), project_id)

    class OneSecret(_SecretView):
        @described(f"getSecret{suffix}", TAG, "A secret by its name.", ONE, query=read_query, path=NAME)
        def get(self, request: Request, secretName: str) -> Response:
            given = self.query(read_query)
            if old and not given.get("environment"):
                raise BadRequest("Missing environment")
            folder = self.folder(given)
            wish = self.wish(given, folder.environment.project_id)
            return self.told(queries.secret_at(folder, secretName.strip(), wish, given.get("version")))

        @described(f"createSecret{suffix}", TAG, "A new secret.", ONE, body=create, path=NAME)
        def post(self, request: Request, secretName: str) -> Response:
            return self._set({**self.body(create), "secretKey": secretName}, "create")

        @described(f"updateSecret{suffix}", TAG, "Change it; what is left out stays.", ONE, body=update, path=NAME)
        def patch(self, request: Request, secretName: str) -> Response:
            return self._set({**self.body(update), "secretKey": secretName}, "update")

        def _set(self, given: Mapping[str, Any], mode: str) -> Response:
            folder = self.folder(given, Right.WRITE_SECRETS)
            (secret,) = service.set_secrets(self.actor, folder, self.inputs(folder, [given]), mode=mode)
            return self.one(secret)

        @described(f"deleteSecret{suffix}", TAG, "Delete a secret.", ONE, body=delete_body, path=NAME)
        def delete(self, request: Request, secretName: str) -> Response:
            given = self.body(delete_body)
            folder = self.folder(given, Right.WRITE_SECRETS)
            self.inputs(folder, [{**given, "secretKey": secretName}])
            (gone,) = service.delete_secrets(self.actor, folder, [secretName.strip()])
            return self.one(gone)

    class ById(_SecretView):
        @described(
            f"getSecretById{suffix}",
            TAG,
            "A secret by its id.",
            ONE,
            query=id_query,
            path=(("secretId", "The secret's id."),),
        )
        def get(self, request: Request, secretId: str) -> Response:
            secret_id = ID.validate({"secretId": secretId})["secretId"]
            given = self.query(id_query)
            known = queries.secret_with_id(self.actor, secret_id, Wish(values=False))
            wish = self.wish(given, known.secret.folder.environment.project_id)
            return self.told(queries.with_values(known, wish, given.get("version")))

    class Batch(_SecretView):
        @described(f"createSecrets{suffix}", TAG, "New secrets, all or none.", MANY, body=batch_create)
        def post(self, request: Request) -> Response:
            given = self.body(batch_create)
            folder = self.folder(given, Right.WRITE_SECRETS)
            inputs = self.inputs(folder, given["secrets"])
            made = service.set_secrets(self.actor, folder, inputs, mode="create")
            return Response({"secrets": self.wires(made)})

        @described(f"updateSecrets{suffix}", TAG, "Change secrets, all or none.", MANY, body=batch_update)
        def patch(self, request: Request) -> Response:
            given = self.body(batch_update)
            by_path: dict[str, list[Mapping[str, Any]]] = {}
            for item in given["secrets"]:
                by_path.setdefault(item.get("secretPath") or given["secretPath"], []).append(item)
            project = dialect.project(given, "You must provide workspaceSlug or workspaceId")
            found = queries.find_folders(self.actor, project, given["environment"], by_path, Right.WRITE_SECRETS)
            ordered = [item for items in by_path.values() for item in items]
            inputs = iter(self.inputs(next(iter(found.values())), ordered))
            groups = [(found[at], [next(inputs) for _ in items]) for at, items in by_path.items()]
            changed = service.set_in_folders(self.actor, groups, mode=MODES[given["mode"]])
            return Response({"secrets": self.wires(changed)})

        @described(f"deleteSecrets{suffix}", TAG, "Delete secrets, all or none.", MANY, body=batch_delete)
        def delete(self, request: Request) -> Response:
            given = self.body(batch_delete)
            folder = self.folder(given, Right.WRITE_SECRETS)
            inputs = self.inputs(folder, given["secrets"])
            gone = service.delete_secrets(self.actor, folder, [one.key.strip() for one in inputs])
            return Response({"secrets": self.wires(gone)})

    one, batch_view = OneSecret.as_view(dialect=dialect), Batch.as_view(dialect=dialect)
    return [
        path(base, Secrets.as_view(dialect=dialect)),
        path(f"{base}/id/<str:secretId>", ById.as_view(dialect=dialect)),
        *(
            [path("v3/secrets/batch/raw", batch_view)]
            if old
            else [
                path(f"{base}/batch", or_named(batch_view, one, NAMED, secretName="batch")),
                path(f"{base}/move", or_named(Move.as_view(dialect=dialect), one, NAMED, secretName="move")),
            ]
        ),
        path(f"{base}/<str:secretName>", one),
    ]


NAMED = ("get", "post", "patch", "delete")
MODES = {"failOnNotFound": "update", "ignore": "existing", "upsert": "upsert"}

_AT = Schema((*V4.query_fields(), environment_field(), FolderPath("secretPath")), strict=False)
_MOVE = Schema(
    (
        *V4.body_fields(),
        Text("sourceEnvironment", "Environment", "The environment's slug.", max_length=64),
        FolderPath("sourceSecretPath"),
        Text("destinationEnvironment", "Environment", "The environment's slug.", max_length=64),
        FolderPath("destinationSecretPath"),
        Texts("secretIds", "Of the source folder.", required=True, max_items=MAX_BATCH, item=Id("secretIds")),
        Flag("shouldOverwrite", help="Also where the destination has one with another value.", default=False),
    ),
    strict=False,
)
_TAGGING = Schema(
    (
        Text("projectSlug", "Project", "Its slug.", max_length=64),
        environment_field(),
        FolderPath("secretPath"),
        TYPE,
        Texts("tagSlugs", "Slugs of the project's tags.", required=True),
    ),
    strict=False,
)
_PAGE = Schema(
    (
        Whole("offset", default=0, text=True, maximum=10**9),
        Whole("limit", default=20, minimum=1, maximum=100, text=True),
    ),
    strict=False,
)


class Move(_SecretView):
    dialect = V4

    @described(
        "moveSecrets",
        TAG,
        "Put secrets into another folder, all or none.",
        closed({"isSourceUpdated": FLAG, "isDestinationUpdated": FLAG}),
        body=_MOVE,
    )
    def post(self, request: Request) -> Response:
        given = self.body(_MOVE)
        project = V4.project(given, "")
        source = find_folder(
            self.actor, project, given["sourceEnvironment"], given["sourceSecretPath"], Right.WRITE_SECRETS
        )
        target = find_folder(
            self.actor, project, given["destinationEnvironment"], given["destinationSecretPath"], Right.WRITE_SECRETS
        )
        moved = service.move_secrets(self.actor, source, target, given["secretIds"], overwrite=given["shouldOverwrite"])
        return Response({"isSourceUpdated": bool(moved), "isDestinationUpdated": bool(moved)})


class References(_SecretView):
    dialect = V4

    @described(
        "listSecretReferences",
        TAG,
        "Which secrets refer to this one.",
        closed({"references": listed(REFERRER), "totalCount": WHOLE}),
        query=_AT,
        path=NAME,
    )
    def get(self, request: Request, secretName: str) -> Response:
        folder = self.folder(self.query(_AT))
        found = [
            {
                "secretKey": each.key,
                "secretId": str(each.pk),
                "environment": each.folder.environment.slug,
                "secretPath": each.folder.path,
                "referenceType": "local" if each.folder_id == folder.pk else "cross-folder",
            }
            for each in references.referrers(folder, secretName.strip())
        ]
        return Response({"references": found, "totalCount": len(found)})


class ReferenceTree(_SecretView):
    dialect = V4

    @described(
        "getSecretReferenceTree",
        TAG,
        "What this secret refers to, and what those refer to.",
        closed({"tree": closed(_NODE), "value": TEXT_OR_NULL}),
        query=_AT,
        path=NAME,
    )
    def get(self, request: Request, secretName: str) -> Response:
        folder = self.folder(self.query(_AT))
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
        return Response({"tree": _node_wire(node, values), "value": node.value if values else HIDDEN})


def _node_wire(node: Node, values: bool) -> dict[str, Any]:
    return {
        "key": node.key,
        "value": node.value if values or node.value is None else HIDDEN,
        "environment": node.address[0],
        "secretPath": node.address[1],
        "children": [_node_wire(child, values) for child in node.children],
    }


class Tagging(_SecretView):
    dialect = Dialect("v3", "workspaceId", slug_body="projectSlug")

    @described("attachTags", TAG, "Give a secret tags.", ONE, body=_TAGGING, path=NAME)
    def post(self, request: Request, secretName: str) -> Response:
        return self._tag(secretName, remove=False)

    @described("detachTags", TAG, "Take tags from a secret.", ONE, body=_TAGGING, path=NAME)
    def delete(self, request: Request, secretName: str) -> Response:
        return self._tag(secretName, remove=True)

    def _tag(self, name: str, *, remove: bool) -> Response:
        given = self.body(_TAGGING)
        folder = self.folder(given, Right.WRITE_SECRETS)
        queries.require_tags(folder.environment.project, given["tagSlugs"])
        held = {slug for _, slug, _ in queries.secret_at(folder, name.strip(), Wish(values=False)).tags}
        wanted = held - set(given["tagSlugs"]) if remove else held | set(given["tagSlugs"])
        what = SecretInput(name, tags=sorted(wanted))
        (secret,) = service.set_secrets(self.actor, folder, [what], mode="update")
        return self.one(secret)


class Versions(_SecretView):
    dialect = V4

    @described(
        "listSecretVersions",
        TAG,
        "What a secret was, newest first.",
        closed({"secretVersions": listed(VERSION), "totalCount": WHOLE}),
        query=_PAGE,
        path=(("secretId", "The secret's id."),),
    )
    def get(self, request: Request, secretId: str) -> Response:
        secret_id = ID.validate({"secretId": secretId})["secretId"]
        page = self.query(_PAGE)
        secret = queries.secret_with_id(self.actor, secret_id, Wish(values=False)).secret
        environment = secret.folder.environment
        values = self.actor.may(Right.READ_VALUES, environment.project_id)
        found = [
            {
                "id": str(row.pk),
                "secretId": str(secret.pk),
                "version": row.version,
                "secretKey": row.key,
                "secretValue": HIDDEN if value is None else value,
                "secretValueHidden": value is None,
                "actor": actor_wire(row.actor_kind, row.actor_id, row.actor_name),
                "createdAt": timestamp(row.created_at),
            }
            for row, value in queries.versions_of(secret, page["offset"], page["limit"], values=values)
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
        return Response({"secretVersions": found, "totalCount": secret.versions.count()})


urlpatterns = [
    path("v3/secrets/tags/<str:secretName>", Tagging.as_view()),
    *_routes(V3),
    path("v4/secrets/<str:secretName>/secret-references", References.as_view()),
    path("v4/secrets/<str:secretName>/secret-reference-tree", ReferenceTree.as_view()),
    path("v1/secret/<str:secretId>/secret-versions", Versions.as_view()),
    *_routes(V4),
]
