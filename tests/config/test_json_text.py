"""JSON is read strictly, and exactly where nothing of it may be lost."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.json_text import Literal, Members, is_text, lines_of_members, read, read_exactly, write_exactly


@pytest.mark.parametrize("text", ["", "{", '{"a": NaN}', "[Infinity]", "-Infinity", "[" * 100_000, '{"a":' * 100_000])
def test_what_is_not_json_raises_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        read(text)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000])
def test_the_exact_reader_raises_value_error_too(text: str) -> None:
    with pytest.raises(ValueError):
        read_exactly(text)


def test_numbers_repeated_members_and_escapes_survive() -> None:
    text = '{"a": 1.10, "b": [1e400, {"x": 1, "x": 2}], "a": "\\ud800", "c": NaN}'
    members = read_exactly(text)
    assert members[0] == ("a", Literal("1.10"))
    assert members[1][1][1] == Members([("x", Literal("1")), ("x", Literal("2"))])
    assert not is_text(members[2][1])
    assert write_exactly(members) == text
    assert "1.10" not in repr(Literal("1.10"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab"\\{}[]:, \n\u2028', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('a"{}:\\', max_size=3), inner, max_size=3),
)


@settings(max_examples=200)
@given(st.dictionaries(st.text('a":{}\\\n', max_size=4), JSON), st.sampled_from([None, 0, 1]))
def test_each_member_has_the_line_of_its_name(value: dict[str, object], indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    assert read(write_exactly(read_exactly(text))) == value
    lines = list(lines_of_members(text))
    assert len(lines) == len(value)
    rows = text.split("\n")
    for line, name in zip(lines, value, strict=True):
        assert json.dumps(name) in rows[line - 1]


def test_plain_numbers_are_read_as_numbers() -> None:
    assert read(b'{"a": 1, "b": 0.5, "a": 2}') == {"a": 2, "b": 0.5}
    assert math.isinf(read("1e400"))
