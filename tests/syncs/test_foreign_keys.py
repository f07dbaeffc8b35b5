"""Keys that a sync did not write are deleted by its first run, under mirror, or by an approval. Never otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from config.errors import BadRequest
from syncs.models import InitialSet, SecretSync, SyncRun
from syncs.planning.kept import kept_keys
from syncs.running.runner import execute
from syncs.services import approvals
from syncs.services.folders import ensure_folder
from syncs.services.kept import delete_kept, forget_kept, plan_of_delete
from syncs.services.secrets import set_secrets
from syncs.services.syncs import SyncInput, propose, update_policy, update_sync
from syncs.source.selectors import syncs
from syncs.source.validation import SecretInput
from tests.fixtures.world import APPLICATION, OPTIONS, World

APP = ("acme", "shop", "")


def fresh(sync: SecretSync) -> SecretSync:
    return syncs().get(pk=sync.pk)


def kept(sync: SecretSync) -> list[tuple[str, str]]:
    return [(each.key, each.why) for each in kept_keys(fresh(sync))]


def outcomes(run: SyncRun) -> dict[str, tuple[str, str]]:
    return {key: (outcome, code) for key, outcome, code in run.changes.values_list("key", "outcome", "error_code")}


def refusing(world: World, *keys: str, status: int = 400) -> None:
    """The vendor refuses writes of these keys."""
    plain = world.sandbox.respond

    def respond(method: str, path: str, body: dict[str, Any]) -> Any:
        named = body.get("key") or path.rsplit("/", 1)[-1]
        return (
            (status, {"message": "refused"})
            if method in ("POST", "PATCH") and named in keys
            else plain(method, path, body)
        )

    world.sandbox.respond = respond  # type: ignore[method-assign]


def test_the_first_run_deletes_what_stood_there(world: World) -> None:
    world.sandbox.put(APP, "OLD", "x")
    world.set(A="1")
    sync = world.sync()
    run = world.run(sync)
    assert (run.status, world.held(), kept(sync)) == ("succeeded", {"A": "1"}, [])


def test_a_key_that_the_first_run_kept_beside_a_blocked_one_is_never_deleted_by_a_later_run(world: World) -> None:
    world.sandbox.put(APP, "OLD", "x")
    world.set(**{"A": "1", "NOT-A-NAME!": "2"})
    sync = world.sync()
    run = world.run(sync)
    assert (run.status, outcomes(run)["OLD"]) == ("failed", ("kept", ""))  # the source is incomplete
    world.unset("NOT-A-NAME!")
    assert world.run(sync).status == "succeeded"
    assert set(world.held()) == {"A", "OLD"}
    assert kept(sync) == [("OLD", "offered")]


def test_keys_blocked_by_the_destination_spare_the_foreign_ones_too(world: World) -> None:
    world.sandbox.put(APP, "OLD", "x")
    world.sandbox.put(APP, "PLAIN", "x", is_secret=False)
    world.set(A="1", PLAIN="2")
    sync = world.sync()
    run = world.run(sync)
    assert outcomes(run)["OLD"] == ("kept", "spared")
    world.unset("PLAIN")
    world.run(sync)
    assert "OLD" in world.held()
    assert kept(sync) == [("OLD", "offered")]


@pytest.mark.parametrize("policy", ["overwrite-initially", "mirror"])
def test_a_refused_write_spares_every_foreign_key(world: World, policy: str) -> None:
    for name in ("OLD_1", "OLD_2"):
        world.sandbox.put(APP, name, "x")
    refusing(world, "A", "B")
    world.set(A="1", B="2", C="3")
    sync = world.sync(is_auto_sync_enabled=False)
    world.policy(sync, unmanaged=policy)
    run = world.run(sync)
    found = outcomes(run)
    assert run.status == "failed"
    assert (found["A"][0], found["C"][0]) == ("failed", "applied")
    assert found["OLD_1"] == found["OLD_2"] == ("kept", "spared")
    assert set(world.held()) == {"C", "OLD_1", "OLD_2"}


def test_the_attempts_of_the_first_run_are_the_same_run(world: World) -> None:
    world.sandbox.put(APP, "OLD", "x")
    world.set(A="1")
    sync = world.sync(is_auto_sync_enabled=False)
    world.sandbox.fault = lambda method, path: (503, {"message": "down"}) if method == "POST" else None
    run = world.run(sync)
    assert (run.status, set(world.held())) == ("pending", {"OLD"})
    world.sandbox.fault = None
    execute(run.pk)
    assert (world.again(run).status, world.held()) == ("succeeded", {"A": "1"})


def test_a_run_that_supersedes_the_first_one_is_not_the_first(world: World) -> None:
    world.sandbox.put(APP, "OLD", "x")
    world.set(A="1")
    sync = world.sync(is_auto_sync_enabled=False)
    world.sandbox.fault = lambda method, path: (503, {"message": "down"}) if method == "POST" else None
    first = world.run(sync)
    world.sandbox.fault = None
    assert world.run(sync).status == "succeeded"
    assert world.again(first).status == "superseded"
    assert set(world.held()) == {"A", "OLD"}
    assert kept(sync) == [("OLD", "offered")]


def test_setting_the_policy_later_starts_no_first_run(world: World) -> None:
    world.sandbox.put(APP, "OLD", "x")
    world.set(A="1")
    sync = world.sync(is_auto_sync_enabled=False)
    world.policy(sync, unmanaged="leave")
    world.run(sync)
    world.policy(sync, unmanaged="overwrite-initially")
    world.run(sync)
    assert set(world.held()) == {"A", "OLD"}


def test_a_confirmed_plan_of_the_policy_starts_a_first_run_with_the_deletes_that_it_showed(world: World) -> None:
    world.sandbox.put(APP, "OLD", "x")
    world.set(A="1")
    sync = world.sync(is_auto_sync_enabled=False)
    world.policy(sync, unmanaged="leave")
    world.run(sync)
    change = {"unmanaged": "overwrite-initially"}
    proposal = propose(world.actor, fresh(sync), policy=change)
    assert [one.key for one in proposal.checked.plan.deletes] == ["OLD"]
    update_policy(world.actor, fresh(sync), change, digest=proposal.digest)
    world.sandbox.put(APP, "LATER", "x")
    held = world.run(sync)
    assert (held.status, set(world.held())) == ("held", {"A", "OLD", "LATER"})  # LATER was not shown
    world.sandbox.values[APP].pop("LATER")
    assert world.run(sync).status == "succeeded"
    assert set(world.held()) == {"A"}


def offered(world: World) -> SecretSync:
    """A sync whose first run left OLD_1 and OLD_2."""
    world.sandbox.put(APP, "OLD_1", "x")
    world.sandbox.put(APP, "OLD_2", "x")
    refusing(world, "BAD")
    world.set(A="1", BAD="2")
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    world.unset("BAD")
    assert kept(sync) == [("OLD_1", "offered"), ("OLD_2", "offered")]
    return fresh(sync)


def test_an_offer_is_deleted_by_its_own_approval(world: World) -> None:
    sync = offered(world)
    plan = plan_of_delete(world.actor, sync, ["OLD_1"])
    assert [(change.key, change.reason) for change in plan.deletes] == [("OLD_1", "its deletion was approved")]
    with pytest.raises(BadRequest, match="the plan has changed"):
        delete_kept(world.actor, sync, ["OLD_1"], digest="0" * 64)
    run = delete_kept(world.actor, sync, ["OLD_1"], digest=plan.digest)
    execute(run.pk)
    assert (world.again(run).status, set(world.held())) == ("succeeded", {"A", "OLD_2"})
    assert kept(sync) == [("OLD_2", "offered")]


def test_an_approval_that_showed_blocked_keys_overrides_blocked_but_not_failed(world: World) -> None:
    sync = offered(world)
    world.sandbox.put(APP, "PLAIN", "x", is_secret=False)
    world.set(PLAIN="2")
    run = delete_kept(world.actor, fresh(sync), ["OLD_1"])
    world.set(BAD="3")
    execute(run.pk)
    assert "OLD_1" in world.held()
    assert outcomes(world.again(run))["OLD_1"] == ("kept", "spared")
    world.unset("BAD")
    run = delete_kept(world.actor, fresh(sync), ["OLD_1"])
    execute(run.pk)
    assert "OLD_1" not in world.held()


def test_an_offer_is_of_that_very_object(world: World) -> None:
    sync = offered(world)
    run = delete_kept(world.actor, sync, ["OLD_1"])
    world.sandbox.values[APP].pop("OLD_1")
    world.sandbox.put(APP, "OLD_1", "made by hand since")
    execute(run.pk)
    assert "OLD_1" in world.held()
    assert kept(sync) == [("OLD_2", "offered")]


def test_a_change_of_the_sync_voids_the_approval_of_an_offer(world: World) -> None:
    sync = offered(world)
    run = delete_kept(world.actor, sync, ["OLD_1"])
    world.policy(sync, max_deletions=5)
    execute(run.pk)
    assert "OLD_1" in world.held()
    assert ("OLD_1", "offered") in kept(sync)


def test_a_forgotten_key_stays_even_under_mirror(world: World) -> None:
    sync = offered(world)
    assert [each.key for each in forget_kept(world.actor, sync, ["OLD_1"])] == ["OLD_1"]
    assert kept(sync) == [("OLD_2", "offered")]
    with pytest.raises(BadRequest, match="OLD_1 is not kept on request"):
        delete_kept(world.actor, sync, ["OLD_1"])
    world.policy(sync, unmanaged="mirror")
    world.run(sync)
    assert set(world.held()) == {"A", "OLD_1"}
    world.sandbox.values[APP].pop("OLD_1")
    world.sandbox.put(APP, "OLD_1", "another object")
    world.run(sync)
    assert set(world.held()) == {"A"}


def test_an_offer_is_no_reason_to_hold_or_to_supersede(world: World) -> None:
    sync = offered(world)
    world.set(B="2")
    assert world.run(sync).status == "succeeded"
    assert len(kept(sync)) == 2


def dismissed(world: World) -> SecretSync:
    """A sync that keeps A, B and C, since their deletion was dismissed, and owns D."""
    world.set(A="1", B="2", C="3", D="4")
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    world.policy(sync, max_deletions=2)
    world.unset("A", "B", "C")
    approvals.dismiss(world.actor, SyncRun.objects.select_related("sync__project").get(pk=world.run(sync).pk))
    return sync


def test_dismissed_deletes_are_kept_on_request_and_can_be_deleted_after_all(world: World) -> None:
    sync = dismissed(world)
    assert kept(sync) == [("A", "dismissed"), ("B", "dismissed"), ("C", "dismissed")]
    run = delete_kept(world.actor, fresh(sync), ["A", "B", "C"])
    execute(run.pk)
    assert (world.again(run).status, set(world.held()), kept(sync)) == ("succeeded", {"D"}, [])


def test_a_forgotten_own_key_is_no_longer_the_syncs(world: World) -> None:
    sync = dismissed(world)
    forget_kept(world.actor, fresh(sync))
    world.policy(sync, max_deletions=None)  # voids the dismissal
    world.run(sync)
    assert (set(world.held()), kept(sync)) == ({"A", "B", "C", "D"}, [])


def test_a_first_run_that_was_held_is_still_the_first_once_it_is_approved(world: World) -> None:
    for number in range(12):
        world.sandbox.put(APP, f"OLD_{number:02}", "x")
    world.set(A="1")
    sync = world.sync(is_auto_sync_enabled=False)
    held = world.run(sync)
    assert (held.status, InitialSet.objects.count()) == ("held", 0)
    run = approvals.approve(world.actor, SyncRun.objects.select_related("sync__project").get(pk=held.pk))
    execute(run.pk)
    assert (world.again(run).status, world.held()) == ("succeeded", {"A": "1"})


def test_the_writes_of_a_held_first_run_make_its_deletes_an_offer(world: World) -> None:
    for number in range(12):
        world.sandbox.put(APP, f"OLD_{number:02}", "x")
    world.set(A="1")
    sync = world.sync(is_auto_sync_enabled=False)
    held = SyncRun.objects.select_related("sync__project").get(pk=world.run(sync).pk)
    execute(approvals.approve(world.actor, held, writes_only=True).pk)
    assert len(kept(sync)) == 12
    assert world.run(sync).status == "succeeded"
    assert len(world.held()) == 13


def test_while_held_the_writes_go_ahead(world: World) -> None:
    world.set(**{f"K{n}": "x" for n in range(5)})
    sync = world.sync(is_auto_sync_enabled=False)
    world.policy(sync, max_deletions=2, while_held="writes")
    world.run(sync)
    world.unset("K0", "K1", "K2")
    world.set(K3="changed", NEW="y")
    run = world.run(sync)
    held = SyncRun.objects.select_related("sync__project").get(status="held")
    assert (run.status, run.pk == held.pk) == ("succeeded", False)
    assert world.held() == {"K0": "x", "K1": "x", "K2": "x", "K3": "changed", "K4": "x", "NEW": "y"}
    assert held.message
    assert "Its creates and updates were written." in held.message
    assert set(held.changes.values_list("key", flat=True)) == {"K0", "K1", "K2"}
    assert fresh(sync).sync_status == "failed"
    world.set(NEWER="z")  # one open hold, refreshed in place
    world.run(sync)
    assert SyncRun.objects.get(status="held").pk == held.pk
    assert world.held()["NEWER"] == "z"
    execute(approvals.approve(world.actor, held).pk)
    assert set(world.held()) == {"K3", "K4", "NEW", "NEWER"}


def test_while_held_nothing_goes_ahead_after_a_change_of_the_sync(world: World) -> None:
    world.set(**{f"K{n}": "x" for n in range(5)})
    sync = world.sync(is_auto_sync_enabled=False)
    world.policy(sync, max_deletions=2, while_held="writes")
    world.run(sync)
    world.policy(sync, include=["K3", "NEW"])
    world.set(NEW="y")
    assert world.run(sync).status == "held"
    assert "NEW" not in world.held()


def test_a_first_run_writes_nothing_while_it_is_held(world: World) -> None:
    for number in range(12):
        world.sandbox.put(APP, f"OLD_{number:02}", "x")
    world.set(A="1")
    sync = world.sync(is_auto_sync_enabled=False)
    world.policy(sync, while_held="writes")
    assert world.run(sync).status == "held"
    assert "A" not in world.held()


def test_a_renamed_secret_is_no_delete_for_the_guard(world: World) -> None:
    world.set(**{f"K{n}": "x" for n in range(5)})
    sync = world.sync(is_auto_sync_enabled=False)
    world.policy(sync, max_deletions=2)
    world.run(sync)
    renamed = [SecretInput(f"K{n}", new_key=f"R{n}") for n in range(5)]
    set_secrets(world.actor, world.folder("/"), renamed, mode="update")
    run = world.run(sync)
    assert (run.status, set(world.held())) == ("succeeded", {f"R{n}" for n in range(5)})
    world.unset("R0", "R1")  # the renames do not count for the hour either
    assert world.run(sync).status == "succeeded"


def test_another_key_schema_is_a_delete_for_the_guard(world: World) -> None:
    world.set(**{f"K{n}": "x" for n in range(5)})
    sync = world.sync(is_auto_sync_enabled=False)
    world.policy(sync, max_deletions=2)
    world.run(sync)
    update_sync(world.actor, fresh(sync), SyncInput(sync_options={**OPTIONS, "keySchema": "P_{{secretKey}}"}))
    assert world.run(sync).status == "held"


def test_an_own_key_whose_replacement_was_refused_goes_with_the_next_complete_run(world: World) -> None:
    world.set(A="1", B="2")
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    set_secrets(world.actor, world.folder("/"), [SecretInput("A", new_key="NEW")], mode="update")
    plain = world.sandbox.respond
    refusing(world, "NEW")
    world.run(sync)
    assert set(world.held()) == {"A", "B"}
    world.sandbox.respond = plain  # type: ignore[method-assign]
    world.run(sync)
    assert set(world.held()) == {"B", "NEW"}


def test_keys_wanted_by_another_sync_are_not_in_the_initial_set(world: World) -> None:
    ensure_folder(world.actor, world.environment(), "/other")
    world.sandbox.put(APP, "SHARED", "x")
    world.set("/other", SHARED="theirs")
    world.sync("other", APPLICATION, secret_path="/other", is_auto_sync_enabled=False)
    world.set(A="1")
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    assert set(world.held()) == {"A", "SHARED"}
    assert kept(sync) == []
