"""A declaration on pydantic: all problems at once, modelled messages, OpenAPI 3.0, and no input in any message."""

from __future__ import annotations

import logging
import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import pytest
from pydantic import SecretStr, TypeAdapter

from config.errors import Invalid
from config.schemas.json_schema import described, example_of, openapi, parameters
from config.schemas.member import About
from config.schemas.model import Body, Model
from config.schemas.types import Anything, Flag, Id, Items, Moment, Secret, Slug, Text, Whole
from config.schemas.unions import AllOf, OneOf

CANARY = "cAnArY-5d0c"
Org = Annotated[str, Text("Org ID", "The organisation.", empty_message="Org ID required", example="acme")]


class Application(Model):
    scope: Annotated[Literal["application"], About(help="The scope.")]
    org: Org


class Environment(Model):
    scope: Annotated[Literal["environment"], About(help="The scope.")]
    org: Org
    env: Annotated[str, Text("Environment ID", max_length=5)]


CONFIG = OneOf("scope", Application, Environment)


class Tag(Model):
    key: Annotated[str, Text("Key")]
    value: Annotated[str, Text("Value", min_length=0)]


class Login(Model):
    token: Annotated[SecretStr, Secret("API token", empty_message="API Token required")]
    host: Annotated[str | None, Text("Host")] = None


class Everything(Body):
    """One member of each type."""

    blank = ("gateway",)

    name: Annotated[str, Slug("name", most=8)]
    choice: Annotated[str | None, Text("Choice", choices=("a", "b"))] = None
    text: Annotated[str, Text("Text", min_length=0, max_length=9)] = "x"
    id: Annotated[str | None, Id()] = None
    at: Annotated[datetime | None, Moment()] = None
    size: Annotated[int | None, Whole(maximum=100, nullable=True)] = None
    limit: Annotated[int, Whole(minimum=1, query=True)] = 20
    flag: Annotated[bool, Flag(query=True)] = False
    fixed: Annotated[bool | None, Flag(only=False)] = None
    words: Annotated[list[Annotated[str, Text("words")]] | None, Items("Words.", max_items=2)] = None
    tags: Annotated[list[Tag] | None, Items(min_items=1)] = None
    other: Annotated[Any, Anything()] = None
    login: Login | None = None
    config: Annotated[Any, CONFIG] = None


