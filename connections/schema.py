"""A config declared once: it validates for the API, describes itself for OpenAPI, and tells a form what to ask.

Problems come all at once, each as an issue of the modelled API (zod 3): `code`, `path`, `message` and what the code
needs. Unknown keys inside a config are a problem too: a misspelt option must not be ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Issue = dict[str, Any]
Path = tuple[str | int, ...]


class Invalid(ValueError):
    """The data does not fit; `issues` names every problem."""

    def __init__(self, issues: list[Issue]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, issue['path']))}: {issue['message']}" for issue in issues))
        self.issues = issues


@dataclass(frozen=True, slots=True)
class Text:
    """A string, trimmed. `secret` is never shown again; `literal` allows just that text."""

    name: str
    label: str
    help: str = ""
    required: bool = True
    min_length: int = 1
    max_length: int | None = None
    empty_message: str = ""
    secret: bool = False
    literal: str | None = None
    choices: tuple[str, ...] = ()
    pattern: str = ""

    def check(self, value: object, path: Path) -> tuple[object, list[Issue]]:
        """The value as it will be stored, and what is wrong with it. `...` stands for a missing key."""
        if value is ... or (value is None and not self.required):
            return None, [_type_issue(path, "string", "undefined", "Required")] if self.required else []
        if self.literal is not None:
            return value, [] if value == self.literal else [_literal_issue(path, self.literal, value)]
        if not isinstance(value, str):
            received = _type_name(value)
            return None, [_type_issue(path, "string", received, f"Expected string, received {received}")]
        text = value.strip()
        if self.choices:
            return text, [] if text in self.choices else [_enum_issue(path, self.choices, text)]
        return text, self._length(text, path) or self._shape(text, path)

    def _length(self, text: str, path: Path) -> list[Issue]:
        if len(text) < self.min_length:
            default = f"String must contain at least {self.min_length} character(s)"
            return [_size_issue(path, "too_small", "minimum", self.min_length, self.empty_message or default)]
        if self.max_length is not None and len(text) > self.max_length:
            message = f"String must contain at most {self.max_length} character(s)"
            return [_size_issue(path, "too_big", "maximum", self.max_length, message)]
        return []

    def _shape(self, text: str, path: Path) -> list[Issue]:
        if re.search(r"[\x00-\x1f\x7f]", text):
            return [{"code": "custom", "path": list(path), "message": f"{self.label} has a control character"}]
        if self.pattern and not re.fullmatch(self.pattern, text):
            return [{"code": "invalid_string", "validation": "regex", "path": list(path), "message": "Invalid"}]
        return []

    def json_schema(self) -> dict[str, Any]:
        made: dict[str, Any] = {"type": "string"}
        if self.literal is not None or self.choices:
            made["enum"] = list(self.choices) or [self.literal]
        else:
            made["minLength"] = self.min_length
            if self.max_length is not None:
                made["maxLength"] = self.max_length
        if self.help:
            made["description"] = self.help
        return made


@dataclass(frozen=True, slots=True)
class Schema:
    """An object with just these members."""

    fields: tuple[Text, ...]

    def validate(self, data: object, path: Path = ()) -> dict[str, Any]:
        """The data as it will be stored. Raises Invalid."""
        if not isinstance(data, Mapping):
            received = _type_name(data)
            raise Invalid([_type_issue(path, "object", received, f"Expected object, received {received}")])
        found: dict[str, Any] = {}
        issues: list[Issue] = []
        for field in self.fields:
            value, wrong = field.check(data.get(field.name, ...), (*path, field.name))
            issues += wrong
            if value is not None:
                found[field.name] = value
        if unknown := sorted(set(map(str, data)) - {field.name for field in self.fields}):
            named = ", ".join(f"'{name}'" for name in unknown)
            message = f"Unrecognized key(s) in object: {named}"
            issues.append({"code": "unrecognized_keys", "keys": unknown, "path": list(path), "message": message})
        if issues:
            raise Invalid(issues)
        return found

    def json_schema(self) -> dict[str, Any]:
        """OpenAPI 3.0."""
        return {
            "type": "object",
            "properties": {field.name: field.json_schema() for field in self.fields},
            "required": [field.name for field in self.fields if field.required],
            "additionalProperties": False,
        }


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of several objects; the text under `discriminator` tells which."""

    discriminator: str
    variants: Mapping[str, Schema]

    def validate(self, data: object, path: Path = ()) -> dict[str, Any]:
        """The data as it will be stored. Raises Invalid."""
        if not isinstance(data, Mapping):
            received = _type_name(data)
            raise Invalid([_type_issue(path, "object", received, f"Expected object, received {received}")])
        chosen = data.get(self.discriminator)
        variant = self.variants.get(chosen) if isinstance(chosen, str) else None
        if variant is None:
            options = list(self.variants)
            expected = " | ".join(f"'{option}'" for option in options)
            issue: Issue = {
                "code": "invalid_union_discriminator",
                "options": options,
                "path": [*path, self.discriminator],
                "message": f"Invalid discriminator value. Expected {expected}",
            }
            raise Invalid([issue])
        return variant.validate(data, path)

    def json_schema(self) -> dict[str, Any]:
        """OpenAPI 3.0."""
        return {"anyOf": [variant.json_schema() for variant in self.variants.values()]}


def literal(name: str, value: str, help: str = "") -> Text:
    """A member that must be just this text, as a discriminator is."""
    return Text(name, name, help, literal=value)


def secret(name: str, label: str, help: str = "", *, empty_message: str = "") -> Text:
    """A member that is write-only."""
    return Text(name, label, help, empty_message=empty_message, secret=True)


def _type_issue(path: Path, expected: str, received: str, message: str) -> Issue:
    return {
        "code": "invalid_type",
        "expected": expected,
        "received": received,
        "path": list(path),
        "message": message,
    }


def _size_issue(path: Path, code: str, bound: str, size: int, message: str) -> Issue:
    return {
        "code": code,
        bound: size,
        "type": "string",
        "inclusive": True,
        "exact": False,
        "path": list(path),
        "message": message,
    }


def _literal_issue(path: Path, expected: str, received: object) -> Issue:
    message = f'Invalid literal value, expected "{expected}"'
    return {
        "code": "invalid_literal",
        "expected": expected,
        "received": received,
        "path": list(path),
        "message": message,
    }


def _enum_issue(path: Path, options: tuple[str, ...], received: str) -> Issue:
    expected = " | ".join(f"'{option}'" for option in options)
    return {
        "code": "invalid_enum_value",
        "options": list(options),
        "received": received,
        "path": list(path),
        "message": f"Invalid enum value. Expected {expected}, received '{received}'",
    }


def _type_name(value: object) -> str:
    """JavaScript's name of a JSON type, as zod says it."""
    if value is None:
        return "null"
    if value is ...:
        return "undefined"
    names: dict[type, str] = {bool: "boolean", int: "number", float: "number", str: "string", list: "array"}
    return names.get(type(value), "object")
