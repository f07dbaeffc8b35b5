"""The deletion guard: what is held, what an approval covers, and how long a dismissal lasts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from config.access.models import AuditEvent, Role, User
from config.access.roles import actor_of_user
from config.access.services import set_role
from config.errors import BadRequest
from syncs.models import SyncRun
from syncs.running import dispatcher
from syncs.running.runner import execute
from syncs.services import approvals
from syncs.services import syncs as services
from syncs.services.secrets import set_secrets
from syncs.services.syncs import SyncInput
from syncs.source.selectors import syncs
from syncs.source.validation import SecretInput
from tests.fixtures.world import World

APP = ("acme", "shop", "")


def test_more_than_ten_deletes_are_held_and_nothing_is_written(world: World) -> None:
    world.set(**{f"K{n}": "x" for n in range(20)})
    sync = world.sync()
    world.run(sync)
    world.unset(*(f"K{n}" for n in range(11)))
    world.set(NEW="y")
    world.sandbox.asked.clear()
    run = world.run(sync)
    assert (run.status, world.writes(), len(world.held())) == ("held", [], 20)
    assert run.message
    assert "it would delete 11 keys; the limit is 10" in run.message
    world.set(NEWER="y")
    world.due()
    (held,) = SyncRun.objects.filter(status="held")
    assert held.pk == run.pk
    approvals.approve(world.actor, held, writes_only=True)
    world.due()
    assert len(world.held()) == 22


def test_a_hold_lists_the_deletes(world: World) -> None:
    keys = [f"K{n:02}" for n in range(12)]
    world.set(**dict.fromkeys(keys, "x"), **{f"{'L' * 300}{n}": "x" for n in range(12)})
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    world.unset(*keys)
    run = world.run(sync)
    assert run.message == syncs().get(pk=sync.pk).last_sync_message
    assert run.message is not None
    named = "To be deleted: K00, K01, K02, K03, K04, K05, K06, K07, K08, K09 and 2 more."
    assert run.message.startswith(f"Held: it would delete 12 keys; the limit is 10. {named} Nothing was written.")
    world.unset(*(f"{'L' * 300}{n}" for n in range(12)))
    world.set(**dict.fromkeys(keys, "x"))
    world.run(sync)
    message = world.again(run).message or ""
    assert message.count("LLL...") == 10
    assert message.endswith(f"Approve or dismiss it at /admin/syncs/syncrun/{run.pk}/change/")


def test_approval_is_of_the_deletes_that_were_shown(world: World) -> None:
    world.set(**{f"K{n}": "x" for n in range(20)})
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    world.unset(*(f"K{n}" for n in range(11)))
    run = world.run(sync)
    before = run.changes.count()
    world.unset("K11")
    with pytest.raises(BadRequest, match=r"would now delete 1 more than it listed \(K11\)"):
        approvals.approve(world.actor, run)
    run = world.again(run)
    assert (run.status, run.changes.count(), len(world.held())) == ("held", before + 1, 20)
    assert run.message
    assert "it would delete 12 keys" in run.message
    world.set(K0="back")  # fewer than were shown is what was approved, and less
    approvals.approve(world.actor, run)
    world.due()
    assert (world.again(run).status, len(world.held())) == ("succeeded", 9)


def test_a_recreated_key_is_not_covered_by_the_approval(world: World) -> None:
    for number in range(12):
        world.sandbox.put(APP, f"F{number:02}", "x")
    sync = world.sync(is_auto_sync_enabled=False)
    held = world.run(sync)
    assert held.status == "held"
    del world.sandbox.values[APP]["F01"]
    world.sandbox.put(APP, "F01", "made by hand since")
    with pytest.raises(BadRequest, match=r"1 more than it listed \(F01\)"):
        approvals.approve(world.actor, held)
    assert len(world.held()) == 12
    run = approvals.approve(world.actor, world.again(held))  # it is shown now
    execute(run.pk)
    assert (world.again(run).status, world.held()) == ("succeeded", {})


def test_the_source_moves_between_approval_and_run(world: World) -> None:
    world.set(**{f"K{n}": "x" for n in range(20)})
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    world.unset(*(f"K{n}" for n in range(11)))
    run = world.run(sync)
    approvals.approve(world.actor, run)
    world.unset("K11")
    world.due()
    assert (world.again(run).status, len(world.held())) == ("held", 20)


def test_an_approval_without_a_list_approves_nothing(world: World) -> None:
    world.set(A="1", B="2", C="3")
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    world.unset("A", "B", "C")
    run = world.run(sync)
    world.sandbox.fault = lambda method, path: (503, {"message": "down"})
    with pytest.raises(BadRequest, match="Unable to plan"):
        approvals.approve(world.actor, run)
    assert world.again(run).status == "held"


def test_single_edits_count_for_the_guard(world: World) -> None:
    world.set(**{f"K{n:02}": "x" for n in range(30)})
    sync = world.sync()
    world.run(sync)
    for number in range(11):
        world.unset(f"K{number:02}")
        run = world.run(sync)
    assert run.status == "held"
    assert len(world.held()) == 20


def test_dismissed_keys_are_kept_until_something_changes(world: World) -> None:
    world.set(**{f"K{n}": "x" for n in range(15)})
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    world.unset(*(f"K{n}" for n in range(11)))
    held = world.run(sync)
    assert approvals.dismiss(world.actor, held).status == "dismissed"
    with pytest.raises(BadRequest, match="no longer held"):
        approvals.dismiss(world.actor, held)
    world.set(NEW="y")
    run = world.run(sync)
    assert (run.status, len(world.held())) == ("succeeded", 16)
    world.set(K0="back")
    world.run(sync)
    world.unset("K0")
    world.run(sync)
    assert ("K0" in world.held(), "K1" in world.held()) == (False, True)
    SyncRun.objects.filter(status="dismissed").update(ended_at=timezone.now() - timedelta(days=91))
    dispatcher.sweep()
    world.run(sync)
    assert "K1" in world.held()
    world.policy(sync, max_deletions=None)
    world.run(sync)
    assert set(world.held()) == {"K11", "K12", "K13", "K14", "NEW"}


def test_unrelated_changes_keep_a_dismissal(world: World) -> None:
    world.set(A="1", B="2", C="3")
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    world.unset("A", "B", "C")
    held = world.run(sync)
    world.policy(sync, paused=True)  # between the hold and its dismissal too
    world.policy(sync, paused=False)
    approvals.dismiss(world.actor, world.again(held))
    assert syncs().get(pk=sync.pk).last_sync_message == "Dismissed by ada: its keys are kept."
    services.update_sync(world.actor, syncs().get(pk=sync.pk), SyncInput(description="with other words"))
    world.policy(sync, paused=True)
    world.policy(sync, paused=False)
    world.set(NEW="y")
    assert world.run(sync).status == "succeeded"
    assert set(world.held()) == {"A", "B", "C", "NEW"}


def test_a_dismissal_is_of_deletes_alone(world: World) -> None:
    world.set(A="1", B="2", C="3", D="4")
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    world.policy(sync, max_deletions=2)
    world.unset("A", "B", "C")
    world.set(D="changed")
    approvals.dismiss(world.actor, world.run(sync))
    world.set(D="4", E="5")
    world.run(sync)
    world.unset("D")
    world.run(sync)
    assert set(world.held()) == {"A", "B", "C", "E"}


def test_deletes_that_were_not_approved_are_skipped(world: World) -> None:
    world.set(A="1", B="2", C="3")
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    world.policy(sync, max_deletions=1)
    world.unset("A", "B")
    world.set(NEW="y")
    run = approvals.approve(world.actor, world.run(sync), writes_only=True)
    execute(run.pk)
    assert set(run.changes.values_list("key", "outcome")) == {("A", "skipped"), ("B", "skipped"), ("NEW", "applied")}


def held_run() -> SyncRun:
    return SyncRun.objects.select_related("sync__project").get(status="held")


def test_any_change_of_the_sync_voids_an_approval_and_its_deletes_are_shown_again(world: World) -> None:
    world.set(A="1", B="2", C="3")
    sync = world.sync()
    world.due()
    world.unset("A", "B", "C")
    world.due()
    run = approvals.approve(world.actor, held_run())
    world.policy(sync, paused=True)
    execute(run.pk)
    assert (world.again(run).status, len(world.held())) == ("held", 3)


def test_on_a_paused_sync_an_approval_deletes_what_was_approved_and_writes_nothing(world: World) -> None:
    world.set(A="1", B="2", C="3", D="4")
    sync = world.sync()
    world.due()
    world.policy(sync, max_deletions=2)
    world.unset("A", "B", "C")
    world.set(D="changed", E="new")
    world.due()
    world.policy(sync, paused=True)
    run = approvals.approve(world.actor, held_run())
    execute(run.pk)
    run = world.again(run)
    assert (run.status, world.held()) == ("succeeded", {"D": "4"})
    assert set(run.changes.values_list("key", "outcome")) == {
        *((key, "applied") for key in "ABC"),
        ("D", "skipped"),
        ("E", "skipped"),
    }
    world.policy(sync, paused=False)  # what it did not write still waits
    world.due()
    assert world.held() == {"D": "changed", "E": "new"}


def test_a_void_approval_deletes_nothing_on_a_paused_sync(world: World) -> None:
    world.set(A="1", B="2", C="3", D="4")
    sync = world.sync()
    world.due()
    world.policy(sync, max_deletions=2)
    world.unset("A", "B", "C")
    world.due()
    world.policy(sync, paused=True)
    with pytest.raises(BadRequest, match="resume it first"):
        approvals.approve(world.actor, held_run(), writes_only=True)
    run = approvals.approve(world.actor, held_run())
    world.policy(sync, max_deletions=None)  # no guard would hold it now
    execute(run.pk)
    assert (world.again(run).status, len(world.held())) == ("succeeded", 4)


def test_an_approved_run_belongs_to_its_approver(world: World) -> None:
    world.set(A="1", B="2", C="3")
    sync = world.sync()
    world.due()
    world.unset("A", "B", "C")
    world.due()
    held = SyncRun.objects.select_related("sync__project").get(status="held")
    bob = User.objects.create_user("bob")
    set_role(world.actor, world.project, bob, Role.MEMBER)
    run = approvals.approve(actor_of_user(bob), held)
    execute(run.pk)
    run = world.again(run)
    assert (run.status, run.trigger, run.actor_name) == ("succeeded", "approval", "bob")
    told = AuditEvent.objects.filter(event="secret-sync-sync-secrets", metadata__jobId=str(run.pk)).get()
    assert (told.actor_name, syncs().get(pk=sync.pk).sync_status) == ("bob", "succeeded")


def test_no_automatic_run_without_auto_sync(world: World) -> None:
    world.set(A="${NOPE}", B="2")
    sync = world.sync()
    world.due()
    world.set(C="3")
    waiting = SyncRun.objects.get(status="pending")
    services.update_sync(world.actor, syncs().get(pk=sync.pk), SyncInput(is_auto_sync_enabled=False))
    world.due()
    waiting = world.again(waiting)
    assert (waiting.status, waiting.message) == ("superseded", "Auto-sync was switched off.")
    assert syncs().get(pk=sync.pk).sync_status == "failed"
    assert world.held() == {"B": "2"}


def test_a_hold_ends_when_its_reason_ends(world: World) -> None:
    world.set(A="1", B="2", C="3")
    sync = world.sync()
    world.run(sync)
    world.unset("A", "B", "C")
    held = world.run(sync)
    assert held.status == "held"
    world.set(A="1", B="2", C="4")
    world.due()
    assert world.again(held).status == "superseded"
    assert world.held() == {"A": "1", "B": "2", "C": "4"}


def test_the_sentence_counts_what_the_list_shows(world: World) -> None:
    world.set(**{f"K{n}": "x" for n in range(8)})
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    world.policy(sync, max_deletions=2)
    world.unset("K0")
    world.run(sync)
    renamed = [SecretInput("K7", new_key="R7")]
    set_secrets(world.actor, world.folder("/"), renamed, mode="update")
    world.unset("K1", "K2")
    run = world.run(sync)
    assert run.message
    shown = "it would delete 2 keys after 1 within the last hour; the limit is 2. To be deleted: K1, K2."
    assert run.message.startswith(f"Held: {shown}")
    assert list(run.options.shown) == ["K1", "K2"]
