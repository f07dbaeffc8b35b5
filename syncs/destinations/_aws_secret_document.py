"""All keys in one secret, as a JSON object. Foreign members are written back as they were read.

A new version is written with a label of ours, then made current if the version that was read still is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from connections.aws import WrongParameter, WrongState
from connections.errors import Conflict, Forbidden, NotFound, Rejected
from syncs.destination.document import DocumentDestination
from syncs.destination.raw_json import JsonObject, Raw
from syncs.destination.write import Document
from syncs.engine.types import Action

from ._aws_secret import ManyToOne, SecretsManager, SecretValue, request_token

SCHEDULED = "It is scheduled for deletion and is not restored: restore it at AWS, or choose another name"
STAGE = "KEYFERRY"  # the label of a version of the document that is not current yet


class SecretDocument(SecretsManager, DocumentDestination):
    """The secret with the name of the config."""

    config: ManyToOne

    def sends_metadata(self) -> bool:
        return False

    def request_cost(self, action: Action) -> float:
        return 0.0

    def requests(self, writes: Mapping[Action, int]) -> int:
        """The new version, and the label that makes it current."""
        return 2 if any(writes.values()) else 0

    def read(self) -> Document:
        sent = {"SecretId": self.config.secretName, "VersionStage": "AWSCURRENT"}
        try:
            held = self.call("GetSecretValue", sent, SecretValue, self.config.secretName, read=True)
        except NotFound:
            return Document(exists=False, version="")
        except WrongState as error:
            secret = self.seen(self.config.secretName)
            raise Rejected(f"{error}. {SCHEDULED}") if secret and secret.DeletedDate else error from None
        try:
            members = JsonObject.parse(held.SecretString or "")
        except ValueError as error:
            raise Rejected(f"{self.label}: the secret {held.ARN} is {error}; it is not changed") from None
        return Document(members.entries, version=held.VersionId, ref=members)

    def write(self, before: Document, entries: Mapping[str, Any]) -> Document:
        text = (before.ref or JsonObject()).changed_to(entries)
        content = {"SecretString": text, **request_token()}
        hidden = [entry.text if isinstance(entry, Raw) else entry for entry in entries.values()]
        if before.exists:
            self._apply_options()
            self._replace(content, hidden, before.version)
        else:
            self._create(content, hidden)
        return Document(entries, version=content["ClientRequestToken"], ref=JsonObject.parse(text))

    def _replace(self, content: dict[str, str], hidden: Iterable[str], current: str | None) -> None:
        """Raises Conflict if the current version is another by now."""
        try:
            self.change("PutSecretValue", self.config.secretName, {**content, "VersionStages": [STAGE]}, hidden=hidden)
            self._make_current(content["ClientRequestToken"], current)
        except Forbidden as refused:
            # A role that was made for another product lacks these two rights: without them there is no check-and-set.
            if self.describe(self.config.secretName).current_version != current:
                raise Conflict(
                    f"{self.label}: the secret {self.config.secretName} was changed externally after it was read"
                ) from None
            content |= request_token()  # the staged version may have the one before
            try:
                self.change("UpdateSecret", self.config.secretName, content, hidden=hidden)
            except Forbidden:
                raise refused from None

    def _make_current(self, version: str, current: str | None) -> None:
        move = {"VersionStage": "AWSCURRENT", "MoveToVersionId": version, "RemoveFromVersionId": current}
        try:
            self.change("UpdateSecretVersionStage", self.config.secretName, move)
        except (WrongParameter, WrongState) as error:
            raise Conflict(str(error)) from None

    def _create(self, content: Mapping[str, str], hidden: Iterable[str]) -> None:
        """Raises Conflict if the secret has a value by now."""
        try:
            self.create_secret(self.config.secretName, content, hidden=hidden)
        except Conflict:
            # It is also read as missing if it never had a value, as infrastructure tools create it.
            secret = self.seen(self.config.secretName)
            if secret is None or secret.current_version is not None:
                raise
            self._apply_options()
            self.change("UpdateSecret", self.config.secretName, content, hidden=hidden)

    def _apply_options(self) -> None:
        """Apply the KMS key and tags of the options; no request if they have none."""
        if self.kms_key() or self.tags():
            secret = self.describe(self.config.secretName)
            if not self.has_kms_key(secret):
                self.change("UpdateSecret", self.config.secretName, {**request_token(), **self.kms_key()})
            self.add_tags(secret)
