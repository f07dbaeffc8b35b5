"""Problems that users of other products report, each as a test of what happens here instead."""

from __future__ import annotations

from typing import Any

import pytest

from config.access.models import AuditEvent
from config.errors import BadRequest
from syncs.models import ManagedSecret, SecretSync, Status, SyncRun
from syncs.planning.overlaps import warnings_of
from syncs.planning.preview import plan_as_json, preview
from syncs.running.runner import execute
from syncs.services import approvals, folders
from syncs.services.deletion import delete_sync
from syncs.services.secrets import set_secrets
from syncs.services.syncs import SyncInput, update_policy, update_sync
from syncs.source.selectors import syncs
from syncs.source.validation import SecretInput
from tests.fixtures.world import APPLICATION, ENVIRONMENT, OPTIONS, World

SHOP = ("acme", "shop", "")


def actions(sync: SecretSync) -> dict[str, str]:
    return {change.key: change.action.value for change in preview(syncs().get(pk=sync.pk)).changes}


def fresh(sync: SecretSync) -> SecretSync:
    return syncs().get(pk=sync.pk)


def test_two_syncs_at_one_location_do_not_delete_each_others_keys(world: World) -> None:
    folders.ensure_folder(world.actor, world.environment(), "/other")
    world.set(MINE="1", BOTH="mine")
    world.set("/other", THEIRS="2", BOTH="theirs")
    first, second = world.sync("first"), world.sync("second", secret_path="/other")
    assert "first" in " ".join(warnings_of(world.actor, second))
    for _ in range(3):
        for sync in (first, second):
            world.run(fresh(sync))
            assert world.held().items() >= {"MINE": "1", "BOTH": "mine"}.items()
    assert world.held() == {"MINE": "1", "BOTH": "mine", "THEIRS": "2"}
    message = fresh(second).last_sync_message or ""
    assert "BOTH (owned by the sync first" in message
    writes = len(world.writes())
    for sync in (first, second):
        world.run(fresh(sync))
    assert len(world.writes()) == writes
    # Once the owner releases the key, the sync that waited for it takes it over.
    world.unset("BOTH")
    world.run(fresh(first))
    world.due()
    assert world.held()["BOTH"] == "theirs"


def test_a_first_run_with_200_foreign_keys_deletes_nothing_without_approval(world: World) -> None:
    for number in range(200):
        world.sandbox.put(SHOP, f"FOREIGN{number}", "theirs")
    world.set(MINE="1")
    sync = world.sync()
    run = world.run(sync)
    assert run.status == Status.HELD
    assert "would delete 200 keys; the limit is 10" in (run.message or "")
    assert (len(world.held()), world.writes()) == (200, [])
    assert fresh(sync).sync_status == "failed"  # the modelled API's word; its message says that it is held, and where
    assert f"/admin/syncs/syncrun/{run.pk}/change/" in (fresh(sync).last_sync_message or "")
    approvals.approve(world.actor, SyncRun.objects.select_related("sync__project").get(pk=run.pk), writes_only=True)
    world.due()
    assert len(world.held()) == 201


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one edit at a time"])
def test_an_emptied_folder_ends_in_a_hold(world: World, at_once: bool) -> None:
    keys = [f"K{number}" for number in range(30)]
    world.set(**dict.fromkeys(keys, "1"))
    sync = world.sync()
    world.run(sync)
    if at_once:
        world.unset(*keys)
        world.run(fresh(sync))
    else:
        for key in keys:
            world.unset(key)
            if not SyncRun.objects.filter(sync=sync, status=Status.HELD).exists():
                world.run(fresh(sync))
    assert SyncRun.objects.filter(sync=sync, status=Status.HELD).count() == 1
    assert len(world.held()) >= 20


def test_a_sync_pointed_at_an_empty_folder_ends_in_a_hold(world: World) -> None:
    world.set(A="1", B="2", C="3")
    sync = world.sync()
    world.run(sync)
    folders.ensure_folder(world.actor, world.environment(), "/empty")
    update_sync(world.actor, fresh(sync), SyncInput(secret_path="/empty"))
    assert world.run(fresh(sync)).status == Status.HELD
    assert set(world.held()) == {"A", "B", "C"}


def test_a_broken_reference_stops_one_key_and_every_delete(world: World) -> None:
    world.set(GOOD="1", GONE="2", BROKEN="x")
    sync = world.sync()
    world.run(sync)
    world.unset("GONE")
    world.set(GOOD="new", BROKEN="${prod.NOWHERE.KEY}")
    run = world.run(sync)
    assert run.status == Status.FAILED
    assert "BROKEN (the reference ${prod.NOWHERE.KEY} does not resolve)" in (run.message or "")
    assert "kept, because nothing is deleted while the source is incomplete" in (run.message or "")
    assert world.held() == {"GOOD": "new", "GONE": "2", "BROKEN": "x"}
    world.set(BROKEN="y")
    assert world.run(sync).status == Status.SUCCEEDED
    assert world.held() == {"GOOD": "new", "BROKEN": "y"}


