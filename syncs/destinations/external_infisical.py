"""Secrets of one folder at another server of the modelled API; its own secrets, without imported ones.

Surprising facts: a batch is all or none, and one invalid key rejects all of it. The server trims values. 404 means a
missing route, project, environment or folder: a folder is missing only if the list of folders does not have it.
Two servers that sync to each other do not loop: the returned value equals the stored one, so nothing is written. If
both change at once, the values may be swapped; a key that is changed back again and again is blocked as contested.
Source: https://infisical.com/docs/api-reference/endpoints/secrets/list and the pages "Bulk ..." beside it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, NamedTuple

from config.responses import EXAMPLE_ID
from config.schemas import Flag, Model, Text
from connections.errors import Conflict, IntegrationError, NotFound, Rejected
from connections.http.client import quote
from connections.http.exchange import Method
from connections.http.responses import Identified
from connections.http.responses import Text as Filled
from connections.providers.external_infisical import Folder
from syncs.destination.capabilities import Capabilities, Verified
from syncs.destination.key_value import KeyValueDestination
from syncs.destination.options import PlainOptions
from syncs.engine.types import Action, Outcome, Remote, Write
from syncs.source.paths import PathText

MAX_BODY = 1_000_000  # bytes of a request; above it servers end the connection, and the outcome is unknown
MAX_PATH_IN_LOCATION = 128
METHODS: Mapping[Action, Method] = {Action.CREATE: "POST", Action.UPDATE: "PATCH", Action.DELETE: "DELETE"}
NEITHER = dict.fromkeys(("expandSecretReferences", "include_imports", "includeImports", "recursive"), "false")


class _Dialect(NamedTuple):
    """The routes of one version, its name of the project, and the member with the tags."""

    secrets: str
    folders: str
    tags: str
    project: str
    tags_member: str


V4 = _Dialect("/api/v4/secrets{}", "/api/v2/folders", "/api/v1/projects/{}/tags", "projectId", "tags")
V3 = _Dialect("/api/v3/secrets{}/raw", "/api/v1/folders", "/api/v1/workspace/{}/tags", "workspaceId", "workspaceTags")


class Secret(Identified):
    secretKey: Filled
    secretValue: str
    version: int
    updatedAt: Filled
    secretValueHidden: bool | None = None
    secretComment: str | None = None
    type: str = "shared"


class Tag(Identified):
    slug: Filled


class RemoteFolder(Model):
    projectId: Annotated[
        str,
        Text(
            "Project",
            "The project at the other server.",
            max_length=64,
            empty_message="Project ID required",
            example=EXAMPLE_ID,
        ),
    ]
    environment: Annotated[
        str, Text("Environment", "Its slug.", max_length=64, empty_message="Environment required", example="dev")
    ]
    secretPath: Annotated[
        str,
        PathText(
            "secretPath",
            "The folder at the other server, made if it is missing; / is the root.",
            empty_message="Secret path required",
            example="/services/api",
        ),
    ]


class Attributes(Model):
    tagsAndMetadata: Annotated[
        bool | None,
        Flag("Tags and metadata", "Whether the tags and the metadata of a secret go along; by default yes."),
    ] = None


class ExternalInfisical(KeyValueDestination):
    slug = "external-infisical"
    label = "Infisical"
    Config = RemoteFolder
    Options = PlainOptions
    Policy = Attributes
    Item = Secret
    config: RemoteFolder
    capabilities = Capabilities(
        can_read_values=True,
        can_import=True,
        concurrency=2,
        note="Values are trimmed. Tags and unencrypted metadata go along; the last one that is removed stays there."
        " A missing folder or tag is made. An approval policy of the other server delays writes. Two servers may sync"
        " to each other: create the second sync after the first one is complete, not with an empty folder.",
        rights="A machine identity whose role reads and writes secrets in the project, reads and creates tags and,"
        " where they are missing, folders; and nothing else.",
        verified=(
            Verified(date(2026, 11, 25), "a second Keyferry, read with Infisical's Python SDK", "not Infisical itself"),
            Verified(date(2026, 11, 25), "a stand-in of v3 and v4 made from the documentation"),
        ),
        docs_url="https://infisical.com/docs/api-reference/endpoints/secrets/list",
    )
    batch = dict.fromkeys(METHODS, 100)
    split_on = (Rejected, NotFound, Conflict)

    _dialect = V4
    _lacks_folder = False
    _tags: Mapping[str, str] = {}  # IDs by slug

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._preparing = threading.Lock()

    def location(self) -> str:
        """A path that is too long for a location is replaced by its digest."""
        path = self.config.secretPath
        if len(path) > MAX_PATH_IN_LOCATION:
            path = f"#{hashlib.sha256(path.encode()).hexdigest()}"
        return f"{self.slug}|{self.client.base_url}|{self.config.projectId}/{self.config.environment}{path}"

    def normalize_value(self, value: str) -> str:
        """Trimmed; one newline at its end stays."""
        text = value.strip()
        return f"{text}\n" if text and value.endswith("\n") else text

    def sends_metadata(self) -> bool:
        return self.policy.tagsAndMetadata is not False

    sends_tags = sends_metadata

    def items(self) -> Iterable[Secret]:
        """The shared secrets of the folder. A server without v4 is read and written with v3."""
        try:
            listed = self._listed(V4)
        except NotFound as error:
            try:
                listed = self._listed(V3)
            except NotFound:
                listed, self._lacks_folder = [], self._is_missing()
                if not self._lacks_folder:
                    raise error from None
        return [secret for secret in listed if secret.type == "shared"]

    def remote(self, item: Secret) -> Remote:
        value = None if item.secretValueHidden else item.secretValue
        return Remote(item.secretKey, value, item.secretComment, item.id, f"{item.version}|{item.updatedAt}")

    def makes(self, writes: Sequence[Write]) -> Sequence[str]:
        folder = [f"the folder {self.config.secretPath}"] if self._lacks_folder else []
        return [*folder, *(f"the tag {slug}" for slug in self._missing_tags(writes))]

    def create_many(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """Updates and deletes too. A missing key rejects the batch: each is then sent by itself."""
        method = METHODS[writes[0].action]
        if method != "DELETE":
            self._prepare(writes)
        body = {**self._folder(self._dialect), "secrets": [self._item(write) for write in writes]}
        if len(writes) > 1 and len(json.dumps(body, ensure_ascii=False).encode()) > MAX_BODY:
            raise Rejected(f"Infisical: {len(writes)} keys are together too large for one request")
        shown = [*(write.key for write in writes), *self.config.stored().values()]
        answer = self.client.request(method, self._dialect.secrets.format("/batch"), json=body, visible=shown)
        if isinstance(answer, Mapping) and "approval" in answer:
            raise Rejected(f"Infisical: {method} waits for an approval at the other server; nothing was written yet")
        return self.done(writes, answer.get("secrets") if isinstance(answer, Mapping) else None)

    update_many = delete_many = create_many

    def _where(self, dialect: _Dialect) -> dict[str, str]:
        return {dialect.project: self.config.projectId, "environment": self.config.environment}

    def _folder(self, dialect: _Dialect) -> dict[str, Any]:
        return {**self._where(dialect), "secretPath": self.config.secretPath}

    def _listed(self, dialect: _Dialect) -> list[Secret]:
        """Without imported secrets, and with unresolved references."""
        params = {**self._folder(dialect), "viewSecretValue": "true", **NEITHER}
        listed = self.client.get_in(dialect.secrets.format(""), "secrets", list[Secret], params=params)
        self._dialect = dialect
        return listed

    def _is_missing(self) -> bool:
        """Whether the environment exists and the folder does not. If that cannot be seen, the first error remains."""
        for dialect in (V4, V3):
            where = {**self._where(dialect), "path": "/", "recursive": "true"}
            with contextlib.suppress(IntegrationError):
                found = self.client.get_in(dialect.folders, "folders", list[Folder], params=where)
                self._dialect = dialect
                return self.config.secretPath not in ("/", *(folder.path for folder in found))
        return False

    def _tags_path(self) -> str:
        return self._dialect.tags.format(quote(self.config.projectId))

    def _missing_tags(self, writes: Sequence[Write]) -> list[str]:
        slugs = {slug for write in writes for slug in write.tags}
        if slugs - self._tags.keys():
            found = self.client.get_in(self._tags_path(), self._dialect.tags_member, list[Tag])
            self._tags = {tag.slug: tag.id for tag in found}
        return sorted(slugs - self._tags.keys())

    def _prepare(self, writes: Sequence[Write]) -> None:
        """Make what is missing, once for requests that are sent side by side."""
        with self._preparing:
            if self._lacks_folder:
                parent, _, name = self.config.secretPath.rpartition("/")
                body = {**self._where(self._dialect), "name": name, "path": parent or "/"}
                self.client.request("POST", self._dialect.folders, json=body, visible=body.values())
                self.items()  # which shows the version of the routes, too
                self._lacks_folder = False
            for slug in self._missing_tags(writes):
                self.client.request("POST", self._tags_path(), json={"slug": slug, "color": ""}, visible=[slug])
            self._missing_tags(writes)  # reads the IDs of those that were made

    def _item(self, write: Write) -> dict[str, Any]:
        item: dict[str, Any] = {"secretKey": write.key, "type": "shared"}
        if write.action is Action.DELETE:
            return item
        item |= {"secretValue": write.value, "secretComment": write.comment}
        if write.metadata:
            item["secretMetadata"] = [{"key": key, "value": value} for key, value in write.metadata]
        if write.tags:
            item["tagIds"] = [self._tags[slug] for slug in sorted(write.tags)]
        return item
