"""Search in the documentation pages: every word must be in a section, its heading or the title of its page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .docs import Library, Page
from .markdown import Section

MAX_RESULTS = 30
CONTEXT = 90  # characters before the first hit, and twice as many after it
MAX_QUERY = 100

Marked = tuple[tuple[str, bool], ...]
"""A text in parts; True for parts that match the query."""


@dataclass(frozen=True, slots=True)
class Result:
    """A section with every word of the query. `title` is that of the page; `heading` may be empty."""

    url: str
    title: Marked
    heading: Marked
    excerpt: Marked


def search(library: Library, query: str) -> list[Result]:
    """Best results first: the title of a page counts most, then a heading."""
    words = list(dict.fromkeys(query[:MAX_QUERY].casefold().split()))
    if not words:
        return []
    found = [
        (score, page, section)
        for page in library.pages.values()
        for section in page.document.sections
        if (score := _score(words, page, section))
    ]
    found.sort(key=lambda each: -each[0])  # stable: equal ones stay in the order of the pages
    return [_result(words, page, section) for _, page, section in found[:MAX_RESULTS]]


def _score(words: Sequence[str], page: Page, section: Section) -> int:
    """0 if a word is missing."""
    title, heading, text = page.title.casefold(), _heading(section).casefold(), section.text.casefold()
    total = 0
    for word in words:
        score = 4 * (word in heading) + min(text.count(word), 3)
        if section.heading is None:
            score += 8 * (word in title)
        if not score and word not in title:
            return 0
        total += score
    return total


def _heading(section: Section) -> str:
    return section.heading.text if section.heading else ""


def _result(words: Sequence[str], page: Page, section: Section) -> Result:
    pattern = re.compile("|".join(map(re.escape, sorted(words, key=len, reverse=True))), re.IGNORECASE)
    anchor = f"#{section.heading.anchor}" if section.heading else ""
    return Result(
        f"{page.url}{anchor}",
        tuple(_marked(pattern, page.title)),
        tuple(_marked(pattern, _heading(section))),
        tuple(_marked(pattern, _excerpt(pattern, section.text))),
    )


def _excerpt(pattern: re.Pattern[str], text: str) -> str:
    """The text around the first hit, cut between words."""
    hit = pattern.search(text)
    start = max((hit.start() if hit else 0) - CONTEXT, 0)
    end = (hit.end() if hit else 0) + 2 * CONTEXT
    cut = text[start:end]
    if start:
        cut = f"... {cut.partition(' ')[2]}"
    return f"{cut.rpartition(' ')[0]} ..." if end < len(text) else cut


def _marked(pattern: re.Pattern[str], text: str) -> Iterator[tuple[str, bool]]:
    start = 0
    for hit in pattern.finditer(text):
        yield text[start : hit.start()], False
        yield hit[0], True
        start = hit.end()
    yield text[start:], False
