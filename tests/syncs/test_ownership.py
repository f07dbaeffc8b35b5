"""Ownership in real runs: two syncs at one location, retargeting, an unreadable source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from config.access.models import Membership
from config.errors import BadRequest
from syncs.models import Folder, ManagedSecret, Secret, SecretImport, SecretSync, SyncRun
from syncs.running import dispatcher
from syncs.running.drift import check
from syncs.running.runner import execute
from syncs.running.writer import Writer
from syncs.services import deletion, folders, imports, secrets
from syncs.services import syncs as services
from syncs.services.syncs import SyncInput
from syncs.services.triggers import trigger
from syncs.source.selectors import syncs
from syncs.source.validation import SecretInput
from tests.fixtures.world import APPLICATION, ENVIRONMENT, OPTIONS, World

APP = ("acme", "shop", "")
ENV = ("acme", "shop", "development")


def second_folder(world: World) -> Folder:
    return folders.ensure_folder(world.actor, world.environment(), "/other")


# -- two syncs at one location ---------------------------------------------------------------------------------


def test_two_syncs_never_fight_over_a_key(world: World) -> None:
    second_folder(world)
    world.set(A="mine", B="mine")
    first = world.sync("first")
    world.run(first)
    world.set("/other", A="yours", C="yours")
    second = world.sync("second", secret_path="/other")
    run = world.run(second)
    assert (run.status, world.held()) == ("failed", {"A": "mine", "B": "mine", "C": "yours"})
    assert run.message == "1 key blocked: A (owned by the sync first; waiting for it)"
    for _ in range(3):
        world.sandbox.asked.clear()
        world.run(first)
        world.run(second)
        assert world.writes() == []


def test_a_released_key_is_handed_over(world: World) -> None:
    second_folder(world)
    world.set(A="mine", B="mine")
    first = world.sync("first")
    world.run(first)
    world.set("/other", A="yours")
    second = world.sync("second", secret_path="/other")
    world.run(second)
    world.unset("A")
    world.due()
    world.due()
    assert world.held() == {"A": "yours", "B": "mine"}
    assert ManagedSecret.objects.get(key="A").sync_id == second.pk
    assert ("DELETE", "/orgs/acme/apps/shop/values/A") not in world.sandbox.asked


def test_keys_of_a_deleted_sync_become_unmanaged(world: World) -> None:
    second_folder(world)
    world.set(A="1", B="2")
    first = world.sync("first")
    world.run(first)
    deletion.delete_sync(world.actor, first)
    world.set("/other", A="3")
    second = world.sync("second", secret_path="/other")
    run = world.run(second)
    assert (run.status, world.held()) == ("succeeded", {"A": "3", "B": "2"})
    assert run.unmanaged == ["B"]


def test_a_retargeted_sync_keeps_the_old_location(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.run(sync)
    services.update_sync(world.actor, sync, SyncInput(destination_config=ENVIRONMENT))
    world.due()
    assert (world.held(APP), world.held(ENV)) == ({"A": "1"}, {"A": "1"})
    assert ManagedSecret.objects.filter(sync=sync).count() == 1


def test_a_renamed_key_is_deleted_after_its_new_name_was_created(world: World) -> None:
    world.set(OLD="1")
    sync = world.sync()
    world.run(sync)
    secrets.set_secrets(world.actor, world.folder(), [SecretInput("OLD", new_key="NEW")], mode="update")
    world.sandbox.asked.clear()
    world.sandbox.fault = lambda method, path: (422, {"message": "no"}) if method == "POST" else None
    run = world.run(sync)
    assert (run.status, world.held()) == ("failed", {"OLD": "1"})
    world.sandbox.fault = None
    world.run(sync)
    assert world.held() == {"NEW": "1"}
    assert [method for method, _ in world.writes()][-2:] == ["POST", "DELETE"]


# -- unmanaged keys --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unmanaged", "first", "second"),
    [("overwrite-initially", False, True), ("leave", True, True), ("mirror", False, False)],
)
def test_foreign_keys(world: World, unmanaged: str, first: bool, second: bool) -> None:
    world.sandbox.put(APP, "BEFORE", "x")
    world.sandbox.put(APP, "PLAIN", "x", is_secret=False)
    world.set(A="1")
    sync = world.sync()
    world.policy(sync, unmanaged=unmanaged)
    world.run(sync)
    assert ("BEFORE" in world.held()) is first
    world.sandbox.put(APP, "AFTER", "x")
    world.run(sync)
    assert ("AFTER" in world.held()) is second
    assert world.held()["PLAIN"] == "x"


def test_plain_values_are_blocked_by_name(world: World) -> None:
    world.sandbox.put(APP, "A", "plain", is_secret=False)
    world.set(A="1", B="2")
    for config, scope in ((APPLICATION, APP), (ENVIRONMENT, ENV)):
        sync = world.sync(f"to-{config['scope']}", config)
        run = world.run(sync)
        assert run.status == "failed"
        assert run.message
        assert run.message.startswith("1 key blocked: A (a plain (not secret) value of this name exists")
        assert world.held(scope)["B"] == "2"
    assert world.held()["A"] == "plain"


def test_an_environment_never_touches_its_application(world: World) -> None:
    world.sandbox.put(APP, "SHARED", "app")
    world.sandbox.put(APP, "ALONE", "app")
    world.set(SHARED="env")
    sync = world.sync(config=ENVIRONMENT)
    world.run(sync)
    assert (world.held(APP), world.held(ENV)) == ({"SHARED": "app", "ALONE": "app"}, {"SHARED": "env"})
    world.unset("SHARED")
    world.run(sync)
    assert (world.held(APP), world.held(ENV)) == ({"SHARED": "app", "ALONE": "app"}, {})


def test_external_changes_are_healed_until_contested(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.run(sync)
    for _ in range(3):
        world.sandbox.put(APP, "A", "theirs")
        run = world.run(sync)
        assert (run.status, world.held()) == ("succeeded", {"A": "1"})
    world.sandbox.put(APP, "A", "theirs")
    run = world.run(sync)
    assert (run.status, world.held()) == ("failed", {"A": "theirs"})
    assert run.message
    assert "changed back externally 3 times" in run.message
    world.set(A="2")
    world.run(sync)
    assert world.held() == {"A": "2"}


# -- options ---------------------------------------------------------------------------------------------------


def test_empty_values_and_comments(world: World) -> None:
    secrets.set_secrets(world.actor, world.folder(), [SecretInput("A", "", comment="why")])
    sync = world.sync()
    world.run(sync)
    value = world.sandbox.values[APP]["A"]
    assert (value["value"], value["description"], value["is_secret"]) == ("", "why", True)
    secrets.set_secrets(world.actor, world.folder(), [SecretInput("A", comment="because")])
    world.run(sync)
    assert world.sandbox.values[APP]["A"]["description"] == "because"


def test_a_key_schema_names_and_limits(world: World) -> None:
    world.sandbox.put(APP, "FOREIGN", "x")
    world.set(A="1", B="2")
    sync = world.sync(sync_options={**OPTIONS, "keySchema": "KF_{{environment}}_{{secretKey}}"})
    world.run(sync)
    assert world.held() == {"KF_dev_A": "1", "KF_dev_B": "2", "FOREIGN": "x"}
    world.unset("B")
    world.run(sync)
    assert world.held() == {"KF_dev_A": "1", "FOREIGN": "x"}


def test_deletion_can_be_disabled(world: World) -> None:
    world.sandbox.put(APP, "BEFORE", "x")
    world.set(A="1", B="2")
    sync = world.sync(sync_options={**OPTIONS, "disableSecretDeletion": True})
    world.run(sync)
    world.unset("B")
    world.run(sync)
    assert world.held() == {"A": "1", "B": "2", "BEFORE": "x"}


def test_filters_choose_from_the_source(world: World) -> None:
    given = [SecretInput("DB_URL", "1", tags=["db"]), SecretInput("DB_OLD", "2", tags=["db"]), SecretInput("WEB", "3")]
    secrets.set_secrets(world.actor, world.folder(), given)
    sync = world.sync()
    world.policy(sync, include=["DB_*"], exclude=["*_OLD"], tags=["db"])
    world.run(sync)
    assert world.held() == {"DB_URL": "1"}


def test_folders_below_can_be_included(world: World) -> None:
    second_folder(world)
    world.set(A="1")
    world.set("/other", B="3")
    sync = world.sync()
    world.policy(sync, recursive=True)
    world.set("/other", A="2")
    (run,) = world.due()
    assert (run.status, world.held()) == ("failed", {"B": "3"})
    assert run.message
    assert "2 secrets would be named A at the destination: /A and /other/A. Rename one." in run.message


# -- fail closed -----------------------------------------------------------------------------------------------


def break_value(world: World) -> str:
    Secret.objects.filter(key="BAD").update(value_sealed=b"not a ciphertext")
    return "the value of BAD cannot be read"


def break_reference(world: World) -> str:
    world.set(BAD="${NOWHERE}")
    return "the reference ${NOWHERE} does not resolve"


def break_cycle(world: World) -> str:
    world.set(BAD="${BAD2}", BAD2="${BAD}")
    return "its references are circular"


def break_key(world: World) -> str:
    secrets.set_secrets(world.actor, world.folder(), [SecretInput("BAD", new_key="BAD KEY")], mode="update")
    return "Humanitec takes only letters, digits, underscores, dots and dashes in a name"


@pytest.mark.parametrize("broken", [break_value, break_reference, break_cycle, break_key])
def test_unreadable_values_block_their_key_and_every_delete(world: World, broken: Any) -> None:
    world.set(A="1", GONE="1", BAD="1")
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    world.unset("GONE")
    world.set(A="2", NEW="3")
    said = broken(world)
    run = world.run(sync)
    assert run.status == "failed"
    assert run.message
    assert said in run.message
    assert "kept, because nothing is deleted while the source is incomplete" in run.message
    assert world.held() == {"A": "2", "GONE": "1", "BAD": "1", "NEW": "3"}


def test_an_import_without_its_folder_deletes_nothing(world: World) -> None:
    second_folder(world)
    world.set("/other", IMPORTED="1")
    world.set(A="1", GONE="1")
    imports.add_import(world.actor, world.folder(), world.environment(), "/other")
    sync = world.sync()
    world.run(sync)
    assert set(world.held()) == {"A", "GONE", "IMPORTED"}
    SecretImport.objects.update(import_path="/elsewhere")
    world.unset("GONE")
    (run,) = world.due()
    assert (run.status, set(world.held())) == ("failed", {"A", "GONE", "IMPORTED"})
    assert run.message
    assert run.message.startswith("the imported folder /elsewhere of dev does not exist")


def test_all_invalid_keys_are_reported_at_once(world: World) -> None:
    secrets.set_secrets(world.actor, world.folder(), [SecretInput(key, "x") for key in ("A B", "C D", "GOOD")])
    run = world.run(world.sync())
    assert run.message
    reason = "Humanitec takes only letters, digits, underscores, dots and dashes in a name"
    assert run.message == f"2 keys blocked: {reason} (A B, C D)"
    assert world.held() == {"GOOD": "x"}


# -- rights ----------------------------------------------------------------------------------------------------


def test_a_run_acts_for_its_owner(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.due()
    Membership.objects.update(role="viewer")
    world.actor = type(world.actor)("platform", name="Keyferry")
    world.set(A="2")
    SyncRun.objects.filter(status="pending").update(due_at=None)
    (run,) = world.due()
    assert run.status == "failed"
    assert run.message == "ada, the owner of this sync, may no longer read-value on secrets."
    assert world.held() == {"A": "1"}
    assert SecretSync.objects.get(pk=sync.pk).last_sync_message == run.message


def test_a_running_run_stops_when_its_owner_loses_rights(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.set(**{f"K{number:03}": "x" for number in range(100)})
    world.sync()
    gate = Writer.gate

    def demoting(self: Any, changes: Any, pace: Any) -> Iterator[Any]:
        for number, write in enumerate(gate(self, changes, pace)):
            yield write
            if number == 8:
                Membership.objects.update(role="viewer")

    monkeypatch.setattr(Writer, "gate", demoting)
    world.sandbox.latency = 0.1
    (run,) = world.due()
    world.sandbox.latency = 0
    assert (run.status, run.message) == (
        "pending",
        "Stopped between keys because its owner's rights have changed; the rest follows.",
    )
    there = len(world.held())
    assert 0 < there < 100
    (run,) = world.due()
    assert run.message == "ada, the owner of this sync, may no longer read-value on secrets."
    assert len(world.held()) == there


def test_a_sync_without_a_source_refuses(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.due()
    folders.delete_environment(world.actor, world.environment())
    sync.refresh_from_db()
    with pytest.raises(BadRequest, match="folder no longer exists"):
        trigger(world.actor, sync, "sync")
    assert world.held() == {"A": "1"}
    deletion.delete_sync(world.actor, sync, with_secrets=True)
    world.due()
    assert world.held() == {}
    assert not SecretSync.objects.exists()


# -- found by reading ------------------------------------------------------------------------------------------


def test_deletes_deferred_by_an_edit_are_planned_again_without_auto_sync(world: World, monkeypatch: Any) -> None:
    world.set(A="1", B="2")
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    world.unset("B")
    world.set(A="3")
    gate, edits = Writer.gate, iter([True])

    def editing(self: Any, changes: Any, pace: Any) -> Any:
        yield from gate(self, changes, pace)
        if next(edits, False):
            world.set(C="4")

    monkeypatch.setattr(Writer, "gate", editing)
    run = world.run(sync)
    assert run.status == "pending"
    world.due()
    assert (world.again(run).status, world.held()) == ("succeeded", {"A": "3", "C": "4"})


def test_a_sync_that_waited_for_a_deleted_one_is_woken(world: World) -> None:
    second_folder(world)
    world.set(A="mine")
    first = world.sync("first")
    world.run(first)
    world.set("/other", A="yours")
    second = world.sync("second", secret_path="/other")
    assert world.run(second).status == "failed"
    deletion.delete_sync(world.actor, first)
    world.due()
    assert world.held() == {"A": "yours"}


def test_a_row_at_an_old_location_is_released(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.run(sync)
    ManagedSecret.objects.update(location="humanitec|http://elsewhere|acme/shop")
    world.run(sync)
    assert ManagedSecret.objects.get(location__contains="elsewhere").sync is None


def test_a_config_without_valid_url_fails_with_a_message(world: World) -> None:
    sync = world.sync(config={**APPLICATION, "org": ".."})
    run = world.run(sync)
    assert (run.status, run.message) == ("failed", "Humanitec: the list could not be read (ValueError)")


def test_a_defect_fails_the_run_without_exposing_values(world: World, monkeypatch: Any, caplog: Any) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("hunter2")

    monkeypatch.setattr("syncs.planning.builder.plan_sync", broken)
    run = world.run(world.sync())
    assert (run.status, run.message) == ("failed", "Something went wrong (RuntimeError); the log says where.")
    assert "hunter2" not in caplog.text
    assert "RuntimeError at" in caplog.text


def test_a_503_after_the_write_leaves_the_claim(world: World) -> None:
    world.set(A="1")
    sync = world.sync(is_auto_sync_enabled=False)
    world.policy(sync, unmanaged="leave")
    world.sandbox.late_fault = lambda method, path: (503, {"message": "down"}) if method == "POST" else None
    run = world.run(sync)
    assert run.status == "pending"
    assert ManagedSecret.objects.get().state == "claim"
    world.sandbox.late_fault = None
    world.due()
    assert "maybe-ours" in set(run.changes.values_list("error_code", flat=True))


def test_undecryptable_credentials_are_reported_once(world: World) -> None:
    from connections.models import AppConnection

    world.set(A="1")
    sync = world.sync()
    AppConnection.objects.update(credentials_sealed=b"broken")
    (run,) = world.due()
    assert run.message == "The connection's credentials cannot be decrypted; enter them again."
    dispatcher.sweep()
    assert not SyncRun.objects.filter(sync=sync, status="pending").exists()


def two_syncs(world: World) -> tuple[SecretSync, SecretSync]:
    """Both write to one location; the first one owns SHARED, which the second one's folder has, too."""
    folders.ensure_folder(world.actor, world.environment(), "/second")
    world.set(SHARED="first", A="1", B="2")
    world.set("/second", SHARED="second")
    first = world.sync("first", is_auto_sync_enabled=False)
    second = world.sync("second", secret_path="/second", is_auto_sync_enabled=False)
    world.run(first)
    assert world.run(second).message == "1 key blocked: SHARED (owned by the sync first; waiting for it)"
    return first, second


