"""One secret of a key-value mount of HashiCorp Vault or OpenBao, version 1 or 2: a document with all keys in it.

Surprising facts: a deleted secret keeps counting its versions; only check-and-set of the last one overwrites it.
A missing secret is a 404 with an empty list of errors; any other 404 is a missing mount or namespace.
Version 2 has check-and-set, so that no external change is lost; version 1 has none. An existing secret is patched: a
patch sends only the changes, and is rejected if the secret was deleted, which check-and-set does not detect.
Source: https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2, and kv-v1
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Mapping
from datetime import date
from functools import partial
from typing import Annotated, Any

from pydantic import AliasPath, Field

from config.errors import BadRequest
from config.schemas import Model, Text
from connections.errors import BadResponse, Conflict, IntegrationError, NotFound, Rejected, Unauthorized
from connections.http.exchange import HttpResponse
from connections.http.failures import quote_of
from connections.http.responses import Response, fitting
from connections.providers.hashicorp_vault import RIGHTS, path_of, version_of
from syncs.destination.capabilities import Capabilities, Verified
from syncs.destination.document import DocumentDestination
from syncs.destination.raw_json import JsonObject, texts_of
from syncs.destination.write import Document
from syncs.engine.types import Action, Outcome, Write

JSON, MERGE = {"Content-Type": "application/json"}, {"Content-Type": "application/merge-patch+json"}
NOTE = {"keyferry": "Keyferry writes keys of this secret"}
SEGMENT = r"[A-Za-z0-9._-]+( +[A-Za-z0-9._-]+)*"


class Written(Response):
    version: int = Field(validation_alias=AliasPath("data", "version"))


class Secret(Response):
    """One of version 2. A deleted one has no entries."""

    entries: dict[str, Any] | None = Field(validation_alias=AliasPath("data", "data"))
    version: int = Field(validation_alias=AliasPath("data", "metadata", "version"))
    notes: dict[str, Any] | None = Field(None, validation_alias=AliasPath("data", "metadata", "custom_metadata"))


def _trimmed(label: str, text: str) -> str:
    """Without blanks and slashes at its ends."""
    found = text.strip().strip("/").strip()
    if {".", ".."} & {*found.split("/")}:
        raise BadRequest(f"{label.lower()}: {label} has a part that is only dots")
    return found


class SecretPath(Model):
    mount: Annotated[
        str,
        Text(
            "Mount",
            "The key-value mount, such as secret.",
            max_length=128,
            pattern=r"[!-.0-~]+(/[!-.0-~]+)*",  # printable, and not the slash between
            pattern_message="Invalid mount: letters, digits and signs without blanks, with single slashes between",
            empty_message="Secrets Engine Mount required",
            prepare=partial(_trimmed, "Mount"),
        ),
    ]
    path: Annotated[
        str,
        Text(
            "Path",
            "The secret below the mount that holds all keys, such as dev/shop; created if it is missing.",
            max_length=128,
            pattern=f"{SEGMENT}(/{SEGMENT})*",
            pattern_message="Invalid path: letters, digits, blanks and ._- with single slashes between",
            empty_message="Path required",
            prepare=partial(_trimmed, "Path"),
        ),
    ]


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
        note="All keys are in one secret. At a version 2 mount each run with changes makes one new version, and no"
        " external change is lost. Version 1 has no check-and-set: a value that others write between the last read and"
        " the write is overwritten.",
        rights=RIGHTS,
        verified=(
            Verified(date(2026, 11, 25), "OpenBao 2.7.2", "both versions, namespaces; not HashiCorp's own server"),
        ),
        docs_url="https://developer.hashicorp.com/vault/api-docs/secret/kv",
    )

    _version: int | None = None  # of the mount
    _may_patch = True
    _wrote = False
    _noted = False  # in the metadata
    _note_tried = False

    def location(self) -> str:
        """A namespace may be part of the address or of the mount: the location has both."""
        return f"{self.slug}|{self.client.base_url}/{path_of(self.config.mount)}|{path_of(self.config.path)}"

    def read(self) -> Document:
        """Version 2 is tried first; if that finds no secret or is rejected, the version of the mount is read."""
        if self._version == 1:
            return self._read_first()
        try:
            answer = self.client.send("GET", self._address(), accept=[404])
        except Unauthorized:
            if self._is_first():
                return self._read_first()
            raise
        if document := self._second(answer):
            self._version = 2
            return document
        return self._read_first() if self._is_first() else self._absent(answer, version="0")

    def _is_first(self) -> bool:
        """Whether the mount has version 1."""
        self._version = self._version or version_of(self.client, self.config.mount)
        return self._version == 1

    def _second(self, answer: HttpResponse) -> Document | None:
        """A version 2 secret, present or deleted; None if the response is not one."""
        secret = fitting(Secret, answer.data)
        if secret is None:
            return None
        self._noted = NOTE.keys() <= (secret.notes or {}).keys()
        if answer.status == 404 or secret.entries is None:
            return Document(version=str(secret.version), exists=False)
        return self._document(answer, "data", "data", version=str(secret.version))

    def _read_first(self) -> Document:
        answer = self.client.send("GET", self._address(), accept=[404])
        return self._absent(answer) if answer.status == 404 else self._document(answer, "data")

    def _document(self, answer: HttpResponse, *members: str, version: str | None = None) -> Document:
        try:
            found = JsonObject.parse(answer.body.decode(), *members)
        except ValueError:
            raise BadResponse(f"{self.label}: GET {self._address()}: unexpected response: no secret") from None
        return Document(found.entries, version=version, ref=found)

    def _absent(self, answer: HttpResponse, version: str | None = None) -> Document:
        """Raises NotFound or BadResponse unless the response means that the secret is missing."""
        if answer.status != 404:
            raise BadResponse(f"{self.label}: GET {self._address()}: unexpected response: no secret")
        if not isinstance(answer.data, dict) or answer.data.get("errors") != []:
            message = quote_of(answer.data, ()) or "no such mount or path"
            raise NotFound(f"{self.label}: GET {self._address()}: 404: {message}")
        return Document(version=version, exists=False)

    def requests(self, writes: Mapping[Action, int]) -> int:
        """The first write of a version 2 secret notes the writer."""
        return super().requests(writes) + (any(writes.values()) and self._version == 2 and not self._noted)

    def apply(self, writes: Iterable[Write]) -> Generator[Outcome, None, None]:
        yield from super().apply(writes)
        if self._wrote and not self._noted and not self._note_tried:
            self._note_tried = True
            # Many tokens may not: that is no failure of a write. Other members of the metadata stay.
            with contextlib.suppress(IntegrationError):
                path = self._address("metadata")
                self.client.request("PATCH", path, json={"custom_metadata": NOTE}, headers=MERGE)

    def write(self, before: Document, entries: Mapping[str, Any]) -> Document | None:
        """Version 1 rejects a secret without keys: it is deleted instead."""
        text = (before.ref or JsonObject()).changed_to(entries)
        if self._version == 1:
            if entries:
                self._post(text, entries)
            else:
                self.client.request("DELETE", self._address())
            return None
        answer = self._patched(before, entries) if before.exists and self._may_patch else None
        if answer is None:
            answer = self._post(f'{{"options": {{"cas": {before.version}}}, "data": {text}}}', entries)
        self._wrote = True
        written = fitting(Written, answer)  # without a version the write is accepted all the same
        return Document(entries, version=str(written.version), ref=JsonObject.parse(text)) if written else None

    def _post(self, text: str, entries: Mapping[str, Any]) -> Any:
        return self.client.request("POST", self._address(), content=text, headers=JSON, hidden=texts_of(entries))

    def _patched(self, before: Document, entries: Mapping[str, Any]) -> Any:
        """The response to a patch of the changes; None if the token may not patch, or the server cannot."""
        changes = {key: value for key, value in entries.items() if before.entries.get(key) != value}
        changes |= {key: None for key in before.entries if key not in entries}
        body = {"data": changes, "options": {"cas": int(before.version or 0)}}
        try:
            return self.client.request("PATCH", self._address(), json=body, headers=MERGE)
        except NotFound as gone:
            raise Conflict(str(gone)) from None
        except (Unauthorized, Rejected):
            self._may_patch = False
        # A deletion does not change the version, and writing all entries would restore what others have deleted.
        now = self.read()
        if (now.version, now.exists) != (before.version, before.exists):
            raise Conflict(f"{self.label}: {self._address()} was written since it was read")
        return None

    def _address(self, kind: str = "data") -> str:
        """Of the secret, or at version 2 of its metadata. A mount whose version is unknown counts as version 2."""
        below = "" if self._version == 1 else f"/{kind}"
        return f"/{path_of(self.config.mount)}{below}/{path_of(self.config.path)}"
