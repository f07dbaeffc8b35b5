"""Every form of the admin, and the pages of people, machines and connections, in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.contrib import admin
from django.urls import reverse

from config.access.identities import create_identity
from config.access.models import Identity, Role
from config.access.roles import PLATFORM
from tests.admin.test_admin import filled
from tests.browser.conftest import OpenAs, axe, narrow
from tests.fixtures.world import World

if TYPE_CHECKING:
    from playwright.sync_api import Page

MODELS = sorted(
    (model for model in admin.site._registry if model._meta.app_label in ("access", "connections", "syncs")),
    key=lambda model: model._meta.label,
)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_every_form_opens(world: World, admin_page: Page, model: type) -> None:
    filled(world)
    page = admin_page
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"  # type: ignore[attr-defined]
    paths = [
        reverse(f"{name}_change", args=[pk])
        for pk in model._default_manager.values_list("pk", flat=True)[:1]  # type: ignore[attr-defined]
    ]
    if getattr(admin.site._registry[model], "adds", True):  # type: ignore[index]
        paths.append(reverse(f"{name}_add"))
    for path in paths:
        answer = page.goto(path)
        assert answer
        if answer.status == 403:
            assert page.get_by_role("heading", name="You do not have permission").is_visible()
            page.complaints.clear()  # type: ignore[attr-defined]
        axe(page)


def test_a_machine_is_created_and_its_secret_shown_once(world: World, admin_page: Page) -> None:
    page = admin_page
    page.goto(reverse("admin:access_identity_add"))
    page.get_by_label("Name").fill("pipeline")
    page.get_by_label("Role").select_option("member")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("heading", name="Copy it now: it is shown only once").wait_for()
    axe(page)
    narrow(page)
    secret = page.locator("code").nth(1).inner_text()
    assert len(secret) == 64
    page.get_by_role("link", name="I have copied it").click()
    page.get_by_role("link", name="pipeline").wait_for()
    assert secret not in page.content()
    assert not any(secret in cookie["value"] for cookie in page.context.cookies())
    assert Identity.objects.get().name == "pipeline"


def test_a_connection_is_checked_on_its_page(world: World, admin_page: Page) -> None:
    page = admin_page
    filled(world)
    page.goto(reverse("admin:connections_appconnection_changelist"))
    page.get_by_role("link", name="humanitec-dev").click()
    page.get_by_role("link", name="shop-dev").wait_for()
    world.sandbox.token = "turned"
    page.get_by_role("button", name="Check now").click()
    page.get_by_text("Rejected").wait_for()
    axe(page)
    narrow(page)
    world.sandbox.token = "sandbox-token-for-tests"
    page.get_by_role("button", name="Check now").click()
    page.get_by_text("Accepted", exact=True).wait_for()


def test_the_audit_log_is_searched_and_checked(world: World, admin_page: Page) -> None:
    page = admin_page
    filled(world)
    create_identity(PLATFORM, "ci", role="member")
    page.goto(reverse("admin:access_auditevent_changelist"))
    page.get_by_role("button", name="Verify the log").click()
    page.get_by_text("Intact", exact=True).wait_for()
    axe(page)
    narrow(page)
    page.keyboard.press("/")
    page.keyboard.type("create-identity")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=create-identity**")
    assert page.locator("#result_list tbody").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_error_pages_are_clean(world: World, open_as: OpenAs, scheme: str) -> None:
    page = open_as(Role.VIEWER, color_scheme=scheme)
    for path, heading in (
        ("/nowhere", "Page not found"),
        (reverse("admin:syncs_secret_add"), "You do not have permission"),
    ):
        page.goto(path)
        assert page.get_by_role("heading", name=heading).is_visible()
        page.complaints.clear()  # type: ignore[attr-defined]
        axe(page, schemes=(scheme,))
        narrow(page)
    page.get_by_role("link", name="To the overview").click()
    page.wait_for_url("**/admin/")
