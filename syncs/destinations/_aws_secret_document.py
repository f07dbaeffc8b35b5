"""All keys in one secret, as a JSON object. Foreign members are written back as they were read.

A new version is written with a label of ours, then made current if the version that was read still is.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from connections.aws import WrongParameter, WrongState
from connections.errors import Conflict, Forbidden, IntegrationError, NotFound, Rejected
from syncs.destination.document import DocumentDestination
from syncs.destination.raw_json import JsonObject, Raw
from syncs.destination.write import Document
from syncs.engine.types import Action

from ._aws_secret_api import LABEL, ManyToOne, SecretsManager, SecretValue, WrittenSecret, request_token

SCHEDULED = "It is scheduled for deletion and is not restored: restore it at AWS, or choose another name"
STAGE = "KEYFERRY"  # the label of a version of the document that is not current yet


class SecretDocument(SecretsManager, DocumentDestination):
    """The secret with the name of the config."""

    config: ManyToOne

    def request_cost(self, action: Action) -> float:
        return 0.0

    def requests(self, writes: Mapping[Action, int]) -> int:
        """The new version, and the label that makes it current."""
        return 2 if any(writes.values()) else 0

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
        try:
            members = JsonObject.parse(held.SecretString or "")
        except ValueError as error:
            raise Rejected(f"{LABEL}: the secret {held.ARN} is {error}; it is not changed") from None
        return Document(members.entries, version=held.VersionId, ref=members)

    def _is_scheduled(self) -> bool:
        """Whether the secret is scheduled for deletion; False if that cannot be seen."""
        try:
            return bool(self.describe(self.name).DeletedDate)
        except IntegrationError:
            return False

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
        version = content["ClientRequestToken"]
        try:
            self.call_on("PutSecretValue", self.name, {**content, "VersionStages": [STAGE]}, hidden=hidden)
            self._make_current(version, current)
        except Forbidden as refused:
            self._replace_unchecked(content, hidden, current, refused)

    def _make_current(self, version: str, current: str | None) -> None:
        move = {"VersionStage": "AWSCURRENT", "MoveToVersionId": version, "RemoveFromVersionId": current}
        try:
            self.call_on("UpdateSecretVersionStage", self.name, move)
        except (WrongParameter, WrongState) as error:
            raise Conflict(str(error)) from None

    def _replace_unchecked(
        self, content: dict[str, str], hidden: Iterable[str], current: str | None, refused: Forbidden
    ) -> None:
        """For a role that was made for another product: without those two rights there is no check-and-set."""
        if self.describe(self.name).current_version != current:
            raise Conflict(f"{LABEL}: the secret {self.name} was changed externally after it was read")
        try:
            content["ClientRequestToken"] = str(uuid.uuid4())  # the staged version may have the one before
            self.call_on("UpdateSecret", self.name, content, hidden=hidden)
        except Forbidden:
            raise refused from None

    def _create(self, content: Mapping[str, str], hidden: Iterable[str]) -> None:
        """Raises Conflict if the secret has a value by now."""
        attributes = {"Name": self.name, **self.kms_member(), **self.tags_member()}
        try:
            self.call("CreateSecret", self.name, {**content, **attributes}, WrittenSecret, hidden=hidden)
        except Conflict as error:
            # It is also read as missing if it never had a value, as infrastructure tools create it.
            if not self._never_had_a_value():
                raise error from None
            self._apply_options()
            self.call_on("UpdateSecret", self.name, content, hidden=hidden)

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
