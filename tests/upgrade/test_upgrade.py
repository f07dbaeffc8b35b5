"""A database of 0.1.0, with work under way, is upgraded by the first start of this version, and the work goes through.

`make_database.py` made the data with 0.1.0 itself.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.urls import reverse

from connections.sandbox import HumanitecSandbox
from tests.running import PATIENCE, Up, end_all, wait_until

HERE = Path(__file__).parent
STATE = json.loads((HERE / "keyferry_0_1_0.json").read_text())
APPLICATION, ENVIRONMENT = ("acme", "shop", ""), ("acme", "shop", "development")


@pytest.fixture
def vendor() -> Iterator[HumanitecSandbox]:
    """As 0.1.0 left it, at the same address: that is part of what is stored."""
    with HumanitecSandbox(STATE["port"], token=STATE["token"]) as sandbox:
        for number in range(100):  # later than every time that is stored
            sandbox.put(("other", "clock", ""), "TICK", str(number))
        sandbox.values |= {(org, app, env): values for org, app, env, values in STATE["values"]}
        yield sandbox


@pytest.fixture
def up(tmp_path: Path, vendor: HumanitecSandbox) -> Iterator[Up]:
    database = sqlite3.connect(tmp_path / "keyferry.sqlite3")
    database.executescript((HERE / "keyferry_0_1_0.sql").read_text())
    database.close()
    for name, text in STATE["files"].items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    yield Up(tmp_path, env={"KEYFERRY_BASE_URLS": json.dumps({"humanitec": vendor.url})})
    end_all(tmp_path)


def rows(up: Up, query: str) -> list[tuple[Any, ...]]:
    """Read past the product: table and column names are what this is about."""
    database = sqlite3.connect(up.log.parent / "keyferry.sqlite3", timeout=PATIENCE)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


@contextmanager
def signed_in(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, trust_env=False, timeout=PATIENCE, follow_redirects=True) as client:
        client.get("/admin/login/")
        form = {"username": "ada", "password": "a long password", "csrfmiddlewaretoken": client.cookies["csrftoken"]}
        client.post("/admin/login/", data=form, headers={"referer": f"{url}/admin/login/"}).raise_for_status()
        assert "sessionid" in client.cookies
        yield client


def test_a_database_of_0_1_0_is_upgraded_with_runs_under_way(up: Up, vendor: HumanitecSandbox) -> None:
    up.wait_for_line("Keyferry is up")
    wait_until(lambda: not rows(up, "SELECT 1 FROM syncs_syncrun WHERE status IN ('pending', 'running')"), pause=0.5)
    # The interrupted run settled its claims, and the one in the task queue ran.
    expected = {"A": "2", "B": "2", "C": "3", "D": "1"}
    for scope in (APPLICATION, ENVIRONMENT):
        assert {key: value["value"] for key, value in vendor.values[scope].items()} == expected
    assert rows(up, "SELECT DISTINCT status FROM syncs_syncrun") == [("succeeded",)]
    assert rows(up, "SELECT DISTINCT state, prior FROM syncs_managedsecret") == [("owned", None)]
    assert rows(up, "SELECT func, result FROM django_q_task") == [], "only failed tasks are kept"
    wait_until(lambda: rows(up, "SELECT count(*) FROM django_q_ormq") == [(0,)])

    # JSON that is stored has the names of today.
    (before,) = rows(up, "SELECT before FROM syncs_runchange WHERE key = 'D' AND before IS NOT NULL ORDER BY id")[0]
    assert json.loads(before).keys() == {"owned", "etag"}

    url = f"http://127.0.0.1:{up.port}"
    with signed_in(url) as browser:
        page = browser.get(reverse("admin:syncs_syncdraft_step", args=[STATE["draft"], "target"]))
        assert (page.status_code, "blog" in page.text) == (200, True)
        page = browser.get(reverse("admin:syncs_syncdraft_step", args=[STATE["draft"], "options"]))
        assert page.status_code == 200, "the steps before are known to be done"
    with httpx.Client(base_url=f"{url}/api", trust_env=False, timeout=PATIENCE) as machine:
        token = machine.post("/v1/auth/universal-auth/login", json=STATE["login"]).json()["accessToken"]
        query = {"projectId": STATE["project"], "environment": "dev"}
        listed = machine.get("/v4/secrets", params=query, headers={"authorization": f"Bearer {token}"}).json()
        assert {each["secretKey"]: each["secretValue"] for each in listed["secrets"]} == expected
    up.stop()


def test_names_stored_by_0_1_0_still_resolve() -> None:
    """Queued tasks name a function by its path, and settings and migrations name the models."""
    from config.access import models
    from syncs import tasks

    assert callable(tasks.run)
    assert models.User._meta.label == "access.User"
