"""An object declared once: it validates for the API, describes itself for OpenAPI, and tells a form what to ask.

Problems come all at once, each as an issue of the modelled API (zod 3): `code`, `path`, `message` and what the code
needs. Unknown keys inside a config are a problem too: a misspelt option must not be ignored. Around it, in a request's
body or query, they are dropped (`strict=False`), because clients send strays; there a null counts as absent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

from config.conventions import SLUG, slug_issues
from config.errors import Invalid, Issue, problem

Path = tuple[str | int, ...]
Checked = tuple[object, list[Issue]]
"""The value as it will be stored (None: absent), and what is wrong with it."""


class Field(Protocol):
    """A member of an object."""

    @property
    def name(self) -> str: ...
    @property
    def required(self) -> bool: ...
    def check(self, value: object, path: Path) -> Checked:
        """`...` stands for a missing key."""
        ...

    def json_schema(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Text:
    """A string, trimmed, on one line or `multiline`. `secret` is never shown again; `literal` allows just that text.

    `verbatim` takes the text as it is: not trimmed, control characters allowed.
    """

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
    pattern_message: str = "Invalid"
    default: str | None = None
    verbatim: bool = False
    multiline: bool = False

    def check(self, value: object, path: Path) -> Checked:
        if self.default is not None and (value is ... or (value is None and not self.required)):
            return self.default, []
        if value is ... or (value is None and not self.required):
            return None, [_type_issue(path, "string", "undefined", "Required")] if self.required else []
        if self.literal is not None:
            return value, [] if value == self.literal else [_literal_issue(path, self.literal, value)]
        if not isinstance(value, str):
            received = _type_name(value)
            return None, [_type_issue(path, "string", received, f"Expected string, received {received}")]
        if self.verbatim:
            return value, self._length(value, path)
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

    def _written(self) -> str:
        """As a regular expression: no control character, and something besides blanks where it may not be empty."""
        if self.pattern:
            return f"^(?:{self.pattern})$"
        control = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f" if self.multiline else r"\u0000-\u001f\u007f"
        plain = f"[^{control}]*"
        return rf"^{plain}[^\s{control}\u0085]{plain}$" if self.min_length else f"^{plain}$"

    def _shape(self, text: str, path: Path) -> list[Issue]:
        if re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]" if self.multiline else r"[\x00-\x1f\x7f]", text):
            return [{"code": "custom", "path": list(path), "message": f"{self.label} has a control character"}]
        if self.pattern and not re.fullmatch(self.pattern, text):
            return [
                {"code": "invalid_string", "validation": "regex", "path": list(path), "message": self.pattern_message}
            ]
        return []

    def json_schema(self) -> dict[str, Any]:
        made: dict[str, Any] = {"type": "string"}
        if self.literal is not None or self.choices:
            made["enum"] = list(self.choices) or [self.literal]
        else:
            made["minLength"] = self.min_length
            if self.max_length is not None:
                made["maxLength"] = self.max_length
            if not self.verbatim:
                made["pattern"] = self._written()
        if self.default is not None:
            made["default"] = self.default
        return _described(made, self.help)


@dataclass(frozen=True, slots=True)
class Slug:
    """Lower case, digits and single hyphens."""

    name: str
    help: str = ""
    required: bool = True
    least: int = 1
    most: int = 64

    def check(self, value: object, path: Path) -> Checked:
        text, issues = Text(self.name, self.name, required=self.required, min_length=0).check(value, path)
        if text is None or issues:
            return None, issues
        found = slug_issues(self.name, str(text), least=self.least, most=self.most)
        return text, [{**issue, "path": list(path)} for issue in found]

    def json_schema(self) -> dict[str, Any]:
        pattern = f"^{SLUG.pattern}$"
        made = {"type": "string", "minLength": self.least, "maxLength": self.most, "pattern": pattern}
        return _described(made, self.help)


@dataclass(frozen=True, slots=True)
class Id:
    """A UUID, lower case."""

    name: str
    help: str = ""
    required: bool = True

    def check(self, value: object, path: Path) -> Checked:
        text, issues = Text(self.name, self.name, required=self.required, min_length=0).check(value, path)
        if text is None or issues:
            return None, issues
        try:
            return str(UUID(str(text))), []
        except ValueError:
            issue = {"code": "invalid_string", "validation": "uuid", "path": list(path), "message": "Invalid uuid"}
            return None, [issue]

    def json_schema(self) -> dict[str, Any]:
        return _described({"type": "string", "format": "uuid"}, self.help)


@dataclass(frozen=True, slots=True)
class Flag:
    """A boolean; with `text`, the strings "true" and "false" of a query. `only` allows just that one.

    `lenient`: nothing, "0" and "false" in any case are false, all else is true.
    """

    name: str
    label: str = ""
    help: str = ""
    required: bool = False
    default: bool | None = None
    text: bool = False
    only: bool | None = None
    lenient: bool = False

    def check(self, value: object, path: Path) -> Checked:
        if value is ... or (value is None and not self.required):
            return self.default, [_type_issue(path, "boolean", "undefined", "Required")] if self.required else []
        if self.lenient:
            return str(value).lower() not in ("", "0", "false"), []
        if self.text:
            if value in ("true", "false"):
                return value == "true", []
            return None, [_enum_issue(path, ("true", "false"), str(value))]
        if isinstance(value, bool):
            if self.only is not None and value is not self.only:
                return None, [_literal_issue(path, self.only, value)]
            return value, []
        received = _type_name(value)
        return None, [_type_issue(path, "boolean", received, f"Expected boolean, received {received}")]

    def json_schema(self) -> dict[str, Any]:
        made: dict[str, Any] = {"type": "string", "enum": ["true", "false"]} if self.text else {"type": "boolean"}
        if self.lenient:
            made = {"type": "string"}
        if self.only is not None:
            made["enum"] = [self.only]
        if self.default is not None:
            made["default"] = str(self.default).lower() if self.text or self.lenient else self.default
        return _described(made, self.help)


@dataclass(frozen=True, slots=True)
class Whole:
    """An integer; `text` also takes digits in a query. `nullable`: null is a value of its own (kept as `NULL`)."""

    name: str
    help: str = ""
    required: bool = False
    default: int | None = None
    minimum: int = 0
    maximum: int = 2**31 - 1
    nullable: bool = False
    text: bool = False

    def check(self, value: object, path: Path) -> Checked:
        if value is None and self.nullable:
            return NULL, []
        if value is ... or (value is None and not self.required):
            return self.default, [_type_issue(path, "number", "undefined", "Required")] if self.required else []
        if self.text and isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value, re.ASCII):
            value = int(value)
        if isinstance(value, float):
            if not value.is_integer():
                return None, [_type_issue(path, "integer", "float", "Expected integer, received float")]
            value = int(value)  # JSON knows one kind of number: some clients write 30 as 30.0
        if isinstance(value, bool) or not isinstance(value, int):
            received = _type_name(value)
            return None, [_type_issue(path, "number", received, f"Expected number, received {received}")]
        if value < self.minimum:
            message = f"Number must be greater than or equal to {self.minimum}"
            return None, [_size_issue(path, "too_small", "minimum", self.minimum, message, "number")]
        if value > self.maximum:
            message = f"Number must be less than or equal to {self.maximum}"
            return None, [_size_issue(path, "too_big", "maximum", self.maximum, message, "number")]
        return value, []

    def json_schema(self) -> dict[str, Any]:
        made: dict[str, Any] = {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}
        if self.default is not None:
            made["default"] = self.default
        if self.nullable:
            made["nullable"] = True
        return _described(made, self.help)


@dataclass(frozen=True, slots=True)
class Moment:
    """A date with its time, ISO 8601; without an offset it is UTC."""

    name: str
    help: str = ""
    required: bool = False

    def check(self, value: object, path: Path) -> Checked:
        text, issues = Text(self.name, self.name, required=self.required).check(value, path)
        if text is None or issues:
            return None, issues
        try:
            return _moment(str(text)), []
        except ValueError:
            message = "Invalid datetime"
            return None, [{"code": "invalid_string", "validation": "datetime", "path": list(path), "message": message}]

    def json_schema(self) -> dict[str, Any]:
        return _described({"type": "string", "format": "date-time"}, self.help)


def _moment(text: str) -> datetime:
    """In UTC. RFC 3339 knows a 60th second, a year 0 and moments that are another year in UTC; Python does not."""
    text = re.sub(r":60(?=[.Zz+-]|$)", ":59", text.upper())
    if re.match(r"0000-", text):
        return datetime.min.replace(tzinfo=UTC)
    found = datetime.fromisoformat(text)
    try:
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except OverflowError:
        edge = datetime.min if found.year == 1 else datetime.max
        return edge.replace(tzinfo=UTC)


class _Null:
    """Stands for a null that means something, where None means absent."""

    def __repr__(self) -> str:
        return "NULL"


NULL = _Null()


@dataclass(frozen=True, slots=True)
class Texts:
    """A list of strings."""

    name: str
    help: str = ""
    required: bool = False
    max_items: int = 100
    item: Field | None = None  # what each must be

    def _item(self) -> Field:
        return self.item or Text(self.name, self.name, max_length=512)

    def check(self, value: object, path: Path) -> Checked:
        if value is ... or (value is None and not self.required):
            return None, [_type_issue(path, "array", "undefined", "Required")] if self.required else []
        if not isinstance(value, list):
            received = _type_name(value)
            return None, [_type_issue(path, "array", received, f"Expected array, received {received}")]
        if len(value) > self.max_items:
            message = f"Array must contain at most {self.max_items} element(s)"
            return None, [_size_issue(path, "too_big", "maximum", self.max_items, message, "array")]
        item = self._item()
        checked = [item.check(each, (*path, index)) for index, each in enumerate(value)]
        return [text for text, _ in checked], [issue for _, issues in checked for issue in issues]

    def json_schema(self) -> dict[str, Any]:
        made = {"type": "array", "items": self._item().json_schema(), "maxItems": self.max_items}
        return _described(made, self.help)


@dataclass(frozen=True, slots=True)
class Anything:
    """Any JSON value, taken as it is."""

    name: str
    help: str = ""
    required: bool = False

    def check(self, value: object, path: Path) -> Checked:
        return (None if value is ... else value), []

    def json_schema(self) -> dict[str, Any]:
        return _described({}, self.help)


@dataclass(frozen=True, slots=True)
class Nested:
    """An object within the object."""

    name: str
    schema: Schema | OneOf
    help: str = ""
    required: bool = True

    def check(self, value: object, path: Path) -> Checked:
        if value is ... or (value is None and not self.required):
            return None, [_type_issue(path, "object", "undefined", "Required")] if self.required else []
        try:
            return self.schema.validate(value, path), []
        except Invalid as error:
            return None, error.issues

    def json_schema(self) -> dict[str, Any]:
        return _described(self.schema.json_schema(), self.help)


@dataclass(frozen=True, slots=True)
class Objects:
    """A list of objects."""

    name: str
    schema: Schema
    help: str = ""
    required: bool = False
    min_items: int = 0
    max_items: int | None = None

    def check(self, value: object, path: Path) -> Checked:
        if value is ... or (value is None and not self.required):
            return None, [_type_issue(path, "array", "undefined", "Required")] if self.required else []
        if not isinstance(value, list):
            received = _type_name(value)
            return None, [_type_issue(path, "array", received, f"Expected array, received {received}")]
        if len(value) < self.min_items:
            message = f"Array must contain at least {self.min_items} element(s)"
            return None, [_size_issue(path, "too_small", "minimum", self.min_items, message, "array")]
        if self.max_items is not None and len(value) > self.max_items:
            message = f"Array must contain at most {self.max_items} element(s)"
            return None, [_size_issue(path, "too_big", "maximum", self.max_items, message, "array")]
        found: list[dict[str, Any]] = []
        issues: list[Issue] = []
        for index, each in enumerate(value):
            try:
                found.append(self.schema.validate(each, (*path, index)))
            except Invalid as error:
                issues += error.issues
        return found, issues

    def json_schema(self) -> dict[str, Any]:
        made: dict[str, Any] = {"type": "array", "items": self.schema.json_schema()}
        if self.min_items:
            made["minItems"] = self.min_items
        if self.max_items is not None:
            made["maxItems"] = self.max_items
        return _described(made, self.help)


@dataclass(frozen=True, slots=True)
class Schema:
    """An object with just these members; not `strict`: unknown ones are dropped.

    `blank`: names that are none of its members, and that clients send all the same, with an empty text or null. With
    anything else they are refused, also where strays are dropped: they ask for something that is not there.
    """

    fields: tuple[Field, ...]
    strict: bool = True
    blank: tuple[str, ...] = ()

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
        known = {field.name for field in self.fields} | {name for name in self.blank if data.get(name) in ("", None)}
        unknown = sorted(set(map(str, data)) - known)
        if unknown and self.strict:
            named = ", ".join(f"'{name}'" for name in unknown)
            message = f"Unrecognized key(s) in object: {named}"
            issues.append({"code": "unrecognized_keys", "keys": unknown, "path": list(path), "message": message})
        elif asked := [name for name in self.blank if name in unknown]:
            issues += [problem([*path, name], f"{name} is not supported here: leave it out") for name in asked]
        if issues:
            raise Invalid(issues)
        return found

    def json_schema(self) -> dict[str, Any]:
        """OpenAPI 3.0."""
        made: dict[str, Any] = {
            "type": "object",
            "properties": {
                field.name: field.json_schema() if field.required else _or_null(field.json_schema())
                for field in self.fields
            }
            | {name: {"type": "string", "enum": ["", None], "nullable": True} for name in self.blank},
            "additionalProperties": False,
        }
        if not self.strict:
            del made["additionalProperties"]
        if required := [field.name for field in self.fields if field.required]:
            made["required"] = required
        return made


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of several objects; the text under `discriminator` tells which."""

    discriminator: str
    variants: Mapping[str, Schema]
    title: str = ""  # in OpenAPI, with the variant's name after it

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
        if not self.title:
            return {"anyOf": [variant.json_schema() for variant in self.variants.values()]}
        names = {key: self.title + "".join(part.title() for part in key.split("-")) for key in self.variants}
        return {
            "oneOf": [{**self.variants[key].json_schema(), "x-component": name} for key, name in names.items()],
            "discriminator": {
                "propertyName": self.discriminator,
                "mapping": {key: f"#/components/schemas/{name}" for key, name in names.items()},
            },
        }