def owner_of(key: str) -> str | None:
    sync = ManagedSecret.objects.get(key=key).sync
    return sync.name if sync else None


def test_what_another_sync_no_longer_needs_is_taken_over(world: World) -> None:
    first, second = two_syncs(world)
    world.policy(first, paused=True)  # it gives nothing up by itself
    world.unset("SHARED")
    world.policy(second, unmanaged="leave")
    run = world.run(second)
    assert (run.status, world.held()["SHARED"], owner_of("SHARED")) == ("succeeded", "second", "second")
    world.run(first)
    assert world.held() == {"A": "1", "B": "2", "SHARED": "second"}


def test_nothing_is_taken_over_from_a_sync_whose_source_is_incomplete(world: World) -> None:
    _, second = two_syncs(world)
    world.unset("SHARED")
    SecretImport.objects.create(
        folder=world.folder("/"), import_environment=world.environment(), import_path="/nowhere", position=1
    )
    run = world.run(second)
    assert (run.status, owner_of("SHARED")) == ("failed", "first")
    assert world.held()["SHARED"] == "first"


def test_a_refused_write_gives_a_key_back_that_was_taken_over(world: World) -> None:
    _, second = two_syncs(world)
    world.unset("SHARED")
    world.sandbox.fault = lambda method, path: (400, {"message": "refused"}) if method == "PATCH" else None
    world.run(second)
    assert (owner_of("SHARED"), ManagedSecret.objects.get(key="SHARED").state) == ("first", "owned")


