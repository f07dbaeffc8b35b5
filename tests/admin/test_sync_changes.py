"""The settings of a sync: a change shows its plan first, and nothing is stored or written before it is applied."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from config.access.models import Role
from syncs.models import SecretSync, SyncRun
from tests.fixtures.admin import signed_in
from tests.fixtures.world import APPLICATION, World

APP = ("acme", "shop", "")
ENV = ("acme", "shop", "development")
TO_ENVIRONMENT = {"destinationConfig__scope": "environment", "destinationConfig__env": "development"}
MARKER = "mArKeR-55ce"


@pytest.fixture
def synced(world: World) -> SecretSync:
    world.set(A=MARKER, B="2")
    sync = world.sync()
    world.run(sync)
    world.sandbox.asked.clear()
    return sync


def page_of(sync: SecretSync) -> str:
    return reverse("admin:syncs_secretsync_change", args=[sync.pk]) + "?settings"


def entered(browser: Client, sync: SecretSync, **changes: Any) -> dict[str, Any]:
    """The settings as a browser sends them."""
    form = browser.get(page_of(sync)).context["adminform"].form
    values = {name: form[name].value() for name in form.fields}
    sent = {
        name: ", ".join(value) if isinstance(value, list) else value
        for name, value in values.items()
        if value not in (None, False)
    }
    return {**{name: "on" if value is True else value for name, value in sent.items()}, **changes}


def shown(response: Any) -> dict[str, str]:
    assert response.status_code == 200
    return {change.key: change.action.value for change in response.context["plan"].changes}


def apply(browser: Client, sync: SecretSync, shown_page: Any, **more: str) -> Any:
    """What the page of the plan sends."""
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', shown_page.content.decode())
    given = {name: value for name, value in fields if name != "csrfmiddlewaretoken"}
    return browser.post(page_of(sync), {**given, **more})


def stored(sync: SecretSync) -> SecretSync:
    return SecretSync.objects.select_related("policy").get(pk=sync.pk)


CHANGES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "target": (TO_ENVIRONMENT, {"A": "create", "B": "create", "FOREIGN": "delete"}),
    "key schema": (
        {"syncOptions__keySchema": "KF_{{secretKey}}"},
        {"KF_A": "create", "KF_B": "create", "A": "delete", "B": "delete"},
    ),
    "filter": ({"policy__exclude": "B"}, {"A": "unchanged", "B": "delete"}),
    "policy": ({"policy__unmanaged": "mirror"}, {"A": "unchanged", "B": "unchanged"}),
    "deletion switch": ({"syncOptions__disableSecretDeletion": "on"}, {"A": "unchanged", "B": "unchanged"}),
    "guard": ({"policy__maxDeletions": "100"}, {"A": "unchanged", "B": "unchanged"}),
}


@pytest.mark.parametrize(("changes", "plan"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_stored_once_its_plan_was_applied(
    world: World, browser: Client, synced: SecretSync, changes: dict[str, Any], plan: dict[str, str]
) -> None:
    world.sandbox.put(ENV, "FOREIGN", "x")
    runs = SyncRun.objects.count()
    before = stored(synced)
    response = browser.post(page_of(synced), entered(browser, synced, **changes))
    assert shown(response) == plan
    assert MARKER not in response.content.decode()
    now = stored(synced)
    assert (now.destination_config, now.sync_options, now.generation) == (
        before.destination_config,
        before.sync_options,
        before.generation,
    )
    assert (SyncRun.objects.count(), world.writes()) == (runs, [])
    confirmed = apply(browser, synced, response, confirm="shop-dev")
    assert confirmed.status_code == 302
    assert stored(synced).generation > before.generation
    world.due()
    actions = set(plan.values())
    assert bool(world.writes()) is bool(actions & {"create", "delete"})


def test_a_change_of_the_target_shows_what_stays_at_the_old_one(
    world: World, browser: Client, synced: SecretSync
) -> None:
    response = browser.post(page_of(synced), entered(browser, synced, **TO_ENVIRONMENT))
    page = response.content.decode()
    assert "acme / shop / development" in page
    assert "This sync owns 2 keys at acme / shop" in page
    assert apply(browser, synced, response).status_code == 302
    for _ in range(2):
        world.due()
    assert (world.held(ENV), world.held(APP)) == ({"A": MARKER, "B": "2"}, {"A": MARKER, "B": "2"})


def test_keys_at_the_old_target_are_removed_on_request(world: World, browser: Client, synced: SecretSync) -> None:
    response = browser.post(page_of(synced), entered(browser, synced, **TO_ENVIRONMENT))
    assert "Choose what happens" in apply(browser, synced, response, leaving="burn").content.decode()
    assert apply(browser, synced, response, leaving="remove").status_code == 302
    page = browser.get(page_of(synced).removesuffix("?settings")).content.decode()
    assert "2 keys are still to be removed at acme / shop" in page
    for _ in range(2):
        world.due()
    assert (world.held(ENV), world.held(APP)) == ({"A": MARKER, "B": "2"}, {})


def test_foreign_deletes_are_confirmed_by_the_name_of_the_sync(
    world: World, browser: Client, synced: SecretSync
) -> None:
    world.sandbox.put(ENV, "FOREIGN", "x")
    response = browser.post(page_of(synced), entered(browser, synced, **TO_ENVIRONMENT))
    assert "FOREIGN" in response.content.decode()
    again = apply(browser, synced, response, confirm="another")
    assert "Type the name of the sync to confirm the deletes: shop-dev" in again.content.decode()
    assert stored(synced).destination_config == APPLICATION
    assert apply(browser, synced, again, confirm="shop-dev").status_code == 302
    world.due()
    assert world.held(ENV) == {"A": MARKER, "B": "2"}


def test_a_plan_that_has_changed_is_shown_again(world: World, browser: Client, synced: SecretSync) -> None:
    response = browser.post(page_of(synced), entered(browser, synced, **TO_ENVIRONMENT))
    world.sandbox.put(ENV, "SINCE", "x")
    again = apply(browser, synced, response)
    assert "The plan has changed in the meantime" in again.content.decode()
    assert shown(again) == {"A": "create", "B": "create", "SINCE": "delete"}
    assert (stored(synced).destination_config, world.writes()) == (APPLICATION, [])


@pytest.mark.parametrize("changes", [{"name": "other"}, {"description": "why"}, {"policy__heal": "on"}])
def test_a_change_that_writes_nothing_is_stored_at_once(
    world: World, browser: Client, synced: SecretSync, changes: dict[str, Any]
) -> None:
    assert browser.post(page_of(synced), entered(browser, synced, **changes)).status_code == 302
    now = stored(synced)
    assert (now.name, now.description or "", now.policy.heal) == (
        changes.get("name", "shop-dev"),
        changes.get("description", ""),
        "policy__heal" in changes,
    )


def test_saving_without_a_change_does_nothing(world: World, browser: Client, synced: SecretSync) -> None:
    generation = stored(synced).generation
    assert browser.post(page_of(synced), entered(browser, synced)).status_code == 302
    assert stored(synced).generation == generation


def test_the_settings_are_shown_again_as_entered(world: World, browser: Client, synced: SecretSync) -> None:
    response = browser.post(page_of(synced), entered(browser, synced, **TO_ENVIRONMENT))
    back = apply(browser, synced, response, edit="1")
    form = back.context["adminform"].form
    assert (form["destinationConfig__env"].value(), form.errors) == ("development", {})
    assert stored(synced).destination_config == APPLICATION


def test_problems_of_a_change_are_shown_at_their_fields(world: World, browser: Client, synced: SecretSync) -> None:
    for changes, text in (
        ({"destinationConfig__org": ""}, "Org ID required"),
        ({"syncOptions__keySchema": "{{secretKey"}, "exactly one {{secretKey}}"),
    ):
        response = browser.post(page_of(synced), entered(browser, synced, **changes))
        assert text in response.context["adminform"].form.errors.as_text()


def test_a_change_is_not_stored_while_it_cannot_be_planned(world: World, browser: Client, synced: SecretSync) -> None:
    settings = entered(browser, synced, **TO_ENVIRONMENT)
    world.sandbox.fault = lambda method, path: (503, {"message": "down"})
    response = browser.post(page_of(synced), settings)
    assert "Unable to plan" in response.context["adminform"].form.errors.as_text()
    assert stored(synced).destination_config == APPLICATION


def test_adding_a_sync_leads_to_the_wizard(world: World, browser: Client) -> None:
    add = browser.get(reverse("admin:syncs_secretsync_add"))
    assert add["Location"] == reverse("admin:syncs_syncdraft_changelist")
    posted = browser.post(reverse("admin:syncs_secretsync_add") + "?destination=humanitec", {"name": "x"})
    assert posted["Location"] == reverse("admin:syncs_syncdraft_changelist")
    assert not SecretSync.objects.exists()


def test_a_viewer_changes_no_settings(world: World, synced: SecretSync) -> None:
    viewer = signed_in(world, Role.VIEWER)
    assert viewer.post(page_of(synced), {"name": "x"}).status_code == 403
