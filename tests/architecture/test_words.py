"""No text, docstring or comment contains a retired word or phrase."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.api.openapi import described
from tests.architecture import words
from tests.architecture.words import Text

SAMPLES = (
    "No run starts until it is let go on.",
    "Everything goes on.",
    "Changed by other hands",
    "Cannot be told",
    "Nobody has said.",
    "The answer cannot be believed",
    "Tell this one no more.",
    "The value cannot be made whole",
    "A key made anew is told from the one before.",
    "While the fence stands, nobody was here.",
    "a place, to be chosen",
    "It never was, or was taken away.",
)
PLAIN = (
    "No runs start until you resume.",
    "All syncs resumed.",
    "Unexpected response: invalid format, truncated or redirected.",
    "The value could not be resolved: a reference is missing or circular, or decryption failed.",
    "Detects keys that were deleted and recreated.",
    "If the fencing token is unchanged, no other worker acquired the lease.",
    "A whole number, such as 5.",
    "A local stand-in takes the place of the service.",
    "The canonicalisation of 'timestamps' is edited in place.",
)


@pytest.mark.parametrize("text", SAMPLES)
def test_a_retired_phrase_is_found(text: str) -> None:
    assert list(words.retired_in(text)), text


@pytest.mark.parametrize("text", PLAIN)
def test_plain_words_are_free(text: str) -> None:
    assert not list(words.retired_in(text)), text


def test_file_and_line_are_named() -> None:
    template = (
        '{# spot #}\n<p class="spot">fine</p>\n{% if spot %}{% translate "Made\nanew" %}{% endif %}\n<b title="a spot">'
    )
    text = words.visible(template)
    assert words.complaints([Text("page.html", 1, text)]) == [
        'page.html:3: "Made anew" -> recreated; again',
        'page.html:5: "spot" -> location, target',
    ]


@pytest.mark.parametrize(
    "texts",
    [
        words.in_templates,
        words.in_scripts,
        words.in_python,
        words.in_documents,
        words.in_comments,
    ],
    ids=lambda each: each.__name__,
)
def test_texts_hold_no_retired_word(texts: Callable[[], Iterator[Text]]) -> None:
    found = words.complaints(texts())
    assert not found, "\n" + "\n".join(found)


def test_the_description_of_the_api_holds_no_retired_word(db: None) -> None:
    found = words.complaints(words.in_description(described()))
    assert not found, "\n" + "\n".join(found)
