"""A sync runs: what is written, what is kept, requests per run, reports."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from pytest_django import Settings

from syncs.models import ManagedSecret, SyncRun
from syncs.running import dispatcher
from tests.fixtures.world import ENVIRONMENT, World


def test_the_first_run_writes_the_folder(world: World) -> None:
    world.set(DB_URL="postgres://db", API_KEY="k")
    sync = world.sync()
    run = world.run(sync)
    assert (run.status, run.message) == ("succeeded", None)
    assert world.held() == {"DB_URL": "postgres://db", "API_KEY": "k"}
    assert [change.outcome for change in run.changes.all()] == ["applied", "applied"]


def test_a_run_without_changes_lists_once_and_writes_nothing(world: World) -> None:
    world.set(A="1", B="2")
    sync = world.sync()
    world.run(sync)
    world.sandbox.asked.clear()
    run = world.run(sync)
    assert [method for method, _ in world.sandbox.asked] == ["GET"]
    assert sorted(run.unchanged) == ["A", "B"]
    assert not run.changes.exists()


def test_one_change_costs_two_requests(world: World) -> None:
    world.set(A="1", B="2")
    sync = world.sync()
    world.run(sync)
    world.sandbox.asked.clear()
    world.set(A="3")
    world.run(sync)
    assert [method for method, _ in world.sandbox.asked] == ["GET", "PATCH"]
    assert world.held() == {"A": "3", "B": "2"}


def test_environment_scope(world: World) -> None:
    world.set(A="1")
    sync = world.sync(config=ENVIRONMENT)
    run = world.run(sync)
    assert run.status == "succeeded"
    assert world.held(("acme", "shop", "development")) == {"A": "1"}
    assert world.held() == {}


def test_the_history_of_runs_is_kept_as_configured(world: World, settings: Settings) -> None:
    world.set(A="1")
    sync = world.sync()
    world.run(sync)
    before = SyncRun.objects.count()
    SyncRun.objects.update(ended_at=timezone.now() - timedelta(days=91), status="succeeded")
    kept = world.run(sync)
    settings.RUN_RETENTION_DAYS = 92
    dispatcher.sweep()
    assert SyncRun.objects.count() == before + 1
    settings.RUN_RETENTION_DAYS = 90
    dispatcher.sweep()
    assert list(SyncRun.objects.filter(ended_at__isnull=False)) == [kept]
    assert ManagedSecret.objects.filter(sync=sync, state="owned").count() == 1
