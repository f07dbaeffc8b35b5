"""Which syncs a change reaches, and how often they run for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from config.errors import BadRequest
from syncs.models import SecretSync, SyncRun
from syncs.services import folders, imports, secrets
from syncs.services import syncs as services
from syncs.services.propagation import JITTER
from syncs.services.triggers import trigger
from syncs.source.validation import SecretInput
from tests.fixtures.world import APPLICATION, World


@pytest.fixture
def three(world: World) -> dict[str, SecretSync]:
    """Syncs of /, of /api (which refers to /) and of /web (which imports /api)."""
    for path in ("/api", "/web"):
        folders.ensure_folder(world.actor, world.environment(), path)
    world.set(BASE="1", SAME="${BASE}")
    world.set("/api", URL="${dev.BASE}")
    imports.add_import(world.actor, world.folder("/web"), world.environment(), "/api")
    made = {
        path: world.sync(f"sync-{number}", {**APPLICATION, "app": f"app-{number}"}, secret_path=path)
        for number, path in enumerate(("/", "/api", "/web"))
    }
    world.due()
    return made


def reached(three: dict[str, SecretSync], do: Any) -> set[str]:
    before = dict(SecretSync.objects.values_list("pk", "wanted_rev"))
    do()
    after = dict(SecretSync.objects.values_list("pk", "wanted_rev"))
    return {path for path, sync in three.items() if after[sync.pk] != before[sync.pk]}


def test_a_secret_reaches_its_folder_its_referrers_and_their_importers(
    world: World, three: dict[str, SecretSync]
) -> None:
    assert reached(three, lambda: world.set(BASE="2")) == {"/", "/api", "/web"}
    assert reached(three, lambda: world.set("/api", OTHER="x")) == {"/api", "/web"}
    assert reached(three, lambda: world.set("/web", OWN="x")) == {"/web"}
    for sync in SyncRun.objects.filter(status="pending"):
        SyncRun.objects.filter(pk=sync.pk).update(due_at=None)
    world.due()
    assert world.held(("acme", "app-1", ""))["URL"] == "2"
    assert world.held(("acme", "app-2", ""))["URL"] == "2"


def test_imports_reach_syncs_when_created_reordered_changed_and_deleted(
    world: World, three: dict[str, SecretSync]
) -> None:
    folder, staging = world.folder("/api"), world.environment("staging")
    made: list[Any] = []
    assert reached(three, lambda: made.append(imports.add_import(world.actor, folder, staging, "/"))) == {
        "/api",
        "/web",
    }
    assert reached(three, lambda: world.set(environment="staging", X="1")) == {"/api", "/web"}
    assert reached(three, lambda: imports.update_import(world.actor, made[0], position=1)) == {"/api", "/web"}
    assert reached(three, lambda: imports.update_import(world.actor, made[0], path="/else")) == {"/api", "/web"}
    assert reached(three, lambda: world.set(environment="staging", X="2")) == set()
    assert reached(three, lambda: imports.delete_import(world.actor, made[0])) == {"/api", "/web"}


def test_an_environment_renamed_reaches_by_both_names(world: World, three: dict[str, SecretSync]) -> None:
    def rename() -> None:
        folders.update_environment(world.actor, world.environment("prod"), slug="live")

    secrets.set_secrets(
        world.actor,
        world.folder("/web"),
        [SecretInput("P", "${prod.KEY}"), SecretInput("L", "${live.KEY}")],
        resolved=False,
    )
    assert reached(three, rename) == {"/web"}
    assert reached(three, lambda: folders.update_environment(world.actor, world.environment(), slug="main")) == set(
        three
    )


def test_moving_a_folder_reaches_its_syncs_and_its_referrers(world: World, three: dict[str, SecretSync]) -> None:
    assert reached(three, lambda: folders.move_folder(world.actor, world.folder("/api"), name="apis")) == {
        "/api",
        "/web",
    }
    sync = SecretSync.objects.select_related("folder").get(pk=three["/api"].pk)
    assert sync.folder
    assert sync.folder.path == "/apis"


def test_deleting_a_folder_reaches_its_referrers(world: World, three: dict[str, SecretSync]) -> None:
    assert reached(three, lambda: folders.delete_folder(world.actor, world.folder("/api"))) == {"/web"}


def test_circles_end(world: World, three: dict[str, SecretSync]) -> None:
    folders.ensure_folder(world.actor, world.environment(), "/between")
    imports.add_import(world.actor, world.folder("/api"), world.environment(), "/between")
    imports.add_import(world.actor, world.folder("/between"), world.environment(), "/web")
    assert reached(three, lambda: world.set("/web", X="1")) == {"/api", "/web"}


def test_a_recursive_sync_is_reached_from_below(world: World, three: dict[str, SecretSync]) -> None:
    services.update_policy(world.actor, three["/api"], {"recursive": True})
    folders.ensure_folder(world.actor, world.environment(), "/api/v1/deep")
    folders.ensure_folder(world.actor, world.environment(), "/API/v1")
    folders.ensure_folder(world.actor, world.environment(), "/shared")
    imports.add_import(world.actor, world.folder("/api/v1/deep"), world.environment(), "/shared")
    assert reached(three, lambda: world.set("/api/v1/deep", X="1")) == {"/api"}
    assert reached(three, lambda: world.set("/shared", X="1")) == {"/api"}
    assert reached(three, lambda: world.set("/API/v1", X="1")) == set()
    assert reached(three, lambda: folders.move_folder(world.actor, world.folder("/api/v1"), name="v2")) == {"/api"}
    assert reached(three, lambda: folders.delete_folder(world.actor, world.folder("/api/v2"))) == {"/api"}
    world.due()
    world.set("/api", URL="x")
    folders.ensure_folder(world.actor, world.environment(), "/api/v3")
    world.set("/api/v3", BELOW="y")
    world.set("/API/v1", ELSEWHERE="z")
    for run in SyncRun.objects.filter(status="pending"):
        SyncRun.objects.filter(pk=run.pk).update(due_at=None)
    world.due()
    assert set(world.held(("acme", "app-1", ""))) == {"URL", "BELOW"}


def test_referrers_are_found_after_a_folder_was_renamed(world: World, three: dict[str, SecretSync]) -> None:
    world.set("/api", SELF="${dev.api.URL}")
    folders.move_folder(world.actor, world.folder("/api"), name="apis")
    folders.ensure_folder(world.actor, world.environment(), "/api")
    assert reached(three, lambda: world.set("/api", URL="another")) == {"/api", "/web"}
    # The first is the sync of what is /apis now; the second still imports by the path.


# -- how often -------------------------------------------------------------------------------------------------


def test_many_edits_are_one_run_five_seconds_after_the_last_start(world: World) -> None:
    world.set(A="1")
    world.sync()
    (first,) = world.due()
    for number in range(20):
        world.set(A=str(number))
    (waiting,) = SyncRun.objects.filter(status="pending")
    assert first.started_at
    assert waiting.due_at
    assert 5 <= (waiting.due_at - first.started_at).total_seconds() < 5 + JITTER + 0.5
    world.due()
    assert world.held() == {"A": "19"}
    assert SyncRun.objects.count() == 2


def test_the_first_change_after_a_while_runs_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.set(A="1")
    sync = world.sync()
    world.due()
    SecretSync.objects.filter(pk=sync.pk).update(started_at=timezone.now() - timedelta(seconds=6))
    world.set(A="2")
    run = SyncRun.objects.get(status="pending")
    assert run.due_at
    assert run.due_at <= timezone.now()
    assert run.trigger == "change"


def test_a_manual_run_supersedes_the_waiting_one(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    waiting = SyncRun.objects.get()
    run = trigger(world.actor, sync, "sync")
    assert world.again(waiting).status == "superseded"
    SyncRun.objects.filter(pk=run.pk).update(status="running")
    with pytest.raises(BadRequest, match="A job for this sync is already in progress"):
        trigger(world.actor, sync, "sync")


def test_auto_sync_off_and_pause_stop_automatic_work_only(world: World) -> None:
    off = world.sync("off", is_auto_sync_enabled=False)
    paused = world.sync("paused", {**APPLICATION, "app": "blog"})
    world.due()
    services.update_policy(world.actor, paused, {"paused": True})
    world.set(A="1")
    assert not SyncRun.objects.filter(status="pending").exists()
    for sync in (off, paused):
        assert world.run(sync).status == "succeeded"
    assert world.held(("acme", "blog", "")) == {"A": "1"}
    world.set(A="2")
    services.update_policy(world.actor, SecretSync.objects.get(pk=paused.pk), {"paused": False})
    SyncRun.objects.filter(status="pending").update(due_at=None)
    world.due()
    assert world.held(("acme", "blog", "")) == {"A": "2"}


def test_a_change_during_a_run_gets_its_own_run(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    run = SyncRun.objects.get()
    changed: list[bool] = []

    def hook(method: str, path: str) -> None:
        if method == "POST" and not changed:
            changed.append(True)

    world.sandbox.fault = hook
    from syncs.running import runner, writer

    gate = writer.Writer.gate

    def editing(self: Any, changes: Any, pace: Any) -> Any:
        for write in gate(self, changes, pace):
            yield write
            world.set(A="2")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(writer.Writer, "gate", editing)
        runner.execute(run.pk)
    assert world.again(run).status == "succeeded"
    shown = SecretSync.objects.get(pk=sync.pk)
    assert (shown.sync_status, shown.done_rev) == ("pending", shown.wanted_rev - 1)
    world.due()
    shown.refresh_from_db()
    assert (shown.sync_status, shown.done_rev) == ("succeeded", shown.wanted_rev)
    assert world.held() == {"A": "2"}
