"""The wizard "Connect and sync" in a real browser: from an empty installation, by keyboard, without the service."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from config.access.models import User
from syncs.models import SecretSync, SyncRun
from syncs.services.folders import ensure_folder
from tests.browser.conftest import OpenAs, axe, narrow
from tests.fixtures.world import TOKEN, World

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

START = "/admin/syncs/syncdraft/"
SCOPE = ("acme", "shop", "development")


def follow(page: Page, target: Locator) -> None:
    """Click what leads to another page, and wait for it."""
    with page.expect_navigation():
        target.click()


def go_on(page: Page) -> None:
    """Press the step's own button, and wait for the next page."""
    follow(page, page.locator(".kc-foot .is-primary"))


def judged(page: Page) -> None:
    """Nothing to complain of in light and dark, nor on a phone."""
    axe(page)
    narrow(page)


def to_place(page: Page) -> None:
    page.goto(START)
    page.get_by_role("button", name="Humanitec").click()
    go_on(page)
    go_on(page)


def to_plan(page: Page, unmanaged: str = "") -> None:
    to_place(page)
    page.get_by_label("Environment", exact=True).check()
    page.get_by_label("App ID").select_option("shop")
    page.get_by_label("Env ID").select_option("development")
    go_on(page)
    if unmanaged:
        page.locator(".kc-more summary").click()
        page.locator(f'label:has(input[value="{unmanaged}"])').click()
    go_on(page)


def arrive(page: Page, world: World) -> None:
    """The workers' part, while the page looks on."""
    world.due()
    page.get_by_role("heading", name="Your secrets are synced").wait_for()


def test_from_an_empty_installation_to_a_finished_sync(world: World, open_as: OpenAs) -> None:
    """At most ten fields; and every page on the way passes axe, in light and dark."""
    world.connection.delete()
    page = open_as(User.objects.create_superuser("newcomer", password="a long password"))
    fields = 0
    page.goto("/admin/")
    follow(page, page.get_by_role("link", name="Connect and sync").first)
    judged(page)
    follow(page, page.get_by_role("button", name="Humanitec"))
    judged(page)
    page.get_by_label("API token").fill("not the token")
    fields += 1
    go_on(page)
    assert page.get_by_role("alert").get_by_text("Failed to validate credentials").is_visible()
    judged(page)
    page.get_by_label("API token").fill(TOKEN)
    go_on(page)
    judged(page)
    page.get_by_label("Name of your first project").fill("Boats")
    fields += 1
    go_on(page)
    judged(page)
    page.get_by_label("Add the first secrets").fill("DATABASE_URL=postgres://db\nSESSION_KEY=s3")
    fields += 1
    page.get_by_role("button", name="Add to the folder").click()
    page.get_by_text("2 keys to sync").wait_for()
    judged(page)
    go_on(page)
    page.get_by_label("Environment", exact=True).check()
    page.get_by_label("App ID").select_option("shop")
    page.get_by_label("Env ID").select_option("development")
    fields += 3
    judged(page)
    go_on(page)
    page.get_by_label("Key schema").fill("WEB_{{secretKey}}")
    fields += 1
    page.locator("#preview").get_by_text("WEB_DATABASE_URL").wait_for()
    page.locator(".kc-more summary").click()
    judged(page)
    go_on(page)
    assert page.get_by_text("2 to create").first.is_visible()
    judged(page)
    assert not world.writes()
    go_on(page)
    assert page.get_by_role("heading", name="Waiting to start").is_visible()
    arrive(page, world)
    judged(page)
    assert fields <= 10
    assert world.held(SCOPE) == {"WEB_DATABASE_URL": "postgres://db", "WEB_SESSION_KEY": "s3"}
    assert page.get_by_role("row", name=re.compile("WEB_SESSION_KEY.*applied")).is_visible()
    follow(page, page.get_by_role("link", name="Details of the run"))
    assert str(SyncRun.objects.get().pk) in page.url


def reach(page: Page, target: Locator) -> None:
    """By the tab key alone."""
    for _ in range(150):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the tab key does not lead to {target}")


def press(page: Page, target: Locator, key: str = "Enter") -> None:
    reach(page, target)
    with page.expect_navigation():
        page.keyboard.press(key)


def test_the_keyboard_is_enough(world: World, admin_page: Page) -> None:
    world.set(A="1")
    ensure_folder(world.actor, world.environment(), "/api")
    world.set("/api", B="2", C="3")
    page = admin_page
    page.goto(START)
    page.wait_for_function("document.activeElement.id === 'tile-search'")
    with page.expect_response(lambda answer: "q=huma" in answer.url):
        page.keyboard.type("huma")
        reach(page, page.get_by_role("button", name="Humanitec"))  # before the search has come back
    page.wait_for_function("document.querySelectorAll('.kc-tile').length === 1")
    assert page.evaluate("document.activeElement.id") == "tile-humanitec"
    press(page, page.get_by_role("button", name="Humanitec"))
    press(page, page.get_by_role("button", name="Check and continue"))
    reach(page, page.get_by_label("/ 1 key", exact=False).first)
    page.keyboard.press("ArrowDown")
    page.get_by_text("2 keys to sync").wait_for()
    assert page.locator("input[name=path]:checked").evaluate("element => element === document.activeElement"), (
        "what changes around it leaves the focus where it was"
    )
    press(page, page.get_by_role("button", name="Continue"))
    reach(page, page.get_by_label("Application", exact=True))
    page.keyboard.press("ArrowRight")
    page.get_by_label("Env ID").wait_for()
    reach(page, page.get_by_label("App ID"))
    page.keyboard.type("Shop")
    page.keyboard.press("Tab")
    page.locator("option[value=development]").wait_for(state="attached")
    reach(page, page.get_by_label("Env ID"))
    page.keyboard.type("Development")
    press(page, page.get_by_role("button", name="Continue"))
    press(page, page.get_by_role("button", name="Show the plan"))
    press(page, page.get_by_role("button", name="Save and run"))
    arrive(page, world)
    assert world.held(SCOPE) == {"B": "2", "C": "3"}