def test_a_truncated_list_deletes_and_creates_nothing(world: World) -> None:
    world.set(**{f"K{number}": "1" for number in range(20)})
    sync = world.sync()
    world.run(sync)
    world.unset("K0")
    before, writes = world.held(), len(world.writes())
    world.sandbox.fault = lambda method, _: (200, b'[{"key": "K1", "value"') if method == "GET" else None
    run = world.run(sync)
    assert run.status in (Status.PENDING, Status.FAILED)
    assert (world.held(), len(world.writes())) == (before, writes)


def test_plain_values_next_to_secrets_are_never_changed(world: World) -> None:
    world.sandbox.put(SHOP, "REPLICAS", "3", is_secret=False)
    world.sandbox.put(SHOP, "CLASH", "plain", is_secret=False)
    world.set(CLASH="secret", FINE="1")
    sync = world.sync()
    update_policy(world.actor, fresh(sync), {"unmanaged": "mirror", "max_deletions": None})
    run = world.run(fresh(sync))
    assert world.held() == {"REPLICAS": "3", "CLASH": "plain", "FINE": "1"}
    assert "CLASH (a plain (not secret) value of this name" in (run.message or "")


def test_one_refused_key_among_fifty_does_not_hide_the_rest(world: World) -> None:
    world.set(**{f"K{number:02}": "1" for number in range(50)})
    sync = world.sync()

    respond = world.sandbox.respond

    def refusing(method: str, path: str, body: dict[str, Any]) -> Any:
        return (400, {"error": "no"}) if body.get("key") == "K25" else respond(method, path, body)

    world.sandbox.respond = refusing  # type: ignore[method-assign]
    run = world.run(sync)
    assert run.status == Status.FAILED
    assert len(world.held()) == 49
    assert list(run.changes.filter(outcome="failed").values_list("key", flat=True)) == ["K25"]
    assert run.changes.filter(outcome="applied").count() == 49
    assert "1 key failed: K25" in (run.message or "")
    posts = len(world.writes())
    world.run(sync)
    assert len(world.writes()) == posts + 1  # the failed one alone is tried again


