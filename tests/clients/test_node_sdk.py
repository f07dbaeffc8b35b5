"""Infisical's Node SDK, unmodified, against the running server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients.conftest import Server
from tests.running import PATIENCE

HERE = Path(__file__).parent
pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed"),
    pytest.mark.skipif(
        not (HERE / "node_modules").exists(), reason="@infisical/sdk is not installed (npm ci in tests/clients)"
    ),
]


def test_a_team_is_migrated(server: Server) -> None:
    slug = server.slug("node")
    command = ["node", "node_sdk.mjs", server.url, server.client_id, slug]
    env = {**os.environ, "CLIENT_SECRET": server.client_secret}
    ran = subprocess.run(command, cwd=HERE, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    seen = json.loads(ran.stdout)
    errors = seen.pop("errors")
    assert seen == {
        "renewed": True,
        "project": ["Node", slug],
        "environment": ["QA", "qa", 1],
        "folder": ["api", "/api"],
        "folders": ["api"],
        "awkward": "KEY_.._1",
        "expanded": "<line one\nline two é 大\n>",
        "typed": "<${BASE}>",
        "updated": ["BASIS", 2, "why"],
        "listed": [["BASIS", "short"], ["KEY_.._1", "x"], ["REFERS", "<${BASE}>"]],
        "below": ["/api", "/api", "/api"],
        "merged": ["BASIS", "KEY_.._1", "REFERS"],
        "imported": "short",
        "deleted": "REFERS",
    }
    for text, expected in zip(
        errors,
        ["Secret with name 'REFERS' not found", "Secret already exist: BASIS", "'nowhere'", "nobody@example.com"],
        strict=True,
    ):
        assert expected in text
