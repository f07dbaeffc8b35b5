"""What stands more than once in the OpenAPI document is written once, under `components`, and referred to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from config.api.autoschema import shared_responses, shared_schemas

Json = dict[str, Any]
Place = tuple[Any, Any, str]
"""What holds a part of the document, under which key, and the name that the part would have."""

LENGTH = 70
"""Of a member's schema, from which on a reference to it is shorter."""


def with_components(result: Json, **_: Any) -> Json:
    """drf-spectacular's hook: named schemas, answers of errors, and equal answers, bodies, parameters and members."""
    components = result.setdefault("components", {})
    schemas: Json = shared_schemas()
    result["paths"] = _named_schemas(result["paths"], schemas)
    components |= {"schemas": schemas, "responses": shared_responses(), "requestBodies": {}, "parameters": {}}
    for section, places in _places(result["paths"]).items():
        _share(section, places, components[section])
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
    reference = {"$ref": f"#/components/schemas/{name}"}
    return {"allOf": [reference], "nullable": True} if nullable else reference


def _places(paths: Json) -> dict[str, list[Place]]:
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


def _members(node: Any) -> Iterator[Place]:
    """Members of objects that are longer than a reference to them, the inner ones first."""
    if isinstance(node, list):
        for each in node:
            yield from _members(each)
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _members(value)
            if key == "properties":
                for name, member in value.items():
                    if len(json.dumps(member)) > LENGTH:
                        yield value, name, name


def _share(section: str, places: list[Place], known: Json) -> None:
    """Put a reference to a component into every place whose part stands in another place too."""
    texts = [json.dumps(holder[key], sort_keys=True) for holder, key, _ in places]
    counts = Counter(texts)
    names: dict[str, str] = {}
    for text, (holder, key, name) in zip(texts, places, strict=True):
        if counts[text] < 2:
            continue
        if text not in names:
            names[text] = _free(name, known)
            known[names[text]] = holder[key]
        holder[key] = {"$ref": f"#/components/{section}/{names[text]}"}


def _free(name: str, known: Json) -> str:
    """The name, with a number if another part has it: generated files may differ by more than case."""
    taken = {each.lower() for each in known}
    number, found = 1, name
    while found.lower() in taken:
        number += 1
        found = f"{name}{number}"
    return found
