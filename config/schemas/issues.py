"""Problems of data from outside, as issues of the modelled API (zod 3).

An issue has `code`, `path`, `message` and what the code needs besides. Annotated types (`config.schemas.types`) raise
finished issues; what pydantic itself finds (a missing member, an unknown one) is translated here and nowhere else.
No issue is made from pydantic's own messages or inputs, which may hold a value.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from config.errors import Issue, problem

Path = tuple[str | int, ...]

_FINISHED = "finished_issues"


def refused(*issues: Issue) -> PydanticCustomError:
    """The exception that a validator raises with finished issues, whose paths are relative to the validated value."""
    return PydanticCustomError(_FINISHED, "The value is not valid.", {"issues": list(issues)})


def finished(error: PydanticCustomError) -> list[Issue]:
    """The issues that `refused` was called with."""
    return list((error.context or {})["issues"])


def issues_of(error: ValidationError, model: Any, path: Path = ()) -> list[Issue]:
    """Every problem that a model found, in the order of its members; unknown members of one object come as one."""
    found: list[Issue] = []
    unknown: dict[Path, list[str]] = {}
    for each in error.errors(include_input=False, include_url=False):
        where = (*path, *each["loc"])
        if each["type"] == _FINISHED:
            found += [{**issue, "path": [*where, *issue["path"]]} for issue in each["ctx"]["issues"]]
        elif each["type"] == "extra_forbidden":
            parent = where[:-1]
            if parent not in unknown:
                unknown[parent] = []
                found.append({"code": "unrecognized_keys", "path": list(parent)})
            unknown[parent].append(str(where[-1]))
        elif each["type"] == "missing":
            found.append(wrong_type(expected_at(model, each["loc"]), ..., where))
        else:
            found.append(problem(where, "Invalid value"))
    return [_unrecognized(issue, unknown) for issue in found]


def _unrecognized(issue: Issue, unknown: dict[Path, list[str]]) -> Issue:
    if issue["code"] != "unrecognized_keys" or "keys" in issue:
        return issue
    keys = sorted(set(unknown[tuple(issue["path"])]))
    named = ", ".join(f"'{key}'" for key in keys)
    return {**issue, "keys": keys, "message": f"Unrecognized key(s) in object: {named}"}


def expected_at(model: Any, loc: Sequence[str | int]) -> str:
    """JavaScript's name of the type that a member should have."""
    metadata: Sequence[Any] = ()
    for name in loc:
        if isinstance(name, str):  # else an item of a list
            field = _model_in(model).model_fields[name]
            model, metadata = field.annotation, field.metadata
    return next((str(each.expected) for each in metadata if hasattr(each, "expected")), "object")


def _model_in(kind: Any) -> Any:
    """The model of an annotation: itself, of the items of a list, or beside None."""
    while not hasattr(kind, "model_fields"):
        kind = get_args(kind)[0]
    return kind


def wrong_type(expected: str, received: object, path: Sequence[str | int] = ()) -> Issue:
    """`received` is the value, of which only the type is named; `...` means a missing one."""
    name = type_name(received)
    message = "Required" if received is ... else f"Expected {expected}, received {name}"
    return {"code": "invalid_type", "expected": expected, "received": name, "path": list(path), "message": message}


def wrong_size(code: str, size: int, message: str, kind: str = "string") -> Issue:
    """`code` is too_small or too_big."""
    bound = "minimum" if code == "too_small" else "maximum"
    return {
        "code": code,
        bound: size,
        "type": kind,
        "inclusive": True,
        "exact": False,
        "path": [],
        "message": message,
    }


def wrong_literal(expected: str | bool, received: object) -> Issue:
    message = f"Invalid literal value, expected {json.dumps(expected)}"
    return {"code": "invalid_literal", "expected": expected, "received": received, "path": [], "message": message}


def wrong_choice(options: Sequence[str], received: str) -> Issue:
    expected = " | ".join(f"'{option}'" for option in options)
    message = f"Invalid enum value. Expected {expected}, received '{received}'"
    return {
        "code": "invalid_enum_value",
        "options": list(options),
        "received": received,
        "path": [],
        "message": message,
    }


def wrong_variant(options: Sequence[str], discriminator: str) -> Issue:
    expected = " | ".join(f"'{option}'" for option in options)
    message = f"Invalid discriminator value. Expected {expected}"
    return {
        "code": "invalid_union_discriminator",
        "options": list(options),
        "path": [discriminator],
        "message": message,
    }


def wrong_format(validation: str, message: str) -> Issue:
    return {"code": "invalid_string", "validation": validation, "path": [], "message": message}


def type_name(value: object) -> str:
    """JavaScript's name of a JSON type, as zod uses it."""
    if value is None:
        return "null"
    if value is ...:
        return "undefined"
    names: dict[type, str] = {bool: "boolean", int: "number", float: "number", str: "string", list: "array"}
    return names.get(type(value), "object")
