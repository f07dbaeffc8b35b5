"""The API as a machine sees it: over Django's test client, with a bearer token, beside the world of tests/syncs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from config.access.identities import create_identity
from config.access.roles import PLATFORM
from config.access.tokens import login
from tests.syncs.conftest import World, sandbox, world

__all__ = ["Api", "api", "sandbox", "world"]


class Api:
    """Requests with a token; answers as (status, body)."""

    def __init__(self, token: str | None) -> None:
        self._client = Client(raise_request_exception=False)
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    def __call__(self, method: str, path: str, body: Any = None, /, **query: str) -> tuple[int, Any]:
        response = self.raw(method, path, None if body is None else json.dumps(body), **query)
        return response.status_code, response.json()

    def raw(self, method: str, path: str, data: str | bytes | None = None, /, **query: str) -> Any:
        return self._client.generic(
            method,
            f"/api{path}",
            data if data is not None else "",
            content_type="application/json",
            headers=self._headers,
            query_params=query or None,
        )


def api_for(role: str, world: World | None) -> Api:
    """A machine with a role in the world's project, or in the instance."""
    made = create_identity(PLATFORM, f"machine-{role}", role=role, project=world.project if world else None)
    return Api(login(str(made.identity.client_id), made.client_secret)["accessToken"])


@pytest.fixture
def api(world: World) -> Api:
    """An admin of the world's project."""
    return api_for("admin", world)
