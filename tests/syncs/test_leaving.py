"""Leaving a location: keys stay there, or are removed once their secrets have arrived at the new one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from syncs.engine.plan import State
from syncs.models import FormerLocation, ManagedSecret, RunChange, SecretSync, SyncRun
from syncs.running import dispatcher
from syncs.running.ledger import Ledger
from syncs.running.runner import execute
from syncs.services import deletion, folders, secrets
from syncs.services import syncs as services
from syncs.services.cancellation import cancel
from syncs.services.syncs import SyncInput
from tests.fixtures.world import APPLICATION, ENVIRONMENT, World

APP = ("acme", "shop", "")
ENV = ("acme", "shop", "development")
TO_ENVIRONMENT = SyncInput(destination_config=ENVIRONMENT)
BACK = SyncInput(destination_config=APPLICATION)


@pytest.fixture
def synced(world: World) -> SecretSync:
    """A sync that owns A and B of the application."""
    world.set(A="1", B="2")
    sync = world.sync()
    world.run(sync)
    world.sandbox.asked.clear()
    return sync


def leave(world: World, sync: SecretSync, choice: str = "remove", to: SyncInput = TO_ENVIRONMENT) -> None:
    services.update_sync(world.actor, SecretSync.objects.get(pk=sync.pk), to, leaving=choice)


def departures(sync: SecretSync) -> list[SyncRun]:
    return list(SyncRun.objects.filter(sync=sync, operation="remove").order_by("created_at"))


def outcomes(run: SyncRun) -> dict[str, tuple[str, str]]:
    return {change.key: (change.action, change.outcome) for change in RunChange.objects.filter(run=run)}


def settle(world: World) -> None:
    """All that follows from a change, run after run."""
    for _ in range(4):
        world.due()


def test_keys_are_removed_after_they_have_arrived(world: World, synced: SecretSync) -> None:
    leave(world, synced)
    assert world.held(APP) == {"A": "1", "B": "2"}, "nothing is removed before the new location has the keys"
    world.due()
    assert (world.held(ENV), world.held(APP)) == ({"A": "1", "B": "2"}, {"A": "1", "B": "2"})
    world.due()
    assert world.held(APP) == {}
    (run,) = departures(synced)
    assert (run.status, run.operation, run.trigger) == ("succeeded", "remove", "change")
    assert outcomes(run) == {"A": ("delete", "applied"), "B": ("delete", "applied")}
    assert not FormerLocation.objects.exists()
    assert not ManagedSecret.objects.filter(location=run.location).exists()


def test_a_key_whose_secret_did_not_arrive_stays_until_it_does(world: World, synced: SecretSync) -> None:
    world.sandbox.put(ENV, "B", "plain", is_secret=False)
    leave(world, synced)
    settle(world)
    assert world.held(APP) == {"B": "2"}
    run = departures(synced)[-1]
    assert outcomes(run) == {"A": ("delete", "applied"), "B": ("keep", "kept")}
    assert "has not arrived" in RunChange.objects.get(run=run, key="B").reason
    del world.sandbox.values[ENV]["B"]
    world.run(synced)
    settle(world)
    assert (world.held(APP), world.held(ENV)) == ({}, {"A": "1", "B": "2"})
    assert not FormerLocation.objects.exists()


def test_a_held_first_run_removes_nothing(world: World, synced: SecretSync) -> None:
    world.sandbox.put(ENV, "FOREIGN", "x")
    leave(world, synced)
    settle(world)
    assert (world.held(APP), world.held(ENV)) == ({"A": "1", "B": "2"}, {"FOREIGN": "x"})


def test_keys_of_others_stay(world: World, synced: SecretSync) -> None:
    world.sandbox.put(APP, "FOREIGN", "x")
    leave(world, synced)
    settle(world)
    assert world.held(APP) == {"FOREIGN": "x"}


def test_a_key_that_was_recreated_is_not_removed(world: World, synced: SecretSync) -> None:
    leave(world, synced)
    world.due()
    del world.sandbox.values[APP]["A"]
    world.sandbox.put(APP, "A", "another's")
    settle(world)
    assert world.held(APP) == {"A": "another's"}
    assert not FormerLocation.objects.exists()


def test_a_secret_that_left_the_source_is_not_waited_for(world: World, synced: SecretSync) -> None:
    leave(world, synced)
    world.unset("B")
    settle(world)
    FormerLocation.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    dispatcher.sweep()
    settle(world)
    assert (world.held(APP), world.held(ENV)) == ({}, {"A": "1"})


def test_an_incomplete_source_removes_only_what_has_arrived(world: World, synced: SecretSync) -> None:
    world.set(C="${missing.X}")
    leave(world, synced)
    secrets.delete_secrets(world.actor, world.folder(), ["B"])
    settle(world)
    FormerLocation.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    dispatcher.sweep()
    settle(world)
    assert "B" in world.held(APP)


def test_returning_cancels_the_removal(world: World, synced: SecretSync) -> None:
    leave(world, synced)
    world.due()  # the run at the new location
    leave(world, synced, to=BACK, choice="remove")
    settle(world)
    assert world.held(APP) == {"A": "1", "B": "2"}
    assert world.held(ENV) == {}, "now the environment is the location that was left"
    assert set(ManagedSecret.objects.filter(sync=synced).values_list("location", flat=True)) == {synced.location}


def test_keys_that_another_sync_wants_are_handed_over(world: World, synced: SecretSync) -> None:
    other_folder = folders.ensure_folder(world.actor, world.environment(), "/other")
    world.set(other_folder.path, A="other")
    other = world.sync("other", secret_path="/other")
    world.run(other)
    assert world.held(APP)["A"] == "1"
    leave(world, synced)
    world.sandbox.asked.clear()
    settle(world)
    assert world.held(APP) == {"A": "other"}
    assert ("DELETE", "/orgs/acme/apps/shop/values/A") not in world.sandbox.asked
    assert ManagedSecret.objects.get(location=other.location, key="A").sync_id == other.pk


def test_a_lost_run_is_scheduled_again(world: World, synced: SecretSync) -> None:
    leave(world, synced)
    world.due()
    SyncRun.objects.filter(operation="remove").delete()  # with the process that was to do it
    FormerLocation.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    dispatcher.sweep()
    settle(world)
    assert world.held(APP) == {}


def test_a_killed_run_resumes(world: World, synced: SecretSync, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(world, synced)
    world.due()
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "record", lambda *_: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            execute(departures(synced)[0].pk)
    settle(world)
    assert world.held(APP) == {}
    assert departures(synced)[0].status == "succeeded"
    assert not FormerLocation.objects.exists()


def test_after_a_cancelled_run_the_other_keys_stay(world: World, synced: SecretSync) -> None:
    leave(world, synced)
    world.due()
    cancel(world.actor, departures(synced)[0])
    FormerLocation.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    dispatcher.sweep()
    settle(world)
    assert world.held(APP) == {"A": "1", "B": "2"}
    assert not FormerLocation.objects.exists()
    assert not ManagedSecret.objects.filter(sync=synced, location=synced.location).exists()


def test_a_paused_sync_removes_nothing(world: World, synced: SecretSync) -> None:
    leave(world, synced)
    world.due()
    world.policy(synced, paused=True)
    settle(world)
    FormerLocation.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    dispatcher.sweep()
    settle(world)
    assert world.held(APP) == {"A": "1", "B": "2"}
    world.policy(synced, paused=False)
    settle(world)
    assert world.held(APP) == {}


def test_a_deleted_sync_leaves_its_keys_at_both_locations(world: World, synced: SecretSync) -> None:
    leave(world, synced)
    world.run(synced)
    SyncRun.objects.filter(operation="remove").update(status="superseded")
    deletion.delete_sync(world.actor, SecretSync.objects.get(pk=synced.pk))
    settle(world)
    assert world.held(APP) == {"A": "1", "B": "2"}
    assert not FormerLocation.objects.exists()


# -- keys that were kept ---------------------------------------------------------------------------------------


def test_kept_keys_are_the_syncs_own_again_when_it_returns(world: World, synced: SecretSync) -> None:
    leave(world, synced, "keep")
    world.due()
    assert not ManagedSecret.objects.filter(sync=synced, location=synced.location).exists()
    world.unset("B")
    world.due()
    proposal = services.propose(world.actor, SecretSync.objects.get(pk=synced.pk), BACK)
    planned = {change.key: (change.action.value, change.owned) for change in proposal.checked.plan.changes}
    assert planned == {"A": ("unchanged", True), "B": ("delete", True)}
    leave(world, synced, "keep", BACK)
    settle(world)
    assert world.held(APP) == {"A": "1"}
    assert ManagedSecret.objects.get(location=synced.location, key="A").sync_id == synced.pk


def test_a_kept_key_that_was_recreated_is_foreign(world: World, synced: SecretSync) -> None:
    leave(world, synced, "keep")
    world.due()
    world.unset("B")
    del world.sandbox.values[APP]["B"]
    world.sandbox.put(APP, "B", "another's")
    world.due()
    leave(world, synced, "keep", BACK)
    settle(world)
    assert world.held(APP)["B"] == "another's"


def test_a_key_that_another_sync_wrote_since_is_not_taken_back(world: World, synced: SecretSync) -> None:
    leave(world, synced, "keep")
    world.due()
    folders.ensure_folder(world.actor, world.environment(), "/other")
    world.set("/other", A="other")
    other = world.sync("other", secret_path="/other")
    world.run(other)
    row = ManagedSecret.objects.get(location=synced.location, key="A")
    assert (row.sync_id, row.left_by_id, row.state) == (other.pk, None, State.OWNED)
    deletion.delete_sync(world.actor, other)
    leave(world, synced, "keep", BACK)
    assert ManagedSecret.objects.get(location=synced.location, key="A").sync_id is None
