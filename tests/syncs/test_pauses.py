"""Who paused a sync, when and why, and what ends the pause."""

from __future__ import annotations

import pytest

from config.errors import Invalid
from syncs.models import SecretSync, SyncPolicy, SyncRun
from syncs.running.drift import check
from syncs.running.operations import Operation
from syncs.running.runner import execute
from syncs.services.deletion import delete_sync
from syncs.services.pauses import REMOVAL, UNDO, set_paused
from syncs.services.syncs import SyncInput, create_sync, update_policy, update_sync
from syncs.services.triggers import remove_secrets, undo
from syncs.source.selectors import syncs
from tests.fixtures.world import APPLICATION, OPTIONS, World


def test_a_pause_names_its_author_time_and_reason(world: World) -> None:
    sync = world.sync()
    world.policy(sync, paused=True, pause_reason="the vendor moves")
    policy = SyncPolicy.objects.get(sync=sync)
    assert (policy.paused_by, policy.pause_reason, policy.pause_cause) == ("ada", "the vendor moves", "")
    since = policy.paused_at
    assert since is not None
    world.policy(sync, paused=True)  # a form that saves every member
    assert SyncPolicy.objects.get(sync=sync).paused_at == since
    world.policy(sync, paused=True, pause_reason="still moving")
    assert SyncPolicy.objects.get(sync=sync).pause_reason == "still moving"
    world.policy(sync, paused=False)
    policy = SyncPolicy.objects.get(sync=sync)
    assert (policy.paused, policy.paused_at, policy.paused_by, policy.pause_reason) == (False, None, "", "")


def test_a_reason_belongs_to_a_pause(world: World) -> None:
    sync = world.sync()
    with pytest.raises(Invalid):
        update_policy(world.actor, syncs().get(pk=sync.pk), {"pause_reason": "why"})


@pytest.mark.parametrize(
    ("first", "second", "left"),
    [(REMOVAL, UNDO, UNDO), (UNDO, REMOVAL, UNDO), (REMOVAL, "", ""), ("", REMOVAL, ""), ("", UNDO, "")],
)
def test_a_pause_is_not_replaced_by_one_that_ends_more_easily(world: World, first: str, second: str, left: str) -> None:
    policy = SyncPolicy.objects.get(sync=world.sync())
    set_paused(policy, world.actor, paused=True, cause=first)
    set_paused(policy, world.actor, paused=True, cause=second)
    assert policy.pause_cause == left


def test_a_sync_that_is_created_paused_names_its_author(world: World) -> None:
    given = SyncInput(
        name="made",
        connection_id=world.connection.pk,
        environment="dev",
        secret_path="/",
        sync_options=OPTIONS,
        destination_config=APPLICATION,
    )
    sync = create_sync(world.actor, world.project, "humanitec", given, {"paused": True})
    assert SyncPolicy.objects.get(sync=sync).paused_by == "ada"


def removed(world: World, sync: SecretSync) -> SyncRun:
    """A removal, requested and executed."""
    run = remove_secrets(world.actor, syncs().get(pk=sync.pk))
    execute(run.pk)
    return world.again(run)


def is_paused(sync: SecretSync) -> bool:
    return SyncPolicy.objects.get(sync=sync).paused


def test_removed_secrets_stay_removed_until_somebody_resumes(world: World) -> None:
    world.set(A="1", B="2")
    sync = world.sync()
    world.due()
    assert removed(world, sync).status == "succeeded"
    policy = SyncPolicy.objects.get(sync=sync)
    assert (policy.paused, policy.paused_by, policy.pause_cause) == (True, "ada", "removal")
    world.set(A="changed")
    world.due()
    assert world.held() == {}
    assert syncs().get(pk=sync.pk).is_auto_sync_enabled
    world.policy(sync, paused=False)
    SyncRun.objects.filter(status="pending").update(due_at=None)
    world.due()
    assert world.held() == {"A": "changed", "B": "2"}


def test_the_pause_begins_with_the_request_of_the_removal(world: World) -> None:
    """An edit between the request and the removal's run queues nothing that would write the keys again."""
    world.set(A="1")
    sync = world.sync()
    world.due()
    world.set(A="2")  # its run waits
    generation = syncs().get(pk=sync.pk).generation
    run = remove_secrets(world.actor, syncs().get(pk=sync.pk))
    assert syncs().get(pk=sync.pk).generation > generation
    world.set(A="3")
    assert list(SyncRun.objects.filter(status="pending")) == [run]
    world.due()
    world.due()
    assert world.held() == {}


