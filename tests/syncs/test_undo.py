"""Undo: what it restores, what it keeps, who owns the keys afterwards, and what it reports."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from config.access.models import AuditEvent
from config.errors import BadRequest, PermissionDenied
from syncs.destinations.humanitec import Humanitec
from syncs.engine.types import Written
from syncs.models import ManagedSecret, RunChange, SecretSync, SyncPolicy, SyncRun
from syncs.planning.preview import preview
from syncs.planning.undo import undoable
from syncs.running.runner import execute
from syncs.services.secrets import set_secrets
from syncs.services.syncs import update_policy
from syncs.services.triggers import trigger, undo
from syncs.source.selectors import syncs
from syncs.source.validation import SecretInput
from tests.fixtures.api import Api, api_for
from tests.fixtures.world import World

SHOP = ("acme", "shop", "")


@pytest.fixture
def readable(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the vendor returned values."""
    plain = Humanitec.fetch

    def fetch(self: Humanitec) -> Any:
        held = world.sandbox.values.get(SHOP, {})
        return [replace(remote, value=held[remote.key]["value"]) for remote in plain(self)]

    monkeypatch.setattr(Humanitec, "fetch", fetch)


def ran(world: World, sync: SecretSync) -> SyncRun:
    run = world.run(sync)
    assert run.status == "succeeded", run.message
    return SyncRun.objects.select_related("sync").get(pk=run.pk)


def undone(world: World, run: SyncRun) -> SyncRun:
    made = undo(world.actor, run)
    execute(made.pk)
    return world.again(made)


def planned(run: SyncRun) -> dict[str, tuple[str, str]]:
    plan = preview(syncs().get(pk=run.sync_id), undone=run)
    return {change.key: (change.action.value, change.reason) for change in plan.changes}


def comment(world: World, key: str) -> str:
    return str(world.sandbox.values[SHOP][key]["description"])


def test_a_create_an_update_and_a_delete_are_undone(world: World) -> None:
    world.set(KEEP="k", CHANGE="old", GO="gone")
    set_secrets(world.actor, world.folder(), [SecretInput("GO", comment="why it was there")])
    sync = world.sync()
    ran(world, sync)
    before = world.held()
    world.set(NEW="n", CHANGE="new")
    world.unset("GO")
    run = ran(world, sync)
    assert world.held() == {"KEEP": "k", "CHANGE": "new", "NEW": "n"}
    assert planned(run) == {
        "NEW": ("delete", "the run created it"),
        "CHANGE": ("update", "as it was before the run"),
        "GO": ("create", "the run deleted it"),
    }
    done = undone(world, run)
    assert done.status == "succeeded"
    assert done.message
    assert "Automatic runs of this sync were paused" in done.message
    assert world.held() == before
    assert comment(world, "GO") == "why it was there"
    assert set(ManagedSecret.objects.filter(sync=sync, state="owned").values_list("key", flat=True)) == set(before)
    sync.refresh_from_db()
    assert (sync.sync_status, sync.last_sync_message) == ("succeeded", done.message)
    # What has been undone is paused, and the next run, when somebody wants one, writes the source again.
    assert SyncPolicy.objects.get(sync=sync).paused
    ran(world, syncs().get(pk=sync.pk))
    assert world.held() == {"KEEP": "k", "CHANGE": "new", "NEW": "n"}


