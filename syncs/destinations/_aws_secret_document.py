"""All keys in one secret, as a JSON object. Foreign members are written back as they were read.

A new version is written with a label of ours, then made current if the version that was read still is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from config import json_text
from connections.aws import WrongParameter, WrongState
from connections.errors import BadResponse, Conflict, IntegrationError, NotFound, Rejected
from syncs.destination.document import DocumentDestination
from syncs.destination.write import Document

from ._aws_secret_api import LABEL, ManyToOne, SecretsManager, SecretValue, WrittenSecret, request_token

SCHEDULED = "It is scheduled for deletion and is not restored: restore it at AWS, or choose another name"
STAGE = "KEYFERRY"  # the label of a version of the document that is not current yet


@dataclass(frozen=True, slots=True)
class _Json:
    """A member that is not text: the JSON to write it back with."""

    text: str = field(repr=False)


class SecretDocument(SecretsManager, DocumentDestination):
    """The secret with the name of the config."""

    config: ManyToOne

    @property
    def name(self) -> str:
        return self.config.secretName

    def read(self) -> Document:
        body = {"SecretId": self.name, "VersionStage": "AWSCURRENT"}
        try:
            held = self.call("GetSecretValue", self.name, body, SecretValue, read=True)
        except NotFound:
            return Document(exists=False, version="")
        except WrongState as error:
            raise Rejected(f"{error}. {SCHEDULED}") if self._is_scheduled() else error from None
        if held.SecretString is None:
            raise Rejected(f"{LABEL}: the secret {held.ARN} has no text; it is not changed")
        return Document(_members(held.SecretString, held.ARN), version=held.VersionId)

    def _is_scheduled(self) -> bool:
        """Whether the secret is scheduled for deletion; False if that cannot be seen."""
        try:
            return bool(self.describe(self.name).DeletedDate)
        except IntegrationError:
            return False

    def write(self, before: Document, entries: Mapping[str, Any]) -> Document:
        content = {"SecretString": _text_of(entries), **request_token()}
        hidden = [entry if isinstance(entry, str) else entry.text for entry in entries.values()]
        if not before.exists:
            return Document(entries, version=_version_of(self._create(content, hidden)))
        self._apply_options()
        self.call_on("PutSecretValue", self.name, {**content, "VersionStages": [STAGE]}, hidden=hidden)
        version = content["ClientRequestToken"]
        move = {"VersionStage": "AWSCURRENT", "MoveToVersionId": version, "RemoveFromVersionId": before.version}
        try:
            self.call_on("UpdateSecretVersionStage", self.name, move)
        except (WrongParameter, WrongState) as error:  # another version is current by now
            raise Conflict(str(error)) from None
        return Document(entries, version=version)

    def _create(self, content: Mapping[str, str], hidden: Iterable[str]) -> WrittenSecret:
        """Raises Conflict if the secret has a value by now."""
        attributes = {"Name": self.name, **self.kms_member(), **self.tags_member()}
        try:
            return self.call("CreateSecret", self.name, {**content, **attributes}, WrittenSecret, hidden=hidden)
        except Conflict as error:
            # It is also read as missing if it never had a value, as infrastructure tools create it.
            if not self._never_had_a_value():
                raise error from None
        self._apply_options()
        return self.call_on("PutSecretValue", self.name, content, hidden=hidden)

    def _never_had_a_value(self) -> bool:
        try:
            return self.describe(self.name).current_version is None
        except IntegrationError:
            return False

    def _apply_options(self) -> None:
        """Apply the KMS key and tags of the options; no request if they have none."""
        if not self.kms_member() and not self.tags_member():
            return
        secret = self.describe(self.name)
        if not self.has_kms_key(secret):
            self.call_on("UpdateSecret", self.name, {**request_token(), **self.kms_member()})
        self.add_tags(secret)


def _version_of(written: WrittenSecret) -> str:
    if written.VersionId is None:
        raise BadResponse(f"{LABEL}: a write: unexpected response: no version")
    return written.VersionId


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
