"""Forms made from schemas: what comes out of one is what the schema takes."""

from __future__ import annotations

from config.forms import collected, form_fields
from config.schema import Schema, Text, Texts, Whole

SHAPE = Schema((Text("name", "Name"), Texts("ids", item=Whole("id", minimum=1)), Texts("words")))


def test_a_list_of_numbers_is_shown_with_commas_and_taken_as_numbers() -> None:
    fields = form_fields("at", SHAPE, {"name": "x", "ids": [1, 22], "words": ["a", "1"]})
    assert (fields["at__ids"].initial, fields["at__words"].initial) == ("1, 22", "a, 1")
    given = collected("at", SHAPE, {"at__name": "x", "at__ids": "1, 22,", "at__words": "a, 1"})
    assert SHAPE.validate(given) == {"name": "x", "ids": [1, 22], "words": ["a", "1"]}


def test_what_is_no_number_is_left_for_the_schema_to_name() -> None:
    assert collected("at", SHAPE, {"at__name": "x", "at__ids": "1, two, ²"})["ids"] == [1, "two", "²"]
