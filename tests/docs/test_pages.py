"""The documentation as served: public, in order, searchable, without anything of the installation."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from config.access.models import User
from config.environment import DECLARED
from config.ui import docs
from config.ui.docs_search import search
from config.ui.markdown import code, escaped, render, table
from syncs.destination.base import destinations

CANARY = "cAnArY-4711"

# -- Markdown ------------------------------------------------------------------------------------------------------


def html(text: str) -> str:
    return str(render(f"# Title\n\n{text}").html)


def test_raw_html_and_script_addresses_are_shown_as_text() -> None:
    shown = html('<script>alert(1)</script> <b onclick="x">b</b> [x](javascript:alert(1)) [y](data:text/html,x)')
    assert "<script" not in shown
    assert "<b " not in shown
    assert "href" not in shown


def test_code_is_kept_as_it_is_typed() -> None:
    shown = html("`{{secretKey}}` and\n\n```sh\necho '<&>' {% now %}\n```")
    assert "<code>{{secretKey}}</code>" in shown
    assert "echo &#x27;&lt;&amp;&gt;&#x27; {% now %}" in shown


def test_headings_have_the_ids_of_code_hosts() -> None:
    made = render("# Title\n\n## Scale to many machines\n\n### `a_b`: what?\n\n## Same\n\n## Same")
    assert made.title == "Title"
    assert [heading.anchor for heading in made.headings] == ["scale-to-many-machines", "a_b-what", "same", "same-1"]
    assert '<h2 id="same-1"><a href="#same-1" class="kd-anchor">Same</a></h2>' in made.html


@pytest.mark.parametrize("text", ["", "text", "## Second\n", "# One\n\n# Two", "text\n\n# Late"])
def test_a_page_has_one_title_and_begins_with_it(text: str) -> None:
    with pytest.raises(ValueError, match="title"):
        render(text)


@pytest.mark.parametrize("text", ["a|b", "*x* _y_ [z](w) <b> ~~s~~ # c", "back\\slash", "two\nlines", "`c|d` and e|f"])
def test_escaped_text_is_shown_as_it_is(text: str) -> None:
    made = render(f"# T\n\n{table(('Head',), [(escaped(text),)])}")
    assert [section.text.partition(" ")[2] for section in made.sections] == [" ".join(text.replace("`", "").split())]
    assert render(f"# T\n\n{code('a|b')}").sections[0].text


# -- pages ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def anonymous(client: Client, db: None) -> Client:
    return client


def test_every_page_is_public(anonymous: Client) -> None:
    pages = docs.library().pages.values()
    for page in pages:
        answer = anonymous.get(page.url)
        assert answer.status_code == 200, page.slug
        shown = answer.content.decode()
        assert f"<h1>{page.title}</h1>" in shown
        assert len(re.findall(r'aria-current="page"', shown)) == (page.slug != docs.INDEX)
        assert "script-src 'self'" in answer["Content-Security-Policy"]
        assert "generated:" not in shown
    assert {page.slug for page in pages} > {f"destinations/{found.slug}" for found in destinations}


def test_every_file_is_listed_by_the_index() -> None:
    files = {file.relative_to(docs.DIRECTORY).with_suffix("").as_posix() for file in docs.DIRECTORY.rglob("*.md")}
    assert files == {page.slug for page in docs.library().pages.values() if not page.parent}


def test_pages_link_to_the_previous_and_next_page(anonymous: Client) -> None:
    pages = list(docs.library().pages.values())
    for before, page, after in zip(pages, pages[1:], pages[2:], strict=False):
        shown = anonymous.get(page.url).content.decode()
        assert f'<a rel="prev" href="{before.url}">' in shown
        assert f'<a rel="next" href="{after.url}">' in shown
    assert docs.library().neighbours(pages[0])[0] is None
    assert docs.library().neighbours(pages[-1])[1] is None


def test_every_link_of_every_page_has_a_target(anonymous: Client) -> None:
    ids: dict[str, set[str]] = {}
    links: set[tuple[str, str]] = set()
    for page in docs.library().pages.values():
        shown = anonymous.get(page.url).content.decode()
        ids[page.url] = set(re.findall(r'\bid="([^"]+)"', shown))
        links |= {(page.url, target) for target in re.findall(r'href="([^"]+)"', shown)}
    for here, target in links:
        path, _, anchor = target.partition("#")
        if path.startswith(("https://", "/static/", "/admin/")):
            continue
        assert (path or here) in ids, (here, target)
        assert not anchor or anchor in ids[path or here], (here, target)


@pytest.mark.parametrize(
    "path", ["/docs/nothing", "/docs/../manage", "/docs/destinations/nothing", "/docs/operating.md"]
)
def test_a_page_that_does_not_exist(anonymous: Client, path: str) -> None:
    assert anonymous.get(path).status_code == 404


def test_addresses_with_and_without_a_slash(anonymous: Client) -> None:
    assert anonymous.get("/docs").headers["Location"] == "/docs/"
    assert anonymous.get("/docs/operating/").headers["Location"] == "/docs/operating"
    assert anonymous.post("/docs/").status_code == 405


def test_signed_in_people_get_a_link_back_to_the_admin(anonymous: Client) -> None:
    assert b"Sign in" in anonymous.get("/docs/").content
    anonymous.force_login(User.objects.create_user("ada", is_staff=True))
    assert b"Back to Keyferry" in anonymous.get("/docs/").content


def test_nothing_of_the_installation_is_shown(
    anonymous: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in DECLARED:
        monkeypatch.setenv(name, CANARY)
    for name in ("EMAIL_HOST_PASSWORD", "PUBLIC_URL", "KEYSET_FILE", "BROKER_URL", "AWS_ROLES", "FIRST_ADMIN_PASSWORD"):
        setattr(settings, name, CANARY)
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "workers": 4711}
    for page in docs.library().pages.values():
        shown = anonymous.get(page.url).content.decode()
        assert CANARY not in shown
        assert "4711" not in shown
        assert str(settings.DATA_DIR) not in shown


def test_blocks_are_generated_when_served() -> None:
    docs.library()
    old = "# Title\n\n<!-- generated: error-codes -->\nOUTDATED\n<!-- /generated -->\n"
    assert "OUTDATED" not in docs.with_blocks(old)
    assert "rate-limited" in docs.with_blocks(old)
    empty = "<!-- generated: error-codes -->\n<!-- /generated -->"
    assert docs.with_blocks(empty, empty=False) == empty
    with pytest.raises(KeyError):
        docs.with_blocks("<!-- generated: nothing -->\n<!-- /generated -->")


# -- searching -----------------------------------------------------------------------------------------------------


def urls(query: str) -> list[str]:
    return [result.url for result in search(docs.library(), query)]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("held run", "/docs/concepts#held-runs"),
        ("KEYFERRY_TRUSTED_PROXIES", "/docs/operating#tls-and-proxy"),
        ("github", "/docs/destinations/github"),
        ("rate-limited", "/docs/error-codes"),
        ("Decision TABLE", "/docs/architecture#decision-table"),
    ],
)
def test_search_finds_sections(query: str, first: str) -> None:
    assert first in urls(query)[:3]


def test_search_needs_every_word() -> None:
    assert urls("held zzzz") == []
    assert urls("") == urls("   ") == []
    assert set(urls("drift check")) <= set(urls("drift"))


def marked(parts: tuple[tuple[str, bool], ...]) -> Iterator[str]:
    return (text for text, hit in parts if hit)


def test_hits_are_marked_in_titles_and_texts() -> None:
    for result in search(docs.library(), "drift"):
        hits = [*marked(result.title), *marked(result.heading), *marked(result.excerpt)]
        assert hits
        assert {hit.lower() for hit in hits} == {"drift"}


def test_the_page_of_results(anonymous: Client) -> None:
    url = reverse("documentation_search")
    shown = anonymous.get(url, {"q": "keyset"}).content.decode()
    assert "<mark>keyset</mark>" in shown
    assert 'value="keyset"' in shown
    odd = anonymous.get(url, {"q": "<script>alert(1)</script>(["}).content.decode()
    assert "<script>alert" not in odd
    assert "No section" in odd
    assert anonymous.get(url).status_code == 200
    assert anonymous.get(url, {"q": "a" * 10_000}).status_code == 200