def test_enter_continues(world: World, admin_page: Page) -> None:
    world.set(A="1")
    page = admin_page
    to_place(page)
    page.get_by_role("button", name="Type it instead").last.click()
    page.get_by_role("button", name="Choose from the list").wait_for()
    page.get_by_label("App ID").fill("shop")
    page.get_by_label("App ID").press("Enter")
    page.wait_for_url("**/options/")


def test_without_the_service_everything_is_typed(world: World, admin_page: Page) -> None:
    world.set(A="1")
    page = admin_page
    world.sandbox.fault = lambda method, path: (503, {"error": "API-503", "message": "back at noon"})
    page.goto(START)
    page.get_by_role("button", name="Humanitec").click()
    go_on(page)
    assert page.get_by_role("alert").get_by_text("answered 503").is_visible()
    judged(page)
    page.get_by_role("button", name="Continue anyway").click()
    go_on(page)
    assert page.get_by_text("The choices cannot be loaded from Humanitec. Enter the values.").is_visible()
    page.get_by_label("Environment", exact=True).check()
    page.get_by_label("Env ID").wait_for()
    for label, text in (("Org ID", "acme"), ("App ID", "shop"), ("Env ID", "development")):
        page.get_by_label(label).fill(text)
    judged(page)
    go_on(page)
    go_on(page)
    assert page.get_by_text("The plan could not be made").is_visible()
    judged(page)
    world.sandbox.fault = None
    go_on(page)
    go_on(page)
    arrive(page, world)
    assert world.held(SCOPE) == {"A": "1"}


def test_deletes_above_the_limit_are_red_and_confirmed_by_name(world: World, admin_page: Page) -> None:
    world.set(A="1", SESSION="new")
    for number in range(14):
        world.sandbox.put(SCOPE, f"OLD_{number}", "x")
    world.sandbox.put(SCOPE, "SESSION", "old")
    page = admin_page
    to_plan(page, "overwrite-initially")
    assert page.locator(".kc-group.is-danger").count() == 2
    judged(page)
    go_on(page)
    assert page.get_by_role("alert").get_by_text("Type the name of the sync").is_visible()
    assert not SecretSync.objects.exists()
    page.get_by_label("Type", exact=False).fill("dev-to-shop-development")
    go_on(page)
    arrive(page, world)
    assert world.held(SCOPE) == {"A": "1", "SESSION": "new"}
    judged(page)


def test_blocked_keys_have_reason_and_remedy(world: World, admin_page: Page) -> None:
    world.set(A="1", **{"B C": "2"})
    page = admin_page
    to_place(page)
    page.get_by_label("App ID").select_option("shop")
    go_on(page)
    assert page.locator("#preview").get_by_text("1 key is blocked").is_visible()
    judged(page)
    go_on(page)
    go_on(page)
    world.due()
    page.get_by_role("heading", name="1 key was not synced").wait_for()
    judged(page)


def test_back_and_reload_keep_the_input(world: World, admin_page: Page) -> None:
    world.set(A="1")
    page = admin_page
    to_plan(page)
    page.get_by_role("button", name="Back").click()
    page.get_by_label("Name of the sync").fill("another-name")
    page.get_by_role("button", name="Back").click()
    assert page.get_by_label("App ID").input_value() == "shop"
    page.reload()
    page.get_by_role("link", name=re.compile("Options")).click()
    assert page.get_by_label("Name of the sync").input_value() == "another-name"
    page.goto(START)
    assert page.get_by_role("link", name=re.compile("Humanitec acme")).is_visible()
    judged(page)


def test_a_viewer_sees_no_wizard(world: World, viewer_page: Page) -> None:
    page = viewer_page
    page.goto(reverse("admin:syncs_secretsync_changelist"))
    assert page.get_by_role("link", name="Connect and sync").count() == 0
    answer = page.goto(START)
    assert answer
    assert answer.status == 403
    page.complaints.clear()  # type: ignore[attr-defined]  # the console reports a 403


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_many_folders_are_searched(world: World, open_as: OpenAs, scheme: str) -> None:
    for number in range(30):
        ensure_folder(world.actor, world.environment(), f"/team-{number}/api")
    page = open_as(User.objects.get(username="ada"), color_scheme=scheme)
    page.goto(START)
    page.get_by_role("button", name="Humanitec").click()
    go_on(page)
    page.get_by_label("Search folders").fill("team-17")
    page.locator("#folders label").nth(3).wait_for(state="detached")
    assert page.locator("#folders label").count() == 3, "what fits, and the one that is chosen"
    page.get_by_label("/team-17/api 0 keys").check()
    page.get_by_text("This folder is empty").wait_for()
    judged(page)
