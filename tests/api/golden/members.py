"""What is sent in place of a right body: each member missing, null, of another type, empty, too long, unknown."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from . import hand
from .case import ROOT, Case

Json = dict[str, Any]
Steps = tuple[str | int, ...]


def of_body(right: Case, schema: Json, bodies: list[tuple[str, Json]], foreign: Mapping[str, str]) -> Iterator[Case]:
    for label, text in (("none", b""), ("broken JSON", b"{nope"), ("a list", b"[]"), ("a text", b'"text"')):
        yield replace(right, variant=f"body: {label}", text=text)
    plain = {"content-type": "text/plain"}
    yield replace(right, variant="body: another content type", text=json.dumps(right.body).encode(), headers=plain)
    seen: set[Steps] = set()
    for label, body in bodies:
        for steps, member, holder in _members(schema, body, ()):
            if label == bodies[0][0] or (steps not in seen and len(steps) > 1):
                where = ".".join(map(str, steps)) + (f" of {label}" if label != bodies[0][0] else "")
                of_ours = {} if steps[0] in ("credentials", "destinationConfig") else foreign
                for variant, value, caller in _values(steps[-1], member, holder, of_ours):
                    changed = _changed(body, steps, value)
                    yield replace(right, variant=f"body.{where}: {variant}", body=changed, caller=caller)
                seen.add(steps)
        yield from _strays(right, body, label if label != bodies[0][0] else "")


def _strays(right: Case, body: Json, label: str) -> Iterator[Case]:
    """An unknown member in each object."""
    for steps in _objects(body, ()):
        if steps or not label:
            where = ".".join(map(str, ("body", *steps))) + (f" of {label}" if label else "")
            yield replace(right, variant=f"{where}: unknown member", body=_changed(body, (*steps, "stray"), 1))


def _objects(value: Any, steps: Steps) -> Iterator[Steps]:
    if isinstance(value, dict):
        yield steps
        for key, each in value.items():
            yield from _objects(each, (*steps, key))
    elif isinstance(value, list) and value:
        yield from _objects(value[0], (*steps, 0))


def _members(schema: Json, value: Any, steps: Steps) -> Iterator[tuple[Steps, Json, Any]]:
    """Each member of an object with its schema and the object that holds it, however deep."""
    properties = _properties(schema, value)
    for key in sorted({*properties, *value}):
        member = properties.get(key, {})
        yield (*steps, key), member, value
        held = value.get(key)
        if isinstance(held, dict):
            yield from _members(member, held, (*steps, key))
        elif isinstance(held, list) and held:
            items = member.get("items", {})
            yield (*steps, key, 0), items, held
            if isinstance(held[0], dict):
                yield from _members(items, held[0], (*steps, key, 0))


def _properties(schema: Json, value: Any) -> dict[str, Json]:
    """Of the variant that the value is of, where there are several."""
    made = dict(schema.get("properties", {}))
    for part in schema.get("allOf", []):
        made |= _properties(part, value)
    for part in [*schema.get("oneOf", []), *schema.get("anyOf", [])]:
        consts = {
            key: each["enum"] for key, each in part.get("properties", {}).items() if len(each.get("enum", ())) == 1
        }
        if all(value.get(key) in enum for key, enum in consts.items()):
            made |= _properties(part, value)
            break
    return made


def _values(key: str | int, schema: Json, holder: Any, foreign: Mapping[str, str]) -> Iterator[tuple[str, Any, str]]:
    """What a member is changed to, with the label of it and who sends it."""
    kind = schema.get("type", "")
    present = isinstance(holder, list) or key in holder
    if present and not isinstance(holder, list):
        yield "missing", hand.GONE, ROOT
    yield "null", None, ROOT
    yield "another type", 5 if kind in ("string", "") else "text", ROOT
    empty: dict[str, Any] = {"string": "", "array": [], "object": {}, "": ""}
    if kind in empty:
        yield "empty", empty[kind], ROOT
    if kind == "string" and ("enum" in schema or "format" in schema or "pattern" in schema):
        yield "malformed", "no such\tthing!", ROOT
    if kind == "string" and "enum" not in schema and "format" not in schema:
        yield "too long", too_long(schema), ROOT
    if kind in ("integer", "number"):
        yield "too large", schema.get("maximum", 10**12) + 1, ROOT
        yield "too small", schema.get("minimum", 0) - 1, ROOT
        yield "a fraction", 1.5, ROOT
    if kind == "boolean":
        yield "the other", not (present and holder[key]), ROOT
    if kind == "array" and schema.get("maxItems") and present and holder[key]:
        yield "too long", [holder[key][0]] * (schema["maxItems"] + 1), ROOT
    if key in hand.PLACES:
        yield "unknown", hand.PLACES[str(key)], ROOT
    if foreign and (key in ("tagIds", "secretIds", "id") or (str(key).endswith("Id") and key in foreign)):
        of_list = {"tagIds": "tagId", "secretIds": "secretId", "id": "folderId"}
        value = foreign[of_list.get(str(key), str(key))]
        for label, each, caller in (("of another project", value, "admin"), ("unknown", hand.NOWHERE, ROOT)):
            yield label, [each] if str(key).endswith("Ids") else each, caller


def too_long(schema: Json, number: str = "") -> str:
    if number and schema.get("type") == "integer":
        return number
    if schema.get("format") == "date-time":
        return "2020-01-01T00:00:00.000Z" + "0" * 100
    return "x" * (schema.get("maxLength", 3000) + 1)


def _changed(body: Json, steps: Steps, value: Any) -> Json:
    made = copy.deepcopy(body)
    at: Any = made
    for step in steps[:-1]:
        at = at[step]
    if value is hand.GONE:
        del at[steps[-1]]
    else:
        at[steps[-1]] = value
    return made
