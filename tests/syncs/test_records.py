"""Typed contents of JSON columns: rows of version 0.1.0 are read, and nothing is lost on the way back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core import serializers
from django.db import connection

from syncs.models import (
    Claim,
    DraftStep,
    ManagedSecret,
    PriorRow,
    PriorState,
    RunChange,
    RunOptions,
    SyncDraft,
    SyncRun,
)
from syncs.running.runner import execute
from syncs.services.triggers import trigger
from tests.fixtures.world import World

EVERY_OPTION = {
    "approved": {"a": "1"},
    "approvedBlocked": ["b"],
    "approvedAt": 7,
    "writesOnly": True,
    "importBehavior": "prioritize-source",
    "purge": True,
    "deleteSync": True,
    "undo": "some-run",
    "digest": "d" * 64,
    "shown": {"a": "1", "b": None},
    "shownBlocked": ["c"],
    "wrote": True,
    "standsOn": "f" * 64,
    "refused": ["b"],
    "tries": 2,
    "later": 3,
    "purging": [["here", "a", "1"]],
    "unpurged": {"a": "refused"},
}


def store(row: Any, column: str, stored: object) -> None:
    """As another version of this software would have written it."""
    table, pk = row._meta.db_table, row._meta.pk.get_db_prep_value(row.pk, connection)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {column} = %s WHERE id = %s", [json.dumps(stored), pk])


def stored(row: Any, column: str) -> Any:
    table, pk = row._meta.db_table, row._meta.pk.get_db_prep_value(row.pk, connection)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {table} WHERE id = %s", [pk])
        (value,) = cursor.fetchone()
    return json.loads(value) if isinstance(value, str) else value


@pytest.fixture
def run(world: World) -> SyncRun:
    return trigger(world.actor, world.sync(), "sync")


def test_an_approval_of_version_0_2_covers_no_object_with_an_id(run: SyncRun) -> None:
    store(run, "options", {"approved": ["a"]})
    run.refresh_from_db()
    assert run.options.approved == {"a": None}


def test_every_option_is_read_and_written_under_its_stored_name(run: SyncRun) -> None:
    store(run, "options", {**EVERY_OPTION, "unknown": 1})
    run.refresh_from_db()
    assert run.options == RunOptions(
        approved={"a": "1"},
        approved_blocked=("b",),
        approved_at=7,
        writes_only=True,
        import_behavior="prioritize-source",
        purge=True,
        delete_sync=True,
        undo="some-run",
        digest="d" * 64,
        shown={"a": "1", "b": None},
        shown_blocked=("c",),
        wrote=True,
        stands_on="f" * 64,
        refused=("b",),
        tries=2,
        later=3,
        purging=(("here", "a", "1"),),
        unpurged={"a": "refused"},
    )
    run.save()
    assert stored(run, "options") == EVERY_OPTION
    assert SyncRun.objects.filter(options__standsOn="f" * 64).exists()
    SyncRun.objects.filter(pk=run.pk).update(options=RunOptions())
    assert stored(run, "options") == {}


def test_a_run_that_version_0_1_0_queued_is_executed(world: World, run: SyncRun) -> None:
    world.set(A="1")
    store(run, "options", {"tries": 1, "refused": []})
    execute(run.pk)
    assert world.again(run).status == "succeeded"
    assert world.held() == {"A": "1"}


@pytest.mark.parametrize("names", [("incarnation", "stamp"), ("object_id", "etag")])
def test_a_claim_is_read_under_old_and_new_names(world: World, names: tuple[str, str]) -> None:
    world.set(A="1")
    sync = world.sync()
    world.run(sync)
    row = ManagedSecret.objects.get(sync=sync)
    prior = {"state": "owned", names[0]: "7", names[1]: "e", "secret_id": "s", "secret_version": 2, "rewrites": 1}
    store(row, "prior", {"claimed": "7", "twice": True, "made": "some-run", "row": {**prior, "sync": "x", "run": "y"}})
    row.refresh_from_db()
    before = PriorRow("owned", "7", "e", secret_id="s", secret_version=2, rewrites=1, sync="x", run="y")
    assert row.prior == Claim("7", before, repeated=True, created_by="some-run")
    row.save()
    assert stored(row, "prior")["row"]["object_id"] == "7"
    assert "incarnation" not in stored(row, "prior")["row"]


def test_the_state_before_a_change_is_read_under_old_and_new_names(world: World) -> None:
    world.set(A="1")
    change = RunChange.objects.get(run=world.run(world.sync()))
    assert change.before is None
    store(change, "before", {"owned": True, "secretId": "s", "version": 3, "stamp": "e", "made": True})
    change.refresh_from_db()
    assert change.before == PriorState(owned=True, secret_id="s", version=3, etag="e", created=True)


def test_a_draft_of_version_0_1_0_is_read(world: World) -> None:
    draft = SyncDraft.objects.create(user_id=str(world.actor.id), destination="humanitec")
    store(draft, "steps", {"place": {"typed": {"org": "acme"}, "given": {"org": "acme"}}, "source": {"typed": {}}})
    draft.refresh_from_db()
    assert draft.step("target") == DraftStep({"org": "acme"}, {"org": "acme"})
    assert draft.step("options") == DraftStep()


def test_records_survive_a_dump(run: SyncRun) -> None:
    store(run, "options", EVERY_OPTION)
    run.refresh_from_db()
    (loaded,) = serializers.deserialize("json", serializers.serialize("json", [run]))
    assert loaded.object.options == run.options  # type: ignore[attr-defined]
