"""Each run says why it exists: names of secrets, folders, people and other runs, never values."""

from __future__ import annotations

import json

from config.access.roles import PLATFORM
from syncs.history.run_reasons import reason_as_json, reason_text
from syncs.models import RunReason, SecretSync, SyncRun, cause_of
from syncs.models.reasons import MAX_CAUSES, MAX_NAMES
from syncs.running.drift import check
from syncs.services import folders, imports
from syncs.services.deletion import delete_sync
from syncs.services.triggers import trigger, undo
from syncs.source.selectors import syncs
from tests.api.test_syncs import SYNCS
from tests.fixtures.api import Api
from tests.fixtures.world import World


def why(run: SyncRun) -> str:
    return reason_text(SyncRun.objects.get(pk=run.pk).reason)


def waiting(sync: SecretSync) -> SyncRun:
    return SyncRun.objects.get(sync=sync, status="pending")


def test_a_run_names_the_secrets_their_folder_and_who_changed_them(world: World) -> None:
    world.set(A="a value")
    sync = world.sync()
    assert why(waiting(sync)) == "ada created the sync"
    world.due()
    world.set(B="another value", C="a third value")
    assert why(waiting(sync)) == "ada changed B, C in dev /"
    world.set(D="x")
    world.unset("A")
    assert why(waiting(sync)) == "ada changed B, C, D in dev /; ada deleted A in dev /"
    assert "value" not in json.dumps(reason_as_json(waiting(sync).reason))


def test_a_folder_that_is_imported_is_named(world: World) -> None:
    folders.ensure_folder(world.actor, world.environment(), "/shared")
    imports.add_import(world.actor, world.folder("/"), world.environment(), "/shared")
    sync = world.sync()
    world.due()
    world.set("/shared", X="1")
    assert why(waiting(sync)) == "ada changed X in dev /shared"


def test_names_and_causes_are_bounded() -> None:
    many = cause_of("secrets-changed", PLATFORM, names=[f"K{number:03}" for number in range(MAX_NAMES + 5)])
    assert (len(many.names), many.more) == (MAX_NAMES, 5)
    joined = RunReason().plus([many, cause_of("secrets-changed", PLATFORM, names=["A"])])
    assert len(joined.causes) == 1
    assert (len(joined.causes[0].names), joined.causes[0].more) == (MAX_NAMES, 6)
    several = RunReason().plus([cause_of("policy", run=number) for number in range(MAX_CAUSES + 3)])
    assert (len(several.causes), several.more) == (MAX_CAUSES, 3)


def test_a_manual_run_has_the_reasons_of_the_run_that_it_replaces(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.due()
    world.set(A="2")
    run = trigger(world.actor, sync, "sync")
    assert why(run) == "ada started it; ada changed A in dev /"


def test_a_retry_names_the_run_that_failed_and_that_run_its_retry(world: World, api: Api) -> None:
    world.set(A="1")
    sync = world.sync()
    world.sandbox.fault = lambda method, path: (422, {}) if method != "GET" else None
    failed = world.due()[0]
    world.sandbox.fault = None
    retry = SyncRun.objects.get(sync=sync, status="pending", trigger="retry")
    assert why(retry) == f"run {failed.pk} failed and is tried again"
    world.set(A="2")
    assert why(retry) == f"run {failed.pk} failed and is tried again; ada changed A in dev /"
    status, answer = api("GET", f"{SYNCS}/{sync.pk}/runs/{retry.pk}")
    assert status == 200
    reason = answer["run"]["reason"]
    assert reason["text"] == why(retry)
    assert [(cause["kind"], cause["runId"], cause["names"]) for cause in reason["causes"]] == [
        ("retry", str(failed.pk), []),
        ("secrets-changed", None, ["A"]),
    ]
    assert reason["causes"][1]["byId"] == str(world.actor.id)


def test_a_sync_that_waited_for_keys_names_the_sync_that_released_them(world: World) -> None:
    world.set(A="1")
    first = world.sync("first")
    world.due()
    second = world.sync("second", environment="dev")
    world.run(second)
    assert syncs().get(pk=second.pk).sync_status == "failed"  # A is the other's
    delete_sync(world.actor, syncs().get(pk=first.pk))
    assert "keys were released by first" in why(waiting(second))


def test_drift_policy_undo_and_approval_are_reasons(world: World) -> None:
    world.set(A="1", B="2", C="3")
    sync = world.sync()
    first = world.due()[0]
    world.policy(sync, heal=True)
    assert why(waiting(sync)) == "ada changed the policy"
    world.due()
    world.sandbox.put(("acme", "shop", ""), "A", "by hand")
    check(syncs().get(pk=sync.pk))
    assert why(waiting(sync)) == "a drift check found differences in A"
    world.due()
    world.policy(sync, paused=True)
    world.policy(sync, paused=False)
    assert why(waiting(sync)) == "ada resumed the sync"
    world.due()
    assert why(undo(world.actor, first)) == f"ada undoes run {first.pk}"
