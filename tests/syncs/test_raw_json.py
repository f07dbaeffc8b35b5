"""Members of a JSON object that are not ours stay byte for byte, whatever is set and removed beside them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import json_text
from syncs.destination.raw_json import JsonObject, Raw

BLANK = st.text(" \t\n\r", max_size=3)
NAME = st.sampled_from(["A", "B", "a b", "ä", 'quo"te', "", "\\", "\U0001d4b3", "\n"])
ESCAPED = st.sampled_from(
    ['"\\u00e9"', '"é"', '"\\/"', '"/"', '"\\ud834\\udd1e"', '"\\ud800"', '"\\u0041"', '"{"', '"\\""']
)
NUMBER = st.sampled_from(["1.10", "1", "-0", "1e5", "1E+05", "0.10000000000000000001", "9" * 5000, "1e999", "NaN"])
DEEP = st.sampled_from(["null", "true", "[]", "[ 1.10 ,{} ]", '{"a":1.0, "a":2}', '{ "x" : [ "}" ] }'])


def _name(draw: st.DrawFn, name: str) -> str:
    return json.dumps(name, ensure_ascii=draw(st.booleans()))


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    """A text, and the raw value of each of its members."""
    names = draw(st.lists(NAME, unique=True, max_size=6))
    raw = {name: draw(st.one_of(ESCAPED, NUMBER, DEEP)) for name in names}
    members = [
        "".join([draw(BLANK), _name(draw, name), draw(BLANK), ":", draw(BLANK), value, draw(BLANK)])
        for name, value in raw.items()
    ]
    return f"{draw(BLANK)}{{{','.join(members) or draw(BLANK)}}}{draw(BLANK)}", raw


@given(documents(), st.dictionaries(NAME, st.text(st.characters(codec="utf-8"))), st.sets(NAME))
def test_foreign_members_survive_any_change_byte_for_byte(
    document: tuple[str, dict[str, str]], sets: dict[str, str], gone: set[str]
) -> None:
    text, raw = document
    gone -= sets.keys()
    parsed = JsonObject.parse(text)
    assert [(each.name, each.value) for each in parsed.members] == list(raw.items())
    assert parsed.edited({}) == parsed.changed_to(parsed.entries) == text
    after = JsonObject.parse(parsed.edited(sets, gone))
    foreign = [(each.name, each.head, each.value) for each in parsed.members if each.name not in sets.keys() | gone]
    assert [(each.name, each.head, each.value) for each in after.members if each.name not in sets] == foreign
    assert {name: entry for name, entry in after.entries.items() if name in sets} == sets
    assert after.edited({}) == parsed.edited(sets, gone)
    # What other readers find in it.
    found = json_text.read_exactly(parsed.edited(sets, gone))
    expected = {name: json_text.read_exactly(value) for name, value in raw.items() if name not in gone} | sets
    assert dict(found) == expected


@given(documents(), st.dictionaries(NAME, st.text(st.characters(codec="utf-8"))), st.sets(NAME))
def test_the_entries_that_remain_are_what_is_written(
    document: tuple[str, dict[str, str]], sets: dict[str, str], gone: set[str]
) -> None:
    parsed = JsonObject.parse(document[0])
    entries = {name: entry for name, entry in {**parsed.entries, **sets}.items() if name not in gone}
    assert JsonObject.parse(parsed.changed_to(entries)).entries == entries


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", '{"NEW":"1"}'),
        ('{"A":"1"}', '{"A":"1","NEW":"1"}'),
        ('{"A": "1", "B": 1.10}', '{"A": "1", "B": 1.10, "NEW": "1"}'),
        ('{\n  "A": "1"\n}\n', '{\n  "A": "1",\n  "NEW": "1"\n}\n'),
        ('{\n  "A": "1",\n  "B": "2"\n}', '{\n  "A": "1",\n  "B": "2",\n  "NEW": "1"\n}'),
    ],
)
def test_a_new_member_is_laid_out_like_the_others(text: str, expected: str) -> None:
    assert JsonObject.parse(text).edited({"NEW": "1"}) == expected


def test_a_removed_member_leaves_no_comma() -> None:
    text = '{\n  "A": "1",\n  "B": 1.10,\n  "C": "3"\n}'
    assert JsonObject.parse(text).edited({}, ["A", "C"]) == '{\n  "B": 1.10\n}'
    assert JsonObject.parse(text).edited({}, ["A", "B", "C"]) == "{\n  \n}"


def test_a_repeated_name_is_never_text_and_never_changed() -> None:
    parsed = JsonObject.parse('{"A":"1","B":"2","A":"3"}')
    assert (parsed.repeated, parsed.entries) == ({"A"}, {"A": Raw('"3"'), "B": "2"})
    assert parsed.edited({"B": "4"}) == '{"A":"1","B":"4","A":"3"}'
    for sets, gone in ({"A": "5"}, []), ({}, ["A"]):
        with pytest.raises(ValueError, match="repeated"):
            parsed.edited(sets, gone)


def test_a_name_that_is_no_text_is_not_listed_and_stays() -> None:
    parsed = JsonObject.parse('{"\\ud800":"1","A":"1"}')
    assert parsed.entries == {"A": "1"}
    assert parsed.changed_to({}) == '{"\\ud800":"1"}'


def test_a_member_that_is_an_object_is_read_the_same_way() -> None:
    text = '{"data": {"A": 1.10}, "other": "x"}'
    assert JsonObject.parse(text, "data").edited({"B": "2"}) == '{"A": 1.10,"B": "2"}'
    for name in ("other", "missing"):
        with pytest.raises(ValueError, match=r"."):
            JsonObject.parse(text, name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '"x"',
        "{",
        '{"A"}',
        '{"A":}',
        '{"A":1,}',
        '{,"A":1}',
        '{"A":1 "B":2}',
        '{"A":1}x',
        "{'A':1}",
        "{1:2}",
        '{"A":"\n"}',
        '\ufeff{"A":1}',
        '{"A":"\ud800"}',
        '{"canary":' + "[" * 100_000,
    ],
)
def test_what_is_no_object_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not a JSON object$") as refused:
        JsonObject.parse(text)
    assert refused.value.__cause__ is None


def test_a_repr_shows_no_value() -> None:
    parsed = JsonObject.parse('{"A":"canary","B":12321}')
    assert "canary" not in repr(parsed)
    assert "12321" not in repr(parsed.entries["B"])
