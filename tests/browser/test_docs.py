"""The documentation in a real browser: wide screen and phone, dark mode, keyboard, without scripts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse

from config.ui import docs
from tests.admin.test_pages import held
from tests.browser.conftest import OpenAs, axe, narrow

if TYPE_CHECKING:
    from playwright.sync_api import Page

SLUGS = [page.slug for page in docs.library().pages.values()]


@pytest.fixture
def page(open_as: OpenAs) -> Page:
    """Of somebody who has not signed in."""
    return open_as(None)


@pytest.mark.parametrize("slug", SLUGS)
def test_every_page_is_clean(page: Page, slug: str) -> None:
    answer = page.goto(docs.address(slug))
    assert answer
    assert answer.status == 200
    assert page.get_by_role("heading", level=1).count() == 1
    axe(page)
    narrow(page)
    page.set_viewport_size({"width": 390, "height": 844})
    axe(page, schemes=("light",))


def test_searching(page: Page) -> None:
    page.goto("/docs/")
    page.get_by_label("Search the documentation").fill("held run")
    page.keyboard.press("Enter")
    page.wait_for_url("**/docs/search?q=held**")
    assert page.locator("mark").first.is_visible()
    axe(page)
    narrow(page)
    page.get_by_role("link", name="Concepts and promises: Held runs").click()
    page.wait_for_url("**/docs/concepts#held-runs")
    assert page.get_by_role("heading", name="Held runs").is_visible()


def test_by_keyboard_alone(page: Page) -> None:
    page.goto("/docs/syncs")
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert focused(page) == "Connect and sync", "the first heading of the content"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    for name in ("Copy", "Next\nDestinations"):
        reach(page, name)
    page.keyboard.press("Enter")
    page.wait_for_url("**/docs/destinations")


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.innerText")).strip()


def reach(page: Page, name: str) -> None:
    for _ in range(120):
        page.keyboard.press("Tab")
        if re.sub(r"\s*\n\s*", "\n", focused(page)) == name:
            return
    raise AssertionError(f"{name} cannot be reached by Tab")


def test_code_is_copied(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/docs/getting-started")
    page.get_by_role("button", name="Copy").first.click()
    page.get_by_role("button", name="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.strip().endswith("manage.py up --demo")


def test_the_theme_is_the_admins(page: Page) -> None:
    page.goto("/docs/")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Dark").click()
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    assert page.evaluate(ground) == dark
    assert page.evaluate("localStorage.getItem('adminTheme')") == '"dark"'
    page.get_by_role("button", name="Light").click()
    assert page.evaluate(ground) == light


def test_dark_mode_by_system_preference(open_as: OpenAs) -> None:
    page = open_as(None, color_scheme="dark")
    page.goto("/docs/")
    page.get_by_role("button", name="Light").wait_for()


def test_it_works_without_scripts(open_as: OpenAs) -> None:
    page = open_as(None, java_script_enabled=False, color_scheme="dark")
    page.goto("/docs/operating")
    assert page.get_by_role("button", name="Copy").count() == 0
    page.get_by_label("Search the documentation").fill("backup")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Operating: Back up and restore").click()
    page.wait_for_url("**/docs/operating#back-up-and-restore")
    page.set_viewport_size({"width": 390, "height": 844})
    assert not page.get_by_role("link", name="Security model").first.is_visible()
    page.get_by_text("All pages").click()
    page.get_by_role("link", name="Security model").first.click()
    page.wait_for_url("**/docs/security")


def test_a_held_run_links_to_its_documentation(world: Any, admin_page: Page) -> None:
    sync, run = held(world)
    admin_page.goto(reverse("admin:syncs_syncrun_change", args=[run.pk]))
    with admin_page.expect_popup() as opened:
        admin_page.get_by_role("link", name="Decide on a held run").click()
    opened.value.wait_for_url("**/docs/syncs#decide-on-a-held-run")
    admin_page.goto(reverse("admin:syncs_secretsync_change", args=[sync.pk]) + "?settings")
    assert admin_page.get_by_role("link", name="The policy").get_attribute("href") == "/docs/syncs#the-policy"
    with admin_page.expect_popup() as opened:
        admin_page.get_by_role("link", name="Help: Syncs").click()
    opened.value.get_by_role("heading", level=1, name="Syncs").wait_for()
