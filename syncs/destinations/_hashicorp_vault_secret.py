"""The target in Vault, and the responses about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import model_validator

from config.errors import BadRequest
from config.schemas.model import Model
from config.schemas.types import Text
from connections.errors import BadResponse, NotFound
from connections.http.exchange import HttpResponse
from connections.http.failures import quote_of
from connections.http.responses import Response
from syncs.destination.raw_json import JsonObject, Raw

SEGMENT = r"[A-Za-z0-9._-]+( +[A-Za-z0-9._-]+)*"


class Metadata(Response):
    version: int
    custom_metadata: dict[str, Any] | None = None


class Written(Response):
    data: Metadata


class Held(Response):
    data: dict[str, Any] | None
    metadata: Metadata


class Secret(Response):
    data: Held


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
            pattern=f"{SEGMENT}(/{SEGMENT})*",
            pattern_message="Invalid path: letters, digits, blanks and ._- with single slashes between",
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


def object_in(answer: HttpResponse, *members: str) -> JsonObject:
    """The object at that path of a response, as it was sent. Raises BadResponse."""
    try:
        found = JsonObject.parse(answer.body.decode())
        for name in members:
            found = found.member(name)
    except ValueError:
        raise BadResponse("Hashicorp Vault: GET: unexpected response: no secret") from None
    return found


def values_of(entries: Mapping[str, Any]) -> list[str]:
    return [entry.text if isinstance(entry, Raw) else entry for entry in entries.values()]


def require_absent(answer: HttpResponse, path: str) -> None:
    """Raises NotFound or BadResponse unless the response means that the secret is missing."""
    if answer.status != 404:
        raise BadResponse(f"Hashicorp Vault: GET {path}: unexpected response: no secret")
    if not isinstance(answer.data, dict) or answer.data.get("errors") != []:
        message = quote_of(answer.data, ()) or "no such mount or path"
        raise NotFound(f"Hashicorp Vault: GET {path}: 404: {message}")
