"""The documentation pages: Markdown files under `templates/docs`, and parts that apps generate from declarations.

The files are read directly, never through the template engine. `index.md` lists all of them and defines their order.
Each app has a module `documentation` that registers what it generates:

- a block: text in a file between `<!-- generated: name -->` and `<!-- /generated -->`. It is generated whenever a page
  is served. So that code hosts show it too, `python -m tests.docs` writes it into the file, and a test compares both. A
  block that is empty in the file is generated only here;
- pages below another page, generated in full.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from django.conf import settings
from django.urls import reverse
from django.utils.module_loading import autodiscover_modules

from .markdown import Document, render

DIRECTORY = Path(settings.BASE_DIR, "templates", "docs")
INDEX = "index"
BLOCK = re.compile(r"(<!-- generated: ([\w-]+) -->\n)(.*?)(<!-- /generated -->)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Page:
    """`slug` is the path below /docs/; `parent` the slug of the page that a generated one belongs to."""

    slug: str
    document: Document
    parent: str = ""

    @property
    def title(self) -> str:
        return self.document.title

    @property
    def url(self) -> str:
        return address(self.slug)


@dataclass(frozen=True, slots=True)
class Group:
    """Pages under one heading of the index."""

    title: str
    pages: tuple[Page, ...]


@dataclass(frozen=True, slots=True)
class Library:
    """All pages, by slug, in their order; the index is not in a group."""

    pages: Mapping[str, Page]
    groups: tuple[Group, ...]

    def neighbours(self, page: Page) -> tuple[Page | None, Page | None]:
        """The page before and the page after."""
        order = list(self.pages.values())
        index = list(self.pages).index(page.slug)
        before = order[index - 1] if index else None
        return before, order[index + 1] if index + 1 < len(order) else None

    def heading(self, target: str) -> str:
        """The heading at `target`, such as `operating#upgrade`. Raises KeyError for an unknown target."""
        slug, _, anchor = target.partition("#")
        page = self.pages[slug]
        if not anchor:
            return page.title
        return {heading.anchor: heading.text for heading in page.document.headings}[anchor]


_blocks: dict[str, Callable[[], str]] = {}
_below: dict[str, Callable[[], Iterable[tuple[str, str]]]] = {}


def block(name: str, make: Callable[[], str]) -> None:
    """Register a block: `make` returns its Markdown."""
    _blocks[name] = make


def pages_below(parent: str, make: Callable[[], Iterable[tuple[str, str]]]) -> None:
    """Register pages below the page `parent`: `make` returns the last part of each slug with the Markdown."""
    _below[parent] = make


def address(target: str) -> str:
    """The path of a page, such as `operating` or `operating#upgrade`."""
    slug, hash_, anchor = target.partition("#")
    path = reverse("documentation") if slug == INDEX else reverse("documentation_page", args=[slug])
    return f"{path}{hash_}{anchor}"


def library() -> Library:
    """The pages from the current files."""
    _discover()
    files = sorted(DIRECTORY.rglob("*.md"))
    return _library(tuple((file, file.stat().st_mtime_ns) for file in files))


def with_blocks(text: str, *, empty: bool = True) -> str:
    """A file's text with its blocks regenerated; if `empty` is False, empty ones stay empty."""

    def regenerated(found: re.Match[str]) -> str:
        if not found[3] and not empty:
            return found[0]
        return f"{found[1]}\n{_blocks[found[2]]().strip()}\n\n{found[4]}"

    return BLOCK.sub(regenerated, text)


@cache
def _discover() -> None:
    """Once, because looking for modules that do not exist is slow."""
    autodiscover_modules("documentation")


@lru_cache(maxsize=1)
def _library(files: tuple[tuple[Path, int], ...]) -> Library:
    texts = {file.relative_to(DIRECTORY).with_suffix("").as_posix(): file.read_text() for file, _ in files}
    written = {slug: Page(slug, _rendered(slug, with_blocks(text))) for slug, text in texts.items()}
    index = written[INDEX]
    groups: dict[str, list[Page]] = {}
    for title, target in index.document.listed:
        if (slug := _slug(INDEX, target)) in written:
            groups.setdefault(title, []).extend([written[slug], *_generated(slug)])
    ordered = [index, *(page for group in groups.values() for page in group)]
    return Library(
        {page.slug: page for page in ordered},
        tuple(Group(title, tuple(pages)) for title, pages in groups.items()),
    )


def _generated(parent: str) -> Iterable[Page]:
    for name, text in _below[parent]() if parent in _below else ():
        slug = f"{parent}/{name}"
        yield Page(slug, _rendered(slug, text), parent)


def _rendered(slug: str, text: str) -> Document:
    plain = BLOCK.sub(lambda found: found[3], text)

    def resolve(target: str) -> str:
        if found := _slug(slug, target):
            return address(found + "".join(target.partition("#")[1:]))
        return target

    return render(plain, resolve)


def _slug(slug: str, target: str) -> str:
    """The slug of the page that a link on the page `slug` leads to; "" for any other link."""
    path = target.partition("#")[0]
    if "://" in path or not path.endswith(".md"):
        return ""
    return posixpath.normpath(posixpath.join(posixpath.dirname(slug), path)).removesuffix(".md")
