"""Secrets of one folder at another server of the modelled API; its own secrets, without imported ones.

Surprising facts: a batch is all or none, and one invalid key rejects all of it. The server trims values. 404 means a
missing route or a missing project.
Two servers that sync to each other do not loop: the returned value equals the stored one, so nothing is written. If
both change at once, the values may be swapped; a key that is changed back again and again is blocked as contested. Keys
are not renamed: each round would make them longer.
Requests: 500 secrets with one changed take one for the list and one for the write; a batch has up to 100 keys.
Source: https://infisical.com/docs/api-reference/endpoints/secrets/list and the pages "Bulk ..." beside it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from config.responses import EXAMPLE_ID
from config.schemas.model import Model
from config.schemas.types import Text
from connections.errors import BadResponse, Conflict, NotFound, Rejected
from connections.http.exchange import Method
from syncs.destination.capabilities import Capabilities, Verified
from syncs.destination.key_value import KeyValueDestination
from syncs.destination.options import PlainOptions
from syncs.engine.types import Action, Outcome, Remote, Write, Written
from syncs.source.paths import PathText

KEYS_A_REQUEST = 100
MAX_BODY = 1_000_000  # bytes of a request; above it servers end the connection, and the outcome is unknown
MAX_PATH_IN_LOCATION = 128


@dataclass(frozen=True, slots=True)
class _Dialect:
    """The routes of one version, and its name of the project."""

    secrets: str
    batch: str
    project: str


V4 = _Dialect("/api/v4/secrets", "/api/v4/secrets/batch", "projectId")
V3 = _Dialect("/api/v3/secrets/raw", "/api/v3/secrets/batch/raw", "workspaceId")


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
            "The folder at the other server, which exists; / is the root.",
            empty_message="Secret path required",
            example="/services/api",
        ),
    ]


class ExternalInfisical(KeyValueDestination):
    slug = "external-infisical"
    label = "Infisical"
    Config = RemoteFolder
    Options = PlainOptions
    config: RemoteFolder
    capabilities = Capabilities(
        can_read_values=True,
        can_import=True,
        concurrency=2,
        note=(
            "Values are trimmed. An approval policy of the other server delays writes. Two servers may sync to each"
            " other: create the second sync after the first one is complete, not with an empty folder."
        ),
        rights="A machine identity whose role reads and writes secrets in the project, and nothing else.",
        verified=(
            Verified(date(2026, 11, 25), "a second Keyferry, read with Infisical's Python SDK", "not Infisical itself"),
            Verified(date(2026, 11, 25), "a stand-in of v3 and v4 made from the documentation"),
        ),
        docs_url="https://infisical.com/docs/api-reference/endpoints/secrets/list",
    )
    batch = dict.fromkeys((Action.CREATE, Action.UPDATE, Action.DELETE), KEYS_A_REQUEST)
    split_on = (Rejected, NotFound, Conflict)

    _dialect = V4

    def location(self) -> str:
        """A path that is too long for a location is replaced by its digest."""
        path = self.config.secretPath
        if len(path) > MAX_PATH_IN_LOCATION:
            path = f"#{hashlib.sha256(path.encode()).hexdigest()}"
        return f"external-infisical|{self.client.base_url}|{self.config.projectId}/{self.config.environment}{path}"

    def normalize_value(self, value: str) -> str:
        """Trimmed; one newline at its end stays."""
        text = value.strip()
        return f"{text}\n" if text and value.endswith("\n") else text

    def fetch(self) -> Iterable[Remote]:
        """The shared secrets of the folder. A server without v4 is read and written with v3."""
        try:
            listed = self._listed(V4)
        except NotFound as error:
            try:
                listed = self._listed(V3)
            except NotFound:
                raise error from None
            self._dialect = V3
        return [_remote(each) for each in listed if each.get("type", "shared") == "shared"]

    def create_many(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        try:
            return self._written("POST", writes, self._send("POST", writes))
        except Rejected as error:
            # A name that is already in use is a 400: that API has no 409.
            if "already exist" in str(error):
                raise Conflict(str(error)) from None
            raise

    def update_many(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        return self._written("PATCH", writes, self._send("PATCH", writes))

    def delete_many(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """A missing key rejects the batch: each is then sent by itself."""
        answer = self._send("DELETE", writes)
        _refuse_approval("DELETE", answer)
        return [Outcome(write) for write in writes]

    def _listed(self, dialect: _Dialect) -> list[Mapping[str, Any]]:
        """Without imported secrets, and with unresolved references."""
        where = {
            dialect.project: self.config.projectId,
            "environment": self.config.environment,
            "secretPath": self.config.secretPath,
            "viewSecretValue": "true",
            "expandSecretReferences": "false",
            "include_imports": "false",
            "includeImports": "false",
            "recursive": "false",
        }
        answer = self.client.request("GET", dialect.secrets, params=where)
        listed = answer.get("secrets") if isinstance(answer, Mapping) else None
        if not isinstance(listed, list) or not all(isinstance(each, Mapping) for each in listed):
            raise BadResponse(f"Infisical: GET {dialect.secrets}: unexpected response: not a list")
        return listed

    def _send(self, method: Method, writes: Sequence[Write]) -> Any:
        dialect = self._dialect
        body = {
            dialect.project: self.config.projectId,
            "environment": self.config.environment,
            "secretPath": self.config.secretPath,
            "secrets": [_item(write) for write in writes],
        }
        if len(writes) > 1 and len(json.dumps(body, ensure_ascii=False).encode()) > MAX_BODY:
            raise Rejected(f"Infisical: {len(writes)} keys are together too large for one request")
        shown = [*(write.key for write in writes), *self.config.stored().values()]
        return self.client.request(method, dialect.batch, json=body, visible=shown)

    def _written(self, method: Method, writes: Sequence[Write], answer: Any) -> list[Outcome]:
        _refuse_approval(method, answer)
        told = answer.get("secrets") if isinstance(answer, Mapping) else None
        known = {}
        for each in told if isinstance(told, list) else ():
            try:
                seen = _remote(each)
            except BadResponse:
                continue  # the write is a success all the same: the next list has the details
            known[seen.key] = Written(seen.object_id, seen.etag)
        return [Outcome(write, known.get(write.key, Written())) for write in writes]


def _item(write: Write) -> dict[str, Any]:
    if write.action is Action.DELETE:
        return {"secretKey": write.key, "type": "shared"}
    return {"secretKey": write.key, "secretValue": write.value, "secretComment": write.comment, "type": "shared"}


def _refuse_approval(method: str, answer: Any) -> None:
    if isinstance(answer, Mapping) and "approval" in answer:
        raise Rejected(f"Infisical: {method} waits for an approval at the other server; nothing was written yet")


def _remote(secret: Any) -> Remote:
    try:
        hidden = secret.get("secretValueHidden") is True
        return Remote(
            key=_text(secret["secretKey"]),
            value=None if hidden else _text(secret["secretValue"], empty=True),
            comment=secret.get("secretComment"),
            object_id=_text(secret["id"]),
            etag=f"{int(secret['version'])}|{_text(secret['updatedAt'])}",
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadResponse("Infisical: unexpected response: a secret lacks a required member") from None


def _text(value: object, *, empty: bool = False) -> str:
    if not isinstance(value, str) or not (value or empty):
        raise TypeError
    return value
