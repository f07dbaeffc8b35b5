"""No text of a model or of an error holds what was sent in its place: every declared shape, every member, any JSON."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from config.errors import Invalid, ServiceError
from config.schemas.json_schema import alternatives, described, example_of
from connections.credentials import login_shape
from connections.provider import providers
from syncs.destination.base import destinations
from syncs.services.sync_bodies import new_sync, sync_changes

CANARY = "cAnArY-5d0c"
SENT: list[Any] = [CANARY, f"{CANARY}\x00", [CANARY], {CANARY: CANARY}, [{CANARY: [CANARY]}]]
LOGINS = {f"{each.slug}/{method}": model for each in providers for method, model in each.methods.items()}
BODIES = {
    **{f"login of {each.slug}": login_shape(each) for each in providers},
    **{f"new {each.slug}": new_sync(each) for each in destinations},
    **{f"changed {each.slug}": sync_changes(each) for each in destinations},
}


def bodies(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A valid body of the required members, with the canary instead of each member, and next to them."""
    right = required_of(schema)
    for sent in SENT:
        yield {**right, "stray": sent}
        for name in example_of(schema):
            yield {**right, name: sent}
            if isinstance(right.get(name), dict):
                yield from ({**right, name: {**right[name], inner: sent}} for inner in right[name])


def required_of(schema: Any) -> Any:
    """The example without optional members: some go with others only."""
    if variants := alternatives(schema):
        return required_of(variants[0])
    if "properties" not in schema:
        return example_of(schema)
    return {name: required_of(schema["properties"][name]) for name in schema.get("required", ())}


@pytest.mark.parametrize("name", LOGINS)
def test_no_text_of_credentials_or_of_their_errors_holds_an_input(name: str, caplog: pytest.LogCaptureFixture) -> None:
    model = LOGINS[name]
    texts = []
    for body in bodies(described(model)):
        try:
            credentials = model.parse(body)
            texts += [str(credentials), repr(credentials), f"{[credentials]}", f"{credentials!s:>10}"]
            with caplog.at_level(logging.DEBUG):
                logging.getLogger(__name__).error("%s %r", credentials, {"credentials": credentials})
        except Invalid as error:
            # An unknown member is named, and a choice that does not exist.
            shown = [each for each in error.issues if each["code"] not in ("unrecognized_keys", "invalid_enum_value")]
            texts.append(json.dumps(shown))
        except ServiceError as error:
            texts.append(str(error))
        try:
            model.model_validate(body)
        except ValidationError as error:
            texts += ["".join(traceback.format_exception(error)), repr(error)]
        except ServiceError as error:
            texts.append(str(error))
    assert texts
    assert CANARY not in caplog.text + "".join(texts)


@pytest.mark.parametrize("name", BODIES)
def test_a_body_shows_names_alone(name: str) -> None:
    shape = BODIES[name]
    shown = 0
    for body in bodies(described(shape)):
        try:
            found = shape.parse(body)
        except ServiceError:
            continue
        shown += 1
        assert CANARY not in f"{found} {found!r}"
    assert shown or name == "login of gcp"  # whose example is no key file
