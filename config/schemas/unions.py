"""Shapes made of several models: one of them, or all of them at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, create_model
from pydantic_core import CoreSchema, core_schema

from config.errors import Invalid, Issue

from .issues import Path, refused, wrong_type, wrong_variant
from .json_schema import JsonSchema, described, named
from .model import Model


class OneOf:
    """One of several models, distinguished by one member, which is a `Literal` in each.

    It parses by itself, and is used in a model as `Annotated[Any, shape]`. `title` is the beginning of the variants'
    names in OpenAPI. `default` is the variant of data that lack the member, as older clients send them.
    """

    expected: ClassVar[str] = "object"

    def __init__(self, discriminator: str, *models: type[Model], title: str = "", default: str = "") -> None:
        self.discriminator = discriminator
        self.title = title
        self.default = default
        self.variants = {get_args(model.model_fields[discriminator].annotation)[0]: model for model in models}

    @classmethod
    def of(cls, discriminator: str, variants: Mapping[str, type[Model]], **more: Any) -> OneOf:
        """One of several models by value, where values may share a model, which declares the member as `str`."""

        def made(value: str, model: type[Model]) -> type[Model]:
            kind = Annotated[Literal[value], *model.model_fields[discriminator].metadata]  # type: ignore[valid-type]
            members: dict[str, Any] = {discriminator: (kind, ...)}
            return create_model(model.__name__, __base__=model, __module__=model.__module__, **members)

        return cls(discriminator, *(made(value, model) for value, model in variants.items()), **more)

    def titled(self, title: str) -> OneOf:
        return OneOf(self.discriminator, *self.variants.values(), title=title, default=self.default)

    def parse(self, data: object, path: Path = ()) -> Any:
        """The object. Raises Invalid with every problem of its variant, each path beginning with `path`."""
        if isinstance(data, tuple(self.variants.values())):
            return data
        if not isinstance(data, Mapping):
            raise Invalid([wrong_type("object", data, path)])
        if self.default and self.discriminator not in data:
            data = {self.discriminator: self.default, **data}
        chosen = data.get(self.discriminator)
        variant = self.variants.get(chosen) if isinstance(chosen, str) else None
        if variant is None:
            issue = wrong_variant(list(self.variants), self.discriminator)
            raise Invalid([{**issue, "path": [*path, *issue["path"]]}])
        return variant.parse(data, path)

    def restored(self, data: Mapping[str, Any]) -> Any:
        """See `Model.restored`. Raises KeyError for data of no variant."""
        return self.variants[data.get(self.discriminator, self.default)].restored(data)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def check(value: object) -> object:
            try:
                return self.parse(value)
            except Invalid as error:
                raise refused(*error.issues) from None

        return core_schema.no_info_plain_validator_function(check)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchema:
        return self.described()

    def described(self) -> JsonSchema:
        variants = {key: described(model) for key, model in self.variants.items()}
        if not self.title:
            return {"anyOf": list(variants.values())}
        names = {key: self.title + "".join(part.title() for part in key.split("-")) for key in variants}
        return {
            "oneOf": [named(names[key], each) for key, each in variants.items()],
            "discriminator": {
                "propertyName": self.discriminator,
                "mapping": {key: f"#/components/schemas/{name}" for key, name in names.items()},
            },
        }


class AllOf:
    """Data that fit each of several shapes. `parse` returns one object for each; their problems come together."""

    def __init__(self, *parts: type[Model] | OneOf) -> None:
        self.parts = parts

    def parse(self, data: object, path: Path = ()) -> tuple[Any, ...]:
        found: list[Any] = []
        issues: list[Issue] = []
        for part in self.parts:
            try:
                found.append(part.parse(data, path))
            except Invalid as error:
                issues += [issue for issue in error.issues if issue not in issues]
        if issues:
            raise Invalid(issues)
        return tuple(found)

    def described(self) -> JsonSchema:
        return {"allOf": [described(part) for part in self.parts]}


Shape = type[Model] | OneOf | AllOf
