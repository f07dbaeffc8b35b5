"""Another target for a sync, in a real browser: nothing is written before its plan was shown and applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.urls import reverse

from syncs.models import SecretSync
from tests.browser.conftest import axe, narrow
from tests.fixtures.world import APPLICATION, World

if TYPE_CHECKING:
    from playwright.sync_api import Page

APP = ("acme", "shop", "")
ENV = ("acme", "shop", "development")


def settle(world: World) -> None:
    for _ in range(3):
        world.due()


def test_a_sync_gets_another_target_after_its_plan_was_applied(world: World, admin_page: Page) -> None:
    world.set(A="1", B="2")
    sync = world.sync()
    world.run(sync)
    world.sandbox.put(ENV, "FOREIGN", "x")
    world.sandbox.asked.clear()
    page = admin_page
    page.goto(reverse("admin:syncs_secretsync_change", args=[sync.pk]) + "?settings")
    page.locator("[name=destinationConfig__scope]").select_option("environment")
    page.locator("[name=destinationConfig__env]").fill("development")
    with page.expect_navigation():
        page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("heading", name="What this change does").wait_for()
    assert page.get_by_text("2 to create").first.is_visible()
    assert page.get_by_text("FOREIGN").first.is_visible()
    assert page.get_by_text("This sync owns 2 keys at acme / shop").is_visible()
    axe(page)
    narrow(page)
    settle(world)
    assert world.writes() == []
    assert SecretSync.objects.get().destination_config == APPLICATION
    page.get_by_label("Remove each of them once its secret has arrived").check()
    page.get_by_label("Type shop-dev to confirm").fill("shop-dev")
    with page.expect_navigation():
        page.get_by_role("button", name="Apply and delete these keys").click()
    settle(world)
    assert (world.held(ENV), world.held(APP)) == ({"A": "1", "B": "2"}, {})
    page.reload()
    axe(page)


def test_the_settings_are_there_again_when_going_back(world: World, admin_page: Page) -> None:
    world.set(A="1")
    sync = world.sync()
    world.run(sync)
    page = admin_page
    page.goto(reverse("admin:syncs_secretsync_change", args=[sync.pk]) + "?settings")
    page.locator("[name=syncOptions__keySchema]").fill("KF_{{secretKey}}")
    with page.expect_navigation():
        page.get_by_role("button", name="Save", exact=True).click()
    assert page.get_by_text("KF_A").first.is_visible()
    with page.expect_navigation():
        page.get_by_role("button", name="Back to the settings").click()
    assert page.locator("[name=syncOptions__keySchema]").input_value() == "KF_{{secretKey}}"
    assert SecretSync.objects.get().sync_options.get("keySchema") is None
