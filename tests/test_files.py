"""Files of secrets: formats, every problem with its line, and round trips."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncs.source.formats import KINDS, Parsed, kind_of, parse, unwritable, written

MARKER = "mArKeR-77aa"


def values(found: Parsed) -> dict[str, str]:
    assert not found.problems, found.problems
    return {line.key: line.value for line in found.lines}


def problems(text: str, kind: str = "") -> list[tuple[int, str]]:
    return [(each.number, each.message) for each in parse(text, kind).problems]


def test_a_dotenv_file_is_read_with_its_lines() -> None:
    text = "# why\n\nA=1\nexport B='two\nlines'\n\n  C = \"x\\ny\" # said\nD=${A}\nEMPTY=\n"
    found = parse(text)
    assert values(found) == {"A": "1", "B": "two\nlines", "C": "x\ny", "D": "${A}", "EMPTY": ""}
    assert [line.number for line in found.lines] == [3, 4, 7, 8, 9]


def test_json_takes_numbers_as_they_are_typed() -> None:
    text = '{\n "A": "1",\n "B": 1.10, "C": true,\n "D": "\\u00e9"\n}'
    assert values(parse(text)) == {"A": "1", "B": "1.10", "C": "true", "D": "é"}
    assert [line.number for line in parse(text).lines] == [2, 3, 3, 4]


def test_yaml_is_read_as_text_and_evaluates_nothing() -> None:
    text = "A: 0755\nB: yes\nC: |\n  two\n  lines\nD: &x same\nE: *x\nF: 2026-01-01\n'G': 'quoted: #'\n"
    assert values(parse(text)) == {
        "A": "0755",
        "B": "yes",
        "C": "two\nlines\n",
        "D": "same",
        "E": "same",
        "F": "2026-01-01",
        "G": "quoted: #",
    }
    assert problems("A: !!python/object/apply:os.system [x]")[0][0] == 1
    assert "neither text" in problems("A: !secret x")[0][1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "A=1\nnot a pair\nB\nA=2",
            [(2, "not KEY=VALUE"), (3, "no = after the name"), (4, "A occurs twice; first on line 1")],
        ),
        ("A='open\nB=1", [(1, "a quote may be open")]),
        (
            '{"A": {"x": 1}, "B": null,\n"C": [], "D": "1", "D": "2"}',
            [(1, "A holds"), (1, "B holds"), (2, "C holds"), (2, "twice")],
        ),
        ('{"A": "1"\n"B": "2"}', [(2, "expecting ',' delimiter")]),
        ('{"A": {"B": "1",\n"B": "2"},\n"C\\"{": "x", "D": null}', [(1, "A holds"), (3, "D holds")]),
        ('{"A": "1"} x', [(1, "more after the closing brace")]),
        ("A: 1\nB:\n  x: 1\nC: [1]\nD: null\nA: 2", [(2, "B holds"), (4, "C holds"), (5, "D holds"), (6, "twice")]),
        ("A: 1\nB: *nowhere", [(2, "not YAML")]),
        ("A: 1\nB: {", [(2, "not YAML")]),
        ("A=1\nB=\x00\nC=\x00", [(2, "NUL"), (3, "NUL")]),
        ("", [(0, "no secret")]),
        ("# only words", [(0, "no secret")]),
        ("A: b\x07c", [(1, "control character")]),
    ],
)
def test_every_problem_is_reported_with_its_line(text: str, expected: list[tuple[int, str]]) -> None:
    found = problems(text)
    assert len(found) == len(expected), found
    for (number, said), (line, words) in zip(found, expected, strict=True):
        assert number == line, found
        assert words in said


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "text",
    [
        f"A='{MARKER}",
        f"{MARKER}",
        f'{{"A": "{MARKER}" x}}',
        f'{{"A": {MARKER}}}',
        f"A: *{MARKER}",
        f"A: @{MARKER}",
        f"A: [{MARKER}",
        f"A: !{MARKER} x",
    ],
)
def test_no_problem_contains_a_value(kind: str, text: str) -> None:
    found = parse(text, kind)
    assert MARKER not in " ".join(each.message for each in found.problems)
    assert MARKER not in repr(found.lines)


def test_a_file_may_not_be_endless_nor_deep() -> None:
    assert "larger than 8 MiB" in problems("A=" + "x" * (8 * 1024 * 1024))[0][1]
    assert problems('{"A": ' + "[" * 100_000)
    assert problems("A: " + "[" * 5_000)


def test_a_json_file_holds_one_object() -> None:
    found = problems('\n[{"A": "1"}]', "json")
    assert found == [(2, 'The file is not an object of names and values, as {"KEY": "value"}')]


@pytest.mark.parametrize(
    ("text", "kind"),
    [("\n {\n", "json"), ("# x\nA=1", "dotenv"), ("A: b=c", "yaml"), ("---\nA: 1", "yaml"), ("A=b: c", "dotenv")],
)
def test_the_format_is_detected(text: str, kind: str) -> None:
    assert kind_of(text) == kind


TEXTS = st.text(st.sampled_from("ab'\"\\\n\r\t #$={}:-é€\u2028\x85 0"), max_size=12)


@settings(max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from(["A", "B_1", "c-d", "yes", "no.1", "two words", "a=b", "it's", "#x", "export"]),
        TEXTS,
        min_size=1,
    )
)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_reads_back_the_same(kind: str, found: dict[str, str]) -> None:
    assert values(parse(written(found, kind), kind)) == found


def test_names_that_dotenv_cannot_hold_are_reported() -> None:
    names = ["A", "two words", "it's", "it's two words", "'quoted"]
    assert unwritable(names, "dotenv") == ["it's two words", "'quoted"]
    assert unwritable(names, "json") == []
