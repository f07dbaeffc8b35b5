"""Another target for a stored sync: planned before it is stored, confirmed by the digest of its plan, or held."""

from __future__ import annotations

from typing import Any

import pytest

from config.access.models import Membership, Role, User
from config.access.roles import actor_of_user
from config.errors import BadRequest, PermissionDenied
from syncs.models import SecretSync, SyncRun
from syncs.planning.preflight import checked_plan
from syncs.services import approvals, folders
from syncs.services import syncs as services
from syncs.services.proposals import Proposal
from syncs.services.syncs import SyncInput
from tests.fixtures.world import APPLICATION, ENVIRONMENT, OPTIONS, World

APP = ("acme", "shop", "")
ENV = ("acme", "shop", "development")
TO_ENVIRONMENT = SyncInput(destination_config=ENVIRONMENT)
SCHEMA = SyncInput(sync_options={**OPTIONS, "keySchema": "KF_{{secretKey}}"})


@pytest.fixture
def synced(world: World) -> SecretSync:
    """A sync that owns A and B of the application."""
    world.set(A="1", B="2")
    sync = world.sync()
    world.run(sync)
    world.sandbox.asked.clear()
    return sync


def stored(sync: SecretSync) -> SecretSync:
    return SecretSync.objects.select_related("policy").get(pk=sync.pk)


def planned(proposal: Proposal) -> dict[str, str]:
    return {change.key: change.action.value for change in proposal.checked.plan.changes}


def last_run(sync: SecretSync) -> SyncRun:
    return SyncRun.objects.filter(sync=sync, operation="sync").order_by("-created_at")[0]


# -- the plan of a change --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "policy", "shown"),
    [
        (TO_ENVIRONMENT, {}, {"A": "create", "B": "create", "FOREIGN": "delete"}),
        (SCHEMA, {}, {"KF_A": "create", "KF_B": "create", "A": "delete", "B": "delete"}),
        (SyncInput(), {"exclude": ["B"]}, {"A": "unchanged", "B": "delete"}),
        (SyncInput(name="other"), {}, {"A": "unchanged", "B": "unchanged"}),
        (SyncInput(secret_path="/empty", environment="dev"), {}, {"A": "delete", "B": "delete"}),
        (SyncInput(), {"unmanaged": "mirror"}, {"A": "unchanged", "B": "unchanged"}),
    ],
)
def test_a_change_is_planned_and_not_stored(
    world: World, synced: SecretSync, data: SyncInput, policy: dict[str, Any], shown: dict[str, str]
) -> None:
    world.sandbox.put(ENV, "FOREIGN", "x")
    folders.ensure_folder(world.actor, world.environment(), "/empty")
    before = SecretSync.objects.values().get(pk=synced.pk)
    runs = SyncRun.objects.count()
    proposal = services.propose(world.actor, synced, data, policy)
    assert planned(proposal) == shown
    assert SecretSync.objects.values().get(pk=synced.pk) == before
    assert stored(synced).policy.exclude == []
    assert (SyncRun.objects.count(), world.writes()) == (runs, [])
    assert planned(proposal)  # what the stored sync would do is unchanged
    assert not any(change.write for change in checked_plan(world.actor, stored(synced)).plan.changes)


def test_what_a_change_leaves_is_listed(world: World, synced: SecretSync) -> None:
    proposal = services.propose(world.actor, synced, TO_ENVIRONMENT)
    assert proposal.leaving is not None
    assert (proposal.leaving.location, proposal.leaving.keys) == (synced.location, ("A", "B"))
    assert services.propose(world.actor, synced, SCHEMA).leaving is None


def test_a_proposed_change_is_checked_as_a_stored_one(world: World, synced: SecretSync) -> None:
    world.sync("twin")
    with pytest.raises(BadRequest, match="already exists"):
        services.propose(world.actor, synced, SyncInput(name="twin"))
    viewer = User.objects.create_user("viewer", password="x")
    Membership.objects.create(project=world.project, user=viewer, role=Role.VIEWER)
    with pytest.raises(PermissionDenied):
        services.propose(actor_of_user(viewer), synced, SCHEMA)
    with pytest.raises(PermissionDenied):
        services.propose(actor_of_user(viewer), synced, policy={"unmanaged": "mirror"})


# -- confirmed by digest ---------------------------------------------------------------------------------------


