"""A sync runs: what arrives, what is left alone, what each run costs and tells."""

from __future__ import annotations

from .conftest import ENVIRONMENT, World


def test_first_run_brings_the_folder(world: World) -> None:
    world.set(DB_URL="postgres://db", API_KEY="k")
    sync = world.sync()
    run = world.run(sync)
    assert (run.status, run.message) == ("succeeded", None)
    assert world.held() == {"DB_URL": "postgres://db", "API_KEY": "k"}
    assert [change.outcome for change in run.changes.all()] == ["applied", "applied"]


def test_a_run_with_nothing_to_do_asks_once_and_writes_nothing(world: World) -> None:
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
