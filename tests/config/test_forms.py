"""Forms made from models: what comes out of one is what the model takes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from django import forms
from pydantic import SecretStr

from config.api.browsable_api import STYLE
from config.errors import BadRequest
from config.schemas import form_fields as from_schema
from config.schemas.json_schema import described
from config.schemas.member import About
from config.schemas.model import Body, Model
from config.schemas.types import Anything, Flag, Items, Secret, Text, Whole
from config.schemas.unions import AllOf, OneOf
from config.ui.model_forms import SecretLines, SuggestingInput, collected, form_fields

Words = Annotated[list[Annotated[str, Text("words")]] | None, Items()]


class Lists(Model):
    name: Annotated[str, Text("Name")]
    ids: Annotated[list[Annotated[int, Whole(minimum=1)]] | None, Items()] = None
    words: Words = None


class Tag(Model):
    key: Annotated[str, Text("Key")]
    value: Annotated[str, Text("Value", min_length=0)]


class Tagged(Model):
    tags: Annotated[list[Tag] | None, Items("Of each.")] = None


class Token(Model):
    method: Annotated[Literal["token"], About()]
    token: Annotated[SecretStr, Secret("API token", "Of a service user.")]


class Key(Model):
    method: Annotated[Literal["private-key"], About()]
    key: Annotated[SecretStr, Secret("Private key", multiline=True)]
    host: Annotated[str | None, Text("Host")] = None


LOGIN = OneOf("method", Token, Key)


class Request(Body):
    name: Annotated[str, Text("Name")]
    paused: Annotated[bool, Flag("Paused")] = False
    fixed: Annotated[bool | None, Flag(only=False)] = None
    limit: Annotated[int, Whole()] = 20
    words: Words = None
    tags: Annotated[list[Tag] | None, Items()] = None
    other: Annotated[Any, Anything()] = None
    login: Annotated[Any, LOGIN] = None


def test_a_list_of_numbers_is_shown_with_commas_and_parsed_as_numbers() -> None:
    fields = form_fields("at", Lists, {"name": "x", "ids": [1, 22], "words": ["a", "1"]})
    assert (fields["at__ids"].initial, fields["at__words"].initial) == ("1, 22", "a, 1")
    data = collected("at", Lists, {"at__name": "x", "at__ids": "1, 22,", "at__words": "a, 1"})
    assert Lists.parse(data).stored() == {"name": "x", "ids": [1, 22], "words": ["a", "1"]}


def test_an_invalid_number_is_left_for_the_model_to_report() -> None:
    assert collected("at", Lists, {"at__name": "x", "at__ids": "1, two, ²"})["ids"] == [1, "two", "²"]


def test_a_list_of_pairs_has_one_line_per_pair() -> None:
    stored = {"tags": [{"key": "team", "value": "shop"}, {"key": "empty", "value": ""}]}
    (field,) = form_fields("at", Tagged, stored).values()
    assert (field.initial, field.help_text) == ("team=shop\nempty=", "Of each. One per line, as key=value.")
    data = collected("at", Tagged, {"at__tags": "team=shop\r\n\r\nempty=\r\nsum = a=b"})
    assert Tagged.parse(data).stored() == {"tags": [*stored["tags"], {"key": "sum", "value": "a=b"}]}


def test_an_invalid_pair_is_left_for_the_model_to_report() -> None:
    assert collected("at", Tagged, {"at__tags": "alone"})["tags"] == [{"key": "alone"}]


def test_variants_share_a_form_and_the_chosen_one_is_collected() -> None:
    fields = form_fields("at", LOGIN)
    assert list(fields) == ["at__method", "at__token", "at__key", "at__host"]
    assert fields["at__method"].choices == [("token", "Token"), ("private-key", "Private key")]  # type: ignore[attr-defined]
    assert not any(field.required for field in fields.values())
    typed = {"at__method": "token", "at__token": "t", "at__key": "left over", "at__host": ""}
    assert collected("at", LOGIN, typed) == {"method": "token", "token": "t"}
    assert collected("at", LOGIN, {**typed, "at__method": "private-key", "at__key": ""}) == {
        "method": "private-key",
        "key": "",
    }


def test_a_secret_is_never_shown_again() -> None:
    fields = form_fields("at", LOGIN, {"token": "cAnArY", "key": "cAnArY"})
    assert isinstance(fields["at__token"].widget, forms.PasswordInput)
    assert isinstance(fields["at__key"].widget, SecretLines)
    assert (fields["at__token"].initial, fields["at__key"].initial) == (None, None)
    assert fields["at__token"].help_text == "Of a service user. Blank keeps what is stored."


def test_hints_become_suggestions() -> None:
    fields = form_fields("at", Lists, None, {"name": [("a", "The first")]})
    assert isinstance(fields["at__name"].widget, SuggestingInput)


def request_form(data: dict[str, str]) -> dict[str, Any]:
    return from_schema.collected(described(Request), STYLE, data)


def test_the_browsable_api_uses_wire_names() -> None:
    fields = from_schema.form_fields(from_schema.members_of(described(Request)), STYLE)
    assert [(name, field.label) for name, field in fields.items()][-2:] == [
        ("login.key", "login.key"),
        ("login.host", "login.host"),
    ]
    assert "fixed" not in fields
    assert fields["name"].required


def test_the_browsable_api_leaves_out_what_is_blank() -> None:
    blank = dict.fromkeys(("paused", "limit", "words", "tags", "other", "login.method", "login.token"), "")
    assert request_form({"name": "", **blank}) == {"name": ""}
    data = {"paused": "false", "limit": "3", "words": "a\nb", "tags": '[{"key": "k"}]', "other": '{"a": 1}'}
    assert request_form({**data, "login.method": "token", "login.token": "t"}) == {
        "paused": False,
        "limit": 3,
        "words": ["a", "b"],
        "tags": [{"key": "k"}],
        "other": {"a": 1},
        "login": {"method": "token", "token": "t"},
    }


def test_text_that_is_no_json_is_refused() -> None:
    with pytest.raises(BadRequest, match="tags is not valid JSON"):
        request_form({"tags": "nope"})


def test_parts_of_a_body_share_a_form() -> None:
    schema = described(AllOf(Lists, LOGIN))
    assert [member.name for member in from_schema.members_of(schema)] == [
        *("name", "ids", "words"),
        *("method", "token", "key", "host"),
    ]
    data = {"name": "x", "method": "token", "token": "t"}
    assert from_schema.collected(schema, STYLE, data) == data
