"""The types of members, as metadata of `Annotated`: each validates as the modelled API does and describes itself.

`label` and `help` are for forms and OpenAPI, `example` for OpenAPI. Validators raise finished issues.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, SecretStr
from pydantic_core import CoreSchema, core_schema

from config.conventions import SLUG, parse_moment, slug_issues
from config.errors import Issue, problem

from .issues import refused, wrong_choice, wrong_format, wrong_literal, wrong_size, wrong_type
from .member import JsonSchema, Member


@dataclass(frozen=True, slots=True)
class Text(Member):
    """A string, trimmed, on one line or `multiline`. Sizes in characters.

    `verbatim` takes the text as it is: not trimmed, control characters allowed. `choices` are all it can be.
    `prepare` trims it. `empty_message` of a part of the location is "<label> required" by default, as modelled.
    """

    label: str = ""
    help: str = ""
    min_length: int = 1
    max_length: int | None = None
    empty_message: str = ""
    choices: tuple[str, ...] = ()
    pattern: str = ""
    pattern_message: str = "Invalid"
    verbatim: bool = False
    multiline: bool = False
    prepare: Callable[[str], str] = str.strip

    def check(self, value: object) -> object:
        if not isinstance(value, str):
            raise refused(wrong_type("string", value))
        text = value if self.verbatim else self.prepare(value)
        if self.choices:
            issues = [] if text in self.choices else [wrong_choice(self.choices, text)]
        else:
            issues = self._length(text) or self._form(text)
        if issues:
            raise refused(*issues)
        return text

    def _length(self, text: str) -> list[Issue]:
        if len(text) < self.min_length:
            required = f"{self.label} required" if self.location else ""
            default = f"String must contain at least {self.min_length} character(s)"
            message = self.empty_message or required or default
            return [wrong_size("too_small", self.min_length, message)]
        if self.max_length is not None and len(text) > self.max_length:
            return [
                wrong_size("too_big", self.max_length, f"String must contain at most {self.max_length} character(s)")
            ]
        return []

    def _form(self, text: str) -> list[Issue]:
        if self.verbatim:
            return []
        if re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]" if self.multiline else r"[\x00-\x1f\x7f]", text):
            return [problem([], f"{self.label} has a control character")]
        if self.pattern and not re.fullmatch(self.pattern, text):
            return [wrong_format("regex", self.pattern_message)]
        return []

    def _expression(self) -> str:
        """As a regular expression: no control character, and something besides blanks where it may not be empty."""
        if self.pattern:
            return f"^(?:{self.pattern})$"
        control = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f" if self.multiline else r"\u0000-\u001f\u007f"
        plain = f"[^{control}]*"
        return rf"^{plain}[^\s{control}\u0085]{plain}$" if self.min_length else f"^{plain}$"

    def shape(self) -> JsonSchema:
        made: JsonSchema = {"type": "string"}
        if self.choices:
            made["enum"] = list(self.choices)
        else:
            made["minLength"] = self.min_length
            if self.max_length is not None:
                made["maxLength"] = self.max_length
            if not self.verbatim:
                made["pattern"] = self._expression()
        if self.multiline:
            made["x-multiline"] = True
        if self.verbatim:
            made["x-verbatim"] = True
        return made


@dataclass(frozen=True, slots=True)
class Secret(Text):
    """A text that is write-only, of type SecretStr."""

    def check(self, value: object) -> object:
        return SecretStr(str(Text.check(self, value)))

    def shape(self) -> JsonSchema:
        return {**Text.shape(self), "writeOnly": True}


@dataclass(frozen=True, slots=True)
class Slug(Member):
    """Lower case, digits and single hyphens. `name` is what the modelled messages call it."""

    name: str
    help: str = ""
    label: str = ""
    least: int = 1
    most: int = 64

    def check(self, value: object) -> object:
        text = Text(self.name, min_length=0).check(value)
        issues = slug_issues(self.name, str(text), least=self.least, most=self.most)
        if issues:
            raise refused(*({**issue, "path": []} for issue in issues))
        return text

    def shape(self) -> JsonSchema:
        pattern = f"^{SLUG.pattern}$"
        return {"type": "string", "minLength": self.least, "maxLength": self.most, "pattern": pattern}


@dataclass(frozen=True, slots=True)
class Id(Member):
    """A UUID, lower case."""

    help: str = ""
    label: str = ""

    def check(self, value: object) -> object:
        text = Text(self.label, min_length=0).check(value)
        try:
            return str(UUID(str(text)))
        except ValueError:
            raise refused(wrong_format("uuid", "Invalid uuid")) from None

    def shape(self) -> JsonSchema:
        return {"type": "string", "format": "uuid"}


@dataclass(frozen=True, slots=True)
class Flag(Member):
    """A boolean. `query`: the strings "true" and "false". `only` allows just that one.

    `lenient`: nothing, "0" and "false" in any case are false, all else is true.
    """

    expected: ClassVar[str] = "boolean"
    label: str = ""
    help: str = ""
    query: bool = False
    only: bool | None = None
    lenient: bool = False

    def check(self, value: object) -> object:
        if self.lenient:
            return str(value).lower() not in ("", "0", "false")
        if self.query:
            if value in ("true", "false"):
                return value == "true"
            raise refused(wrong_choice(("true", "false"), str(value)))
        if not isinstance(value, bool):
            raise refused(wrong_type("boolean", value))
        if self.only is not None and value is not self.only:
            raise refused(wrong_literal(self.only, value))
        return value

    def shape(self) -> JsonSchema:
        made: JsonSchema = {"type": "string", "enum": ["true", "false"]} if self.query else {"type": "boolean"}
        if self.lenient:
            made = {"type": "string"}
        if self.only is not None:
            made["enum"] = [self.only]
        return made


@dataclass(frozen=True, slots=True)
class Whole(Member):
    """An integer; JSON has one kind of number, so 30.0 is one too. `query` also takes digits."""

    expected: ClassVar[str] = "number"
    help: str = ""
    label: str = ""
    minimum: int = 0
    maximum: int = 2**31 - 1
    query: bool = False

    def check(self, value: object) -> object:
        if self.query and isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value, re.ASCII):
            value = int(value)
        if isinstance(value, float):
            if not value.is_integer():
                issue = wrong_type("integer", value)
                raise refused({**issue, "received": "float", "message": "Expected integer, received float"})
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise refused(wrong_type("number", value))
        if value < self.minimum:
            message = f"Number must be greater than or equal to {self.minimum}"
            raise refused(wrong_size("too_small", self.minimum, message, "number"))
        if value > self.maximum:
            message = f"Number must be less than or equal to {self.maximum}"
            raise refused(wrong_size("too_big", self.maximum, message, "number"))
        return value

    def shape(self) -> JsonSchema:
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}


@dataclass(frozen=True, slots=True)
class Moment(Member):
    """A date with its time, ISO 8601; without an offset it is UTC. The value is an aware datetime in UTC."""

    help: str = ""
    label: str = ""

    def check(self, value: object) -> object:
        text = Text(self.label).check(value)
        try:
            return parse_moment(str(text))
        except ValueError:
            raise refused(wrong_format("datetime", "Invalid datetime")) from None

    def shape(self) -> JsonSchema:
        return {"type": "string", "format": "date-time"}


@dataclass(frozen=True, slots=True)
class Items(Member):
    """A list; the annotated type says of what: `Annotated[list[Annotated[str, Text()]], Items()]`."""

    expected: ClassVar[str] = "array"
    help: str = ""
    label: str = ""
    min_items: int = 0
    max_items: int | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def check(value: object, items: core_schema.ValidatorFunctionWrapHandler) -> object:
            if not isinstance(value, list):
                raise refused(wrong_type("array", value))
            if len(value) < self.min_items:
                message = f"Array must contain at least {self.min_items} element(s)"
                raise refused(wrong_size("too_small", self.min_items, message, "array"))
            if self.max_items is not None and len(value) > self.max_items:
                message = f"Array must contain at most {self.max_items} element(s)"
                raise refused(wrong_size("too_big", self.max_items, message, "array"))
            return items(value)

        return core_schema.no_info_wrap_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchema:
        made = {**handler(schema), **self.described()}
        if self.min_items:
            made["minItems"] = self.min_items
        if self.max_items is not None:
            made["maxItems"] = self.max_items
        return made

    def shape(self) -> JsonSchema:
        return {}


@dataclass(frozen=True, slots=True)
class Anything(Member):
    """Any JSON value, taken as it is."""

    expected: ClassVar[str] = "object"
    help: str = ""
    label: str = ""

    def check(self, value: object) -> object:
        return value

    def shape(self) -> JsonSchema:
        return {}
