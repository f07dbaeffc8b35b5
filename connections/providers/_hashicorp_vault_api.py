"""Responses and errors of HashiCorp Vault and OpenBao, and the version of a mount."""

from __future__ import annotations

from typing import Any

import httpx
from pydantic import AliasPath, Field

from connections.errors import BadResponse, Conflict, Unauthorized, Unavailable
from connections.http.client import ApiClient, Classified
from connections.http.responses import Response, Text

from ._hashicorp_vault_logins import path_of


class Granted(Response):
    client_token: Text = Field(validation_alias=AliasPath("auth", "client_token"))
    lease_duration: int = Field(validation_alias=AliasPath("auth", "lease_duration"))


class Token(Response):
    policies: list[str] = []


class Mount(Response):
    type: str
    options: dict[str, Any] | None = None

    @property
    def version(self) -> int:
        return 2 if (self.options or {}).get("version") == "2" else 1


def version_of(client: ApiClient, mount: str) -> int:
    """The version of the mount's key-value engine, 1 or 2. Any policy for the mount allows this request.

    Source: "/sys/internal/ui/mounts", which `vault kv` uses too; /sys/mounts needs a right of its own.
    """
    found = client.get_in(f"/sys/internal/ui/mounts/{path_of(mount)}", "data", Mount)
    if found.type != "kv":
        raise BadResponse(f"{client.service}: {mount} is no key-value mount but of type {found.type}")
    return found.version


def classify(status: int, headers: httpx.Headers, data: Any) -> Classified:
    """Errors that only the message distinguishes, and the statuses that are Vault's own."""
    if status == 400 and "check-and-set parameter did not match" in str(data):
        return Conflict
    # An eventually consistent node that is behind; standby and replicating nodes. Nothing was done.
    return Unavailable if status in (412, 472, 473) else None


def classify_login(status: int, headers: httpx.Headers, data: Any) -> Classified:
    """Each method refuses in another text, with 400 or 403."""
    return Unauthorized if status in (400, 403) else classify(status, headers, data)
