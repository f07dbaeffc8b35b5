"""Parts that occur several times in the OpenAPI document become components, to which references are made."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from config.api.autoschema import shared_responses, shared_schemas

Json = dict[str, Any]
Slot = tuple[Any, Any, str]
"""The holder of a part of the document, the key of the part in it, and the name that the part would have."""


def with_components(result: Json, **_: Any) -> Json:
    """drf-spectacular's hook: named schemas, error responses, and equal responses, bodies, parameters and members."""
    components = result.setdefault("components", {})
    schemas: Json = shared_schemas()
    result["paths"] = _named_schemas(result["paths"], schemas)
    components |= {"schemas": schemas, "responses": shared_responses(), "requestBodies": {}, "parameters": {}}
    for section, slots in _slots(result["paths"]).items():
        _share(section, slots, components[section])
    _share("schemas", [*_members(result["paths"]), *_members(components)], schemas)
    components["schemas"] = dict(sorted(schemas.items()))
    result["security"] = [{name: []} for name in components["securitySchemes"]]
    return result


def _named_schemas(node: Any, known: Json) -> Any:
    """The same with references to schemas that have a name (`x-component`), which are put into `known`."""
    if isinstance(node, list):
        return [_named_schemas(each, known) for each in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _named_schemas(value, known) for key, value in node.items() if key != "x-component"}
    if (name := node.get("x-component")) is None:
        return plain
    nullable = plain.pop("nullable", False)
    if known.setdefault(name, plain) != plain:
        raise ValueError(f"two schemas are named {name}")
    reference = _reference("schemas", name)
    return {"allOf": [reference], "nullable": True} if nullable else reference


def _slots(paths: Json) -> dict[str, list[Slot]]:
    operations = [operation for methods in paths.values() for operation in methods.values()]
    return {
        "responses": [(each["responses"], "200", _name(each)) for each in operations],
        "requestBodies": [(each, "requestBody", _name(each)) for each in operations if "requestBody" in each],
        "parameters": [
            (each["parameters"], number, parameter["name"])
            for each in operations
            for number, parameter in enumerate(each.get("parameters", ()))
        ],
    }


def _name(operation: Json) -> str:
    found: str = operation["operationId"]
    return found[:1].upper() + found[1:]


def _members(node: Any) -> Iterator[Slot]:
    """Members of objects that are longer than a reference to them, the inner ones first."""
    if isinstance(node, list):
        for each in node:
            yield from _members(each)
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _members(value)
            if key == "properties":
                for name, member in value.items():
                    if len(json.dumps(member)) > len(json.dumps(_reference("schemas", name))):
                        yield value, name, name


def _share(section: str, slots: list[Slot], known: Json) -> None:
    """Replace every part that occurs in several slots by a reference to a component.

    An object or a union that may also be null is one that may not, and null.
    """
    parts = [_never_null(holder[key]) for holder, key, _ in slots]
    texts = [json.dumps(part, sort_keys=True) for part in parts]
    counts = Counter(texts)
    names: dict[str, str] = {}
    for text, part, (holder, key, name) in zip(texts, parts, slots, strict=True):
        if counts[text] < 2:
            continue
        if text not in names:
            names[text] = _free(name, known)
            known[names[text]] = part
        reference = _reference(section, names[text])
        holder[key] = reference if part == holder[key] else {"allOf": [reference], "nullable": True}


def _never_null(part: Json) -> Json:
    if part.get("nullable") is not True or not part.keys() & {"properties", "oneOf"}:
        return part
    return {key: value for key, value in part.items() if key != "nullable"}


def _reference(section: str, name: str) -> Json:
    return {"$ref": f"#/components/{section}/{name}"}


def _free(name: str, known: Json) -> str:
    """The name, with a number if it is in use in any case: generators write one file per name."""
    taken = {each.lower() for each in known}
    number, found = 1, name
    while found.lower() in taken:
        number += 1
        found = f"{name}{number}"
    return found