def test_an_undo_is_undone(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    ran(world, sync)
    world.set(A="2", B="2")
    run = ran(world, sync)
    back = SyncRun.objects.select_related("sync").get(pk=undone(world, run).pk)
    assert world.held() == {"A": "1"}
    undone(world, back)
    assert world.held() == {"A": "2", "B": "2"}


def test_keys_changed_since_are_kept(world: World) -> None:
    world.set(**dict.fromkeys(("LATER", "FOREIGN", "ANEW", "GONE", "FINE"), "1"))
    sync = world.sync()
    run = ran(world, sync)
    world.set(LATER="2")
    ran(world, sync)
    world.sandbox.put(SHOP, "FOREIGN", "by hand")
    del world.sandbox.values[SHOP]["GONE"], world.sandbox.values[SHOP]["ANEW"]
    world.sandbox.put(SHOP, "ANEW", "by hand")
    assert planned(run) == {
        "LATER": ("keep", "written again since, by another run"),
        "FOREIGN": ("keep", "changed externally since"),
        "ANEW": ("keep", "recreated externally since"),
        "GONE": ("keep", "deleted externally since"),
        "FINE": ("delete", "the run created it"),
    }
    done = undone(world, run)
    assert done.status == "succeeded"
    assert world.held() == {"LATER": "2", "FOREIGN": "by hand", "ANEW": "by hand"}
    assert set(done.changes.filter(outcome="kept").values_list("error_code", flat=True)) == {"not-restored"}


def test_keys_recreated_since_are_kept(world: World) -> None:
    world.set(A="1", B="1")
    sync = world.sync()
    ran(world, sync)
    world.unset("A")
    run = ran(world, sync)
    world.sandbox.put(SHOP, "A", "by hand")
    assert planned(run) == {"A": ("keep", "exists again since")}
    with pytest.raises(BadRequest, match="nothing to undo"):
        undo(world.actor, run)
    del world.sandbox.values[SHOP]["A"]
    world.set(A="2")
    ran(world, sync)
    assert planned(run) == {"A": ("keep", "written again since, by another run")}


def test_unreadable_foreign_values_are_restored_from_the_vendors_history(world: World) -> None:
    world.sandbox.put(SHOP, "THERE", "foreign")
    world.sandbox.put(SHOP, "SURPLUS", "foreign too")
    before = world.held()
    world.set(THERE="mine", NEW="n")
    sync = world.sync()
    run = ran(world, sync)
    assert planned(run) == {
        "THERE": ("update", "as it was before the run, from the destination's own history; unmanaged again"),
        "SURPLUS": ("create", "the run deleted it, from the destination's own history; unmanaged again"),
        "NEW": ("delete", "the run created it"),
    }
    assert undone(world, run).status == "succeeded"
    assert world.held() == before
    assert not ManagedSecret.objects.exists()


def test_values_without_any_history_cannot_be_restored(world: World) -> None:
    world.sandbox.put(SHOP, "THERE", "foreign")
    world.sandbox.put(SHOP, "SURPLUS", "foreign")
    world.sandbox.history.clear()
    world.set(THERE="mine", NEW="n")
    sync = world.sync()
    run = ran(world, sync)
    said = "its value before the run is unknown: the destination does not return values"
    assert planned(run) == {
        "THERE": ("blocked", said),
        "SURPLUS": ("blocked", said),
        "NEW": ("delete", "the run created it"),
    }
    done = undone(world, run)
    assert done.status == "failed"
    assert "2 keys blocked" in (done.message or "")
    assert world.held() == {"THERE": "mine"}


def test_a_purged_version_is_reported(world: World) -> None:
    world.sandbox.put(SHOP, "THERE", "foreign")
    world.set(THERE="mine", NEW="n")
    run = ran(world, world.sync())
    for one in world.sandbox.history[SHOP]:
        one["purged"] = True
    done = undone(world, run)
    assert done.status == "failed"
    assert "1 key failed: THERE" in (done.message or "")
    assert world.held() == {"THERE": "mine"}
    assert ManagedSecret.objects.get(key="THERE").state == "owned"


@pytest.mark.usefixtures("readable")
def test_readable_foreign_values_are_restored_as_unmanaged(world: World) -> None:
    for key in ("THERE", "SURPLUS", "EQUAL"):
        world.sandbox.put(SHOP, key, f"foreign {key}")
    world.set(THERE="mine", EQUAL="foreign EQUAL")
    sync = world.sync()
    before = world.held()
    run = ran(world, sync)
    assert world.held() == {"THERE": "mine", "EQUAL": "foreign EQUAL"}
    assert planned(run)["EQUAL"] == ("keep", "unmanaged again; its value stays")
    assert undone(world, run).status == "succeeded"
    assert world.held() == before
    assert not ManagedSecret.objects.exists()


def drifted(world: World) -> SyncRun:
    """A run over external changes of three own keys: changed at the source, healed, and deleted."""
    world.set(CHANGED="1", HEALED="1", GONE="1", OURS="1")
    sync = world.sync(is_auto_sync_enabled=False)
    ran(world, sync)
    for key in ("CHANGED", "HEALED", "GONE"):
        world.sandbox.put(SHOP, key, "theirs")
    world.set(CHANGED="2", OURS="2")
    world.unset("GONE")
    return ran(world, sync)


@pytest.mark.usefixtures("readable")
def test_external_changes_of_our_keys_are_restored(world: World) -> None:
    run = drifted(world)
    assert undone(world, run).status == "succeeded"
    assert world.held() == {"CHANGED": "theirs", "HEALED": "theirs", "GONE": "theirs", "OURS": "1"}
    assert set(ManagedSecret.objects.values_list("key", "state")) == {
        (key, "owned") for key in ("CHANGED", "HEALED", "GONE", "OURS")
    }


def test_external_changes_are_restored_from_the_vendors_history(world: World) -> None:
    run = drifted(world)
    said = "from the destination's own history; unmanaged again"
    assert planned(run) == {
        "CHANGED": ("update", f"as it was before the run, {said}"),
        "HEALED": ("update", f"as it was before the run, {said}"),
        "GONE": ("create", f"the run deleted it, {said}"),
        "OURS": ("update", "as it was before the run"),
    }
    assert undone(world, run).status == "succeeded"
    assert world.held() == {"CHANGED": "theirs", "HEALED": "theirs", "GONE": "theirs", "OURS": "1"}
    assert list(ManagedSecret.objects.values_list("key", flat=True)) == ["OURS"]


def test_external_changes_without_history_are_reported_before(world: World) -> None:
    run = drifted(world)
    world.sandbox.history.clear()
    assert {key: action for key, (action, _) in planned(run).items()} == {
        "CHANGED": "blocked",
        "HEALED": "blocked",
        "GONE": "blocked",
        "OURS": "update",
    }


def unanswered(world: World, *methods: str) -> SyncRun:
    """A run that creates, updates, takes over and deletes a key, whose writes by these methods lose their answers."""
    world.set(CHANGED="1", GONE="1")
    sync = world.sync(is_auto_sync_enabled=False)
    ran(world, sync)
    world.sandbox.put(SHOP, "THERE", "foreign")
    world.set(NEW="2", CHANGED="2", THERE="2")
    world.unset("GONE")
    lost: set[tuple[str, str]] = set()

    def late(method: str, path: str) -> Any:
        if method not in methods or (method, path) in lost:
            return None
        lost.add((method, path))
        return 503, {}

    world.sandbox.late_fault = late
    run = trigger(world.actor, sync, "sync")
    execute(run.pk)
    world.sandbox.late_fault = None
    while world.again(run).status == "pending":
        execute(run.pk)
    assert world.again(run).status == "succeeded"
    assert world.held() == {"NEW": "2", "CHANGED": "2", "THERE": "2"}
    return SyncRun.objects.select_related("sync").get(pk=run.pk)


def tells(run: SyncRun) -> dict[str, tuple[str, str]]:
    return {change.key: (change.action, change.outcome) for change in run.changes.all()}


@pytest.mark.usefixtures("readable")
def test_writes_without_response_are_reported_and_undone(world: World) -> None:
    run = unanswered(world, "POST", "PATCH", "DELETE")
    assert tells(run) == {
        "NEW": ("create", "applied"),
        "CHANGED": ("update", "applied"),
        "THERE": ("adopt", "applied"),
        "GONE": ("delete", "applied"),
    }
    assert run.unchanged == []
    assert {key: action for key, (action, _) in planned(run).items()} == {
        "NEW": "delete",
        "CHANGED": "update",
        "THERE": "blocked",  # what the first attempt listed of it is not kept
        "GONE": "create",
    }
    undone(world, run)
    assert world.held() == {"CHANGED": "1", "THERE": "2", "GONE": "1"}


def test_writes_without_response_are_undone_without_readable_values(world: World) -> None:
    run = unanswered(world, "POST", "PATCH", "DELETE")
    assert {key: action for key, (action, _) in planned(run).items()} == {
        "NEW": "delete",
        "CHANGED": "update",
        "THERE": "blocked",
        "GONE": "create",
    }
    undone(world, run)
    assert world.held() == {"CHANGED": "1", "THERE": "2", "GONE": "1"}
    assert set(ManagedSecret.objects.values_list("key", flat=True)) == {"CHANGED", "THERE", "GONE"}


def test_etags_from_lists_do_not_make_the_next_run_the_writer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for method in ("create", "update"):
        write = getattr(Humanitec, method)
        monkeypatch.setattr(Humanitec, method, lambda self, one, write=write: write(self, one) and Written())
    world.set(A="1")
    sync = world.sync()
    run = ran(world, sync)
    assert planned(run)["A"] == ("keep", "unknown whether it was changed externally since")
    ran(world, sync)
    assert ManagedSecret.objects.get().run_id == run.pk
    assert planned(run)["A"] == ("delete", "the run created it")


def test_a_refused_write_does_not_make_its_run_the_writer(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    run = ran(world, sync)
    world.set(A="2")
    world.sandbox.fault = lambda method, path: (400, {"error": "no"}) if method == "PATCH" else None
    assert world.run(sync).status == "failed"
    world.sandbox.fault = None
    assert planned(run) == {"A": ("delete", "the run created it")}


def test_only_the_shown_plan_is_executed(world: World) -> None:
    world.set(A="1", B="1")
    sync = world.sync()
    run = ran(world, sync)
    digest = preview(syncs().get(pk=sync.pk), undone=run).digest
    world.sandbox.put(SHOP, "A", "by hand")
    with pytest.raises(BadRequest, match="has changed since it was shown"):
        undo(world.actor, run, digest)
    assert not SyncPolicy.objects.get(sync=sync).paused
    made = undo(world.actor, run)
    world.sandbox.put(SHOP, "B", "by hand too")
    execute(made.pk)
    assert world.again(made).status == "failed"
    assert "has changed since it was shown" in (world.again(made).message or "")
    assert world.held() == {"A": "by hand", "B": "by hand too"}


def test_a_removal_is_undone(world: World) -> None:
    world.set(A="1", B="2")
    sync = world.sync()
    ran(world, sync)
    run = trigger(world.actor, sync, "remove")
    execute(run.pk)
    assert world.held() == {}
    undone(world, SyncRun.objects.select_related("sync").get(pk=run.pk))
    assert world.held() == {"A": "1", "B": "2"}


def test_only_the_shown_plan_is_executed_also_by_a_later_attempt(world: World) -> None:
    world.set(A="1", B="1")
    sync = world.sync(is_auto_sync_enabled=False)
    ran(world, sync)
    world.unset("A")
    world.set(B="2")
    run = ran(world, sync)
    world.sandbox.put(SHOP, "A", "by hand")
    assert planned(run)["A"] == ("keep", "exists again since")
    made = undo(world.actor, run)
    world.sandbox.fault = lambda method, path: (503, {})
    execute(made.pk)
    assert world.again(made).status == "pending"
    world.sandbox.fault = None
    del world.sandbox.values[SHOP]["A"]
    execute(made.pk)
    assert (world.again(made).status, world.held()) == ("failed", {"B": "2"})


@pytest.mark.parametrize("moment", ["fault", "late_fault"])
@pytest.mark.parametrize("method", ["PATCH", "POST", "DELETE"])
def test_an_interrupted_undo_continues(world: World, moment: str, method: str) -> None:
    world.set(**{f"{kind}{number}": "1" for number in range(4) for kind in ("CHANGED", "GONE")})
    sync = world.sync()
    ran(world, sync)
    before = world.held()
    world.set(**{f"{kind}{number}": "2" for number in range(4) for kind in ("CHANGED", "MADE")})
    world.unset(*(f"GONE{number}" for number in range(4)))
    run = ran(world, sync)
    refused = iter([True, False, True])
    setattr(world.sandbox, moment, lambda said, _: (503, {}) if said == method and next(refused, False) else None)
    made = undo(world.actor, run)
    execute(made.pk)
    assert world.again(made).status == "pending"
    execute(made.pk)
    assert world.again(made).status == "succeeded"
    assert world.held() == before


def test_ten_runs_can_be_undone_and_no_more(world: World) -> None:
    sync = world.sync()
    runs = []
    for number in range(12):
        world.set(A=str(number))
        runs.append(ran(world, sync))
        ran(world, sync)  # which writes nothing, and counts for nothing
    assert [run.pk for run in undoable(sync)] == [run.pk for run in runs[::-1]][:10]
    with pytest.raises(BadRequest, match="Only the last 10 runs"):
        undo(world.actor, runs[0])
    assert RunChange.objects.filter(before_sealed__isnull=False).count() == 10
    # The others are refused when requested: only the last write of a key can be undone.
    assert planned(runs[5]) == {"A": ("keep", "written again since, by another run")}


def test_runs_that_cannot_be_undone(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    run = ran(world, sync)
    SecretSync.objects.filter(pk=sync.pk).update(location="humanitec|elsewhere")
    with pytest.raises(BadRequest, match="writes to another location now"):
        undo(world.actor, SyncRun.objects.select_related("sync").get(pk=run.pk))
    SyncRun.objects.filter(pk=run.pk).update(status="held")
    with pytest.raises(BadRequest, match="Only a run that has ended"):
        undo(world.actor, SyncRun.objects.select_related("sync").get(pk=run.pk))


# -- over HTTP -------------------------------------------------------------------------------------------------


def path(run: SyncRun) -> str:
    return f"/v1/secret-syncs/humanitec/{run.sync_id}/runs/{run.pk}/undo"


def test_over_the_api(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    run = ran(world, sync)
    viewer, member = api_for("viewer", world), api_for("member", world)
    assert viewer("GET", path(run))[0] == 403
    assert viewer("POST", path(run), {})[0] == 403
    assert Api(None)("GET", path(run))[0] == 401
    status, answer = member("GET", path(run))
    assert (status, answer["plan"]["counts"]["delete"]) == (200, 1)
    assert answer == member("GET", path(run))[1]
    assert member("POST", path(run), {"digest": "another"})[0] == 400
    events = AuditEvent.objects.count()
    status, made = member("POST", path(run), {"digest": answer["plan"]["digest"]})
    assert (status, made["run"]["operation"], made["run"]["status"]) == (200, "undo", "pending")
    assert AuditEvent.objects.count() == events + 1
    assert AuditEvent.objects.get(event="undo-secret-sync").metadata["undo"] == str(run.pk)
    execute(made["run"]["id"])
    assert world.held() == {}
    assert member("GET", f"/v1/secret-syncs/humanitec/{sync.pk}/policy")[1]["policy"]["paused"] is True
    assert member("POST", path(run), {})[0] == 400


def test_waiting_automatic_runs_are_stopped(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.due()
    run = SyncRun.objects.select_related("sync").filter(status="succeeded").get()
    world.set(A="2")
    assert SyncRun.objects.filter(status="pending").count() == 1
    undo(world.actor, run)
    assert list(SyncRun.objects.filter(status="pending").values_list("operation", flat=True)) == ["undo"]
    update_policy(world.actor, syncs().get(pk=sync.pk), {"paused": False})
    assert SyncRun.objects.filter(status="pending", operation="sync").count() == 1


def test_a_viewer_cannot_undo(world: World) -> None:
    from config.access.models import Membership, User
    from config.access.roles import actor_of_user

    world.set(A="1")
    run = ran(world, world.sync())
    eve = User.objects.create_user("eve", password="x")
    Membership.objects.create(project=world.project, user=eve, role="viewer")
    with pytest.raises(PermissionDenied):
        undo(actor_of_user(eve), run)
