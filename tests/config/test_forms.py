"""Forms made from schemas: what comes out of one is what the schema takes."""

from __future__ import annotations

from config.schemas.forms import collected, form_fields
from config.schemas.schema import Objects, Schema, Text, Texts, Whole

SHAPE = Schema((Text("name", "Name"), Texts("ids", item=Whole("id", minimum=1)), Texts("words")))


def test_a_list_of_numbers_is_shown_with_commas_and_taken_as_numbers() -> None:
    fields = form_fields("at", SHAPE, {"name": "x", "ids": [1, 22], "words": ["a", "1"]})
    assert (fields["at__ids"].initial, fields["at__words"].initial) == ("1, 22", "a, 1")
    given = collected("at", SHAPE, {"at__name": "x", "at__ids": "1, 22,", "at__words": "a, 1"})
    assert SHAPE.validate(given) == {"name": "x", "ids": [1, 22], "words": ["a", "1"]}


def test_what_is_no_number_is_left_for_the_schema_to_name() -> None:
    assert collected("at", SHAPE, {"at__name": "x", "at__ids": "1, two, ²"})["ids"] == [1, "two", "²"]


TAGGED = Schema((Objects("tags", Schema((Text("key", "Key"), Text("value", "Value", min_length=0)))),))


def test_a_list_of_pairs_is_shown_and_taken_one_a_line() -> None:
    held = {"tags": [{"key": "team", "value": "shop"}, {"key": "empty", "value": ""}]}
    (field,) = form_fields("at", TAGGED, held).values()
    assert field.initial == "team=shop\nempty="
    given = collected("at", TAGGED, {"at__tags": "team=shop\r\n\r\nempty=\r\nsum = a=b"})
    assert TAGGED.validate(given) == {
        "tags": [*held["tags"], {"key": "sum", "value": "a=b"}],
    }


def test_a_line_that_is_no_pair_is_left_for_the_schema_to_name() -> None:
    assert collected("at", TAGGED, {"at__tags": "alone"})["tags"] == [{"key": "alone"}]