def issues(shape: Any, data: object, path: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    with pytest.raises(Invalid) as caught:
        shape.parse(data, path)
    return caught.value.issues


def test_good_data_comes_back_trimmed() -> None:
    found = CONFIG.parse({"scope": "application", "org": " acme "})
    assert isinstance(found, Application)
    assert (found.org, found.stored()) == ("acme", {"scope": "application", "org": "acme"})


def test_all_problems_are_reported_at_once() -> None:
    found = issues(CONFIG, {"scope": "environment", "org": " ", "env": "too long", "app": 1}, ("destinationConfig",))
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
    (issue,) = issues(CONFIG, data)
    assert issue["code"] == code
    assert message in str(issue["message"])


@pytest.mark.parametrize(
    ("members", "path", "message"),
    [
        ({"choice": "c"}, ["choice"], "Invalid enum value. Expected 'a' | 'b', received 'c'"),
        ({"id": "x"}, ["id"], "Invalid uuid"),
        ({"at": "yesterday"}, ["at"], "Invalid datetime"),
        ({"size": 101}, ["size"], "Number must be less than or equal to 100"),
        ({"limit": "0"}, ["limit"], "Number must be greater than or equal to 1"),
        ({"flag": "yes"}, ["flag"], "Invalid enum value. Expected 'true' | 'false', received 'yes'"),
        ({"fixed": True}, ["fixed"], "Invalid literal value, expected false"),
        ({"words": "x"}, ["words"], "Expected array, received string"),
        ({"words": ["a", "b", "c"]}, ["words"], "Array must contain at most 2 element(s)"),
        ({"words": ["a", 5]}, ["words", 1], "Expected string, received number"),
        ({"tags": []}, ["tags"], "Array must contain at least 1 element(s)"),
        ({"tags": [{"key": "k"}]}, ["tags", 0, "value"], "Required"),
        ({"login": {}}, ["login", "token"], "Required"),
        ({"login": "x"}, ["login"], "Expected object, received string"),
        ({"login": {"token": " "}}, ["login", "token"], "API Token required"),
        ({"config": {"scope": "environment", "org": "a"}}, ["config", "env"], "Required"),
        ({"config": {"scope": "x"}}, ["config", "scope"], "Invalid discriminator value. Expected"),
        ({"gateway": "x"}, ["gateway"], "gateway is not supported here: leave it out"),
    ],
)
def test_each_type_names_its_problem(members: dict[str, object], path: list[object], message: str) -> None:
    (issue,) = issues(Everything, {"name": "shop", **members})
    assert issue["path"] == path
    assert message in issue["message"]


def test_a_missing_member_is_reported_with_its_type() -> None:
    class Needed(Body):
        text: Annotated[str, Text("Text")]
        flag: Annotated[bool, Flag()]
        size: Annotated[int, Whole()]
        words: Annotated[list[str], Items()]
        login: Login
        config: Annotated[Any, CONFIG]

    found = [(issue["message"], issue["expected"]) for issue in issues(Needed, {})]
    assert found == [("Required", kind) for kind in ("string", "boolean", "number", "array", "object", "object")]


def test_defaults_nulls_and_unknown_members() -> None:
    found = Everything.parse({"name": "shop", "text": None, "flag": "true", "size": None, "stray": 1, "gateway": ""})
    assert (found.text, found.limit, found.flag, found.size) == ("x", 20, True, None)
    assert found.sent() == {"name": "shop", "flag": True, "size": None}
    assert found.stored() == {"name": "shop", "text": "x", "limit": 20, "flag": True}


def test_unsupported_names_are_unknown_members_of_a_closed_object() -> None:
    class Closed(Model):
        blank = ("secretName",)
        region: Annotated[str, Text("Region")]

    assert Closed.parse({"region": "x", "secretName": ""}).stored() == {"region": "x"}
    (issue,) = issues(Closed, {"region": "x", "secretName": "s"})
    assert (issue["code"], issue["keys"]) == ("unrecognized_keys", ["secretName"])


def test_older_clients_may_leave_the_discriminator_out() -> None:
    assert isinstance(OneOf("scope", Application, Environment, default="application").parse({"org": "a"}), Application)


def test_parts_report_their_problems_together() -> None:
    class Named(Body):
        name: Annotated[str, Slug("name")]

    shape = AllOf(Named, CONFIG)
    assert [issue["path"] for issue in issues(shape, {"name": "No", "scope": "x"})] == [["name"], ["scope"]]
    body = AllOf(Named, OneOf("name", type("A", (Body,), {"__annotations__": {"name": Literal["a"]}})))
    assert [type(part).__name__ for part in body.parse({"name": "a"})] == ["Named", "A"]


def test_stored_data_is_restored_by_earlier_rules() -> None:
    stored = {"scope": "environment", "org": "acme", "env": "longer than five"}
    found = CONFIG.restored(stored)
    assert isinstance(found, Environment)
    assert found.stored() == stored
    every = Everything.restored({"name": "x", "tags": [{"key": "k", "value": "v"}], "login": {"token": "t"}})
    assert every.tags
    assert every.tags[0].key == "k"
    assert every.login
    assert every.login.token.get_secret_value() == "t"
    assert every.stored()["login"] == {"token": "t"}


# -- nothing of an input in a message ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        {"token": CANARY},
        {"token": [CANARY]},
        {"token": {CANARY: CANARY}},
        {"token": CANARY, "host": {"a": CANARY}},
        {"token": f"{CANARY}\x00"},
        [CANARY],
        CANARY,
    ],
)
def test_no_message_holds_an_input(data: object, caplog: pytest.LogCaptureFixture) -> None:
    outputs: list[object] = []
    try:
        outputs += [Login.parse(data), Everything.parse({"name": "shop", "login": data})]
    except Invalid as error:
        outputs += [error, error.issues, *error.args]
    try:
        outputs.append(Login.model_validate(data))
    except ValueError as error:
        outputs.append(error)
    with caplog.at_level(logging.DEBUG):
        for each in outputs:
            logging.getLogger(__name__).error(
                "%s %r", each, each, exc_info=each if isinstance(each, Exception) else None
            )
    assert len(outputs) > 1
    assert CANARY not in caplog.text + "".join(f"{each} {each!r}" for each in outputs)


