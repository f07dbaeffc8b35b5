"""What all types of members have in common: validation, nullability and their description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

JsonSchema = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What every type has.

    `nullable`: a null is a value of its own, not an absent member. `hidden`: an old name, which examples leave out.
    `last`: forms show it after the other members, although it comes from a base class. `location`: its value is part of
    a sync's location (see `syncs.destination.location`), for which upper and lower case are one if `ignores_case`.
    """

    expected: ClassVar[str] = "string"  # JavaScript's name of the type
    nullable: bool = False
    example: Any = None
    hidden: bool = False
    last: bool = False
    location: bool = False
    ignores_case: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def check(value: object) -> object:
            return None if value is None and self.nullable else self.check(value)

        return core_schema.no_info_plain_validator_function(check)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchema:
        made = self.described()
        return {**made, "nullable": True} if self.nullable else made

    def check(self, value: object) -> object:
        """The value as it will be kept. Raises what `refused` makes."""
        raise NotImplementedError

    def shape(self) -> JsonSchema:
        """The type in OpenAPI 3.0, with keywords that begin with `x-` for forms alone."""
        raise NotImplementedError

    def described(self) -> JsonSchema:
        made = self.shape()
        for name, value in (
            ("title", getattr(self, "label", "")),
            ("description", getattr(self, "help", "")),
            ("example", self.example),
        ):
            if value not in ("", None):
                made[name] = value
        signs = {"x-hidden": self.hidden, "x-last": self.last}
        return {**made, **{name: True for name, is_set in signs.items() if is_set}}


@dataclass(frozen=True, slots=True)
class About(Member):
    """Label and help of a member whose type says the rest, such as the Literal of a discriminator."""

    label: str = ""
    help: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler(source)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchema:
        return {**handler(schema), **self.described()}

    def shape(self) -> JsonSchema:
        return {}
