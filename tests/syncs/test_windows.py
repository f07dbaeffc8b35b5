"""Sync windows of a policy: automatic runs wait for them, manual ones do not."""

from __future__ import annotations

from typing import Any

import pytest

from syncs.models import SyncPolicy, SyncRun
from syncs.source.selectors import syncs
from tests.api.test_syncs import SYNCS
from tests.fixtures.api import Api
from tests.fixtures.world import World

ALWAYS = {"kind": "deny", "schedule": "0 0 * * *", "duration": 1440, "timezone": "UTC"}
NEVER = {"kind": "allow", "schedule": "0 0 1 1 *", "duration": 1, "timezone": "UTC"}


@pytest.mark.parametrize("window", [ALWAYS, NEVER])
def test_an_automatic_run_waits_for_its_window_and_a_manual_one_does_not(world: World, window: dict[str, Any]) -> None:
    sync = world.sync()
    world.due()
    world.policy(sync, windows=[window])
    world.set(A="1")
    waiting = SyncRun.objects.get(status="pending")
    world.due()
    waiting = world.again(waiting)
    assert (waiting.status, world.held()) == ("pending", {})
    assert waiting.message
    assert waiting.message.startswith("Outside its sync windows")
    assert "A manual run does not wait." in waiting.message
    assert syncs().get(pk=sync.pk).sync_status == "pending"
    assert world.run(sync).status == "succeeded"
    assert world.held() == {"A": "1"}


def test_a_run_follows_once_the_windows_allow_it(world: World) -> None:
    sync = world.sync()
    world.due()
    world.policy(sync, windows=[ALWAYS])
    world.set(A="1")
    world.due()
    world.policy(sync, windows=[])
    world.due()
    assert world.held() == {"A": "1"}


def test_windows_over_the_api(world: World, api: Api) -> None:
    sync = world.sync()
    where = f"{SYNCS}/{sync.pk}/policy"
    given = {"kind": "deny", "schedule": "0 9 * * 1-5", "duration": 480, "timezone": "Europe/Berlin"}
    status, answer = api("PATCH", where, {"windows": [given]})
    assert (status, answer["policy"]["windows"]) == (200, [given])
    without_zone = {name: value for name, value in given.items() if name != "timezone"}
    status, answer = api("PATCH", where, {"windows": [without_zone]})
    assert answer["policy"]["windows"] == [{**given, "timezone": "UTC"}]
    for wrong in (
        {"kind": "never"},
        {"schedule": "0 25 * * *"},
        {"schedule": "0 9 * *"},
        {"schedule": "0 0 9 * * *"},
        {"schedule": "0 0 30 2 *"},
        {"duration": 0},
        {"timezone": "Europe/Nowhere"},
        {"timezone": "../../etc/passwd"},
    ):
        status = 422 if wrong.keys() & {"kind", "duration"} else 400  # no schema describes the others
        assert api("PATCH", where, {"windows": [{**given, **wrong}]})[0] == status, wrong
    assert api("PATCH", where, {"windows": []})[1]["policy"]["windows"] == []


def test_a_project_has_default_windows(world: World, api: Api) -> None:
    where = f"/v1/projects/{world.project.pk}/sync-policy-defaults"
    assert api("PATCH", where, {"windows": [ALWAYS]})[1]["syncPolicyDefaults"]["windows"] == [ALWAYS]
    assert SyncPolicy.objects.get(sync=world.sync()).windows == [ALWAYS]