@pytest.mark.parametrize("trigger", ["manual", "approval", "change", "retry"])
def test_a_removal_supersedes_waiting_runs_of_every_trigger(world: World, trigger: str) -> None:
    world.set(A="1")
    sync = world.sync()
    waiting = SyncRun.objects.get(sync=sync, status="pending")
    SyncRun.objects.filter(pk=waiting.pk).update(trigger=trigger)
    removed(world, sync)
    assert world.again(waiting).status == "superseded"
    world.due()
    assert world.held() == {}


def test_a_removal_closes_the_open_hold(world: World) -> None:
    world.set(**{f"K{number}": "x" for number in range(4)})
    sync = world.sync()
    world.due()
    world.unset(*[f"K{number}" for number in range(4)])
    SyncRun.objects.filter(status="pending").update(due_at=None)
    held = world.due()[-1]
    assert held.status == "held"
    assert syncs().get(pk=sync.pk).sync_status == "failed"
    removed(world, sync)
    assert world.again(held).status == "superseded"
    # The last run that ended is the one before the held one.
    shown = syncs().get(pk=sync.pk)
    assert (shown.sync_status, shown.last_sync_message) == ("succeeded", None)


def test_a_manual_sync_ends_the_pause_of_a_removal_alone(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.due()
    removed(world, sync)
    assert world.run(sync).status == "succeeded"
    assert (world.held(), is_paused(sync)) == ({"A": "1"}, False)
    world.policy(sync, paused=True)
    removed(world, sync)
    assert world.run(sync).status == "succeeded"
    assert is_paused(sync)


def test_auto_sync_switched_on_ends_the_pause_of_a_removal_alone(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.due()
    removed(world, sync)
    update_sync(world.actor, syncs().get(pk=sync.pk), SyncInput(description="another"))
    assert is_paused(sync)
    update_sync(world.actor, syncs().get(pk=sync.pk), SyncInput(is_auto_sync_enabled=False))
    assert is_paused(sync)
    update_sync(world.actor, syncs().get(pk=sync.pk), SyncInput(is_auto_sync_enabled=True))
    assert not is_paused(sync)
    world.policy(sync, paused=True)
    update_sync(world.actor, syncs().get(pk=sync.pk), SyncInput(is_auto_sync_enabled=True))
    assert is_paused(sync)


def test_an_undo_pauses_until_resume(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    run = world.due()[0]
    undo(world.actor, run)
    world.due()
    assert SyncPolicy.objects.get(sync=sync).pause_cause == "undo"
    assert world.run(sync).status == "succeeded"
    update_sync(world.actor, syncs().get(pk=sync.pk), SyncInput(is_auto_sync_enabled=True))
    assert is_paused(sync)


def test_a_paused_sync_keeps_the_outcome_of_its_last_run(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.due()
    world.set(A="2")
    assert syncs().get(pk=sync.pk).sync_status == "pending"
    world.policy(sync, paused=True)
    assert syncs().get(pk=sync.pk).sync_status == "succeeded"
    world.set(A="3")
    assert syncs().get(pk=sync.pk).sync_status == "succeeded"


def test_a_run_that_began_before_the_pause_writes_nothing_after_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the pause comes after the run has begun and before it reads the generation."""
    world.set(A="1")
    sync = world.sync()
    execute_operation = Operation.execute

    def paused(self: Operation) -> None:
        world.policy(sync, paused=True)
        execute_operation(self)

    monkeypatch.setattr(Operation, "execute", paused)
    world.due()
    monkeypatch.undo()
    assert world.held() == {}
    world.due()
    assert world.held() == {}
    assert SyncRun.objects.get(sync=sync).status == "superseded"


def test_healing_respects_a_pause(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.due()
    world.policy(sync, heal=True)
    world.due()
    world.policy(sync, paused=True)
    world.sandbox.put(("acme", "shop", ""), "A", "by hand")
    wanted = syncs().get(pk=sync.pk).wanted_rev
    assert check(syncs().get(pk=sync.pk)).status == "drifted"
    assert syncs().get(pk=sync.pk).wanted_rev == wanted
    world.due()
    assert world.held() == {"A": "by hand"}


def test_deleting_a_sync_with_its_secrets_pauses_it_too(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.due()
    delete_sync(world.actor, syncs().get(pk=sync.pk), with_secrets=True)
    world.sandbox.fault = lambda method, path: (403, {})
    world.due()
    world.sandbox.fault = None
    assert is_paused(sync)
