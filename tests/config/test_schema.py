"""A config declared once: every problem at once, in the modelled words, and the seed's OpenAPI to the letter."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest

from config.errors import Invalid
from config.schemas.schema import Moment, OneOf, Schema, Text, Whole, literal, secret

APP = Schema((literal("scope", "application"), Text("org", "Org ID", empty_message="Org ID required")))
ENV = Schema((literal("scope", "environment"), *APP.fields[1:], Text("env", "Environment ID", max_length=5)))
CONFIG = OneOf("scope", {"application": APP, "environment": ENV})


def issues(data: object) -> list[dict[str, object]]:
    with pytest.raises(Invalid) as caught:
        CONFIG.validate(data, ("destinationConfig",))
    return caught.value.issues


def test_good_data_comes_back_trimmed() -> None:
    assert CONFIG.validate({"scope": "application", "org": " acme "}) == {"scope": "application", "org": "acme"}


def test_all_problems_are_reported_at_once() -> None:
    found = issues({"scope": "environment", "org": " ", "env": "too long", "app": 1})
    assert [(issue["code"], issue["path"], issue["message"]) for issue in found] == [
        ("too_small", ["destinationConfig", "org"], "Org ID required"),
        ("too_big", ["destinationConfig", "env"], "String must contain at most 5 character(s)"),
        ("unrecognized_keys", ["destinationConfig"], "Unrecognized key(s) in object: 'app'"),
    ]


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        ({"scope": "application"}, "invalid_type", "Required"),
        ({"scope": "application", "org": 5}, "invalid_type", "Expected string, received number"),
        ({"scope": "application", "org": None}, "invalid_type", "Expected string, received null"),
        ({"scope": "application", "org": "a\x00b"}, "custom", "Org ID has a control character"),
        ({"scope": "x"}, "invalid_union_discriminator", "Expected 'application' | 'environment'"),
        ({}, "invalid_union_discriminator", "Expected 'application' | 'environment'"),
        ([], "invalid_type", "Expected object, received array"),
        (None, "invalid_type", "Expected object, received null"),
    ],
)
def test_each_problem_has_the_modelled_message(data: object, code: str, message: str) -> None:
    (issue,) = issues(data)
    assert issue["code"] == code
    assert message in str(issue["message"])


def test_a_secret_member_is_not_repeated_in_a_problem() -> None:
    schema = Schema((secret("apiToken", "API Token", empty_message="API Token required"),))
    with pytest.raises(Invalid) as caught:
        schema.validate({"apiToken": ["canary"]})
    assert "canary" not in str(caught.value.issues) + str(caught.value)


def test_openapi_is_closed_and_names_what_is_required() -> None:
    first, second = CONFIG.json_schema()["anyOf"]
    assert (first["required"], first["additionalProperties"]) == (["scope", "org"], False)
    assert first["properties"]["scope"] == {"type": "string", "enum": ["application"]}
    env = second["properties"]["env"]
    assert (env["minLength"], env["maxLength"]) == (1, 5)


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("2026-02-01T09:30:00.000Z", 2026),
        ("2026-02-01t09:30:00z", 2026),
        ("2026-12-31T23:59:60Z", 2026),
        ("2026-02-01", 2026),
        ("0000-01-01T00:00:00Z", 1),
        ("0001-01-01T00:00:00+10:00", 1),
        ("9999-12-31T23:59:59-10:00", 9999),
        ("2026-13-01T00:00:00Z", None),
        ("yesterday", None),
    ],
)
def test_moments(text: str, year: int | None) -> None:
    found, issues = Moment("at").check(text, ("at",))
    assert bool(issues) == (year is None)
    if isinstance(found, datetime):
        assert (found.year, found.utcoffset()) == (year, timedelta(0))


@pytest.mark.parametrize("text", ["a", " a ", "a\nb", "a\x00b", "\x85", " ", "", "\u00a0x", "a\x7f", "\t", "ä b"])
@pytest.mark.parametrize("multiline", [False, True])
@pytest.mark.parametrize("least", [0, 1])
def test_openapi_accepts_what_the_validation_accepts(text: str, multiline: bool, least: int) -> None:
    field = Text("name", "Name", min_length=least, multiline=multiline)
    described = field.json_schema()
    fits = re.search(described["pattern"], text) is not None and len(text) >= described["minLength"]
    taken = not field.check(text, ("name",))[1]
    assert fits <= taken, "what is described as good must be taken"
    if text.strip() == text:
        assert fits == taken


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (30, 30),
        (30.0, 30),
        (1e308, "Number must be less than or equal to 100"),
        (1.5, "Expected integer, received float"),
        (float("inf"), "Expected integer, received float"),
        (True, "Expected number, received boolean"),
    ],
)
def test_a_whole_number_may_be_written_with_a_point(value: object, found: int | str) -> None:
    checked, issues = Whole("ttl", maximum=100).check(value, ("ttl",))
    assert (checked if isinstance(found, int) else issues[0]["message"]) == found
