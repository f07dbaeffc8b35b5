"""Chromium, driven as a person drives it, over the product served on loopback with a Humanitec stand-in beside it.

A page of a fixture checks itself: an error on the console, an exception of a script, a response of 500 and
above and a request to any other host fail the test that the page was given to.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from config.access.models import Membership, Role, User
from tests.fixtures.world import World

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HERE = Path(__file__).parent
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
STANDARD = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def missing() -> str:
    """Why there is no browser here; "" where there is one."""
    if not importlib.util.find_spec("playwright"):
        return "playwright is not installed (extra `browser`)"
    if not CHROMIUM:
        return "chromium is not installed"
    return "" if AXE.exists() else "axe-core is not installed (npm ci in tests/browser)"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = missing()
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    # Playwright's loop runs in this thread, so Django would refuse its ORM to the tests; nothing here is async.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@contextmanager
def watched(browser: Browser, base: str, session: str = "", **given: Any) -> Iterator[Page]:
    """A page of a new, empty browser profile, signed in by the cookie `session`. `page.complaints` is what it found
    wrong so far; a test that provokes one takes it out."""
    context = browser.new_context(base_url=base, reduced_motion="reduce", **given)
    context.set_default_timeout(60_000)
    if session:
        context.add_cookies([{"name": "sessionid", "value": session, "url": base}])
    page = context.new_page()
    complaints: list[str] = []
    page.complaints = complaints  # type: ignore[attr-defined]

    def asked(url: str) -> None:
        if urlsplit(url).scheme in ("http", "https") and urlsplit(url).netloc != urlsplit(base).netloc:
            complaints.append(f"asked another host: {url}")

    page.on(
        "console", lambda message: complaints.append(f"console: {message.text}") if message.type == "error" else None
    )
    page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
    page.on("request", lambda request: asked(request.url))
    page.on("response", lambda got: complaints.append(f"{got.status}: {got.url}") if got.status >= 500 else None)
    try:
        yield page
        assert not complaints, "\n".join([page.url, *complaints])
    finally:
        context.close()


OpenAs = Callable[..., "Page"]


@pytest.fixture
def open_as(chromium: Browser, live_server: Any, world: World) -> Iterator[OpenAs]:
    """`open_as(user)` or `open_as("viewer")`: a page signed in as that person, or as one with that role in the
    project (made when missing); `open_as(None)`: as nobody. What else is given goes to the browser's new context."""
    with ExitStack() as stack:

        def opened(who: User | Role | str | None, **given: Any) -> Page:
            session = ""
            if who is not None:
                client = Client()
                client.force_login(who if isinstance(who, User) else person(world, who))
                session = client.cookies["sessionid"].value
            page = stack.enter_context(watched(chromium, live_server.url, session, **given))
            page.set_viewport_size(given.get("viewport", {"width": 1440, "height": 900}))
            return page

        yield opened


def person(world: World, role: Role | str) -> User:
    """Somebody who has this role in the project and none elsewhere."""
    user, made = User.objects.get_or_create(username=f"the-{role}", defaults={"is_staff": True})
    if made:
        Membership.objects.create(project=world.project, user=user, role=role)
    return user


@pytest.fixture
def admin_page(open_as: OpenAs) -> Page:
    """Signed in as ada: instance admin, and admin of the project that she made."""
    return open_as(User.objects.get(username="ada"))


@pytest.fixture
def member_page(open_as: OpenAs) -> Page:
    return open_as(Role.MEMBER)


@pytest.fixture
def viewer_page(open_as: OpenAs) -> Page:
    return open_as(Role.VIEWER)


def at_rest(page: Page) -> None:
    """Waits until the document that the page navigates to is there and loaded."""
    page.wait_for_function("document.documentElement && document.readyState === 'complete'")


def axe(page: Page, *, schemes: tuple[str, ...] = ("light", "dark"), within: str = "") -> None:
    """Asserts that axe finds nothing against WCAG 2.2 AA in what the page shows now, in each colour scheme."""
    context = f"{{include: [[{within!r}]]}}" if within else "document"
    found = []
    at_rest(page)
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        page.evaluate("dark => document.documentElement.classList.toggle('dark', dark)", scheme == "dark")
        if not page.evaluate("() => 'axe' in window"):
            page.evaluate(AXE.read_text())  # not a script tag: a content security policy may forbid those
        violations = page.evaluate(
            f"async () => (await axe.run({context}, {{runOnly: {STANDARD}, resultTypes: ['violations']}})).violations"
        )
        for rule in violations:
            for node in rule["nodes"]:
                why = re.sub(r"\s+", " ", node["failureSummary"])
                found.append(f"{scheme} {rule['id']}: {' '.join(map(str, node['target']))}\n    {why}")
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.evaluate("document.documentElement.classList.remove('dark')")
    assert not found, "\n".join([page.url, *found])


def narrow(page: Page, width: int = 360) -> None:
    """Asserts that the page fits a phone: nothing but what scrolls by itself is wider than the screen."""
    at_rest(page)
    page.set_viewport_size({"width": width, "height": 740})
    wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wider <= 0, f"{page.url}: {wider} px wider than a screen of {width} px"
    page.set_viewport_size({"width": 1440, "height": 900})
