"""The requests, derived from the recorded OpenAPI document: a right one for each operation, and its variants."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from . import hand
from .case import ROOT, Case
from .members import of_body, too_long
from .world import World

Json = dict[str, Any]


def cases(name: str, operation: Json, world: World, first: bool) -> Iterator[Case]:
    """All of one operation. `first`: it is the first one of its path."""
    made = _derived(name, operation, world, first)
    yield from (case for case in made if hand.is_sent(case.operation, case.variant))


def _derived(name: str, operation: Json, world: World, first: bool) -> Iterator[Case]:
    destination = next((slug for slug in world.configs if f"/secret-syncs/{slug}" in name), next(iter(world.configs)))
    own = {**world.shop.names, **world.shop.syncs[destination], "destination": destination}
    foreign = {**world.other.names, **world.other.syncs[destination], "destination": destination}
    parameters = operation.get("parameters", [])
    right = _right(name, parameters, operation, own)
    bodies = list(_bodies(name, operation, own, world, destination))
    if bodies:
        right = replace(right, body=bodies[0][1])
    yield right
    if name in hand.PUBLIC:
        yield replace(right, variant="no token", caller=None)
        return
    yield from (replace(right, variant=f"right: {label}", body=body) for label, body in bodies[1:])
    yield from _callers(right)
    if first:
        nonsense = {"authorization": "Bearer nonsense"}
        yield replace(right, variant="malformed token", caller=None, headers=nonsense)
        yield replace(right, variant="right, with a slash", slash=True)
        yield replace(right, operation=f"PUT {name.partition(' ')[2]}", variant="another method")
    for parameter in parameters:
        members = _of_path if parameter["in"] == "path" else _of_query
        yield from members(right, parameter, own, foreign)
    if any(parameter["in"] == "query" for parameter in parameters):
        yield replace(right, variant="query: unknown member", query={**right.query, "stray": "1"})
    if "requestBody" in operation:
        yield from of_body(right, _schema(operation), bodies, foreign)


def _schema(operation: Json) -> Json:
    found: Json = operation["requestBody"]["content"]["application/json"]["schema"]
    return found


def _filled(value: Any, names: Mapping[str, str]) -> Any:
    """With `@name` replaced by what the world calls so."""
    if isinstance(value, dict):
        return {key: _filled(each, names) for key, each in value.items() if each is not hand.GONE}
    if isinstance(value, list):
        return [_filled(each, names) for each in value]
    if isinstance(value, str):
        return re.sub(r"@(\w+)", lambda found: names.get(found[1], found[0]), value)
    return value


def _by_hand(table: Mapping[str, Json], name: str) -> Json:
    made: Json = {}
    for pattern, values in table.items():
        if re.search(pattern, name):
            made |= values
    return made


def _right(name: str, parameters: list[Json], operation: Json, names: Mapping[str, str]) -> Case:
    path = {each["name"]: names.get(each["name"], "") for each in parameters if each["in"] == "path"}
    path |= _filled(_by_hand(hand.PATHS, name), names)
    if "secretName" in path and not path["secretName"]:
        path["secretName"] = "DB_URL"
    if "tagSlug" in path:
        path["tagSlug"] = "db"
    given = _by_hand(hand.QUERIES, name)
    query: dict[str, str] = {}
    for each in parameters:
        if each["in"] == "query" and given.get(each["name"], "") is not None:
            value = given.get(each["name"]) or names.get(each["name"])
            if value or each.get("required") or each["name"] in ("environment", "secretPath"):
                query[each["name"]] = _filled(value or _query_value(each), names)
    return Case(name, "right", path=path, query=query)


def _query_value(parameter: Json) -> str:
    schema = parameter["schema"]
    if parameter["name"] in hand.OPTIONAL:
        return hand.OPTIONAL[parameter["name"]]
    if "enum" in schema:
        return str(schema["enum"][0])
    return str(schema.get("minimum", 1)) if schema.get("type") == "integer" else "text"


def _bodies(
    name: str, operation: Json, names: Mapping[str, str], world: World, destination: str
) -> Iterator[tuple[str, Json]]:
    """Right bodies with their labels; the variants of a login or of a place each have one."""
    if "requestBody" not in operation:
        return
    example = operation["requestBody"]["content"]["application/json"]["example"]
    body = {key: names.get(key, value) for key, value in example.items()}
    batch = body.get("secrets")
    for pattern, values in hand.BODIES:
        if re.search(pattern, name):
            body |= {key: value for key, value in values.items() if key in body}
    if batch:
        key = "NEW_KEY" if name.startswith("POST") else "DB_URL"
        item = {**batch[0], "secretKey": key, "tagIds": ["@tagId"], "secretPath": "/api"}
        body["secrets"] = [{member: value for member, value in item.items() if member in batch[0]}]
    body = _filled(body, names)
    if "destinationConfig" in body:
        if "secretPath" in body:
            body["secretPath"] = "/api"
        behavior = {"initialSyncBehavior": "overwrite-destination", **world.options[destination]}
        if "syncOptions" in body:
            body["syncOptions"] = {**body["syncOptions"], **behavior}
        for label, config in world.configs[destination].items():
            yield label, {**body, "destinationConfig": config}
    elif "credentials" in body:
        logins = world.logins[name.split("/")[4]]
        if "method" not in body:
            yield "", {**body, "credentials": next(iter(logins.values()))}
            return
        others = {label: given for label, given in _logins(operation).items() if label not in logins}
        for label, credentials in {**logins, **others}.items():
            yield label, {**body, "method": label, "credentials": credentials}
    else:
        yield "", body


def _logins(operation: Json) -> dict[str, Json]:
    """By method, credentials that look right and that no vendor takes."""
    found: dict[str, Json] = {}
    for part in _schema(operation)["allOf"]:
        for variant in part.get("oneOf", [part]):
            members = variant.get("properties", {})
            if "credentials" in members:
                given = {key: _text(each) for key, each in members["credentials"]["properties"].items()}
                found[members["method"]["enum"][0]] = given
    return found


def _text(schema: Json) -> str:
    if "enum" in schema:
        return str(schema["enum"][0])
    for text in (
        "text",
        "4711",
        "https://example.com",
        "person@example.com",
        "arn:aws:iam::123456789012:role/keyferry",
    ):
        if re.search(schema.get("pattern", ""), text):
            return text
    return "text"


def _callers(right: Case) -> Iterator[Case]:
    for caller in ("member", "viewer", "other admin"):
        yield replace(right, variant=f"by {caller}", caller=caller)
    yield replace(right, variant="no token", caller=None)


def _of_path(right: Case, parameter: Json, own: Mapping[str, str], foreign: Mapping[str, str]) -> Iterator[Case]:
    name = parameter["name"]

    def with_value(label: str, value: str, caller: str = ROOT) -> Case:
        variant = f"path.{name}: {label}"
        return replace(right, variant=variant, path={**right.path, name: value}, caller=caller)

    if name.endswith("Id"):
        yield with_value("unknown", hand.NOWHERE)
        yield with_value("malformed", "no-id")
    else:
        yield with_value("unknown", "nowhere")
    if name in foreign:
        yield with_value("of another project", foreign[name], "admin")
    if name == "secretName":
        yield from (with_value(each, quote(each, safe="%")) for each in hand.NAMES)
    if name == "name":
        yield with_value("dotted", "cfg.json")
    if name == "folderId":
        yield with_value("a name", "spare")


def _of_query(right: Case, parameter: Json, own: Mapping[str, str], foreign: Mapping[str, str]) -> Iterator[Case]:
    name, schema = parameter["name"], parameter["schema"]

    def with_value(label: str, value: str, caller: str = ROOT) -> Case:
        variant = f"query.{name}: {label}"
        return replace(right, variant=variant, query={**right.query, name: value}, caller=caller)

    if name in right.query:
        rest = {key: value for key, value in right.query.items() if key != name}
        yield replace(right, variant=f"query.{name}: missing", query=rest)
    else:
        yield with_value("right", own.get(name) or _query_value(parameter))
    if "enum" in schema and len(schema["enum"]) < 5:
        yield from (with_value(each, each) for each in schema["enum"] if each != _query_value(parameter))
    yield with_value("empty", "")
    yield with_value("another type", "no such thing!")
    if "enum" not in schema:
        yield with_value("too long", too_long(schema, number="9" * 12))
    if name in foreign and "Id" in name:
        yield with_value("of another project", foreign[name], "admin")
        yield with_value("unknown", hand.NOWHERE)
    if name in hand.PLACES:
        yield with_value("unknown", hand.PLACES[name])
