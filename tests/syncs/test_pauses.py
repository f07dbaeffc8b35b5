"""Who paused a sync, when and why, and what ends the pause."""

from __future__ import annotations

import pytest

from config.errors import Invalid
from syncs.models import SyncPolicy
from syncs.services.pauses import REMOVAL, UNDO, set_paused
from syncs.services.syncs import SyncInput, create_sync, update_policy
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
