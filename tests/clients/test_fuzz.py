"""The whole API under a fuzzer: no 500, no undocumented status, no response outside its schema."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.clients.conftest import Server

pytest.importorskip("schemathesis", reason="schemathesis is not installed (extra `clients`)")
pytestmark = [pytest.mark.clients, pytest.mark.slow]

# 400 is the modelled API's status for what a rule forbids in the current state; 414 comes from the web server.
CONFIG = """
[headers]
Authorization = "Bearer ${FUZZ_TOKEN}"
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "401", "403", "404"]
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "413", "414", "415", "422", "429"]
"""


LONG = 2400.0
"""Seconds that a run may take on a busy machine; eight minutes are usual."""


def test_every_operation_as_instance_admin(server: Server, tmp_path: Path) -> None:
    fuzz(server, tmp_path, "admin")


OTHERS = re.compile(r"/api/v1/(secret-syncs|app-connections)/(?!humanitec(/|$)|options$|error-codes$|{)[a-z-]+")
STORED = re.compile(OTHERS.pattern + r"(/{\w+})?")
"""Paths whose bodies differ by destination: what creates or changes a sync or a connection."""


def alike(server: Server) -> list[str]:
    """Arguments that leave out the operations that are the same code and the same shapes as those of one destination.

    A fuzzer finds nothing in the other ones, and takes minutes.
    """
    answer = httpx.get(f"{server.url}/api/schema", headers={"Accept": "application/json"}, trust_env=False)
    return [
        argument
        for path, operations in answer.json()["paths"].items()
        for operation in operations.values()
        if OTHERS.match(path) and not (STORED.fullmatch(path) and "requestBody" in operation)
        for argument in ("--exclude-operation-id", operation["operationId"])
    ]


def fuzz(server: Server, tmp_path: Path, role: str, phases: str = "examples,coverage,fuzzing") -> None:
    login = httpx.post(f"{server.url}/api/v1/auth/universal-auth/login", json=server.identity(role), trust_env=False)
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG)
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        *("--config-file", str(config)),
        "run",
        f"{server.url}/api/schema",
        *("--checks", "all"),
        *("--phases", phases),
        *("--max-examples", "10"),
        *("--seed", "1"),
        *alike(server),
        "--no-color",
    ]
    # Not in the command: a failure of the test shows it.
    env = {**os.environ, "FUZZ_TOKEN": login.json()["accessToken"]}
    ran = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=LONG, check=False)
    failures = ran.stdout.partition("= FAILURES =")[2]
    assert ran.returncode == 0, failures[:5000] or ran.stdout[-3000:]
    tested = re.search(r"Tested: (\d+)", ran.stdout)
    assert tested
    turned_away = re.search(r"Authentication failed: (\d+) operation", ran.stdout)
    assert int(turned_away[1] if turned_away else 0) < int(tested[1]) / 2, "the token is a good one"
