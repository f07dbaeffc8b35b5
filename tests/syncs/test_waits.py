"""How long a run waits when a vendor asks it to: no less than by itself, an hour at most."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from connections.errors import RateLimited
from connections.models import AppConnection
from connections.services import check_connection
from syncs.destination.capabilities import Capabilities
from syncs.destinations.humanitec import Humanitec
from syncs.models import RunOptions, SyncRun
from syncs.planning.preflight import checked_plan
from syncs.running import runner
from syncs.running.completion import Completion
from syncs.services.triggers import trigger
from syncs.source.selectors import syncs
from tests.fixtures.world import ENVIRONMENT, World


def waits_for() -> float:
    retry_at = AppConnection.objects.values_list("retry_at", flat=True).get()
    assert retry_at
    return (retry_at - timezone.now()).total_seconds()


@pytest.mark.parametrize(
    ("stated", "tries", "expected"),
    [(None, 0, 3), (0.5, 0, 3), (17.0, 0, 17), (1.0, 3, 24), (3600.0, 0, 3600), (7200.0, 0, 3600)],
)
def test_a_wait_is_no_shorter_than_our_own_and_no_longer_than_an_hour(
    world: World, stated: float | None, tries: int, expected: float
) -> None:
    sync = world.sync(is_auto_sync_enabled=False)
    run = SyncRun(sync=sync, operation="sync", options=RunOptions(tries=tries))
    Completion(run, sync, sync.location).rate_limited(RateLimited("slow", stated))
    assert expected - 2 < waits_for() <= expected


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_longer_wait_ends_the_run_and_names_the_time(world: World, method: str) -> None:
    world.set(**{f"K{number}": "x" for number in range(5)})
    sync = world.sync(is_auto_sync_enabled=False)
    world.policy(sync, max_concurrency=1)
    slow = (429, {"message": "tomorrow"}, {"Retry-After": "86400"})
    world.sandbox.fault = lambda asked, path: slow if asked == method else None
    until = timezone.now() + timedelta(days=1)
    run = world.run(sync)
    assert run.status == "failed"
    assert run.message
    assert run.message.startswith(f"The service asks to wait until {until:%Y-%m-%d}")
    assert "longer than a run waits" in run.message
    assert len(world.writes()) == (1 if method == "POST" else 0)
    assert waits_for() <= 3600
    world.sandbox.fault = None
    assert world.run(sync).status == "succeeded"


def test_a_person_a_check_and_nothing_else_lift_a_wait(world: World) -> None:
    world.set(A="1")
    waiting, other = world.sync(), world.sync("other", ENVIRONMENT)
    SyncRun.objects.filter(sync=other).delete()
    later = timezone.now() + timedelta(minutes=30)
    AppConnection.objects.update(retry_at=later)
    (run,) = world.due()
    assert (run.status, run.attempts) == ("pending", 0)
    assert run.message
    assert "asked to wait 1800 s" in run.message
    assert run.due_at
    assert run.due_at < timezone.now() + timedelta(seconds=20), "it looks again, in case that the wait is lifted"
    check_connection(world.actor, AppConnection.objects.get())
    assert AppConnection.objects.get().retry_at is None
    runner.execute(run.pk)
    assert world.held() == {"A": "1"}
    AppConnection.objects.update(retry_at=later)
    manual = trigger(world.actor, other, "sync")
    runner.execute(manual.pk)
    assert world.again(manual).status == "succeeded"
    assert waiting.pk


def test_a_used_up_quota_frees_the_worker_and_costs_no_attempt(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    quota = replace(Humanitec.capabilities, pace=None, quota=(2, 600.0))
    monkeypatch.setattr(Humanitec, "capabilities", quota)
    world.set(**{f"K{number}": "x" for number in range(5)})
    sync = world.sync(is_auto_sync_enabled=False)
    run = world.run(sync)
    assert (run.status, len(world.writes()), run.options.tries) == ("pending", 2, 0)
    assert run.message == "Stopped between keys because the service takes no more requests for now; the rest follows."
    assert 590 < waits_for() <= 600
    for _ in range(2):
        AppConnection.objects.update(retry_at=None, quota_slot_at=timezone.now() - timedelta(seconds=601))
        (run,) = world.due()
    assert run.status == "succeeded"
    assert len(world.held()) == 5


def test_a_quota_is_part_of_the_estimate(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    quota = replace(Humanitec.capabilities, pace=None, quota=(2, 600.0))
    monkeypatch.setattr(Humanitec, "capabilities", quota)
    world.set(**{f"K{number}": "x" for number in range(5)})
    sync = world.sync(is_auto_sync_enabled=False)
    assert checked_plan(world.actor, sync).estimate.seconds == 1200
    world.policy(sync, pace_percent=150)
    assert checked_plan(world.actor, syncs().get(pk=sync.pk)).estimate.seconds == 600


def test_a_policy_adjusts_pace_and_quota(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    documented = Capabilities(pace=10.0, quota=(3, 60.0))
    assert documented.paced(None) == documented
    raised, lowered = documented.paced(250), documented.paced(10)
    assert (raised.pace, raised.quota) == (25.0, (7, 60.0))
    assert (lowered.pace, lowered.quota) == (1.0, (1, 60.0))
    assert Capabilities().paced(250) == Capabilities()
    monkeypatch.setattr(Humanitec, "capabilities", replace(Humanitec.capabilities, pace=None, quota=(2, 600.0)))
    world.set(**{f"K{number}": "x" for number in range(5)})
    sync = world.sync(is_auto_sync_enabled=False)
    world.policy(sync, pace_percent=300)
    assert world.run(sync).status == "succeeded"
