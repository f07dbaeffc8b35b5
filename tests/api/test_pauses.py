"""Pausing all syncs over the API: it stops runs between two keys, and is recorded with its actor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from config.access.models import AuditEvent
from config.access.roles import PLATFORM
from config.access.services import pause_everything
from connections.provider import Rights
from connections.services import create_connection, update_connection
from syncs.models import SyncRun
from syncs.running import writer
from tests.api.test_syncs import SYNCS
from tests.fixtures.api import Api, api_for
from tests.fixtures.world import TOKEN, World

KEYS = 200
EVERYTHING = "/v1/organization/pause"


def of_connection(world: World) -> str:
    return f"/v1/app-connections/humanitec/{world.connection.pk}/pause"


@pytest.mark.parametrize("scope", ["instance", "connection"])
def test_pausing_stops_running_and_future_runs(world: World, scope: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world.set(**{f"K{number:03}": "x" for number in range(KEYS)})
    sync = world.sync(is_auto_sync_enabled=False)
    root = api_for("admin", None)
    where = EVERYTHING if scope == "instance" else of_connection(world)
    gate = writer.Writer.gate

    def pausing(self: Any, changes: Any, pace: Any) -> Iterator[Any]:
        for number, write in enumerate(gate(self, changes, pace)):
            yield write
            if number == 8:
                status, answer = root("PATCH", where, {"isPaused": True})
                assert (status, answer["pause"]["isPaused"]) == (200, True)

    monkeypatch.setattr(writer.Writer, "gate", pausing)
    world.sandbox.latency = 0.1
    run = world.run(sync)
    world.sandbox.latency = 0
    monkeypatch.setattr(writer.Writer, "gate", gate)
    assert run.status == "pending"
    assert "it was paused" in (run.message or "")
    assert 0 < len(world.held()) < KEYS
    status, answer = root("GET", where)
    assert (answer["pause"]["pausedBy"], answer["pause"]["pausedAt"] is not None) == ("machine-admin", True)
    status, refused = api_for("member", world)("POST", f"{SYNCS}/{sync.pk}/sync-secrets", {})
    assert (status, "paused by machine-admin on 20" in refused["message"]) == (400, True)
    SyncRun.objects.update(due_at=run.created_at)
    world.due()
    assert len(world.held()) < KEYS
    assert root("PATCH", where, {"isPaused": False})[1]["pause"]["isPaused"] is False
    world.due()
    assert len(world.held()) == KEYS
    kind = "everything" if scope == "instance" else "app-connection"
    for event in (f"pause-{kind}", f"resume-{kind}"):
        assert AuditEvent.objects.filter(event=event, actor_name="machine-admin").count() == 1


def test_who_may(world: World, api: Api) -> None:
    own = create_connection(
        world.actor, "humanitec", name="own", method="api-token", credentials={"apiToken": TOKEN}, project=world.project
    )
    where = f"/v1/app-connections/humanitec/{own.pk}/pause"
    assert api("PATCH", EVERYTHING, {"isPaused": True})[0] == 403
    assert api("PATCH", of_connection(world), {"isPaused": True})[0] == 403  # the whole organisation's
    assert api("PATCH", where, {"isPaused": True})[0] == 200
    member = api_for("member", world)
    assert member("GET", where)[1]["pause"]["pausedBy"] == "machine-admin"
    assert member("PATCH", where, {"isPaused": False})[0] == 403
    assert api("PATCH", where, {})[0] == 422
    outsider = api_for("viewer", None)
    assert outsider("GET", where)[0] == 404


def test_a_pause_says_why(world: World, api: Api) -> None:
    root = api_for("admin", None)
    for where in (EVERYTHING, of_connection(world)):
        assert root("PATCH", where, {"isPaused": True, "reason": " audit "})[1]["pause"]["reason"] == "audit"
        assert root("PATCH", where, {"isPaused": True, "reason": "x" * 256})[0] == 422
        assert root("PATCH", where, {"isPaused": False, "reason": "done"})[1]["pause"]["reason"] is None
    event = AuditEvent.objects.filter(event="pause-everything").get()
    assert event.metadata["reason"] == "audit"
    sync = world.sync()
    policy = f"{SYNCS}/{sync.pk}/policy"
    status, answer = api("PATCH", policy, {"paused": True, "pauseReason": "audit"})
    assert (status, answer["policy"]["paused"], "pauseReason" in answer["policy"]) == (200, True, False)
    sync.policy.refresh_from_db()
    assert (sync.policy.pause_reason, sync.policy.paused_by) == ("audit", "machine-admin")
    assert api("PATCH", policy, {"pauseReason": "audit"})[0] == 422


def test_a_connection_is_checked_on_request(world: World, api: Api) -> None:
    where = f"/v1/app-connections/humanitec/{world.connection.pk}/check"
    status, answer = api("POST", where)
    assert (status, answer["appConnection"]["id"]) == (200, str(world.connection.pk))
    assert answer["check"].pop("checkedAt")
    assert answer["check"] == {"problem": None, "missingRights": [], "excessRights": []}
    world.sandbox.token = "another"
    status, answer = api("POST", where)
    assert (status, "Failed to validate credentials" in answer["message"]) == (400, True)
    assert TOKEN not in json.dumps(answer)
    assert api("GET", where)[1]["check"]["problem"] == answer["message"]
    viewer = api_for("viewer", world)
    assert (viewer("POST", where)[0], viewer("GET", where)[0]) == (403, 200)


def test_the_rights_that_a_check_finds_are_kept_until_the_next(
    world: World, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    rights = Rights(missing=("write",), excess=("admin",))
    monkeypatch.setattr("connections.providers.humanitec.Humanitec.check", lambda self, client: rights)
    connection = f"/v1/app-connections/humanitec/{world.connection.pk}"
    found = {"missingRights": ["write"], "excessRights": ["admin"]}
    assert found.items() <= api("POST", f"{connection}/check")[1]["check"].items()
    assert found.items() <= api("GET", f"{connection}/check")[1]["check"].items()
    assert "missingRights" not in str(api("GET", connection)[1])
    monkeypatch.undo()
    assert api("POST", f"{connection}/check")[1]["check"]["missingRights"] == []


def test_new_credentials_bring_the_rights_that_they_have(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rights = Rights(missing=("write",))
    monkeypatch.setattr("connections.providers.humanitec.Humanitec.check", lambda self, client: rights)
    made = create_connection(world.actor, "humanitec", name="new", method="api-token", credentials={"apiToken": TOKEN})
    made.refresh_from_db()
    assert made.missing_rights == ["write"]
    monkeypatch.undo()
    update_connection(world.actor, made, credentials={"apiToken": TOKEN})
    made.refresh_from_db()
    assert made.missing_rights == []


def test_a_pause_does_not_prevent_planning(world: World, api: Api) -> None:
    pause_everything(PLATFORM, paused=True)
    sync = world.sync()
    assert api("POST", f"{SYNCS}/{sync.pk}/plan")[0] == 200
