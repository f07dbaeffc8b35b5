"""One secret of a key-value mount of HashiCorp Vault or OpenBao, version 1 or 2: a document with all keys in it.

Surprising facts: a deleted secret keeps counting its versions; only check-and-set of the last one overwrites it.
A missing secret is a 404 with an empty list of errors; any other 404 is a missing mount or namespace.
Version 2 has check-and-set, so that no external change is lost; version 1 has none. An existing secret is patched: a
patch sends only the changes, and is rejected if the secret was deleted, which check-and-set does not detect.
Requests: 500 keys with one changed take a read and a patch; with a token that may not patch also a read and a write; at
version 1 two to detect the version, and a read just before the write.
Source: https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2, and kv-v1
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Mapping
from datetime import date
from typing import Any

from connections.errors import BadResponse, Conflict, IntegrationError, NotFound, Rejected, Unauthorized
from connections.http.exchange import HttpResponse
from connections.http.responses import validate
from connections.providers.hashicorp_vault import RIGHTS, path_of, version_of
from syncs.destination.capabilities import Capabilities, Verified
from syncs.destination.document import DocumentDestination
from syncs.destination.raw_json import JsonObject
from syncs.destination.write import Document
from syncs.engine.types import Action, Outcome, Write

from ._hashicorp_vault_secret import Secret, SecretPath, Written, object_in, require_absent, values_of

JSON, MERGE = {"Content-Type": "application/json"}, {"Content-Type": "application/merge-patch+json"}
NOTE = {"keyferry": "Keyferry writes keys of this secret"}


class HashicorpVault(DocumentDestination):
    slug = "hashicorp-vault"
    label = "Hashicorp Vault"
    Config = SecretPath
    config: SecretPath
    capabilities = Capabilities(
        can_read_values=True,
        can_import=True,
        has_etag=False,
        has_object_ids=False,
        holds_comments=False,
        max_total_bytes=1024 * 1024,
        note=(
            "All keys are in one secret. At a version 2 mount each run with changes makes one new version, and no"
            " external change is lost. Version 1 has no check-and-set: a value that others write between the"
            " last read and the write is overwritten."
        ),
        rights=RIGHTS,
        verified=(
            Verified(date(2026, 11, 25), "OpenBao 2.7.2", "both versions, namespaces; not HashiCorp's own server"),
        ),
        docs_url="https://developer.hashicorp.com/vault/api-docs/secret/kv",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._mount, self._path = path_of(self.config.mount), path_of(self.config.path)
        self._version: int | None = None
        self._may_patch = True
        self._noted, self._to_note, self._note_tried = False, False, False

    def location(self) -> str:
        """A namespace may be part of the address or of the mount: the location has both."""
        return f"hashicorp-vault|{self.client.base_url}/{self._mount}|{self._path}"

    def _address(self, version: int) -> str:
        return f"/{self._mount}/data/{self._path}" if version == 2 else f"/{self._mount}/{self._path}"

    def read(self) -> Document:
        """Version 2 is tried first; if that finds no secret or is rejected, the version of the mount is read."""
        if self._version == 1:
            return self._read_first()
        try:
            answer = self.client.send("GET", self._address(2), accept=[404])
        except Unauthorized:
            if self._version == 2 or version_of(self.client, self.config.mount) == 2:
                raise
            self._version = 1
            return self._read_first()
        if document := self._second(answer):
            self._version = 2
            return document
        self._version = self._version or version_of(self.client, self.config.mount)
        if self._version == 1:
            return self._read_first()
        require_absent(answer, self._address(2))
        return Document(version="0", exists=False, ref=JsonObject())

    def _second(self, answer: HttpResponse) -> Document | None:
        """A version 2 secret, present or deleted; None if the response is not one."""
        try:
            held = validate(Secret, answer.data, self._address(2)).data
        except BadResponse:
            return None
        self._noted = NOTE.keys() <= (held.metadata.custom_metadata or {}).keys()
        version = str(held.metadata.version)
        if answer.status == 404 or held.data is None:
            return Document(version=version, exists=False, ref=JsonObject())
        found = object_in(answer, "data", "data")
        return Document(found.entries, version=version, ref=found)

    def _read_first(self) -> Document:
        answer = self.client.send("GET", self._address(1), accept=[404])
        if answer.status == 404:
            require_absent(answer, self._address(1))
            return Document(exists=False, ref=JsonObject())
        found = object_in(answer, "data")
        return Document(found.entries, ref=found)

    def requests(self, writes: Mapping[Action, int]) -> int:
        """The first write of a version 2 secret notes the writer."""
        return super().requests(writes) + (any(writes.values()) and self._version == 2 and not self._noted)

    def apply(self, writes: Iterable[Write]) -> Generator[Outcome, None, None]:
        self._to_note = False
        yield from super().apply(writes)
        if self._to_note and not self._note_tried:
            self._note_tried = True
            # Many tokens may not: that is no failure of a write. Other members of the metadata stay.
            with contextlib.suppress(IntegrationError):
                path = f"/{self._mount}/metadata/{self._path}"
                self.client.request("PATCH", path, json={"custom_metadata": NOTE}, headers=MERGE)

    def write(self, before: Document, entries: Mapping[str, Any]) -> Document | None:
        text = before.ref.changed_to(entries)
        if self._version == 1:
            self._write_first(text, entries)
            return None
        answer = self._patched(before, entries) if before.exists and self._may_patch else None
        if answer is None:
            body = f'{{"options": {{"cas": {before.version}}}, "data": {text}}}'
            answer = self.client.request(
                "POST", self._address(2), content=body, headers=JSON, hidden=values_of(entries)
            )
        self._to_note = not self._noted
        try:
            version = validate(Written, answer, self._address(2)).data.version
        except BadResponse:
            return None  # the write was accepted; the next list has the version
        return Document(entries, version=str(version), ref=JsonObject.parse(text))

    def _patched(self, before: Document, entries: Mapping[str, Any]) -> Any:
        """The response to a patch of the changes; None if the token may not patch, or the server cannot."""
        changes = {key: value for key, value in entries.items() if before.entries.get(key) != value}
        changes |= {key: None for key in before.entries if key not in entries}
        body = {"data": changes, "options": {"cas": int(before.version or 0)}}
        try:
            return self.client.request("PATCH", self._address(2), json=body, headers=MERGE)
        except NotFound as gone:
            raise Conflict(str(gone)) from None
        except (Unauthorized, Rejected):
            self._may_patch = False
        # A deletion does not change the version, and writing all entries would restore what others have deleted.
        now = self.read()
        if (now.version, now.exists) != (before.version, before.exists):
            raise Conflict(f"{self.label}: {self._address(2)} was written since it was read")
        return None

    def _write_first(self, text: str, entries: Mapping[str, Any]) -> None:
        """Version 1 rejects a secret without keys: it is deleted instead."""
        if entries:
            self.client.request("POST", self._address(1), content=text, headers=JSON, hidden=values_of(entries))
        else:
            self.client.request("DELETE", self._address(1))