def test_drift_is_healed_and_not_contested_forever(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.run(sync)
    for _ in range(5):
        world.sandbox.put(SHOP, "A", "by hand")
        world.run(sync)
    run = world.run(sync)
    assert world.held() == {"A": "by hand"}
    assert run.changes.get().error_code == "contested"
    world.set(A="2")  # a new value is a new beginning
    world.run(sync)
    assert world.held() == {"A": "2"}


def test_a_changed_key_schema_moves_the_keys_under_the_guard(world: World) -> None:
    world.set(A="1", B="2")
    sync = world.sync()
    world.run(sync)
    update_sync(world.actor, fresh(sync), SyncInput(sync_options={**OPTIONS, "keySchema": "APP_{{secretKey}}"}))
    assert actions(sync) == {"APP_A": "create", "APP_B": "create", "A": "delete", "B": "delete"}
    world.run(fresh(sync))
    assert world.held() == {"APP_A": "1", "APP_B": "2"}
    update_policy(world.actor, fresh(sync), {"max_deletions": 1})
    update_sync(world.actor, fresh(sync), SyncInput(sync_options={**OPTIONS, "keySchema": "NEW_{{secretKey}}"}))
    assert world.run(fresh(sync)).status == Status.HELD


def test_a_sync_deleted_without_its_secrets_leaves_them(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.run(sync)
    delete_sync(world.actor, fresh(sync))
    assert world.held() == {"A": "1"}
    assert ManagedSecret.objects.get().sync is None
    # Another sync at the location does not delete them in its first overwrite.
    world.unset("A")
    world.set(B="2")
    world.run(world.sync("another"))
    assert world.held() == {"A": "1", "B": "2"}


def test_keys_that_are_left_behind_are_listed(world: World) -> None:
    world.set(A="1", B="2")
    sync = world.sync()
    world.run(sync)
    update_sync(world.actor, fresh(sync), SyncInput(destination_config={**APPLICATION, "app": "blog"}))
    left = SyncRun.objects.get(sync=sync, location__endswith="acme/shop", counts={"keep": 2})
    assert list(left.changes.values_list("key", "action", "outcome")) == [("A", "keep", "kept"), ("B", "keep", "kept")]
    assert "2 keys stay at acme / shop; no sync" in (left.message or "")
    world.due()
    assert (world.held(), world.held(("acme", "blog", ""))) == ({"A": "1", "B": "2"},) * 2
    delete_sync(world.actor, fresh(sync))
    told = AuditEvent.objects.get(event="delete-secret-sync").metadata
    assert (told["left"], told["keys"]) == (2, ["A", "B"])


def test_a_sync_deleted_with_its_secrets_removes_only_its_own(world: World) -> None:
    world.sandbox.put(SHOP, "FOREIGN", "theirs")
    world.set(A="1")
    sync = world.sync()
    update_policy(world.actor, fresh(sync), {"unmanaged": "leave"})
    world.run(fresh(sync))
    folders.delete_environment(world.actor, world.environment())  # its source is deleted, too
    delete_sync(world.actor, fresh(sync), with_secrets=True)
    world.due()
    assert world.held() == {"FOREIGN": "theirs"}
    assert not SecretSync.objects.exists()


def test_a_sync_is_not_deleted_while_a_secret_may_remain(world: World) -> None:
    """Its creation got no response: whether this sync owns it is unknown."""
    world.set(A="1", MAYBE="2")
    sync = world.sync(is_auto_sync_enabled=False)
    lost: list[str] = []

    def late(method: str, path: str) -> Any:
        if method == "POST" and "MAYBE" in world.held() and not lost:
            lost.append(path)
            return 503, {}
        return None

    world.sandbox.late_fault = late
    world.run(sync)
    delete_sync(world.actor, fresh(sync), with_secrets=True)
    run = SyncRun.objects.get(operation="remove")
    execute(run.pk)
    run = world.again(run)
    assert (run.status, set(world.held())) == ("failed", {"MAYBE"})
    assert "1 key blocked: MAYBE (may be this sync's: an earlier write got no response)" in (run.message or "")
    del world.sandbox.values["acme", "shop", ""]["MAYBE"]
    delete_sync(world.actor, fresh(sync), with_secrets=True)
    execute(SyncRun.objects.get(operation="remove", status="pending").pk)
    assert not SecretSync.objects.filter(pk=sync.pk).exists()


def test_an_approval_after_a_change_of_the_source_is_requested_again(world: World) -> None:
    world.set(**{f"K{number}": "1" for number in range(20)})
    sync = world.sync()
    world.run(sync)
    world.unset(*(f"K{number}" for number in range(11)))
    run = world.run(sync)
    assert run.status == Status.HELD
    world.unset("K19")
    held = SyncRun.objects.select_related("sync__project").get(pk=run.pk)
    with pytest.raises(BadRequest, match="would now delete 1 more than it listed"):
        approvals.approve(world.actor, held)
    assert len(world.held()) == 20
    world.set(K19="1", K0="back")
    approvals.approve(world.actor, SyncRun.objects.select_related("sync__project").get(pk=run.pk))  # fewer is fine
    execute(run.pk)
    assert len(world.held()) == 10


def test_an_application_and_its_environments_are_distinguished(world: World) -> None:
    world.set(A="app")
    world.set(environment="staging", A="env")
    application = world.sync("application")
    environment = world.sync("environment", ENVIRONMENT, environment="staging")
    assert "application" in " ".join(warnings_of(world.actor, environment))
    world.run(application)
    world.run(environment)
    assert world.held() == {"A": "app"}
    assert world.held(("acme", "shop", "development")) == {"A": "env"}
    world.unset("A")
    update_policy(world.actor, fresh(application), {"max_deletions": None})
    world.run(fresh(application))
    assert world.held(("acme", "shop", "development")) == {"A": "env"}


def test_a_plan_can_be_requested_before_anything_is_stored(world: World) -> None:
    from syncs.services.syncs import draft_sync

    world.set(A="mArKeR-plan")
    given = SyncInput(
        name="not-yet",
        connection_id=world.connection.pk,
        environment="dev",
        secret_path="/",
        sync_options=OPTIONS,
        destination_config=APPLICATION,
    )
    plans = [plan_as_json(preview(draft_sync(world.actor, world.project, "humanitec", given))) for _ in range(2)]
    assert plans[0] == plans[1]
    assert plans[0]["counts"]["create"] == 1
    assert "mArKeR" not in str(plans)
    assert not SecretSync.objects.exists()
    assert world.writes() == []


def test_a_run_without_changes_sends_one_request(world: World) -> None:
    set_secrets(world.actor, world.folder(), [SecretInput(f"K{number}", "1") for number in range(100)])
    sync = world.sync()
    world.run(sync)
    world.sandbox.asked.clear()
    assert world.run(sync).status == Status.SUCCEEDED
    assert [method for method, _ in world.sandbox.asked] == ["GET"]