@dataclass(frozen=True, slots=True)
class AllOf:
    """An object that fits each of several descriptions; the problems of all parts come together."""

    parts: tuple[Schema | OneOf, ...]

    def validate(self, data: object, path: Path = ()) -> dict[str, Any]:
        """The data as it will be stored. Raises Invalid."""
        found: dict[str, Any] = {}
        issues: list[Issue] = []
        for part in self.parts:
            try:
                found |= part.validate(data, path)
            except Invalid as error:
                issues += [issue for issue in error.issues if issue not in issues]
        if issues:
            raise Invalid(issues)
        return found

    def json_schema(self) -> dict[str, Any]:
        """OpenAPI 3.0."""
        return {"allOf": [part.json_schema() for part in self.parts]}


def literal(name: str, value: str, help: str = "") -> Text:
    """A member that must be just this text, as a discriminator is."""
    return Text(name, name, help, literal=value)


def secret(name: str, label: str, help: str = "", *, empty_message: str = "") -> Text:
    """A member that is write-only."""
    return Text(name, label, help, empty_message=empty_message, secret=True)


def _or_null(made: dict[str, Any]) -> dict[str, Any]:
    """A null is as good as nothing."""
    if not made or made.keys() == {"description"}:
        return made
    return {**made, "nullable": True, **({"enum": [*made["enum"], None]} if "enum" in made else {})}


def _described(made: dict[str, Any], text: str) -> dict[str, Any]:
    return {**made, "description": text} if text else made


def _type_issue(path: Path, expected: str, received: str, message: str) -> Issue:
    return {
        "code": "invalid_type",
        "expected": expected,
        "received": received,
        "path": list(path),
        "message": message,
    }


def _size_issue(path: Path, code: str, bound: str, size: int, message: str, kind: str = "string") -> Issue:
    return {
        "code": code,
        bound: size,
        "type": kind,
        "inclusive": True,
        "exact": False,
        "path": list(path),
        "message": message,
    }


def _literal_issue(path: Path, expected: str | bool, received: object) -> Issue:
    message = f"Invalid literal value, expected {json.dumps(expected)}"
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