# -- OpenAPI -----------------------------------------------------------------------------------------------------------


def test_openapi_is_closed_and_names_what_is_required() -> None:
    first, second = openapi(CONFIG)["anyOf"]
    assert (first["required"], first["additionalProperties"]) == (["scope", "org"], False)
    assert first["properties"]["scope"] == {"type": "string", "enum": ["application"], "description": "The scope."}
    env = second["properties"]["env"]
    assert (env["minLength"], env["maxLength"]) == (1, 5)


def test_openapi_of_each_type() -> None:
    made = openapi(Everything)
    assert made["required"] == ["name"]
    assert "additionalProperties" not in made
    members = made["properties"]
    assert members["choice"] == {"type": "string", "enum": ["a", "b", None], "nullable": True}
    assert members["size"] == {"type": "integer", "minimum": 0, "maximum": 100, "nullable": True}
    assert members["flag"] == {"type": "string", "enum": ["true", "false", None], "default": "false", "nullable": True}
    assert members["fixed"] == {"type": "boolean", "enum": [False, None], "nullable": True}
    assert (members["words"]["items"]["type"], members["words"]["maxItems"]) == ("string", 2)
    assert members["tags"]["items"]["required"] == ["key", "value"]
    assert members["other"] == {}
    assert members["gateway"] == {"type": "string", "enum": ["", None], "nullable": True}
    assert len(members["config"]["anyOf"]) == 2
    assert not re.search(r'"(title|example|writeOnly|x-)', str(made).replace("'", '"'))


def test_a_title_names_the_variants() -> None:
    made = openapi(CONFIG.titled("HumanitecDestination"))
    assert [each["x-component"] for each in made["oneOf"]] == [
        "HumanitecDestinationApplication",
        "HumanitecDestinationEnvironment",
    ]
    assert made["discriminator"]["mapping"]["application"].endswith("/HumanitecDestinationApplication")


def test_a_query_has_no_null() -> None:
    by_name = {name: (schema, required) for name, schema, required in parameters(Everything)}
    assert by_name["choice"] == ({"type": "string", "enum": ["a", "b"]}, False)
    assert by_name["name"][1] is True


def test_an_example_fits() -> None:
    example = example_of(described(CONFIG))
    assert example == {"scope": "application", "org": "acme"}
    assert CONFIG.parse(example)
    assert example_of(described(AllOf(Login, CONFIG))) == {"token": "text", "host": "text", **example}


@pytest.mark.parametrize("text", ["a", " a ", "a\nb", "a\x00b", "\x85", " ", "", "\u00a0x", "a\x7f", "\t", "ä b"])
@pytest.mark.parametrize("multiline", [False, True])
@pytest.mark.parametrize("least", [0, 1])
def test_openapi_accepts_what_the_validation_accepts(text: str, multiline: bool, least: int) -> None:
    member = Text("Name", min_length=least, multiline=multiline)
    made = member.shape()
    fits = re.search(made["pattern"], text) is not None and len(text) >= made["minLength"]
    try:
        TypeAdapter(Annotated[str, member]).validate_python(text)
        taken = True
    except ValueError:
        taken = False
    assert fits <= taken, "what is described as good must be taken"
    if text.strip() == text:
        assert fits == taken


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
    if year is None:
        assert issues(Everything, {"name": "x", "at": text})
        return
    found = Everything.parse({"name": "x", "at": text}).at
    assert found
    assert (found.year, found.utcoffset()) == (year, timedelta(0))


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
    if isinstance(found, int):
        assert Everything.parse({"name": "x", "size": value}).size == found
    else:
        assert issues(Everything, {"name": "x", "size": value})[0]["message"] == found


def test_variants_may_share_a_model() -> None:
    class Place(Model):
        kind: Annotated[str, About(help="Its kind.")]
        org: Annotated[str, Text()]

    both = OneOf.of("kind", {"one": Place, "other": Place})
    assert [both.parse({"kind": kind, "org": "a"}).stored() for kind in ("one", "other")] == [
        {"kind": "one", "org": "a"},
        {"kind": "other", "org": "a"},
    ]
    with pytest.raises(Invalid):
        both.parse({"kind": "third", "org": "a"})
    assert list(both.variants["other"].model_fields) == ["kind", "org"]
