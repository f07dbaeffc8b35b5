"""What remains of a deleted sync: the history of its runs, as long as runs are kept."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from config.access.models import User
from config.errors import BadRequest, NotFound
from connections.services import delete_connection
from syncs.models import ManagedSecret, SecretSync, Status, SyncRun
from syncs.planning.undo import require_undoable
from syncs.running import dispatcher
from syncs.running.runner import execute
from syncs.services import triggers
from syncs.services.deletion import delete_sync
from syncs.source.selectors import find_sync, syncs
from tests.api.openapi import require_fit
from tests.fixtures.api import Api, api_for
from tests.fixtures.world import World

RUNS = "/v1/secret-syncs/humanitec/{}/runs"


@pytest.fixture
def api(world: World) -> Api:
    return api_for("admin", world)


@pytest.fixture
def deleted(world: World) -> SecretSync:
    """It wrote A and B, and was deleted without them."""
    world.set(A="1", B="2")
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    delete_sync(world.actor, syncs().get(pk=sync.pk))
    return SecretSync.with_deleted.get(pk=sync.pk)


def listing(sync: SecretSync) -> SyncRun:
    return SyncRun.objects.select_related("sync").get(sync=sync, operation="remove")


def test_a_run_lists_the_keys_that_stay(world: World, deleted: SecretSync) -> None:
    run = listing(deleted)
    assert (run.status, run.trigger, run.actor_name) == ("succeeded", "manual", "ada")
    assert list(run.changes.values_list("key", "action", "outcome")) == [("A", "keep", "kept"), ("B", "keep", "kept")]
    assert run.message == "The sync was deleted. 2 keys stay at acme / shop; no sync owns them any more."
    assert world.held() == {"A": "1", "B": "2"}


def test_deleting_a_sync_without_keys_is_reported(world: World) -> None:
    sync = world.sync(is_auto_sync_enabled=False)
    delete_sync(world.actor, sync)
    assert listing(sync).message == "The sync was deleted. It owned no key at acme / shop."


def test_a_deleted_sync_is_only_in_history(world: World, deleted: SecretSync, api: Api) -> None:
    assert not SecretSync.objects.exists()
    assert not world.project.syncs.exists()
    assert not world.connection.syncs.exists()
    for name in (str(deleted.pk), "shop-project/shop-dev"):
        with pytest.raises(NotFound):
            find_sync(world.actor, name)
    assert api("GET", f"/v1/secret-syncs/humanitec/{deleted.pk}")[0] == 404
    for verb in ("sync-secrets", "remove-secrets"):
        assert api("POST", f"/v1/secret-syncs/humanitec/{deleted.pk}/{verb}")[0] == 404
    assert api("GET", f"/v1/secret-syncs?projectId={world.project.pk}")[1] == {"secretSyncs": []}


def test_its_runs_are_read_over_the_api(deleted: SecretSync, api: Api) -> None:
    path = RUNS.format(deleted.pk)
    status, answer = api("GET", path)
    assert (status, [run["operation"] for run in answer["runs"]]) == (200, ["remove", "sync"])
    require_fit("GET", f"/api{path}", 200, answer)
    run = api("GET", f"{path}/{answer['runs'][0]['id']}")[1]["run"]
    assert [(change["key"], change["outcome"]) for change in run["changes"]] == [("A", "kept"), ("B", "kept")]
    response = api.raw("GET", f"{path}/export", None, format="csv")
    assert b"shop-dev" in b"".join(response.streaming_content)
    wrote = answer["runs"][1]["id"]
    assert api("POST", f"{path}/{wrote}/undo")[0] == 404
    assert api("GET", f"/v1/secret-syncs/github/{deleted.pk}/runs")[0] == 400


def test_its_runs_are_seen_in_the_admin(world: World, deleted: SecretSync) -> None:
    client = Client()
    client.force_login(User.objects.get(username="ada"))
    shown = client.get("/admin/syncs/syncrun/").content.decode()
    assert "shop-dev" in shown
    assert "Shop project, deleted" in shown.replace(world.project.name, "Shop project")
    ledger = client.get("/admin/syncs/managedsecret/").content.decode()
    assert "none: kept on request" in ledger
    assert "ours" not in ledger.partition("<tbody")[2]
    for run in SyncRun.objects.filter(sync=deleted):
        page = client.get(f"/admin/syncs/syncrun/{run.pk}/change/")
        assert page.status_code == 200
        text = page.content.decode()
        assert "shop-dev, deleted" in text
        assert f"/admin/syncs/secretsync/{deleted.pk}/" not in text
        assert "Undo..." not in text
        assert client.get(f"/admin/syncs/syncrun/{run.pk}/undo/").status_code == 200


def test_the_page_of_a_deleted_sync_links_to_its_keys(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.run(sync)
    client = Client()
    client.force_login(User.objects.get(username="ada"))
    assert (
        "Its 1 key stays at the destination"
        in client.get(f"/admin/syncs/secretsync/{sync.pk}/delete/").content.decode()
    )
    done = client.post(f"/admin/syncs/secretsync/{sync.pk}/delete/", {"post": "yes"}, follow=True)
    assert done.redirect_chain == [(f"/admin/syncs/syncrun/{listing(sync).pk}/change/", 302)]


def test_waiting_and_held_runs_end(world: World) -> None:
    world.set(**{f"K{number}": "1" for number in range(12)})
    sync = world.sync()
    world.run(sync)
    world.unset(*(f"K{number}" for number in range(11)))
    assert world.run(sync).status == Status.HELD
    world.set(A="1")
    waiting = triggers.trigger(world.actor, sync, "sync")
    delete_sync(world.actor, syncs().get(pk=sync.pk))
    assert not SyncRun.objects.filter(status__in=("held", "pending", "running")).exists()
    writes = world.writes()
    execute(waiting.pk)
    dispatcher.dispatch()
    dispatcher.sweep()
    assert world.writes() == writes


def test_runs_of_a_deleted_sync_cannot_be_undone(deleted: SecretSync) -> None:
    with pytest.raises(BadRequest, match="deleted"):
        require_undoable(SyncRun.objects.select_related("sync").get(sync=deleted, operation="sync", status="succeeded"))


def test_deleted_with_its_secrets_its_history_ends_with_the_removal(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.run(sync)
    delete_sync(world.actor, syncs().get(pk=sync.pk), with_secrets=True)
    world.due()
    assert not SecretSync.objects.exists()
    assert list(listing(sync).changes.values_list("key", "action", "outcome")) == [("A", "delete", "applied")]
    assert not ManagedSecret.objects.exists()


def test_it_is_deleted_once(world: World) -> None:
    sync = world.sync()
    delete_sync(world.actor, sync)
    with pytest.raises(NotFound):
        delete_sync(world.actor, sync)
    assert SyncRun.objects.filter(sync=sync, operation="remove").count() == 1


def test_its_name_and_its_connection_are_free(world: World, deleted: SecretSync) -> None:
    again = world.sync(deleted.name)
    with pytest.raises(BadRequest, match="existing connections"):
        delete_connection(world.actor, world.connection)
    delete_sync(world.actor, again)
    delete_connection(world.actor, world.connection)
    assert SyncRun.objects.filter(sync=deleted).exists()


def test_a_living_sync_has_a_connection(world: World) -> None:
    sync = world.sync()
    with pytest.raises(IntegrityError), transaction.atomic():
        SecretSync.objects.filter(pk=sync.pk).update(connection=None)


def test_it_is_purged_with_its_last_run(deleted: SecretSync) -> None:
    dispatcher.sweep()
    assert SecretSync.with_deleted.filter(pk=deleted.pk).exists()
    SyncRun.objects.filter(sync=deleted).update(ended_at=timezone.now() - timedelta(days=91))
    dispatcher.sweep()
    assert not SecretSync.with_deleted.filter(pk=deleted.pk).exists()
    assert ManagedSecret.objects.filter(sync=None).count() == 2
