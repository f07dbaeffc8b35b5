"""Signing in, and every list of the admin, in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.contrib import admin
from django.urls import reverse

from config.access.models import User
from tests.browser.conftest import OpenAs, axe, narrow
from tests.fixtures.world import World

if TYPE_CHECKING:
    from playwright.sync_api import Page

LISTS = sorted(
    f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
    for model in admin.site._registry
    if model._meta.app_label in ("access", "connections", "syncs")
)


@pytest.mark.parametrize("start", ["/", "/admin/login/"])
def test_a_person_signs_in(world: World, open_as: OpenAs, start: str) -> None:
    page = open_as(None)
    page.goto(start)
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("Please enter the correct username and password").wait_for()
    axe(page)
    page.get_by_label("Password").fill("a long password")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/")


@pytest.mark.parametrize("name", LISTS)
def test_every_list_opens(world: World, admin_page: Page, name: str) -> None:
    world.set(A="1", B="2")
    world.run(world.sync())
    page = admin_page
    answer = page.goto(reverse(name))
    assert answer
    assert answer.status == 200
    assert page.get_by_role("heading", level=1).count() == 1
    narrow(page)
    axe(page)


def test_the_page_fixture_detects_errors(open_as: OpenAs) -> None:
    page = open_as(User.objects.get(username="ada"))
    page.goto("/admin/")
    page.evaluate("console.error('nobody should miss this')")
    page.evaluate("setTimeout(() => { throw new Error('nor this') })")
    page.wait_for_timeout(50)
    assert [complaint.split(":")[0] for complaint in page.complaints] == ["console", "script"]  # type: ignore[attr-defined]
    page.complaints.clear()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "path",
    [
        "/admin/password_change/",
        "/admin/syncs/",
        "/admin/syncs/secretsync/destinations/",
        "/admin/access/user/add/",
    ],
)
def test_other_pages_are_clean(world: World, admin_page: Page, path: str) -> None:
    answer = admin_page.goto(path)
    assert answer
    assert answer.status == 200
    axe(admin_page)
    narrow(admin_page)


def test_menus_and_dialogs_are_clean(world: World, admin_page: Page) -> None:
    world.sync()
    page = admin_page
    page.goto("/admin/")
    page.get_by_role("button", name="ada").click()
    page.get_by_role("button", name="Dark").wait_for()
    axe(page)
    page.keyboard.press("Escape")
    page.get_by_label("Filter navigation items").press_sequentially("sync")
    page.locator("#search-results a").first.wait_for()
    axe(page)
    page.keyboard.press("Escape")
    page.get_by_text("Internals").click()
    page.get_by_role("link", name="Leases").wait_for()
    axe(page)
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("button", name="Navigation").click()
    page.get_by_role("link", name="Syncs", exact=True).wait_for()
    axe(page)
    page.get_by_role("button", name="Close the navigation").click()
    page.get_by_role("heading", name="Overview").wait_for()
