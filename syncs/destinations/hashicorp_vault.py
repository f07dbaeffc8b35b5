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

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import model_validator

from config.errors import BadRequest
from config.schemas.model import Model
from config.schemas.types import Text
from connections.errors import BadResponse, Conflict, NotFound, Rejected, Unauthorized
from connections.http.exchange import HttpResponse
from connections.providers.hashicorp_vault import RIGHTS, path_of, version_of
from syncs.destination.capabilities import Capabilities
from syncs.destination.document import DocumentDestination
from syncs.destination.write import Document

MERGE = {"Content-Type": "application/merge-patch+json"}
SEGMENTS = r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*"


def _trimmed(text: str) -> str:
    """Without blanks and slashes at its ends."""
    return text.strip().strip("/").strip()


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
            prepare=_trimmed,
        ),
    ]
    path: Annotated[
        str,
        Text(
            "Path",
            "The secret below the mount that holds all keys, such as dev/shop; created if it is missing.",
            max_length=128,
            pattern=SEGMENTS,
            pattern_message="Invalid path: letters, digits, dots, underscores and dashes, with single slashes between",
            empty_message="Path required",
            prepare=_trimmed,
        ),
    ]

    @model_validator(mode="after")
    def _without_dots(self) -> Self:
        for name, value in (("mount", self.mount), ("path", self.path)):
            if any(part in (".", "..") for part in value.split("/")):
                raise BadRequest(f"{name}: {name.capitalize()} has a part that is only dots")
        return self


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
        verified="November 2026, against OpenBao 2.7.2: both versions, namespaces; not against HashiCorp's own server.",
        docs_url="https://developer.hashicorp.com/vault/api-docs/secret/kv",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._mount, self._path = path_of(self.config.mount), path_of(self.config.path)
        self._version: int | None = None
        self._may_patch = True

    def location(self) -> str:
        """A namespace may be part of the address or of the mount: the location has both."""
        return f"hashicorp-vault|{self.client.base_url}/{self._mount}|{self._path}"

    def _address(self, version: int) -> str:
        return f"/{self._mount}/data/{self._path}" if version == 2 else f"/{self._mount}/{self._path}"

    def read(self) -> Document:
        """Version 2 is tried first; if that finds no secret or is rejected, the version of the mount is read."""
        if self._version == 1:
            return self._read_first()
        refused: Unauthorized | None = None
        try:
            answer = self.client.send("GET", self._address(2), accept=[404])
        except Unauthorized as error:
            answer, refused = None, error
        if answer is not None and (document := _second(answer)):
            self._version = 2
            return document
        if self._version is None:
            self._version = version_of(self.client, self.config.mount)
        if self._version == 1:
            return self._read_first()
        if answer is None:
            raise refused or BadResponse(f"{self.label}: unexpected response: nothing")
        _require_absent(answer, self._address(2))
        return Document(version="0", exists=False)

    def _read_first(self) -> Document:
        path = self._address(1)
        answer = self.client.send("GET", path, accept=[404])
        if answer.status == 404:
            _require_absent(answer, path)
            return Document(exists=False)
        entries = answer.data.get("data") if isinstance(answer.data, dict) else None
        if not isinstance(entries, dict):
            raise BadResponse(f"{self.label}: GET {path}: unexpected response: no secret")
        return Document(entries)

    def write(self, before: Document, entries: Mapping[str, Any]) -> Document | None:
        if self._version == 1:
            self._write_first(entries)
            return None
        answer = self._patched(before, entries) if before.exists and self._may_patch else None
        if answer is None:
            body = {"data": dict(entries), "options": _cas(before)}
            answer = self.client.request("POST", self._address(2), json=body)
        try:
            return Document(entries, version=str(answer["data"]["version"]))
        except (KeyError, TypeError):
            return None  # the write was accepted; the next list has the version

    def _patched(self, before: Document, entries: Mapping[str, Any]) -> Any:
        """The response to a patch of the changes; None if the token may not patch, or the server cannot."""
        changes = {key: value for key, value in entries.items() if before.entries.get(key) != value}
        changes |= {key: None for key in before.entries if key not in entries}
        body = {"data": changes, "options": _cas(before)}
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

    def _write_first(self, entries: Mapping[str, Any]) -> None:
        """Version 1 rejects a secret without keys: it is deleted instead."""
        if entries:
            self.client.request("POST", self._address(1), json=dict(entries))
        else:
            self.client.request("DELETE", self._address(1))


def _cas(before: Document) -> dict[str, int]:
    """0: the secret must not exist."""
    return {"cas": int(before.version or 0)}


def _second(answer: HttpResponse) -> Document | None:
    """A version 2 secret, present or deleted; None if the response is not one."""
    found = answer.data.get("data") if isinstance(answer.data, dict) else None
    metadata = found.get("metadata") if isinstance(found, dict) else None
    version = metadata.get("version") if isinstance(metadata, dict) else None
    if not isinstance(found, dict) or not isinstance(version, int) or "data" not in found:
        return None
    if answer.status == 404 or found["data"] is None:
        return Document(version=str(version), exists=False)
    return Document(found["data"], version=str(version)) if isinstance(found["data"], dict) else None


def _require_absent(answer: HttpResponse, path: str) -> None:
    """Raises NotFound or BadResponse unless the response means that the secret is missing."""
    if answer.status != 404:
        raise BadResponse(f"Hashicorp Vault: GET {path}: unexpected response: no secret")
    if not isinstance(answer.data, dict) or answer.data.get("errors") != []:
        errors = answer.data.get("errors") if isinstance(answer.data, dict) else None
        message = "no such mount or path"
        if isinstance(errors, list) and errors:
            message = re.sub(r"\s+", " ", str(errors[0]))[:200]
        raise NotFound(f"Hashicorp Vault: GET {path}: 404: {message}")
