"""The running product, for clients that others wrote."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from connections.provider import providers
from tests.running import Up, end_all


@dataclass(frozen=True)
class Server:
    """A running server, with an instance admin's machine."""

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    up: Up

    def slug(self, name: str) -> str:
        """A project's slug that no other test has."""
        return f"{name}-{uuid.uuid4().hex[:6]}"

    def identity(self, role: str) -> dict[str, str]:
        """What a machine with this role in the instance logs in with."""
        made = json.loads(self.up.manage("create_identity", role, "--role", role, "--json").stdout)
        return {key: made[key] for key in ("clientId", "clientSecret")}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data_dir = tmp_path_factory.mktemp("served")
    # Connections are checked against an address where nothing listens; logins come as fast as the fuzzer sends them.
    nowhere = json.dumps({provider.slug: "http://127.0.0.1:9" for provider in providers})
    up = Up(data_dir, env={"KEYFERRY_BASE_URLS": nowhere, "KEYFERRY_LOGIN_RATE_LIMIT": "0"})
    try:
        up.wait_for_line("Keyferry is up")
        made = json.loads(up.manage("create_identity", "clients", "--role", "admin", "--json").stdout)
        yield Server(f"http://127.0.0.1:{up.port}", made["clientId"], made["clientSecret"], up)
    finally:
        up.stop()
        end_all(data_dir)
