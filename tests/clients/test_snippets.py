"""The snippets of the page on the API, run unchanged against the running server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from tests.clients.conftest import Server
from tests.docs.reading import PAGES, fences
from tests.running import PATIENCE

PAGE = (PAGES / "api.md").read_text()
HERE = Path(__file__).parent
pytest.importorskip("infisical_sdk", reason="infisicalsdk is not installed (extra `clients`)")
pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def given(server: Server) -> dict[str, str]:
    """What the page says that a snippet needs: a project with two secrets, and a machine that reads them."""
    login = {"clientId": server.client_id, "clientSecret": server.client_secret}
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        token = client.post("/api/v1/auth/universal-auth/login", json=login).json()["accessToken"]
        client.headers["authorization"] = f"Bearer {token}"
        made = client.post("/api/v1/projects", json={"projectName": "Snippets", "slug": server.slug("snippets")}).json()
        project = str(made["project"]["id"])
        for name in ("DB_URL", "API_KEY"):
            body = {"projectId": project, "environment": "dev", "secretPath": "/", "secretValue": f"value of {name}"}
            assert client.post(f"/api/v4/secrets/{name}", json=body).status_code == 200
    return {
        "SERVER": server.url,
        "CLIENT_ID": server.client_id,
        "CLIENT_SECRET": server.client_secret,
        "PROJECT_ID": project,
    }


def ran(command: Sequence[str], given: dict[str, str], cwd: Path) -> str:
    env = {"PATH": os.environ["PATH"], "NO_PROXY": "*", **given}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl(given: dict[str, str], tmp_path: Path) -> None:
    (snippet,) = (block for block in fences(PAGE, "sh") if "universal-auth/login" in block)
    answer = ran(["sh", "-ec", snippet], given, tmp_path)
    assert '"secretKey":"DB_URL"' in answer.replace(" ", "")
    assert "value of API_KEY" in answer


def test_python(given: dict[str, str], tmp_path: Path) -> None:
    (snippet,) = fences(PAGE, "python")
    assert ran([sys.executable, "-c", snippet], given, tmp_path).split() == ["API_KEY", "DB_URL"]


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
@pytest.mark.skipif(
    not (HERE / "node_modules").exists(), reason="@infisical/sdk is not installed (npm ci in tests/clients)"
)
def test_node(given: dict[str, str]) -> None:
    (snippet,) = fences(PAGE, "js")
    command = ["node", "--input-type=module", "--eval", snippet]
    assert ran(command, given, HERE).split() == ["API_KEY", "DB_URL"]