def test_a_key_is_handed_over_with_its_object(world: World) -> None:
    first, second = two_syncs(world)
    object_id = ManagedSecret.objects.get(key="SHARED").object_id
    world.policy(second, unmanaged="leave")
    world.unset("SHARED")
    world.run(first)
    row = ManagedSecret.objects.get(key="SHARED")
    assert (owner_of("SHARED"), row.object_id, row.value_mac, row.state) == ("second", object_id, "", "owned")
    run = world.run(second)
    assert (run.status, world.held()["SHARED"]) == ("succeeded", "second")


def test_a_removal_hands_over_what_another_sync_needs(world: World) -> None:
    first, _ = two_syncs(world)
    run = trigger(world.actor, first, "remove")
    execute(run.pk)
    assert (world.again(run).status, world.held()) == ("succeeded", {"SHARED": "first"})
    assert owner_of("SHARED") == "second"


def wanted(sync: SecretSync) -> int:
    return SecretSync.objects.values_list("wanted_rev", flat=True).get(pk=sync.pk)


def test_a_sync_that_waits_for_a_paused_one_is_woken_by_the_change(world: World) -> None:
    first, second = two_syncs(world)
    services.update_sync(world.actor, syncs().get(pk=second.pk), SyncInput(is_auto_sync_enabled=True))
    world.due()
    world.policy(first, paused=True)
    world.unset("SHARED")
    world.due()
    assert (world.held()["SHARED"], owner_of("SHARED")) == ("second", "second")


