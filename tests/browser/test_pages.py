"""The pages for daily work in a real browser: fixing, approving, by keyboard, in dark mode, on a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from config.access.models import Role
from config.access.services import pause_everything
from syncs.models import SecretSync, SyncRun
from syncs.services import approvals
from tests.admin.test_pages import ended, failing, held
from tests.browser.conftest import OpenAs, axe, narrow
from tests.fixtures.world import APPLICATION, World

if TYPE_CHECKING:
    from playwright.sync_api import Page


def sync_url(sync: SecretSync, page: str = "change") -> str:
    return reverse(f"admin:syncs_secretsync_{page}", args=[sync.pk])


def test_the_overview_of_an_empty_installation(world: World, admin_page: Page) -> None:
    admin_page.goto("/admin/")
    assert admin_page.get_by_role("heading", name="First steps").is_visible()
    axe(admin_page)
    narrow(admin_page)


def test_every_page_of_a_sync_is_clean(world: World, admin_page: Page) -> None:
    page = admin_page
    sync = failing(world)
    run = ended(sync)
    _, hold = held_elsewhere(world)
    pages = [
        "/admin/",
        sync_url(sync),
        f"{sync_url(sync)}?settings",
        sync_url(sync, "plan"),
        f"{sync_url(sync, 'plan')}?operation=remove",
        f"{sync_url(sync, 'why')}?key=GOOD",
        reverse("admin:syncs_syncrun_change", args=[run.pk]),
        reverse("admin:syncs_syncrun_undo", args=[run.pk]),
        reverse("admin:syncs_syncrun_change", args=[hold.pk]),
        reverse("admin:syncs_secretsync_delete", args=[sync.pk]),
    ]
    for path in pages:
        answer = page.goto(path)
        assert answer
        assert answer.status == 200, path
        axe(page)
        narrow(page)


def held_elsewhere(world: World) -> tuple[SecretSync, SyncRun]:
    world.set(environment="staging", A="1", B="2", C="3")
    sync = world.sync("staging", {**APPLICATION, "app": "other"}, environment="staging")
    world.run(sync)
    from syncs.services.secrets import delete_secrets

    delete_secrets(world.actor, world.folder(environment="staging"), ["A", "B", "C"])
    return sync, world.run(sync)


def test_a_held_run_is_reviewed_and_approved(world: World, member_page: Page) -> None:
    page = member_page
    held(world)
    page.goto("/admin/")
    page.get_by_role("link", name="Review: shop-dev").click()
    page.get_by_text("it would delete 3 keys").wait_for()
    assert page.get_by_role("row").filter(has_text="delete").count() == 3
    page.get_by_role("button", name="Approve the 3 listed deletes").click()
    page.get_by_text("shop-dev: approved.").wait_for()
    world.due()
    page.get_by_text("3 of 3 keys written").wait_for()  # the page refreshes itself
    assert world.held() == {}


def test_a_held_run_is_dismissed_with_a_comment_from_the_page_of_all(world: World, member_page: Page) -> None:
    page = member_page
    held(world)
    page.goto("/admin/")
    entry = page.get_by_role("link", name="Approvals 1")
    entry.click()
    page.get_by_role("heading", name="shop-dev").wait_for()
    axe(page)
    narrow(page)
    page.get_by_text("3 deletes").click()
    page.get_by_label("Comment on shop-dev").fill("Still used by the old app")
    page.get_by_role("button", name="Dismiss and keep these keys").click()
    page.get_by_text("shop-dev: dismissed. The keys are kept.").wait_for()
    page.get_by_role("heading", name="Approvals").wait_for()
    page.get_by_text("Nothing waits for a decision").wait_for()
    assert page.get_by_role("link", name="Approvals 1").count() == 0
    run = SyncRun.objects.get(status="dismissed")
    page.goto(reverse("admin:syncs_syncrun_change", args=[run.pk]))
    page.get_by_text("Still used by the old app").wait_for()
    world.due()
    assert len(world.held()) == 3


def test_drift_is_found_and_healed(world: World, member_page: Page) -> None:
    page = member_page
    world.set(A="1", B="2")
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    world.sandbox.put(("acme", "shop", ""), "A", "theirs")
    world.sandbox.put(("acme", "shop", ""), "FOREIGN", "x")
    page.goto(sync_url(sync))
    page.get_by_text("Up to date", exact=True).wait_for()
    page.get_by_role("button", name="Check now").click()
    page.get_by_text("1 key is not as the sync left it: A changed.").wait_for()
    assert page.get_by_role("row", name="FOREIGN").get_by_text("appeared, unmanaged").is_visible()
    axe(page)
    narrow(page)
    page.goto("/admin/")
    assert page.get_by_text("1 key is not as the sync left it: A changed.").is_visible()
    page.goto(sync_url(sync))
    page.get_by_role("button", name="Heal: write the source again").click()
    page.get_by_text("Waiting", exact=True).wait_for()
    world.due()
    page.get_by_text("1 of 1 keys written").wait_for()
    assert page.get_by_text("queued").count() == 0
    assert world.held() == {"A": "1", "B": "2", "FOREIGN": "x"}
    page.get_by_role("link", name="shop-dev").click()
    page.get_by_text("Up to date", exact=True).wait_for()
    assert page.get_by_role("button", name="Heal: write the source again").count() == 0


def test_a_failed_key_is_fixed_from_the_page_of_its_run(world: World, member_page: Page) -> None:
    page = member_page
    sync = failing(world)
    page.goto(reverse("admin:syncs_syncrun_change", args=[ended(sync).pk]))
    row = page.get_by_role("row", name="PLAIN")
    assert row.get_by_text("blocked").count() == 1
    row.get_by_role("link", name="Why? PLAIN").click()
    page.get_by_text("The key of PLAIN in dev:/ is blocked: a plain (not secret) value").wait_for()
    del world.sandbox.values["acme", "shop", ""]["PLAIN"]
    page.go_back()
    page.get_by_role("button", name="Try again").click()
    page.get_by_text("Waiting", exact=True).wait_for()
    world.due()
    page.get_by_text("1 written", exact=True).wait_for()
    assert world.held() == {"GOOD": "1", "PLAIN": "2"}


def test_a_dismissed_key_is_decided_on_again(world: World, member_page: Page) -> None:
    page = member_page
    sync, run = held(world)
    approvals.dismiss(world.actor, SyncRun.objects.select_related("sync__project").get(pk=run.pk))
    world.due()
    page.goto(sync_url(sync))
    page.get_by_role("link", name="Decide again...").click()
    page.get_by_role("heading", name="Keys kept on request").wait_for()
    axe(page)
    narrow(page)
    page.get_by_role("checkbox", name="A").check()
    page.get_by_role("button", name="Delete now...").click()
    page.get_by_role("row", name="A").filter(has_text="no longer in the source").wait_for()
    axe(page)
    assert len(world.held()) == 3
    page.get_by_role("button", name="Approve and run as shown").click()
    page.wait_for_url("**/syncrun/**")
    world.due()
    page.get_by_text("Succeeded", exact=True).wait_for()
    assert set(world.held()) == {"B", "C"}
    page.goto(sync_url(sync, "kept"))
    page.get_by_role("checkbox", name="B").check()
    page.get_by_role("button", name="Forget").click()
    page.get_by_text("1 key was forgotten; it stays.").wait_for()


def test_a_failing_key_is_found_and_fixed(world: World, member_page: Page) -> None:
    page = member_page
    sync = failing(world)
    page.goto("/admin/")
    page.get_by_role("link", name="Show failures: shop-dev").click()
    page.get_by_role("link", name="blocked 1").click()
    page.get_by_role("row", name="PLAIN").get_by_text("Delete the plain value at the destination").wait_for()
    del world.sandbox.values["acme", "shop", ""]["PLAIN"]
    page.goto("/admin/")
    page.get_by_role("button", name="Try again: shop-dev").click()
    page.get_by_text("Waiting", exact=True).wait_for()
    world.due()
    page.get_by_text("Succeeded", exact=True).wait_for()
    assert world.held() == {"GOOD": "1", "PLAIN": "2"}
    page.get_by_role("link", name="shop-dev").click()
    page.get_by_text("Up to date").wait_for()
    page.goto(f"{sync_url(sync, 'why')}?key=PLAIN")
    page.get_by_text("owned by shop-dev").wait_for()


def test_a_viewer_sees_pages_without_actions(world: World, viewer_page: Page) -> None:
    page = viewer_page
    sync = failing(world)
    for path in ("/admin/", sync_url(sync), reverse("admin:syncs_syncrun_change", args=[ended(sync).pk])):
        page.goto(path)
        assert page.get_by_text("PLAIN").first.is_visible()
        for name in ("Sync now", "Try", "Plan", "Pause", "Undo", "Remove", "Check now"):
            assert page.get_by_role("button", name=name).count() == 0, (path, name)
            assert page.get_by_role("link", name=name, exact=True).count() == 0, (path, name)
        axe(page, schemes=("light",))
    page.goto(f"{sync_url(sync)}?settings")
    assert page.get_by_role("button", name="Save").count() == 0


def test_dark_mode(world: World, open_as: OpenAs) -> None:
    page = open_as(Role.MEMBER, color_scheme="dark")
    failing(world)
    page.goto("/admin/")
    page.wait_for_function("document.documentElement.classList.contains('dark')")
    ground = page.evaluate("getComputedStyle(document.querySelector('main')).backgroundColor")
    card = page.evaluate("getComputedStyle(document.querySelector('.kf-card h2')).color")
    assert ground != card
    page.get_by_role("button", name="the-member").click()
    page.get_by_role("button", name="Light").click()
    page.wait_for_function("!document.documentElement.classList.contains('dark')")


def test_by_keyboard_alone(world: World, member_page: Page) -> None:
    page = member_page
    held(world)
    page.goto("/admin/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent").strip() == "Skip to the content"
    page.keyboard.press("Enter")
    reach(page, "Review: shop-dev")
    page.keyboard.press("Enter")
    page.wait_for_url("**/syncrun/**")
    reach(page, "Approve the 3 listed deletes")
    page.keyboard.press("Enter")
    page.get_by_text("shop-dev: approved.").wait_for()


def reach(page: Page, name: str) -> None:
    """Press Tab until what has this name has the focus, and is seen to have it."""
    for _ in range(80):
        page.keyboard.press("Tab")
        here = page.evaluate(
            "(a => a.getAttribute('aria-label') || a.innerText.trim().split('\\n')[0])(document.activeElement)"
        )
        if here == name:
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", name
            return
    raise AssertionError(f"{name} cannot be reached by Tab")


def test_filters_open_by_keyboard(world: World, member_page: Page) -> None:
    page = member_page
    failing(world)
    page.goto(reverse("admin:syncs_secretsync_changelist"))
    reach(page, "Filters")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Incomplete").wait_for()
    axe(page)
    page.get_by_role("link", name="Incomplete").click()
    page.wait_for_url("**state=incomplete**")
    assert page.get_by_role("link", name="shop-dev").is_visible()


def test_several_syncs_are_selected_previewed_and_run(world: World, member_page: Page) -> None:
    page = member_page
    world.set(A="1")
    world.sync(is_auto_sync_enabled=False)
    page.goto(reverse("admin:syncs_secretsync_changelist"))
    page.get_by_role("checkbox").nth(1).check()
    page.get_by_label("Select action to run").select_option("sync_now")
    axe(page)
    page.get_by_role("button", name="Run").click()
    page.get_by_text("1 create").wait_for()
    axe(page)
    page.get_by_role("button", name="Sync 1 now").click()
    page.get_by_text("shop-dev: queued.").wait_for()
    world.due()
    assert world.held() == {"A": "1"}


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_times_are_shown_in_the_viewers_time_zone(world: World, open_as: OpenAs, zone: str) -> None:
    sync = failing(world)
    page = open_as(Role.VIEWER, timezone_id=zone)
    page.goto(sync_url(sync))
    exact = page.locator("time.kf-when").first.get_attribute("title") or ""
    expected = page.evaluate("new Intl.DateTimeFormat('en', {timeZoneName: 'short'}).format(new Date()).split(', ')[1]")
    assert exact.endswith(expected), exact


def test_every_page_says_that_all_syncs_are_paused(world: World, member_page: Page) -> None:
    page = member_page
    sync = failing(world)
    pause_everything(world.actor, paused=True, reason="the vendor moves")
    pages = (
        "/admin/",
        reverse("admin:syncs_secretsync_changelist"),
        sync_url(sync),
        sync_url(sync, "plan"),
        reverse("admin:syncs_syncrun_change", args=[ended(sync).pk]),
    )
    for path in pages:
        page.goto(path)
        note = page.get_by_role("status").filter(has_text="All syncs are paused.")
        assert "By ada" in note.inner_text(), path
        assert "the vendor moves" in note.inner_text(), path
        assert page.get_by_role("button", name="Resume all syncs").count() == 0, path
    axe(page)


def test_all_syncs_are_resumed_where_the_pause_is_seen(world: World, admin_page: Page) -> None:
    page = admin_page
    sync = failing(world)
    page.goto("/admin/")
    page.get_by_text("Pause all syncs...").click()
    page.get_by_label("Reason").fill("the vendor moves")
    page.get_by_role("button", name="Pause all syncs now").click()
    page.goto(sync_url(sync))
    page.get_by_text("the vendor moves").wait_for()
    page.get_by_role("button", name="Resume all syncs").click()
    page.get_by_text("All syncs resumed.").wait_for()
    assert page.url.endswith(sync_url(sync))
    assert page.get_by_text("All syncs are paused.").count() == 0


def test_removed_secrets_stay_removed_until_somebody_resumes(world: World, admin_page: Page) -> None:
    page = admin_page
    world.set(A="1", B="2")
    sync = world.sync()
    world.due()
    page.goto(sync_url(sync))
    page.get_by_role("link", name="Remove secrets...").click()
    page.get_by_text("The sync will be paused").wait_for()
    page.get_by_role("button", name="Remove these secrets from the destination").click()
    page.get_by_text("The sync is paused until you resume or sync it").wait_for()
    world.due()
    world.set(A="3")
    world.due()
    assert world.held() == {}
    page.goto(sync_url(sync))
    page.get_by_text("Paused, because its secrets were removed.").wait_for()
    axe(page)
    page.get_by_role("button", name="Resume", exact=True).click()
    page.get_by_text("automatic runs resumed").wait_for()
    SyncRun.objects.filter(status="pending").update(due_at=None)
    world.due()
    assert world.held() == {"A": "3", "B": "2"}


def test_a_run_is_cancelled(world: World, member_page: Page) -> None:
    page = member_page
    world.set(A="1")
    sync = world.sync()
    page.goto(reverse("admin:syncs_syncrun_change", args=[SyncRun.objects.get(sync=sync).pk]))
    page.get_by_role("button", name="Cancel the run").click()
    page.get_by_text("before it wrote anything.").first.wait_for()
    assert page.get_by_role("button", name="Cancel the run").count() == 0
    world.due()
    assert world.held() == {}
