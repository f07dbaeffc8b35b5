"""Markdown as the documentation pages show it.

markdown-it-py does the parsing, with raw HTML disabled and script URLs refused, so that the result needs no cleaning.
Added here: ids of headings as on code hosts, links between pages, code that can be copied, table cells labelled with
their column for narrow screens, and the plain text of each section for search.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

Resolve = Callable[[str], str]
"""Turns the target of a link into a URL."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading below the title of the page. `level` is 2 or more; `anchor` is its id."""

    level: int
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """The plain text between two headings. `heading` is None before the first."""

    heading: Heading | None
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """`links` are unresolved targets; `listed` are those in lists, with the heading above them."""

    title: str
    html: SafeString
    headings: tuple[Heading, ...]
    sections: tuple[Section, ...]
    links: tuple[str, ...]
    listed: tuple[tuple[str, str], ...]


def render(text: str, resolve: Resolve = str) -> Document:
    """`text` must have one heading of the first level, the title, which is not part of the HTML."""
    tokens = _PARSER.parse(text)
    title, tokens = _title(tokens)
    links = tuple(_links(tokens))
    headings = tuple(_anchored(tokens))
    _labelled(tokens)
    sections, listed = tuple(_sections(tokens, headings)), tuple(_listed(tokens))
    for link in _opened(tokens):
        link.attrSet("href", resolve(str(link.attrGet("href"))))
    html = _PARSER.renderer.render(tokens, _PARSER.options, {})
    return Document(title, mark_safe(html), headings, sections, links, listed)  # noqa: S308 - the parser escapes all


def escaped(text: str) -> str:
    """`text` escaped as Markdown, on one line, also for tables; code spans stay code."""
    parts = re.split(r"(`[^`]+`)", " ".join(text.split()))
    return "".join(
        part.replace("|", r"\|") if number % 2 else re.sub(r"([\\`*_\[\]<>|~#])", r"\\\1", part)
        for number, part in enumerate(parts)
    )


def code(text: str) -> str:
    """`text` as a code span, also for tables."""
    return f"`{text.replace('|', chr(92) + '|')}`"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


class _Renderer(RendererHTML):
    """Code and tables in elements for styles and scripts."""

    def fence(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        token = tokens[idx]
        language = escape(token.info.strip() or "text")
        return (
            f'<div class="kd-code" data-language="{language}">'
            f'<pre tabindex="0"><code>{escape(token.content)}</code></pre></div>\n'
        )

    def table_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return '<div class="kd-table"><table>\n'

    def table_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return "</table></div>\n"

    def th_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return '<th scope="col">'

    def td_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return f'<td data-label="{escape(tokens[idx].meta["label"])}">'


_PARSER = MarkdownIt("js-default", renderer_cls=_Renderer)


def _title(tokens: list[Token]) -> tuple[str, list[Token]]:
    """The title of the page, and the tokens without it. Raises ValueError for no title or several."""
    found = [number for number, token in enumerate(tokens) if token.type == "heading_open" and token.tag == "h1"]
    if found != [0]:
        raise ValueError("a page begins with its title, the only heading of the first level")
    return _plain(tokens[1]), tokens[3:]


def _anchored(tokens: Sequence[Token]) -> Iterable[Heading]:
    """Give each heading an id, and a link to itself around its text."""
    used: dict[str, int] = {}
    for token, inline in pairwise(tokens):
        if token.type != "heading_open":
            continue
        text = _plain(inline)
        anchor = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        number = used[anchor] = used.get(anchor, -1) + 1
        anchor = f"{anchor}-{number}" if number else anchor
        token.attrSet("id", anchor)
        link = Token("link_open", "a", 1, attrs={"href": f"#{anchor}", "class": "kd-anchor"})
        inline.children = [link, *(inline.children or ()), Token("link_close", "a", -1)]
        yield Heading(int(token.tag[1:]), anchor, text)


def _labelled(tokens: Sequence[Token]) -> None:
    """Store the heading of its column in each cell."""
    head: list[str] = []
    column = 0
    for token, inline in pairwise(tokens):
        if token.type == "table_open":
            head = []
        elif token.type == "tr_open":
            column = 0
        elif token.type == "th_open":
            head.append(_plain(inline))
        elif token.type == "td_open":
            token.meta["label"] = head[column]
            column += 1


def _sections(tokens: Sequence[Token], headings: Sequence[Heading]) -> Iterable[Section]:
    left = iter(headings)
    heading, texts = None, list[str]()
    is_heading = False
    for token in tokens:
        if token.type == "heading_open":
            yield Section(heading, " ".join(texts))
            heading, texts, is_heading = next(left), [], True
        elif token.type == "heading_close":
            is_heading = False
        elif token.type == "fence":
            texts.append(token.content.strip())
        elif token.type == "inline" and not is_heading:
            texts.append(_plain(token))
    yield Section(heading, " ".join(texts))


def _listed(tokens: Sequence[Token]) -> Iterable[tuple[str, str]]:
    heading, depth = "", 0
    for token, inline in pairwise(tokens):
        depth += {"list_item_open": 1, "list_item_close": -1}.get(token.type, 0)
        if token.type == "heading_open":
            heading = _plain(inline)
        elif token.type == "inline" and depth:
            yield from ((heading, target) for target in _links([token]))


def _opened(tokens: Sequence[Token]) -> Iterable[Token]:
    for token in tokens:
        yield from (child for child in token.children or () if child.type == "link_open")


def _links(tokens: Sequence[Token]) -> Iterable[str]:
    return (str(link.attrGet("href")) for link in _opened(tokens))


def _plain(inline: Token) -> str:
    """The text of a line without markup."""
    text_types = {"text", "code_inline"}
    return "".join(
        " " if child.type == "softbreak" else child.content if child.type in text_types else ""
        for child in inline.children or ()
    )
