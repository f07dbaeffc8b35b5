"""The secrets editor in a real browser: by mouse and keyboard, on a phone and in dark mode."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from config.access.models import AuditEvent, Role, User
from syncs.models import Secret
from syncs.services import folders, imports, secrets
from syncs.source.selectors import value_of
from syncs.source.validation import SecretInput
from tests.browser.conftest import OpenAs, axe, narrow
from tests.fixtures.world import World

if TYPE_CHECKING:
    from playwright.sync_api import Dialog, Locator, Page

PAGE = "/admin/secrets/shop-project/dev/"


@pytest.fixture
def filled(world: World) -> World:
    """Two environments that differ, a folder that is imported, a reference, a comment, a tag."""
    folders.ensure_folder(world.actor, world.environment(), "/shared")
    world.set("/shared", SENTRY="https://sentry.example.com")
    world.set(DB_USER="shop", DB_PASSWORD="correct horse", PEM="one\ntwo\nthree")
    secrets.set_secrets(world.actor, world.folder(), [SecretInput("DB_USER", comment="Who the shop is", tags=["db"])])
    world.set(URL="db://${DB_USER}@db")
    world.set(environment="staging", DB_USER="staging-shop", SENTRY="own")
    imports.add_import(world.actor, world.folder(), world.environment(), "/shared")
    return world


def cell(page: Page, key: str, column: int = 0) -> Locator:
    return page.locator(f'tr[data-key="{key}"] td.ed-cell').nth(column)


def stored(world: World, key: str, environment: str = "dev") -> str:
    found = Secret.objects.select_related("folder__environment").get(folder=world.folder("/", environment), key=key)
    return value_of(found)


def test_a_value_is_edited_in_place_and_synced(filled: World, member_page: Page) -> None:
    sync = filled.sync()
    filled.run(sync)
    page = member_page
    page.goto(PAGE)
    page.locator("#ed-feeds").get_by_text("Up to date").wait_for()
    cell(page, "DB_PASSWORD").get_by_role("button", name="Edit DB_PASSWORD").click()
    field = page.get_by_label("Value of DB_PASSWORD in Development")
    assert field.input_value() == ""
    field.fill("battery staple")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("DB_PASSWORD saved in Development").wait_for()
    page.locator("#ed-feeds").get_by_text("Changes waiting").wait_for()
    assert stored(filled, "DB_PASSWORD") == "battery staple"
    assert "battery staple" not in page.content()
    filled.due()
    page.locator("#ed-feeds").get_by_text("Up to date").wait_for()  # without a reload
    assert filled.held()["DB_PASSWORD"] == "battery staple"


def test_a_value_is_hidden_until_it_is_revealed_and_recorded(filled: World, member_page: Page) -> None:
    page = member_page
    page.goto(PAGE)
    assert "correct horse" not in page.content()
    cell(page, "DB_PASSWORD").hover()
    page.get_by_role("button", name="Reveal DB_PASSWORD in Development").click()
    page.get_by_text("correct horse").wait_for()
    event = AuditEvent.objects.get(event="get-secret")
    assert (event.actor_name, event.metadata["secretKey"]) == ("the-member", "DB_PASSWORD")
    axe(page)
    page.get_by_role("button", name="Hide DB_PASSWORD in Development").click()
    page.get_by_text("correct horse").wait_for(state="detached")
    assert "correct horse" not in page.content()
    assert "correct horse" not in page.evaluate("JSON.stringify([localStorage, sessionStorage, history.state])")


def test_a_revealed_value_hides_itself_after_a_minute(filled: World, member_page: Page) -> None:
    page = member_page
    page.clock.install()
    page.goto(PAGE)
    cell(page, "DB_PASSWORD").hover()
    page.get_by_role("button", name="Reveal DB_PASSWORD in Development").click()
    page.get_by_text("correct horse").wait_for()
    page.clock.fast_forward(61_000)
    page.get_by_text("correct horse").wait_for(state="detached")
    assert "correct horse" not in page.content()


def test_input_survives_a_refresh_of_the_grid(filled: World, member_page: Page) -> None:
    page = member_page
    page.goto(PAGE)
    cell(page, "PEM").get_by_role("button", name="Edit PEM").click()
    field = page.get_by_label("Value of PEM in Development")
    field.fill("half a tho")
    page.keyboard.press("Control+a")
    page.get_by_role("button", name="Add secret").click()
    page.get_by_label("Key", exact=True).fill("MEANWHILE")
    page.locator("dialog").get_by_role("button", name="Add secret").click()
    page.get_by_text("MEANWHILE added").wait_for()
    assert field.input_value() == "half a tho"
    page.get_by_role("button", name="Cancel").click()
    page.locator('tr[data-key="MEANWHILE"]').wait_for()


def test_it_asks_before_input_is_lost(filled: World, member_page: Page) -> None:
    page = member_page
    asked: list[str] = []
    stay = True

    def answer(question: Dialog) -> None:
        asked.append(question.type)
        question.dismiss() if stay else question.accept()

    page.on("dialog", answer)
    page.goto(PAGE)
    cell(page, "PEM").get_by_role("button", name="Edit PEM").click()
    field = page.get_by_label("Value of PEM in Development")
    field.fill("half a thought")
    page.evaluate("location.reload()")
    page.get_by_role("link", name="Staging").click()
    with page.expect_event("dialog"):
        page.get_by_role("searchbox", name="Find keys").fill("DB")
    page.get_by_role("button", name="Show the stored value").click()
    assert asked == ["beforeunload", "beforeunload", "confirm", "confirm"]
    assert field.input_value() == "half a thought"

    page.get_by_role("button", name="Add secret").click()
    page.get_by_label("Key", exact=True).fill("HALF")
    page.keyboard.press("Escape")
    page.mouse.click(5, 5)
    assert asked[4:] == ["confirm", "confirm"]
    assert page.get_by_label("Key", exact=True).input_value() == "HALF"
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    field.wait_for()

    stay = False
    page.get_by_role("link", name="Staging").click()
    page.wait_for_url("**/staging/")
    assert len(asked) == 7


def test_it_does_not_ask_without_unsaved_input(filled: World, member_page: Page) -> None:
    page = member_page
    asked: list[str] = []
    page.on("dialog", lambda question: (asked.append(question.type), question.accept()))
    page.goto(PAGE)
    cell(page, "PEM").get_by_role("button", name="Edit PEM").click()
    page.get_by_label("Value of PEM in Development").fill("whole")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("PEM saved in Development").wait_for()
    cell(page, "DB_USER").get_by_role("button", name="Edit DB_USER").click()
    page.get_by_role("button", name="Show the stored value").click()
    page.locator("[name=loaded]").wait_for(state="attached")
    page.get_by_role("button", name="Add secret").click()
    page.get_by_label("Key", exact=True).wait_for()
    page.keyboard.press("Escape")
    page.get_by_label("Key", exact=True).wait_for(state="hidden")
    page.get_by_role("searchbox", name="Find keys").fill("DB")
    page.get_by_text("2 of 5 keys").wait_for()
    page.goto("/admin/")
    assert asked == []


@pytest.mark.parametrize("gone", [{"name": "sessionid"}, {}])
def test_input_survives_the_end_of_the_session(filled: World, member_page: Page, gone: dict[str, str]) -> None:
    page = member_page
    page.goto(PAGE)
    cell(page, "PEM").get_by_role("button", name="Edit PEM").click()
    page.get_by_label("Value of PEM in Development").fill("a long thought")
    page.context.clear_cookies(**gone)
    page.get_by_role("button", name="Save").click()
    page.get_by_text("You are signed out. Sign in in another tab").wait_for()
    page.complaints.clear()  # type: ignore[attr-defined] - without any cookie the response is 403
    person = User.objects.get(username="the-member")
    person.set_password("a long password")
    person.save()
    tab = page.context.new_page()
    tab.goto("/admin/login/")
    tab.get_by_label("Username").fill("the-member")
    tab.get_by_label("Password").fill("a long password")
    tab.get_by_role("button", name="Log in").click()
    tab.wait_for_url("**/admin/")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("PEM saved in Development").wait_for()
    assert stored(filled, "PEM") == "a long thought"


def test_a_page_asks_to_sign_in_after_the_session_ended(filled: World, member_page: Page) -> None:
    page = member_page
    page.goto(PAGE)
    page.context.clear_cookies(name="sessionid")
    cell(page, "PEM").get_by_role("button", name="Edit PEM").click()
    page.wait_for_url(f"**/admin/login/?next={PAGE}")


@pytest.mark.parametrize("width", [1100, 390])
def test_the_edited_cell_stays_visible(filled: World, member_page: Page, width: int) -> None:
    folders.ensure_folder(filled.actor, filled.environment("prod"), "/")
    page = member_page
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(PAGE)
    for at in range(cell(page, "PEM", 0).locator("xpath=..").locator("td.ed-cell:visible").count()):
        cell(page, "PEM", at).locator("button.ed-mask").click()
        form = cell(page, "PEM", at).locator("form")
        form.wait_for()
        box, around, name = (
            one.evaluate("one => one.getBoundingClientRect().toJSON()")
            for one in (form, page.locator(".ed-scroll"), page.locator('tr[data-key="PEM"] .ed-keyname'))
        )
        assert around["left"] <= box["left"]
        assert box["right"] <= around["right"]
        assert box["right"] - box["left"] > 300
        assert name["right"] <= box["left"] or name["bottom"] <= box["top"], "the key is covered"
        page.keyboard.press("Escape")
        form.wait_for(state="detached")


def test_the_editor_works_by_keyboard_alone(filled: World, member_page: Page) -> None:
    page = member_page
    page.goto(PAGE)
    page.locator(".ed-scroll").first.focus()
    page.keyboard.press("Tab")  # the box that chooses all
    page.keyboard.press("Tab")  # all the rest is one stop
    focused = "document.activeElement.getAttribute('aria-label')"
    assert page.evaluate(focused) == "Edit DB_PASSWORD in Development"
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused) == "Edit DB_USER in Development"
    page.keyboard.press("v")
    page.locator(".ed-value").get_by_text("shop", exact=True).wait_for()
    assert page.evaluate(focused) == "Hide DB_USER in Development"
    page.keyboard.press("v")
    page.locator(".ed-value").wait_for(state="detached")
    assert page.evaluate(focused) == "Edit DB_USER in Development"
    page.keyboard.press("Enter")
    page.get_by_label("Value of DB_USER in Development").wait_for()
    page.keyboard.type("another")
    page.keyboard.press("Escape")
    page.get_by_label("Value of DB_USER in Development").wait_for(state="detached")
    assert stored(filled, "DB_USER") == "shop"
    assert page.evaluate(focused) == "Edit DB_USER in Development"
    page.keyboard.press("Enter")
    page.get_by_label("Value of DB_USER in Development").wait_for()
    page.keyboard.type("two")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("lines")
    page.keyboard.press("Control+Enter")
    page.get_by_text("DB_USER saved").wait_for()
    assert stored(filled, "DB_USER") == "two\nlines"
    assert page.evaluate(focused) == "Edit DB_USER in Development"
    page.keyboard.press("d")
    page.get_by_role("heading", name="DB_USER").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("heading", name="DB_USER").wait_for(state="hidden")
    assert page.evaluate(focused) == "Edit DB_USER in Development"
    page.keyboard.press("/")
    page.keyboard.type("sent")
    page.get_by_text("No matching keys").or_(page.get_by_text("1 of 5 keys")).wait_for()
    assert page.locator("tr[data-key]").count() == 1


def test_a_reference_is_completed_while_it_is_typed(filled: World, member_page: Page) -> None:
    page = member_page
    page.goto(PAGE)
    cell(page, "PEM").get_by_role("button", name="Edit PEM").click()
    field = page.get_by_label("Value of PEM in Development")
    field.wait_for()
    page.keyboard.type("as ${db_u")
    page.wait_for_function("document.querySelectorAll('#ed-names li').length === 2")
    assert page.locator("#ed-names li").all_inner_texts() == ["DB_USER", "staging.DB_USER"]
    axe(page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert field.input_value() == "as ${staging.DB_USER}"
    page.keyboard.press("Enter")
    page.get_by_text("PEM saved").wait_for()
    assert stored(filled, "PEM") == "as ${staging.DB_USER}"


def test_a_dotenv_file_is_pasted_previewed_and_stored(filled: World, member_page: Page) -> None:
    page = member_page
    page.goto(PAGE)
    page.get_by_role("button", name="Import file").click()
    text = page.get_by_label("dotenv, JSON or YAML")
    text.fill("DB_USER=shopper\nA:B=1\nURL=${NOPE}\n")
    page.get_by_role("button", name="Preview changes").click()
    page.get_by_text("2 problems: nothing can be stored").wait_for()
    axe(page)
    page.get_by_role("button", name="line 3").click()
    assert text.evaluate("area => area.value.slice(area.selectionStart, area.selectionEnd)") == "URL=${NOPE}"
    text.fill("DB_USER=shopper\nNEW='two\nlines'\n")
    page.get_by_text("2 problems").wait_for(state="detached")
    page.get_by_role("button", name="Preview changes").click()
    page.get_by_text("1 changed").wait_for()
    page.get_by_text("1 new").wait_for()
    axe(page)
    assert stored(filled, "DB_USER") == "shop"
    page.get_by_role("button", name="Store these changes").click()
    page.get_by_text("2 keys changed").wait_for()
    page.locator('tr[data-key="NEW"]').wait_for()
    assert (stored(filled, "DB_USER"), stored(filled, "NEW")) == ("shopper", "two\nlines")
    assert page.locator("dialog[open]").count() == 0
    assert "shopper" not in page.content()


def test_a_file_is_dropped_anywhere(filled: World, member_page: Page) -> None:
    page = member_page
    page.goto(PAGE)
    page.evaluate(
        """() => {
            const carried = new DataTransfer();
            carried.items.add(new File(['{"DROPPED": "1"}'], "x.json"));
            for (const kind of ["dragover", "drop"])
                document.querySelector("#ed-grid").dispatchEvent(
                    new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: carried }));
        }"""
    )
    page.get_by_text("+ new").wait_for()
    page.get_by_role("button", name="Store these changes").click()
    page.locator('tr[data-key="DROPPED"]').wait_for()
    assert stored(filled, "DROPPED") == "1"


def test_an_export_is_downloaded(filled: World, member_page: Page) -> None:
    page = member_page
    page.goto(PAGE)
    page.get_by_role("button", name="Export").click()
    page.get_by_text("recorded in the audit log").wait_for()
    axe(page)
    with page.expect_download() as coming:
        page.get_by_role("button", name="Download").click()
    assert coming.value.suggested_filename == "shop-project-dev.env"
    assert "DB_PASSWORD='correct horse'" in Path(coming.value.path()).read_text()
    assert AuditEvent.objects.filter(event="get-secrets", actor_name="the-member").count() == 1


def test_missing_keys_are_shown_added_and_filtered(filled: World, member_page: Page) -> None:
    page = member_page
    page.goto(PAGE)
    assert cell(page, "SENTRY").inner_text().strip().endswith("from dev:/shared")
    assert "missing" in cell(page, "DB_USER", 2).inner_text()
    cell(page, "DB_USER", 2).get_by_role("button").click()
    page.get_by_label("Value of DB_USER in Production").fill("prod-shop")
    page.keyboard.press("Enter")
    page.get_by_text("DB_USER saved in Production").wait_for()
    assert stored(filled, "DB_USER", "prod") == "prod-shop"
    page.get_by_text("Missing somewhere").click()
    page.get_by_text("4 of 5 keys").wait_for()
    assert page.locator('tr[data-key="DB_USER"]').count() == 0
    assert page.url.endswith("gaps=1")


def test_a_secret_is_added_described_renamed_and_restored(filled: World, member_page: Page) -> None:
    page = member_page
    page.goto(PAGE)
    page.get_by_role("button", name="Add secret").click()
    page.get_by_label("Key", exact=True).fill("FRESH")
    axe(page)
    page.locator("dialog textarea[name=value]").fill("1")
    page.locator("dialog").get_by_text("Production").click()
    page.locator("dialog").get_by_role("button", name="Add secret").click()
    page.locator('tr[data-key="FRESH"]').wait_for()
    assert (stored(filled, "FRESH"), stored(filled, "FRESH", "prod")) == ("1", "1")
    filled.set(DB_USER="2")
    page.locator('tr[data-key="DB_USER"]').get_by_role("button", name="DB_USER", exact=True).click()
    page.get_by_text("1 secret refers to this name").wait_for()
    axe(page)
    page.get_by_label("Name", exact=True).fill("LOGIN")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("DB_USER is referenced by dev:/ URL").wait_for()
    page.get_by_label("Update these references to the new name").check()
    page.get_by_role("button", name="Save").click()
    page.get_by_text("LOGIN saved").wait_for()
    assert stored(filled, "URL") == "db://${LOGIN}@db"
    page.get_by_role("button", name="Reveal version 1").click()
    page.locator(".ed-boxed").get_by_text("shop", exact=True).wait_for()
    page.get_by_role("button", name="Restore version 1").click()
    page.get_by_text("Version 1 of LOGIN restored").wait_for()
    assert stored(filled, "LOGIN") == "shop"


def test_several_keys_are_selected_and_deleted(filled: World, member_page: Page) -> None:
    page = member_page
    page.goto(PAGE)
    for key in ("DB_USER", "DB_PASSWORD"):
        page.get_by_label(f"Select {key}").check()
    bar = page.get_by_role("region", name="Selected keys")
    axe(page)
    bar.get_by_role("button", name="Delete").click()
    page.get_by_text("These would no longer resolve").wait_for()
    axe(page)
    page.locator("dialog").get_by_role("button", name="Delete").click()
    page.get_by_text("2 keys deleted").wait_for()
    page.wait_for_function("document.querySelectorAll('td.ed-check input:checked').length === 0")
    assert not filled.folder().secrets.filter(key="DB_PASSWORD").exists()


def test_folders_and_imports_by_keyboard(filled: World, member_page: Page) -> None:
    page = member_page
    page.goto(PAGE)
    page.get_by_role("button", name="New folder").click()
    page.get_by_label("Name").fill("api")
    axe(page)
    page.keyboard.press("Enter")
    page.wait_for_url("**/dev/api/")
    page.get_by_text("No secrets here yet").wait_for()
    axe(page)
    for location in ("Development /shared", "Development /"):
        page.get_by_role("button", name="Import a folder").click()
        page.locator("dialog select[name=source]").select_option(label=location)
        page.get_by_role("button", name="Import folder").click()
        page.locator("#ed-imports li").get_by_text(f"dev:{location.split()[1]}", exact=True).wait_for()
    page.get_by_role("button", name="Move / up").press("Enter")
    page.get_by_text("/ moved to position 1").wait_for()
    rows = filled.folder("/api").imports.order_by("position").values_list("import_path", flat=True)
    assert list(rows) == ["/", "/shared"]
    page.locator("[data-import]").nth(1).drag_to(page.locator("[data-import]").nth(0))
    page.get_by_text("/shared moved to position 1").wait_for()
    axe(page)
    page.get_by_role("button", name="Folder", exact=True).click()
    page.get_by_label("Type api to delete it").fill("api")
    axe(page)
    page.get_by_role("button", name="Delete folder").click()
    page.wait_for_url(f"**{PAGE}")
    assert page.get_by_role("link", name="api", exact=True).count() == 0


def test_a_viewer_sees_names_and_no_button_that_is_not_permitted(filled: World, viewer_page: Page) -> None:
    page = viewer_page
    page.goto(PAGE)
    page.get_by_text("Who the shop is").wait_for()
    buttons = page.locator("#ed").get_by_role("button").all_inner_texts()
    assert not [text for text in buttons if re.search("Add|Import|Export|Folder|Save|New", text)]
    assert page.get_by_role("button", name=re.compile("Reveal|Edit")).count() == 0
    page.locator('tr[data-key="DB_USER"]').get_by_role("button", name="DB_USER", exact=True).click()
    page.get_by_text("Referenced by").wait_for()
    axe(page)
    assert page.locator("dialog").get_by_role("button", name=re.compile("Reveal|Restore|Save|Delete")).count() == 0
    assert not AuditEvent.objects.filter(event="get-secret").exists()


@pytest.mark.parametrize("role", [Role.MEMBER, Role.VIEWER])
def test_it_is_accessible_light_dark_and_narrow(filled: World, open_as: OpenAs, role: Role) -> None:
    filled.sync()
    page = open_as(role)
    page.goto(PAGE)
    page.locator("tr[data-key]").first.wait_for()
    assert page.get_by_role("heading", level=1).count() == 1
    axe(page)
    narrow(page)
    page.set_viewport_size({"width": 390, "height": 844})
    axe(page)
    page.goto(PAGE + "?q=nothing-fits")
    page.get_by_text("No matching keys").wait_for()
    axe(page)


def test_two_thousand_keys_are_paged_and_found(filled: World, member_page: Page) -> None:
    for environment in ("dev", "staging", "prod"):
        many = [SecretInput(f"KEY_{number:04}", "x") for number in range(2000)]
        secrets.set_secrets(filled.actor, filled.folder("/", environment), many)
    page = member_page
    page.goto(PAGE)
    page.get_by_text("2005 keys").wait_for()
    assert page.locator("tr[data-key]").count() == 100
    page.get_by_label("Find keys").fill("key 19")
    page.get_by_text("of 2005 keys").wait_for()
    page.get_by_role("link", name="Next").click()
    page.get_by_text("Page 2 of 2").wait_for()
    assert "page=2" in page.url
