"""A change of a sync as FIELD=VALUE texts, such as those of a command line.

FIELD is a member of the modelled PATCH; `destinationConfig.app`, `syncOptions.keySchema` and `policy.exclude` name a
member within one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from config.errors import BadRequest
from config.schemas.json_schema import JsonSchema, alternatives, described
from syncs.models import SecretSync
from syncs.planning.opening import destination_class

from .policy import policy_changes, policy_of
from .sync_bodies import sync_changes, sync_input
from .syncs import SyncInput

POLICY = "policy"


def changes_of(sync: SecretSync, texts: Iterable[str]) -> tuple[SyncInput, dict[str, Any]]:
    """The change of the sync, and members of its policy by the names of its model.

    A member within another replaces that member alone; `null` takes it out, or is its value if it may be null. Raises
    BadRequest for what is no FIELD=VALUE or no field, Invalid for a value.
    """
    found = destination_class(sync.destination)
    body_shape, policy_shape = sync_changes(found), policy_of(found)
    schemas = {"": described(body_shape), POLICY: described(policy_shape)}
    stored = {"destinationConfig": sync.destination_config, "syncOptions": sync.sync_options}
    body: dict[str, Any] = {}
    policy: dict[str, Any] = {}
    for name, text in map(_split, texts):
        outer, _, inner = name.partition(".")
        if outer == POLICY and inner:
            policy[inner] = _value(_member(schemas[POLICY], inner, name), text)
            continue
        member = _member(schemas[""], outer, name)
        if not inner:
            body[outer] = _value(member, text)
        elif outer not in stored:
            raise BadRequest(f"There is no field {name} to set.")
        else:
            body.setdefault(outer, dict(stored[outer]))[inner] = _value(_member(member, inner, name), text)
    body = {name: _without_nulls(value) if name in stored else value for name, value in body.items()}
    return sync_input(body_shape.parse(body)), policy_changes(policy_shape.parse(policy, (POLICY,)))


def _split(text: str) -> tuple[str, str]:
    name, is_set, value = text.partition("=")
    if not is_set or not name:
        raise BadRequest(f"'{name}' sets nothing: write FIELD=VALUE, such as destinationConfig.app=shop.")
    return name, value


def _without_nulls(value: Any) -> Any:
    return {name: each for name, each in value.items() if each is not None} if isinstance(value, dict) else value


def _variants(schema: JsonSchema) -> Iterator[JsonSchema]:
    """The schema, those that it is one of, and those that it consists of."""
    yield schema
    for each in (*alternatives(schema), *schema.get("allOf", ())):
        yield from _variants(each)


def _member(schema: JsonSchema, name: str, full_name: str) -> JsonSchema:
    """Raises BadRequest if no variant has it."""
    known: dict[str, JsonSchema] = {}
    for variant in _variants(schema):
        for each, member in variant.get("properties", {}).items():
            known.setdefault(each, member)
    if name not in known:
        raise BadRequest(f"There is no field {full_name} to set. Known here: {', '.join(sorted(known))}.")
    return known[name]


def _value(schema: Mapping[str, Any], text: str) -> Any:
    """The text itself for a member that is text; else the JSON that it is, a list also as texts between commas."""
    kinds = {variant.get("type") for variant in _variants(dict(schema))}
    if text == "null" and (schema.get("nullable") or kinds == {"string"}):
        return None
    if kinds == {"string"}:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return [part.strip() for part in text.split(",") if part.strip()] if "array" in kinds else text
