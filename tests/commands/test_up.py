"""`manage.py up --demo` as a newcomer runs it: real processes, real HTTP, stopped and started again."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from connections.sandbox import HumanitecSandbox
from tests.running import ROOT, Up, end_all

VALUES = "/orgs/acme/apps/shop/envs/development/values"
FOLDER = "demo-shop/dev/shop"


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    end_all(tmp_path)


def values_at(sandbox: str) -> dict[str, Any]:
    listed = httpx.get(sandbox + VALUES, headers={"authorization": "Bearer x"}, trust_env=False).json()
    return {value["key"]: value["updated_at"] for value in listed}


def changed_within(sandbox: str, before: dict[str, Any], seconds: float) -> set[str]:
    """The keys that other stamps have, once any has."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        now = values_at(sandbox)
        changed = {key for key in now if now[key] != before.get(key)}
        if changed:
            time.sleep(0.5)  # what else may follow
            now = values_at(sandbox)
            return {key for key in now if now[key] != before.get(key)}
        time.sleep(0.02)
    return set()


def test_a_newcomer_sees_secrets_arrive(data_dir: Path) -> None:
    up = Up(data_dir, "--demo")
    sandbox = up.said(r"Humanitec sandbox at (http://\S+)")[1]
    up.said(r"Run of demo-shop/shop-development: succeeded")
    assert re.search(r"user 'admin', password '\S+'", up.log.read_text())
    assert set(values_at(sandbox)) == {"DB_USER", "DB_PASSWORD", "DATABASE_URL", "PAYMENT_API_KEY", "SESSION_KEY"}
    assert up.get("/readyz").json() == {"status": "ok", "reasons": {}}
    assert up.get("/admin/login/").status_code == 200

    before = values_at(sandbox)
    assert up.manage("secrets", "set", FOLDER, "SESSION_KEY=another").returncode == 0
    assert changed_within(sandbox, before, 10) == {"SESSION_KEY"}
    waited = up.manage("sync", "demo-shop/shop-development", "--wait")
    assert (waited.returncode, "5 keys" in waited.stdout) == (0, True), waited.stderr

    for worker in up.children():
        if "qcluster" in worker.cmdline():
            worker.kill()
    up.said("task workers ended; starting it again")
    before = values_at(sandbox)
    assert up.manage("secrets", "set", FOLDER, "DB_USER=someone").returncode == 0
    assert changed_within(sandbox, before, 30) == {"DB_USER", "DATABASE_URL"}

    children = up.children()
    assert up.stop() < 10
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert "database is locked" not in up.log.read_text()

    again = Up(data_dir, "--demo")
    again.said(r"Run of demo-shop/shop-development: succeeded")
    assert "password" not in again.log.read_text().split("Plan of")[0]
    assert again.stop() < 10


def test_up_refuses_another_keyset(data_dir: Path) -> None:
    up = Up(data_dir)
    up.said("Keyferry is up")
    up.stop()
    keyset = data_dir / "keyset.json"
    keyset.rename(data_dir / "keyset.away")
    refused = up.manage("up", "--port", str(up.port))
    assert refused.returncode == 1
    assert f"{keyset} is missing" in refused.stderr
    assert not keyset.exists()


def test_up_names_a_port_in_use(data_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        env = {**os.environ, "KEYFERRY_DATA_DIR": str(data_dir), "DJANGO_SETTINGS_MODULE": "config.settings"}
        command = [sys.executable, "manage.py", "up", "--port", port]
        refused = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert f"127.0.0.1:{port} is in use" in refused.stderr


@pytest.fixture
def postgres() -> Iterator[str]:
    """The URL of a fresh database."""
    given = os.environ.get("KEYFERRY_TEST_POSTGRES")
    if not given:
        pytest.skip("KEYFERRY_TEST_POSTGRES names no PostgreSQL server")
    import psycopg

    name = f"keyferry_test_{os.getpid()}"
    with psycopg.connect(given, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{name}"')
        yield f"{given.rsplit('/', 1)[0]}/{name}"
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def redis() -> str:
    given = os.environ.get("KEYFERRY_TEST_REDIS")
    if not given:
        pytest.skip("KEYFERRY_TEST_REDIS names no Redis server")
    return given


@pytest.mark.postgres
@pytest.mark.redis
@pytest.mark.parametrize("broker", ["database", "redis"])
def test_up_on_postgresql(data_dir: Path, postgres: str, redis: str, broker: str) -> None:
    env = {"DATABASE_URL": postgres, **({"KEYFERRY_BROKER_URL": redis} if broker == "redis" else {})}
    up = Up(data_dir, "--demo", env=env)
    sandbox = up.said(r"Humanitec sandbox at (http://\S+)")[1]
    up.said(r"Run of demo-shop/shop-development: succeeded")
    assert up.get("/readyz").json() == {"status": "ok", "reasons": {}}
    before = values_at(sandbox)
    assert up.manage("secrets", "set", FOLDER, "SESSION_KEY=another").returncode == 0
    assert changed_within(sandbox, before, 10) == {"SESSION_KEY"}
    assert not (data_dir / "keyferry.sqlite3").exists()
    assert up.stop() < 10


@pytest.mark.slow
@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_run_in_progress_is_resumed(data_dir: Path, how: str) -> None:
    """In the middle of 200 slow writes all is stopped, or the workers are killed: the rest comes, and nothing twice."""
    with HumanitecSandbox(latency=0.4) as sandbox:
        env = {"KEYFERRY_BASE_URLS": json.dumps({"humanitec": sandbox.url})}
        up = Up(data_dir, "--demo", env=env)
        up.said(r"Run of demo-shop/shop-development: succeeded")
        pairs = [f"SLOW_{number}={number}" for number in range(200)]
        assert up.manage("secrets", "set", FOLDER, *pairs).returncode == 0
        scope = ("acme", "shop", "development")
        deadline = time.monotonic() + 30
        while len(sandbox.values[scope]) < 15:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        if how == "stopped":
            assert up.stop() < 10
            again = Up(data_dir, env=env)
        else:
            for worker in up.children():
                if "qcluster" in worker.cmdline():
                    worker.kill()
            again = up
        assert len(sandbox.values[scope]) < 205
        deadline = time.monotonic() + 60
        while len(sandbox.values[scope]) < 205:
            assert time.monotonic() < deadline, again.log.read_text()
            time.sleep(0.1)
        waited = again.manage("sync", "demo-shop/shop-development", "--wait")
        while waited.returncode == 1:  # the resumed run is still at its end
            time.sleep(0.5)
            waited = again.manage("sync", "demo-shop/shop-development", "--wait")
        assert (waited.returncode, "205 keys" in waited.stdout) == (0, True), waited.stdout
        created = [path for method, path in sandbox.asked if method == "POST"]
        assert len(created) == 205
        assert again.stop() < 10
