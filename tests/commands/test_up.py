"""`manage.py up --demo`: real processes, real HTTP, stopped and started again."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from connections.sandbox import HumanitecSandbox
from tests.running import ROOT, Up, end_all, wait_until

VALUES = "/orgs/acme/apps/shop/envs/development/values"
FOLDER = "demo-shop/dev/shop"
SYNC = "demo-shop/shop-development"


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    end_all(tmp_path)


def values_at(sandbox: str) -> dict[str, Any]:
    listed = httpx.get(sandbox + VALUES, headers={"authorization": "Bearer x"}, trust_env=False).json()
    return {value["key"]: value["updated_at"] for value in listed}


def wait_for_changes(up: Up, sandbox: str, before: dict[str, Any], keys: set[str]) -> None:
    """Until these keys have other etags. Another run makes sure that nothing else follows."""

    def changed() -> set[str]:
        now = values_at(sandbox)
        return {key for key in now if now[key] != before.get(key)}

    wait_until(lambda: changed() >= keys)
    assert "5 keys" in synced(up)
    assert changed() == keys


def synced(up: Up) -> str:
    """The output of a sync that succeeded. One is refused while another run is at its end."""
    succeeded = wait_until(lambda: (ran := up.manage("sync", SYNC, "--wait")).returncode == 0 and ran, pause=0.5)
    return succeeded.stdout


def kill_workers(up: Up) -> None:
    for process in up.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if "qcluster" in process.cmdline():
                process.kill()


def test_the_demo_syncs_secrets(data_dir: Path) -> None:
    up = Up(data_dir, "--demo")
    sandbox = up.wait_for_line(r"Humanitec sandbox at (http://\S+)")[1]
    up.wait_for_line(r"Run of demo-shop/shop-development: succeeded")
    assert re.search(r"user 'admin', password '\S+'", up.log.read_text())
    assert set(values_at(sandbox)) == {"DB_USER", "DB_PASSWORD", "DATABASE_URL", "PAYMENT_API_KEY", "SESSION_KEY"}
    wait_until(lambda: up.get("/readyz").json() == {"status": "ok", "reasons": {}})
    assert up.get("/admin/login/").status_code == 200

    before = values_at(sandbox)
    assert up.manage("secrets", "set", FOLDER, "SESSION_KEY=another").returncode == 0
    wait_for_changes(up, sandbox, before, {"SESSION_KEY"})

    kill_workers(up)
    up.wait_for_line("task workers ended; starting it again")
    before = values_at(sandbox)
    assert up.manage("secrets", "set", FOLDER, "DB_USER=someone").returncode == 0
    wait_for_changes(up, sandbox, before, {"DB_USER", "DATABASE_URL"})

    children = up.children()
    up.stop()
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert "database is locked" not in up.log.read_text()

    again = Up(data_dir, "--demo")
    again.wait_for_line(r"Run of demo-shop/shop-development: succeeded")
    assert "password" not in again.log.read_text().split("Plan of")[0]
    again.stop()


def test_up_refuses_another_keyset(data_dir: Path) -> None:
    up = Up(data_dir)
    up.wait_for_line("Keyferry is up")
    up.stop()
    keyset = data_dir / "keyset.json"
    keyset.rename(data_dir / "keyset.away")
    refused = up.manage("up", "--port", str(up.port))
    assert refused.returncode == 1
    assert f"{keyset} is missing" in refused.stderr
    assert not keyset.exists()


def test_up_reports_a_port_in_use(data_dir: Path) -> None:
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
    sandbox = up.wait_for_line(r"Humanitec sandbox at (http://\S+)")[1]
    up.wait_for_line(r"Run of demo-shop/shop-development: succeeded")
    wait_until(lambda: up.get("/readyz").json() == {"status": "ok", "reasons": {}})
    before = values_at(sandbox)
    assert up.manage("secrets", "set", FOLDER, "SESSION_KEY=another").returncode == 0
    wait_for_changes(up, sandbox, before, {"SESSION_KEY"})
    assert not (data_dir / "keyferry.sqlite3").exists()
    up.stop()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_run_in_progress_is_resumed(data_dir: Path, how: str) -> None:
    """In the middle of 200 slow writes all is stopped, or the workers are killed: the rest comes, and nothing twice."""
    with HumanitecSandbox(latency=0.4) as sandbox:
        env = {"KEYFERRY_BASE_URLS": json.dumps({"humanitec": sandbox.url})}
        up = Up(data_dir, "--demo", env=env)
        up.wait_for_line(r"Run of demo-shop/shop-development: succeeded")
        pairs = [f"SLOW_{number}={number}" for number in range(200)]
        assert up.manage("secrets", "set", FOLDER, *pairs).returncode == 0
        scope = ("acme", "shop", "development")
        wait_until(lambda: len(sandbox.values[scope]) >= 15)
        if how == "stopped":
            up.stop()
            again = Up(data_dir, env=env)
        else:
            kill_workers(up)
            again = up
        assert len(sandbox.values[scope]) < 205
        wait_until(lambda: len(sandbox.values[scope]) >= 205)
        assert "205 keys" in synced(again)
        created = [path for method, path in sandbox.asked if method == "POST"]
        assert len(created) == 205
        again.stop()
