"""OpenAPI 3.0.3 of models and of responses (TypedDicts), and the same with what forms need besides.

Differences from pydantic's own JSON Schema, which is that of OpenAPI 3.1: `enum` for a constant, `nullable` for null,
no titles of classes, closed objects, definitions in place. A TypedDict carries its name, without the suffix Json, as
`x-component`, and so does what `named` was called with; `config.api.components` puts such parts under `components`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from config.responses import EXAMPLE_ID

JsonSchema = dict[str, Any]


class _Generator(GenerateJsonSchema):
    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        kinds = {str: "string", bool: "boolean", int: "integer"}
        return {"type": kinds[type(schema["expected"][0])], "enum": list(schema["expected"])}

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        inner = self.generate_inner(schema["schema"])
        return or_null(inner)

    def none_schema(self, schema: core_schema.NoneSchema) -> JsonSchemaValue:
        return {"nullable": True, "enum": [None]}

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = self.generate_inner(schema["schema"])
        default = schema.get("default")
        if default is None or default == []:
            return made
        in_query = made.get("type") == "string" and isinstance(default, bool)
        return {**made, "default": str(default).lower() if in_query else default}

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        made.pop("title", None)
        made.pop("description", None)
        model: Any = schema["cls"]
        required = set(made.get("required", ()))
        properties = made.setdefault("properties", {})
        for name, each in properties.items():
            if name not in required:
                properties[name] = or_null(each)
        properties |= {name: {"type": "string", "enum": ["", None], "nullable": True} for name in model.blank}
        made["type"] = "object"
        if model.model_config.get("extra") == "forbid":
            made["additionalProperties"] = False
        return made

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        made = super().typed_dict_schema(schema)
        made.pop("title", None)
        made.pop("description", None)
        own: Any = schema["cls"]
        if title := getattr(own, "__pydantic_config__", {}).get("title"):
            made["title"] = title
        name = own.__name__.removesuffix("Json")
        return {"x-component": name, **made, "type": "object", "additionalProperties": False}


@cache
def described(shape: Any) -> JsonSchema:
    """Everything that is known of a shape (`config.schemas.unions`) or a TypedDict; treat it as read-only.

    Beside OpenAPI's keywords it has `title` (the label) and those that begin with `x-`, which forms read.
    """
    if hasattr(shape, "described"):
        return dict(shape.described())
    made = TypeAdapter(shape).json_schema(schema_generator=_Generator, ref_template="{model}")
    definitions = made.pop("$defs", {})
    return dict(_in_place(made, definitions))


def _in_place(node: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_in_place(each, definitions) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        rest = {key: value for key, value in node.items() if key != "$ref"}
        return {**_in_place(definitions[node["$ref"]], definitions), **rest}
    return {key: _in_place(value, definitions) for key, value in node.items()}


def openapi(shape: Any) -> JsonSchema:
    """The same without what forms and examples alone need."""
    return public(described(shape))


def public(schema: JsonSchema) -> JsonSchema:
    found: JsonSchema = _public(schema)
    return found


_PRIVATE = {"title", "writeOnly", "example", "x-multiline", "x-verbatim", "x-hidden", "x-last"}


def _public(node: Any, *, is_members: bool = False) -> Any:
    if isinstance(node, list):
        return [_public(each) for each in node]
    if not isinstance(node, dict):
        return node
    dropped = set() if is_members else _PRIVATE - ({"title"} if "x-component" in node else set())
    return {
        key: _public(value, is_members=key == "properties" and not is_members)
        for key, value in node.items()
        if key not in dropped
    }


def parameters(shape: Any) -> list[tuple[str, JsonSchema, bool]]:
    """The members of a query: name, schema without null (a query has none), and whether it is required."""
    schema = openapi(shape)
    required = schema.get("required", ())
    return [(name, _without_null(each), name in required) for name, each in schema["properties"].items()]


def _without_null(schema: JsonSchema) -> JsonSchema:
    found = {key: value for key, value in schema.items() if key != "nullable"}
    return {**found, "enum": [each for each in found["enum"] if each is not None]} if "enum" in found else found


def or_null(made: JsonSchema) -> JsonSchema:
    """The same, and null besides."""
    if not made.keys() - {"description", "title", "example"}:
        return made  # anything, null included
    return {**made, "nullable": True, **({"enum": [*made["enum"], None]} if "enum" in made else {})}


def named(name: str, schema: JsonSchema) -> JsonSchema:
    """The same, to be found under this name wherever it is used."""
    return {**schema, "x-component": name}


def with_component(schema: JsonSchema, name: str, by: JsonSchema) -> JsonSchema:
    """The same with `by` in place of the component of this name; what holds it is no component any more."""
    return dict(_with_component(schema, name, by))


def _with_component(node: Any, name: str, by: JsonSchema) -> Any:
    if isinstance(node, list):
        return [_with_component(each, name, by) for each in node]
    if not isinstance(node, dict):
        return node
    if node.get("x-component") == name:
        return by
    made = {key: _with_component(value, name, by) for key, value in node.items()}
    if made != node:
        made.pop("x-component", None)
    return made


_EXAMPLES = {"uuid": EXAMPLE_ID, "date-time": "2026-02-01T09:30:00.000Z"}
_TEXTS = ("text", "4711", "https://example.com", "person@example.com", "/services/api/")
"""Examples that are tried in turn against a pattern."""


def example_of(schema: Mapping[str, Any]) -> Any:
    """Something that fits the schema: the field's own example, else the simplest; of variants the first."""
    if "example" in schema:
        return schema["example"]
    if variants := alternatives(schema):
        return example_of(variants[0])
    if "allOf" in schema:
        return {name: value for part in schema["allOf"] for name, value in example_of(part).items()}
    if "enum" in schema:
        return None if None in schema["enum"] else schema["enum"][0]
    if "properties" in schema:
        return {name: example_of(each) for name, each in schema["properties"].items() if "x-hidden" not in each}
    kind = schema.get("type")
    if kind == "array":
        return [example_of(schema["items"])]
    if kind == "string":
        if schema.get("format") in _EXAMPLES:
            return _EXAMPLES[schema["format"]]
        tried = [schema["default"]] if isinstance(schema.get("default"), str) else []
        fits = (text for text in (*tried, *_TEXTS) if re.search(schema.get("pattern", ""), text, re.ASCII))
        return next(fits, "text")
    if kind in ("integer", "number"):
        return schema.get("default", schema.get("minimum", 1))
    return {"boolean": bool(schema.get("default", False)), "object": {}}.get(str(kind))


def alternatives(schema: Mapping[str, Any]) -> Sequence[JsonSchema]:
    """The variants of a union; () of what is none."""
    found: Sequence[JsonSchema] = schema.get("anyOf") or schema.get("oneOf") or ()
    return found
