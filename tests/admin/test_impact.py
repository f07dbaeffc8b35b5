"""Pages and dialogs that delete, move or rename name the syncs and destinations, and ask for a name above the guard."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from config.access.models import Project, Role
from connections.models import AppConnection
from syncs.models import Environment, Folder, Secret, SecretSync
from syncs.services import folders
from tests.admin.test_editor import ask, events
from tests.fixtures.admin import signed_in
from tests.fixtures.world import World

MANY = {f"K{n:02}": "canary-value" for n in range(12)}


def url(obj: Any, page: str) -> str:
    return reverse(f"admin:{obj._meta.app_label}_{obj._meta.model_name}_{page}", args=[obj.pk])


def delivered(world: World, **values: str) -> SecretSync:
    """A sync of /api that has written the values."""
    folders.ensure_folder(world.actor, world.environment(), "/api")
    world.set("/api", **values)
    sync = world.sync(secret_path="/api", is_auto_sync_enabled=False)
    world.run(sync)
    return sync


@pytest.mark.parametrize("of", [Project, Environment, Folder, SecretSync, AppConnection])
def test_a_page_that_deletes_names_destinations_and_asks_for_the_name(world: World, browser: Client, of: Any) -> None:
    delivered(world, **MANY)
    by = {Environment: {"slug": "dev"}, Folder: {"path": "/api"}}
    obj = of.objects.get(**by.get(of, {}))
    page = browser.get(url(obj, "delete")).content.decode()
    assert "acme / shop" in page
    assert "12 keys stay" in page
    assert "canary-value" not in page
    name = str(obj.name)
    assert f"Type <strong>{name}</strong> to confirm" in page
    refused = browser.post(url(obj, "delete"), {"post": "yes", "confirmation": "another"}, follow=True)
    assert f"Nothing was changed. Type {name} to confirm" in refused.content.decode()
    assert of.objects.filter(pk=obj.pk).exists()
    if of is not AppConnection:
        browser.post(url(obj, "delete"), {"post": "yes", "confirmation": name})
        assert not of.objects.filter(pk=obj.pk).exists()


def test_a_few_keys_need_no_name(world: World, browser: Client) -> None:
    delivered(world, A="1", B="2")
    secret = Secret.objects.get(key="A")
    page = browser.get(url(secret, "delete")).content.decode()
    assert "1 key is deleted there" in page
    assert "1 key stays" in page
    assert "to confirm" not in page
    browser.post(url(secret, "delete"), {"post": "yes"})
    assert not Secret.objects.filter(key="A").exists()


def test_nothing_is_deleted_in_bulk_without_its_page(world: World, browser: Client) -> None:
    for model in (Project, Environment, Folder, Secret, AppConnection):
        page = browser.get(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"))
        assert "delete_selected" not in page.content.decode()


def test_a_viewer_is_shown_no_impact(world: World) -> None:
    sync = delivered(world, A="1")
    viewer = signed_in(world, Role.VIEWER)
    for obj in (world.project, world.environment(), sync.folder, sync, world.connection):
        assert viewer.get(url(obj, "delete")).status_code == 403


def test_a_rename_in_a_form_is_confirmed_by_the_new_name(world: World, browser: Client) -> None:
    delivered(world, A="1")
    world.set(environment="staging", R="${dev.api.A}")
    environment, folder = world.environment(), world.folder("/api")
    for obj, given, new, broken in (
        (environment, {"name": "Development", "slug": "live"}, "live", "staging:/ R: ${dev.api.A}"),
        (folder, {"name": "web"}, "web", "staging:/ R: ${dev.api.A}"),
    ):
        asked = browser.post(url(obj, "change"), given)
        assert broken in asked.context["adminform"].form.errors.as_text()
        assert "shop-dev, Humanitec acme / shop: 1 key kept" in asked.context["adminform"].form.errors.as_text()
        assert 'name="confirmation"' in asked.content.decode()
        obj.refresh_from_db()
        assert new not in (getattr(obj, "slug", ""), obj.name)
        if obj is folder:
            assert browser.post(url(obj, "change"), {**given, "confirmation": new}).status_code == 302
            assert world.folder("/web").pk == folder.pk
    secret = Secret.objects.get(key="A")
    versions = {"versions-TOTAL_FORMS": "0", "versions-INITIAL_FORMS": "0"}
    given = {"key": "NEW", "value": "", "comment": "", "tag_slugs": "", **versions}
    asked = browser.post(url(secret, "change"), given)
    assert "1 key deleted" in asked.context["adminform"].form.errors.as_text()
    assert browser.post(url(secret, "change"), {**given, "confirmation": "NEW"}).status_code == 302
    assert Secret.objects.filter(key="NEW").exists()


def test_renaming_in_the_editor_is_confirmed(world: World, member: Client) -> None:
    delivered(world, A="1")
    given = {"path": "/api", "key": "A", "name": "NEW", "comment": "why", "tags": "db", "seen": "1"}
    question = ask(member, world, "details/save", **given)
    page = question.content.decode()
    assert "shop-dev</strong>, Humanitec acme / shop: <strong>1 key is deleted there" in page
    assert ("comment", "why") in question.context["given"]
    assert Secret.objects.get().key == "A"
    ask(member, world, "details/save", **given, confirmed="1")
    assert Secret.objects.get().key == "NEW"


def test_deleting_and_moving_many_keys_in_the_editor_needs_a_name(world: World, member: Client) -> None:
    delivered(world, **MANY, STAYS="1")
    chosen = {"path": "/api", "keys": list(MANY)}
    question = ask(member, world, "bulk/delete", **chosen).content.decode()
    assert "12 keys are deleted there" in question
    assert "Type <strong>dev</strong> to confirm" in question
    refused = ask(member, world, "bulk/delete", **chosen, confirmed="1")
    assert "Type dev to confirm" in events(refused)["ed-refused"]
    target = {"target": str(world.folder().pk)}
    moved = ask(member, world, "bulk/move", **chosen, **target)
    assert [value for name, value in moved.context["given"] if name == "keys"] == list(MANY)
    refused = ask(member, world, "bulk/move", **chosen, **target, confirmed="1")
    assert "Type dev to confirm" in events(refused)["ed-refused"]
    assert world.folder("/api").secrets.count() == 13
    ask(member, world, "bulk/move", **chosen, **target, confirmed="1", confirmation="dev")
    assert world.folder().secrets.count() == 12
