"""Drift checks on demand and on schedule, and healing if the policy enables it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from config.errors import BadRequest
from syncs import tasks
from syncs.destinations.humanitec import Humanitec
from syncs.models import DriftCheck, SecretSync, SyncRun
from syncs.running import dispatcher, drift
from syncs.services import syncs as services
from syncs.source.selectors import syncs
from tests.fixtures.world import World

APP = ("acme", "shop", "")


def fresh(sync: SecretSync) -> SecretSync:
    return syncs().get(pk=sync.pk)


def test_a_check_reports_each_state_and_writes_nothing(world: World) -> None:
    world.set(A="1", B="2", C="3")
    sync = world.sync()
    world.run(sync)
    assert drift.check(fresh(sync)).status == "none"
    world.sandbox.put(APP, "A", "theirs")
    del world.sandbox.values[APP]["B"]
    world.sandbox.put(APP, "FOREIGN", "x")
    world.sandbox.asked.clear()
    found = drift.check(fresh(sync))
    assert {one["key"]: one["state"] for one in found.changes} == {
        "A": "changed",
        "B": "missing",
        "FOREIGN": "unmanaged",
    }
    assert (found.status, found.complete, world.writes()) == ("drifted", True, [])
    assert not SyncRun.objects.filter(status="pending").exists()


def test_drift_is_detected_despite_pending_changes(world: World) -> None:
    world.set(ANEW="1", GOING="1", BROKEN="1", PLAIN="1", FINE="1")
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    world.unset("GOING")
    world.set(BROKEN="${NOWHERE}")
    for key in ("ANEW", "GOING", "BROKEN", "PLAIN"):
        if key in ("ANEW", "PLAIN"):
            del world.sandbox.values[APP][key]
        world.sandbox.put(APP, key, "theirs", is_secret=key != "PLAIN")
    found = drift.check(fresh(sync))
    externally = ("changed", "changed externally at the destination")
    assert {one["key"]: (one["state"], one["reason"]) for one in found.changes} == dict.fromkeys(
        ("ANEW", "BROKEN", "GOING", "PLAIN"), externally
    )
    assert found.status == "drifted"


def test_unmanaged_keys_are_no_drift(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.run(sync)
    world.sandbox.put(APP, "FOREIGN", "x")
    assert drift.check(fresh(sync)).status == "none"


def test_undetectable_drift_is_unknown_and_never_none(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.set(A="1", B="2")
    sync = world.sync()
    world.run(sync)
    listed = Humanitec.fetch
    monkeypatch.setattr(Humanitec, "fetch", lambda self: [replace(one, etag=None) for one in listed(self)])
    found = drift.check(fresh(sync))
    assert (found.status, [one["state"] for one in found.changes]) == ("unknown", ["unknown", "unknown"])
    del world.sandbox.values[APP]["B"]
    assert drift.check(fresh(sync)).status == "drifted"


def test_a_write_without_response_is_unknown(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.sandbox.late_fault = lambda method, path: (503, {}) if method == "POST" else None
    world.run(sync)
    world.sandbox.late_fault = None
    assert [one["state"] for one in drift.check(fresh(sync)).changes] == ["unknown"]


def test_a_check_lists_the_destination_once(world: World) -> None:
    world.set(**{f"K{number}": "1" for number in range(50)})
    sync = world.sync()
    world.run(sync)
    world.sandbox.asked.clear()
    drift.check(fresh(sync))
    assert len(world.sandbox.asked) == 1


def test_an_unresponsive_vendor(world: World) -> None:
    sync = world.sync()
    world.sandbox.fault = lambda method, path: (401, {"message": "no"})
    with pytest.raises(BadRequest, match="answered 401"):
        drift.check(fresh(sync))
    assert DriftCheck.objects.get().status == "unknown"
    tasks.check_drift(str(sync.pk))


def test_checks_are_scheduled_by_the_policy(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr("django_q.tasks.async_task", lambda *args, **_: sent.append(args))
    world.set(A="1")
    sync = world.sync()
    world.run(sync)
    assert drift.queue_due() == 0
    services.update_policy(world.actor, fresh(sync), {"drift_check_minutes": 15})
    sent.clear()
    dispatcher.sweep()
    assert ("syncs.tasks.check_drift", str(sync.pk)) in sent
    assert drift.queue_due() == 0
    tasks.check_drift(str(sync.pk))
    assert drift.queue_due() == 0
    DriftCheck.objects.update(checked_at=timezone.now() - timedelta(minutes=16, seconds=1))
    assert drift.queue_due() == 1


def test_drift_is_healed_if_the_policy_enables_it(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.run(sync)
    world.due()
    services.update_policy(world.actor, fresh(sync), {"heal": True})
    world.due()
    world.sandbox.put(APP, "A", "theirs")
    drift.check(fresh(sync))
    run = SyncRun.objects.get(status="pending")
    assert run.trigger == "schedule"
    world.due()
    assert world.held() == {"A": "1"}
