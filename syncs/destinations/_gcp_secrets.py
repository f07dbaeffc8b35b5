"""Secrets of Google Secret Manager and their versions, as its responses have them."""

from __future__ import annotations

import base64
from typing import Annotated

from pydantic import BeforeValidator, Field

from connections.http.responses import Response, Text
from syncs.engine.types import Remote

MARK = {"managed-by": "keyferry"}
"""The label of secrets that a sync has created."""


def id_of(name: str) -> str:
    """The last part of a full name: the ID of a secret, or the number of a version."""
    return name.rpartition("/")[2]


class Secret(Response):
    name: Annotated[str, Field(pattern=r"/[^/]+$")]
    createTime: Text
    etag: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    secretType: str = ""

    @property
    def is_ours(self) -> bool:
        return MARK.items() <= self.labels.items()

    def remote(self) -> Remote:
        """Without value and version, which only an access shows."""
        managed = self.secretType == "CLOUD_SQL_DB_CREDENTIALS"
        locked = "Google rotates it for a database" if managed else ""
        return Remote(id_of(self.name), object_id=self.createTime, locked=locked, ref=self)


class Payload(Response):
    data: Annotated[bytes, BeforeValidator(lambda text: base64.b64decode(text, validate=True))] = b""


class Version(Response):
    name: Annotated[str, Field(pattern=r"/[^/]+$")]
    payload: Payload

    @property
    def value(self) -> str | None:
        """None for bytes that are no text, which no secret of a source has."""
        try:
            return self.payload.data.decode()
        except UnicodeDecodeError:
            return None
