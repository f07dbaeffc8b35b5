"""One secret of a key-value mount of HashiCorp Vault or OpenBao, version 1 or 2: a document with all keys in it.

Surprising facts: a secret that was deleted still counts its versions, and is written over only by naming the last one.
Absent is a 404 with an empty list of errors; any other 404 is a mount or namespace that is not there.
Version 2 checks and sets, so that no write of other hands is ever lost; version 1 cannot. What stands there is patched:
a patch sends what changes alone, and is refused where the secret was deleted, which the check does not notice.
Requests: 500 keys with one changed take a read and a patch; with a token that may not patch also a look and a write; at
version 1 two to learn that it is that one, and a look just before the write.
Source: https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2, and kv-v1
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import model_validator

from config.errors import BadRequest
from config.schemas.model import Model
from config.schemas.types import Text
from connections.errors import BadResponse, Conflict, NotFound, Rejected, Unauthorized
from connections.http.exchange import HttpResponse
from connections.providers.hashicorp_vault import RIGHTS, path_of, version_of
from syncs.destination.base import DocumentDestination
from syncs.destination.capabilities import Capabilities
from syncs.destination.options import sync_options
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
            "The secret below the mount that holds all keys, such as dev/shop; made where it is missing.",
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
    slug: ClassVar[str] = "hashicorp-vault"
    label: ClassVar[str] = "Hashicorp Vault"
    provider: ClassVar[str] = "hashicorp-vault"
    Config: ClassVar[type[Model]] = SecretPath
    Options: ClassVar[type[Model]] = sync_options("Hashicorp Vault", can_import=True)
    config: SecretPath
    capabilities: ClassVar[Capabilities] = Capabilities(
        can_read_values=True,
        can_import=True,
        has_etag=False,
        has_object_ids=False,
        holds_comments=False,
        max_total_bytes=1024 * 1024,
        note=(
            "All keys stand in one secret. At a version 2 mount each run that changes something makes one new version,"
            " and no write of other hands is lost. Version 1 cannot check: what others write in the moment between the"
            " last look and the write is overwritten."
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
        """A namespace may stand in the address or at the head of the mount: the whole says where it is."""
        return f"hashicorp-vault|{self.client.base_url}/{self._mount}|{self._path}"

    def _address(self, version: int) -> str:
        return f"/{self._mount}/data/{self._path}" if version == 2 else f"/{self._mount}/{self._path}"

    def read(self) -> Document:
        """Version 2 is tried first; where nothing stands there, or that is refused, the mount is asked which it is."""
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
            raise refused or BadResponse(f"{self.label}: nothing was answered")
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
            return None  # the write was accepted; the next list tells the rest

    def _patched(self, before: Document, entries: Mapping[str, Any]) -> Any:
        """What is answered to the changes alone; None where the token may not patch, or the server cannot."""
        changes = {key: value for key, value in entries.items() if before.entries.get(key) != value}
        changes |= {key: None for key in before.entries if key not in entries}
        body = {"data": changes, "options": _cas(before)}
        try:
            return self.client.request("PATCH", self._address(2), json=body, headers=MERGE)
        except NotFound as gone:
            raise Conflict(str(gone)) from None
        except (Unauthorized, Rejected):
            self._may_patch = False
        # Deleting a secret does not count its version up, and the whole would bring back what others have deleted.
        now = self.read()
        if (now.version, now.exists) != (before.version, before.exists):
            raise Conflict(f"{self.label}: {self._address(2)} was written since it was read")
        return None

    def _write_first(self, entries: Mapping[str, Any]) -> None:
        """Version 1 refuses a secret without keys: it goes instead."""
        if entries:
            self.client.request("POST", self._address(1), json=dict(entries))
        else:
            self.client.request("DELETE", self._address(1))


def _cas(before: Document) -> dict[str, int]:
    """0: nothing must stand there yet."""
    return {"cas": int(before.version or 0)}


def _second(answer: HttpResponse) -> Document | None:
    """A version 2 secret, present or deleted; None where the answer is none."""
    found = answer.data.get("data") if isinstance(answer.data, dict) else None
    metadata = found.get("metadata") if isinstance(found, dict) else None
    version = metadata.get("version") if isinstance(metadata, dict) else None
    if not isinstance(found, dict) or not isinstance(version, int) or "data" not in found:
        return None
    if answer.status == 404 or found["data"] is None:
        return Document(version=str(version), exists=False)
    return Document(found["data"], version=str(version)) if isinstance(found["data"], dict) else None


def _require_absent(answer: HttpResponse, path: str) -> None:
    """Raises NotFound or BadResponse unless the answer says that no secret stands there."""
    if answer.status != 404:
        raise BadResponse(f"Hashicorp Vault: GET {path}: unexpected response: no secret")
    if not isinstance(answer.data, dict) or answer.data.get("errors") != []:
        said = answer.data.get("errors") if isinstance(answer.data, dict) else None
        words = re.sub(r"\s+", " ", str(said[0]))[:200] if isinstance(said, list) and said else "no such mount or path"
        raise NotFound(f"Hashicorp Vault: GET {path} answered 404: {words}")
