"""The OpenAPI document in a form that does not depend on what is a component and what stands inline.

Every reference is resolved, keys are sorted, and an `allOf` of one schema is that schema. What most operations answer
alike (the envelopes of errors) is written once, under `usual`. One operation a line: a diff shows which changed.
"""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PATH = Path(__file__).parent / "openapi.json"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
UNORDERED = ("required", "type")

Json = dict[str, Any]


def compact(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def normalized(document: Json) -> Json:
    """The document with references resolved and operations as `METHOD path`. Raises ValueError on a cycle."""
    operations: dict[str, Json] = {}
    for path, item in document["paths"].items():
        shared = {name: value for name, value in item.items() if name not in METHODS}
        for method in METHODS:
            if method in item:
                security = {"security": document["security"]} if "security" in document else {}
                operation = _resolved({**shared, **security, **item[method]}, document, ())
                if operation.get("security") == []:
                    del operation["security"]
                parameters = [*_resolved(shared.get("parameters", []), document, ()), *operation.get("parameters", [])]
                unique = {(each["in"], each["name"]): each for each in parameters}
                operation["parameters"] = [unique[key] for key in sorted(unique)]
                operations[f"{method.upper()} {path}"] = operation
    rest = {name: value for name, value in document.items() if name not in ("paths", "components", "security")}
    security = document.get("components", {}).get("securitySchemes", {})
    usual = _usual(operations.values())
    for operation in operations.values():
        answers = operation["responses"]
        operation["usual"] = sorted(status for status, answer in answers.items() if usual.get(status) == answer)
        operation["responses"] = {status: each for status, each in answers.items() if status not in operation["usual"]}
    return {
        "document": _resolved(rest, document, ()),
        "securitySchemes": _resolved(security, document, ()),
        "usual": usual,
        "operations": operations,
    }


def _usual(operations: Any) -> Json:
    """By status, the answer that most operations share."""
    counts: dict[str, Counter[str]] = {}
    for operation in operations:
        for status, answer in operation["responses"].items():
            counts.setdefault(status, Counter())[compact(answer)] += 1
    most = {status: max(count.items(), key=lambda each: (each[1], each[0])) for status, count in counts.items()}
    return {status: json.loads(text) for status, (text, times) in sorted(most.items()) if times > len(operations) / 2}


def _resolved(node: Any, document: Json, within: tuple[str, ...]) -> Any:
    if isinstance(node, list):
        return [_resolved(each, document, within) for each in node]
    if not isinstance(node, dict):
        return node
    if isinstance(reference := node.get("$ref"), str):
        if reference in within:
            raise ValueError(f"{reference} contains itself")
        target: Any = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        found = _resolved(target, document, (*within, reference))
        beside = {name: value for name, value in node.items() if name != "$ref"}
        return {**found, **_resolved(beside, document, within)}
    made = {
        name: _discriminator(value, node, document) if name == "discriminator" else _resolved(value, document, within)
        for name, value in node.items()
    }
    if (
        isinstance(parts := made.get("allOf"), list)
        and len(parts) == 1
        and not parts[0].keys() & made.keys() - {"allOf"}
    ):
        del made["allOf"]
        made |= parts[0]
    for name in UNORDERED:
        if isinstance(made.get(name), list) and all(isinstance(each, str) for each in made[name]):
            made[name] = sorted(made[name])
    return made


def _discriminator(found: Any, node: Json, document: Json) -> Any:
    """Its mapping names components; here the number of the variant it stands for."""
    if not isinstance(found, dict) or "mapping" not in found:
        return found
    variants = [compact(_resolved(each, document, ())) for each in node.get("oneOf", node.get("anyOf", []))]
    mapping = {
        value: variants.index(compact(_resolved({"$ref": name}, document, ())))
        for value, name in found["mapping"].items()
    }
    return {**found, "mapping": mapping}


def lines(document: Json) -> Iterator[str]:
    """The normalized document as text: each operation is one line."""
    yield "{"
    for section in ("document", "securitySchemes"):
        yield f'"{section}":{compact(document[section])},'
    for section, end in (("usual", "},"), ("operations", "}")):
        yield f'"{section}":{{'
        entries = sorted(document[section].items(), key=lambda each: each[0].split(" ")[::-1])
        for number, (name, value) in enumerate(entries, start=1):
            yield f"{compact(name)}:{compact(value)}" + ("," if number < len(entries) else "")
        yield end
    yield "}"


def write(document: Json) -> None:
    PATH.write_text("\n".join(lines(document)) + "\n")


def read() -> Json:
    found: Json = json.loads(PATH.read_text())
    return found


def difference(recorded: list[str], now: list[str]) -> str:
    """The lines that differ, each as a diff of its indented JSON."""
    before, after = (dict(_entries(lines)) for lines in (recorded, now))
    told = []
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            indented = [
                json.dumps(json.loads(side.get(name, "null")), indent=1, ensure_ascii=False).splitlines()
                for side in (before, after)
            ]
            found = list(difflib.unified_diff(*indented, "recorded", "now", n=3, lineterm=""))[2:]
            told.append("\n".join([name, *(f"  {line[:300]}" for line in found[:40])]))
    more = [f"... and {len(told) - 12} more"] if len(told) > 12 else []
    return "\n\n".join([f"{len(told)} lines of {PATH.name} differ from what is served:", *told[:12], *more])


def _entries(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        if (found := re.match(r'"([^"]+)":(.+?),?$', line)) and found[2] != "{":
            yield found[1], found[2]
