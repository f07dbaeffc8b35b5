"""All keys in one secret, as a JSON object. Foreign members are written back as they were read.

A new version is written with a label of ours, then made current if the version that was read still is.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from config import json_text
from config.schemas.model import Model
from config.schemas.types import Text
from connections.aws import WrongState
from connections.errors import BadResponse, Conflict, NotFound, Rejected
from syncs.destination.write import Document, remotes_of, write_document
from syncs.engine.types import Outcome, Remote, Write

from ._aws_options import Region
from ._aws_secret_api import LABEL, MAPPING, SecretApi, current_version, request_token

SCHEDULED = "scheduled for deletion"
STAGE = "KEYFERRY"  # the label of a version of the document that is not current yet


class ManyToOne(Model):
    mappingBehavior: Annotated[Literal["many-to-one"], MAPPING]
    region: Region
    secretName: Annotated[
        str,
        Text(
            "Secret name",
            "The secret that holds all keys as one JSON object; created if it does not exist.",
            max_length=256,
            pattern=r"[A-Za-z0-9/_+=.@-]+",
            pattern_message="Secret name can only contain letters, digits and /_+=.@-",
            empty_message="Secret name required for Many-to-One mapping behavior",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Json:
    """A member that is not text: the JSON to write it back with."""

    text: str = field(repr=False)


class SecretDocument:
    """The secret with this name, and the document that it held when it was last read or written."""

    def __init__(self, api: SecretApi, name: str) -> None:
        self.api, self.name = api, name
        self._document: Document | None = None

    def remotes(self) -> tuple[Remote, ...]:
        self._document = self._read()
        return remotes_of(self._document)

    def apply(self, writes: Iterable[Write], normalize_key: Callable[[str], str]) -> Generator[Outcome, None, None]:
        self._document = yield from write_document(
            writes,
            label=LABEL,
            read=self._read,
            write=self._write,
            normalize_key=normalize_key,
            seen=self._document,
        )

    def _call(self, operation: str, body: Mapping[str, Any], *, hidden: Iterable[str] = ()) -> Mapping[str, Any]:
        return self.api.call(operation, {"SecretId": self.name, **body}, self.name, hidden=hidden)

    def _read(self) -> Document:
        """Source: "GetSecretValue"."""
        body = {"SecretId": self.name, "VersionStage": "AWSCURRENT"}
        try:
            response = self.api.call("GetSecretValue", body, self.name, read=True)
        except NotFound:
            return Document(exists=False, version="")
        except WrongState:
            return Document(exists=False, version="", ref=SCHEDULED)
        text, version = response.get("SecretString"), response.get("VersionId")
        if not isinstance(text, str) or not isinstance(version, str):
            raise Rejected(f"{LABEL}: the secret {self.name} has no text; it is not changed")
        return Document(_members(text, self.name), version=version)

    def _write(self, before: Document, entries: Mapping[str, Any]) -> Document:
        if before.ref == SCHEDULED:
            self._call("RestoreSecret", {})
            raise Conflict(f"{LABEL}: {self.name} was restored from its deletion")
        content = {"SecretString": _text_of(entries), **request_token()}
        hidden = [entry if isinstance(entry, str) else entry.text for entry in entries.values()]
        if not before.exists:
            return Document(entries, version=self._create(content, hidden))
        self._apply_options()
        self._call("PutSecretValue", {**content, "VersionStages": [STAGE]}, hidden=hidden)
        version = content["ClientRequestToken"]
        self._make_current(before, version)
        return Document(entries, version=version)

    def _create(self, content: Mapping[str, str], hidden: Iterable[str]) -> str:
        """Returns the version. Raises Conflict if the secret has a value by now."""
        attributes = {"Name": self.name, **self.api.kms_member(), **self.api.tags_member()}
        try:
            response = self.api.call("CreateSecret", {**content, **attributes}, self.name, hidden=hidden)
        except Conflict:
            # It is also read as missing if it never had a value, as infrastructure tools create it.
            if current_version(self.api.call("DescribeSecret", {"SecretId": self.name}, self.name, read=True)):
                raise
            self._apply_options()
            response = self._call("PutSecretValue", content, hidden=hidden)
        return _version_of(response)

    def _apply_options(self) -> None:
        """Apply the KMS key and tags of the options; no request if they have none."""
        kms_member, tags = self.api.kms_member(), self.api.tags()
        if not kms_member and not tags:
            return
        secret = self.api.describe(self.name)
        if not self.api.has_kms_key(secret):
            self._call("UpdateSecret", {**request_token(), **kms_member})
        self.api.add_tags(secret, tags)

    def _make_current(self, before: Document, version: str) -> None:
        """Raises Conflict if the current version is not the one that was read. Source: "UpdateSecretVersionStage"."""
        move = {"VersionStage": "AWSCURRENT", "MoveToVersionId": version, "RemoveFromVersionId": before.version}
        try:
            self._call("UpdateSecretVersionStage", move)
        except Rejected as error:
            raise Conflict(str(error)) from None


def _version_of(response: Mapping[str, Any]) -> str:
    version = response.get("VersionId")
    if not isinstance(version, str):
        raise BadResponse(f"{LABEL}: a write: unexpected response: no version")
    return version


def _members(text: str, name: str) -> dict[str, Any]:
    """The members of a JSON object: text as text, others as JSON, so that they are written back unchanged."""
    try:
        members = json_text.read_exactly(text)
        if not isinstance(members, json_text.Members) or len(dict(members)) != len(members):
            raise ValueError
        return {
            key: value if json_text.is_text(value) else _Json(json_text.write_exactly(value)) for key, value in members
        }
    except (ValueError, RecursionError):
        message = "is not a JSON object with unique names; it is not changed"
        raise Rejected(f"{LABEL}: the secret {name} {message}") from None


def _text_of(entries: Mapping[str, Any]) -> str:
    members = (
        f"{json_text.write_exactly(key)}:{entry.text if isinstance(entry, _Json) else json_text.write_exactly(entry)}"
        for key, entry in entries.items()
    )
    return "{" + ",".join(members) + "}"