def test_only_who_waits_for_a_key_is_woken(world: World) -> None:
    first, second = two_syncs(world)
    folders.ensure_folder(world.actor, world.environment(), "/third")
    world.set("/third", C="${dev.second.NOWHERE}")
    third = world.sync("third", secret_path="/third", is_auto_sync_enabled=False)
    assert world.run(third).status == "failed"  # it fails, but waits for nobody
    before = wanted(second), wanted(third)
    world.unset("A")
    world.run(first)
    assert (wanted(second), wanted(third)) == before
    world.unset("SHARED")
    world.run(first)
    assert (wanted(second) > before[0], wanted(third)) == (True, before[1])


def test_a_moved_secret_is_deleted_once_the_other_sync_has_written_it(world: World) -> None:
    target = folders.ensure_folder(world.actor, world.environment(), "/second")
    world.set(MOVED="1", A="1")
    first = world.sync("first")
    second = world.sync("second", ENVIRONMENT, secret_path="/second")
    world.due()
    refused = (400, {"message": "refused"})
    world.sandbox.fault = lambda method, path: refused if method != "GET" and "development" in path else None
    moved = str(Secret.objects.get(key="MOVED").pk)
    secrets.move_secrets(world.actor, world.folder(), target, [moved])
    world.due()
    assert (world.run(second).status, world.run(first).status) == ("failed", "succeeded")
    assert ("MOVED" in world.held(APP), "MOVED" in world.held(ENV)) == (True, False)
    world.sandbox.fault = None
    world.run(second)
    world.due()  # the first one is woken by the arrival
    assert ("MOVED" in world.held(APP), "MOVED" in world.held(ENV)) == (False, True)


def test_a_drift_check_wakes_a_sync_whose_blocked_key_is_free_now(world: World) -> None:
    world.sandbox.put(APP, "A", "plain", is_secret=False)
    world.set(A="1")
    sync = world.sync()
    world.due()
    SyncRun.objects.filter(status="pending").delete()
    world.sandbox.values[APP].pop("A")
    check(syncs().get(pk=sync.pk))
    world.due()
    assert world.held() == {"A": "1"}