def test_a_confirmed_change_deletes_what_its_plan_showed(world: World, synced: SecretSync) -> None:
    keys = [f"FOREIGN_{number}" for number in range(12)]  # more than the guard allows
    for key in keys:
        world.sandbox.put(ENV, key, "x")
    digest = services.propose(world.actor, synced, TO_ENVIRONMENT).digest
    services.update_sync(world.actor, synced, TO_ENVIRONMENT, digest=digest)
    world.due()
    assert last_run(synced).status == "succeeded"
    assert (world.held(ENV), world.held(APP)) == ({"A": "1", "B": "2"}, {"A": "1", "B": "2"})
    assert stored(synced).confirmed_deletes is None


def test_a_digest_of_another_plan_stores_nothing(world: World, synced: SecretSync) -> None:
    digest = services.propose(world.actor, synced, TO_ENVIRONMENT).digest
    world.sandbox.put(ENV, "SINCE", "x")
    with pytest.raises(BadRequest, match="Plan the change again"):
        services.update_sync(world.actor, synced, TO_ENVIRONMENT, digest=digest)
    assert (stored(synced).destination_config, world.writes()) == (APPLICATION, [])


def test_the_digest_of_another_target_is_refused(world: World, synced: SecretSync) -> None:
    """Both plans create the same two keys."""
    elsewhere = SyncInput(destination_config={**ENVIRONMENT, "env": "staging"})
    digest = services.propose(world.actor, synced, elsewhere).digest
    with pytest.raises(BadRequest, match="Plan the change again"):
        services.update_sync(world.actor, synced, TO_ENVIRONMENT, digest=digest)


def test_what_appears_after_the_confirmation_is_held(world: World, synced: SecretSync) -> None:
    world.sandbox.put(ENV, "SHOWN", "x")
    digest = services.propose(world.actor, synced, TO_ENVIRONMENT).digest
    services.update_sync(world.actor, synced, TO_ENVIRONMENT, digest=digest)
    world.sandbox.put(ENV, "SINCE", "x")
    world.due()
    assert last_run(synced).status == "held"
    assert world.held(ENV).keys() == {"SHOWN", "SINCE"}


def test_policy_and_sync_are_changed_together(world: World, synced: SecretSync) -> None:
    proposal = services.propose(world.actor, synced, SCHEMA, {"exclude": ["B"]})
    assert planned(proposal) == {"KF_A": "create", "A": "delete", "B": "delete"}
    services.update_sync(world.actor, synced, SCHEMA, {"exclude": ["B"]}, digest=proposal.digest)
    world.due()
    assert world.held() == {"KF_A": "1"}
    assert stored(synced).policy.exclude == ["B"]


# -- without a digest ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [10, None])
def test_an_unconfirmed_target_is_held_at_the_first_foreign_delete(
    world: World, synced: SecretSync, limit: int | None
) -> None:
    world.sandbox.put(ENV, "FOREIGN", "x")
    world.policy(synced, max_deletions=limit)
    world.due()
    services.update_sync(world.actor, synced, TO_ENVIRONMENT)
    world.due()
    run = last_run(synced)
    assert run.status == "held"
    assert "would delete 1 key that this sync did not write" in str(run.message)
    assert world.held(ENV) == {"FOREIGN": "x"}
    world.due()
    approvals.approve(world.actor, run)
    world.due()
    assert world.held(ENV) == {"A": "1", "B": "2"}


def test_an_unconfirmed_target_without_foreign_keys_is_written_at_once(world: World, synced: SecretSync) -> None:
    services.update_sync(world.actor, synced, TO_ENVIRONMENT)
    world.due()
    assert (last_run(synced).status, world.held(ENV)) == ("succeeded", {"A": "1", "B": "2"})
    assert stored(synced).confirmed_deletes is None


def test_a_later_change_does_not_confirm_the_target(world: World, synced: SecretSync) -> None:
    world.sandbox.put(ENV, "FOREIGN", "x")
    services.update_sync(world.actor, synced, TO_ENVIRONMENT)
    services.update_sync(world.actor, synced, SyncInput(description="again"))
    world.set(C="3")
    world.due()
    assert last_run(synced).status == "held"
    assert world.held(ENV) == {"FOREIGN": "x"}


def test_returning_is_a_first_run_too(world: World, synced: SecretSync) -> None:
    services.update_sync(world.actor, synced, TO_ENVIRONMENT)
    world.due()
    world.sandbox.put(APP, "FOREIGN", "x")
    services.update_sync(world.actor, synced, SyncInput(destination_config=APPLICATION))
    world.due()
    assert last_run(synced).status == "held"
    assert "FOREIGN" in world.held(APP)
