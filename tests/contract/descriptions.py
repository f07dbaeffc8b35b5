"""Requests and responses held to the description that a vendor publishes of its API (OpenAPI 3, or Swagger 2).

The files are in the folder that KEYFERRY_VENDOR_SPECS names. A description is open where its author did not think of
closing it; a request is closed here: a member or parameter that is not described is a fault of the adapter.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from jsonschema import Draft4Validator, Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4, DRAFT202012

ROOT = "urn:description"
DATA = ("default", "enum", "example", "examples", "const")
"""Members of a schema that hold data, not schemas."""
PARTS = ("allOf", "anyOf", "oneOf")


def folder() -> Path | None:
    """Where the descriptions are, or None where there are none."""
    named = os.environ.get("KEYFERRY_VENDOR_SPECS", "")
    return Path(named) if named and Path(named).is_dir() else None


@functools.cache
def load(path: Path) -> Description:
    text = path.read_text()
    return Description(json.loads(text) if path.suffix == ".json" else yaml.load(text, Loader=yaml.CSafeLoader))


@dataclass(frozen=True)
class Operation:
    """One method of one path: `name` is both as the description writes them, `pointer` is its position."""

    name: str
    pointer: str
    described: Mapping[str, Any]
    parameters: list[Mapping[str, Any]] = field(repr=False)


class Description:
    """A published description. `problems` says how an exchange differs from it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.is_swagger = "swagger" in document
        is_newer = str(document.get("openapi", "")).startswith("3.1")
        self.document = document if is_newer else _standard(document)
        self._validator = Draft202012Validator if is_newer else Draft4Validator
        specification = DRAFT202012 if is_newer else DRAFT4
        self._registry = Registry().with_resource(ROOT, Resource(self.document, specification))
        self._routes = [(path, *_patterns(path)) for path in self.document["paths"]]
        self._bases = ["", *self._base_paths()]

    def _base_paths(self) -> Iterator[str]:
        if self.is_swagger:
            yield str(self.document.get("basePath", "")).rstrip("/")
        for server in self.document.get("servers", ()):
            yield re.sub(r"^\{[^}]*\}|^[a-z]+://[^/]*", "", server["url"]).rstrip("/")

    def operation(self, method: str, path: str) -> Operation | None:
        """The most specific path that fits, as a server would route it; None: not described."""
        within = [path.removeprefix(base) for base in dict.fromkeys(self._bases) if path.startswith(f"{base}/")]
        for kind in (0, 1):
            fitting = [route for route, *kinds in self._routes if any(kinds[kind].fullmatch(each) for each in within)]
            for route in sorted(fitting, key=lambda route: (route.count("{"), -len(re.sub(r"\{[^}]+\}", "", route)))):
                item = self.document["paths"][route]
                if described := item.get(method.lower()):
                    pointer = f"/paths/{_escaped(route)}/{method.lower()}"
                    parameters = [
                        self._resolved(each) for each in (*item.get("parameters", ()), *_parameters(described))
                    ]
                    return Operation(f"{method} {route}", pointer, described, parameters)
        return None

    def problems(
        self, method: str, path: str, query: Mapping[str, str], body: Any, status: int | None, response: Any
    ) -> Iterator[str]:
        """What differs, each beginning with the operation.

        `body` and `response` are parsed; None: there is none. Where `status` is None, only the request is looked at.
        """
        operation = self.operation(method, urlsplit(path).path)
        if operation is None:
            yield f"{method} {urlsplit(path).path}: is not described"
            return
        found = [*self._of_query(operation, query), *self._of_body(operation, body)]
        if status is not None:
            found += self._of_response(operation, status, response)
        yield from (f"{operation.name}: {one}" for one in found)

    def _of_query(self, operation: Operation, query: Mapping[str, str]) -> Iterator[str]:
        known = {each["name"]: each for each in operation.parameters if each["in"] == "query"}
        for name, value in query.items():
            if name not in known:
                yield f"the parameter {name} is not described"
                continue
            schema = known[name].get("schema", known[name])
            allowed = self._resolved(schema).get("enum")
            if allowed and value not in map(str, allowed):
                yield f"the parameter {name} is none of {allowed}"
        for name, parameter in known.items():
            if parameter.get("required") and name not in query:
                yield f"the parameter {name} is required"

    def _of_body(self, operation: Operation, body: Any) -> Iterator[str]:
        pointer, required = self._body_schema(operation)
        if body is None:
            if required:
                yield "a body is required"
        elif pointer is None:
            yield "no body is described"
        else:
            yield from self._misfits(body, pointer, "the request")
            yield from (f"the request's {at} is not described" for at in self._strangers(body, self._at(pointer)))

    def _body_schema(self, operation: Operation) -> tuple[str | None, bool]:
        """The pointer of the schema of a body, None where there is no body; whether a body must be sent."""
        if self.is_swagger:
            for index, each in enumerate(_parameters(operation.described)):
                if self._resolved(each)["in"] == "body":
                    at = each["$ref"].removeprefix("#") if "$ref" in each else f"{operation.pointer}/parameters/{index}"
                    return f"{at}/schema", bool(self._resolved(each).get("required"))
            return None, False
        if "requestBody" not in operation.described:
            return None, False
        at, described = self._followed(f"{operation.pointer}/requestBody")
        for kind, content in described.get("content", {}).items():
            if "json" in kind or "form" in kind or kind == "*/*":
                return f"{at}/content/{_escaped(kind)}/schema" if "schema" in content else None, _required(described)
        return None, _required(described)

    def _of_response(self, operation: Operation, status: int, response: Any) -> Iterator[str]:
        responses = operation.described.get("responses", {})
        names = (str(status), f"{status // 100}XX", f"{status // 100}xx", "default")
        name = next((name for name in names if name in responses), None)
        if name is None:
            if status < 400:
                yield f"the status {status} is not described"
            return
        at, described = self._followed(f"{operation.pointer}/responses/{name}")
        if self.is_swagger:
            pointer = f"{at}/schema" if "schema" in described else None
        else:
            kinds = [kind for kind, content in described.get("content", {}).items() if "schema" in content]
            kind = next((kind for kind in kinds if "json" in kind or kind == "*/*"), None)
            pointer = f"{at}/content/{_escaped(kind)}/schema" if kind else None
        if pointer and status < 400:
            yield from self._misfits(response, pointer, f"the response {status}")

    def _misfits(self, value: Any, pointer: str, what: str) -> Iterator[str]:
        validator = self._validator({"$ref": f"{ROOT}#{pointer}"}, registry=self._registry)
        error = best_match(validator.iter_errors(value))
        if error is not None:
            at = ".".join(map(str, error.absolute_path)) or "body"
            yield f"{what}'s {at}: {error.message[:200]}"

    def _strangers(self, value: Any, schema: Any, at: str = "body") -> Iterator[str]:
        """Members of a request that its schema does not name, unless it says that any may come."""
        named, is_open, items = self._members(schema)
        if isinstance(value, list):
            for each in value if items is not None else ():
                yield from self._strangers(each, items, f"{at}[]")
        elif isinstance(value, dict) and named:
            for name, each in value.items():
                if name in named:
                    yield from self._strangers(each, named[name], f"{at}.{name}")
                elif not is_open:
                    yield f"{at}.{name}"

    def _members(self, schema: Any) -> tuple[dict[str, Any], bool, Any]:
        """All members that a schema names in any of its parts, whether others may come, and the schema of items."""
        schema = self._resolved(schema)
        if not isinstance(schema, dict):
            return {}, True, None
        named = dict(schema.get("properties", {}))
        is_open, items = schema.get("additionalProperties", False) is not False, schema.get("items")
        for part in (part for name in PARTS for part in schema.get(name, ())):
            more, opens, found = self._members(part)
            named, is_open, items = {**more, **named}, is_open or opens, items or found
        return named, is_open, items

    def _resolved(self, schema: Any) -> Any:
        while isinstance(schema, dict) and "$ref" in schema:
            schema = self._at(schema["$ref"].removeprefix("#"))
        return schema

    def _followed(self, pointer: str) -> tuple[str, Any]:
        """The value at a pointer, and the pointer after following references."""
        found = self._at(pointer)
        while isinstance(found, dict) and "$ref" in found:
            pointer = found["$ref"].removeprefix("#")
            found = self._at(pointer)
        return pointer, found

    def _at(self, pointer: str) -> Any:
        found: Any = self.document
        for part in pointer.strip("/").split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            found = found[int(name)] if isinstance(found, list) else found[name]
        return found


def _parameters(described: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(described.get("parameters", ()))


def _required(described: Mapping[str, Any]) -> bool:
    return bool(described.get("required"))


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _patterns(path: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A path with each parameter as one part; and as several: a mount or a path of secrets may have slashes."""
    escaped = re.escape(path)
    one, several = (re.compile(re.sub(r"\\\{[^}]+\\\}", part, escaped)) for part in ("[^/]+", ".+"))
    return one, several


def _standard(schema: Any) -> Any:
    """A document of OpenAPI 3.0 or Swagger 2 in the terms of JSON Schema: `nullable` as a type of its own.

    `oneOf` is read as `anyOf`: generated descriptions write it for unions whose members overlap.
    """
    if isinstance(schema, list):
        return [_standard(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        "anyOf" if name == "oneOf" and isinstance(value, list) else name: value if name in DATA else _standard(value)
        for name, value in schema.items()
    }
    if made.get("nullable") is True or made.get("x-nullable") is True:
        inner = {name: value for name, value in made.items() if name not in ("nullable", "x-nullable")}
        return {"anyOf": [inner, {"type": "null"}]}
    return made
