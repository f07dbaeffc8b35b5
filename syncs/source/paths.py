"""Paths of folders: their rules, their normal form, and their members in requests."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.db.models import F, Q, Value
from django.db.models.functions import Substr
from django.db.models.lookups import Exact

from config.errors import BadRequest, Invalid, problem
from config.schemas.issues import refused
from config.schemas.json_schema import JsonSchema
from config.schemas.member import Member
from config.schemas.types import Text
from syncs.engine.addresses import child_path

NAME = r"[A-Za-z0-9_-]{1,255}"
MAX_PATH = 2048
BAD_NAME = "Invalid folder name. Only alphanumeric characters, dashes, and underscores are allowed."


def below(path: str, field: str = "path") -> Q:
    """Rows of the folders below one, at any depth; `field` holds their paths."""
    prefix = child_path(path, "")
    # SQLite's LIKE ignores case: the second condition decides, the first may use an index.
    same = Exact(Substr(F(field), 1, len(prefix)), Value(prefix))
    return Q(**{f"{field}__startswith": prefix}) & Q(same) & ~Q(**{field: path})


def within(path: str, field: str = "path") -> Q:
    """Rows of a folder and of those below it."""
    return Q(**{field: path}) | below(path, field)


def folder_name(name: str) -> str:
    """The name itself. Raises Invalid for one that no folder may have."""
    if not re.fullmatch(NAME, name, re.ASCII):
        raise Invalid([problem(["name"], BAD_NAME)])
    return name


def normal_path(path: str) -> str:
    """`/a/b`: a slash in front, none at the end. Raises Invalid for a name that no folder may have."""
    found = "/" + "/".join(folder_name(part) for part in path.strip().split("/") if part)
    if len(found) > MAX_PATH:
        raise BadRequest(f"The path would be longer than {MAX_PATH} characters")
    return found


@dataclass(frozen=True, slots=True)
class PathText(Member):
    """The path of a folder, in its one form. With `empty_message` an empty text is refused, else it is the root."""

    label: str = ""
    help: str = "Path of a folder, as /services/api."
    empty_message: str = ""

    def check(self, value: object) -> object:
        least = 1 if self.empty_message else 0
        # A slash may be added.
        plain = Text(self.label, min_length=least, empty_message=self.empty_message, max_length=MAX_PATH - 1)
        text = plain.check(value)
        try:
            return normal_path(str(text))
        except Invalid:
            raise refused(problem([], BAD_NAME)) from None

    def shape(self) -> JsonSchema:
        schema: JsonSchema = {"type": "string", "maxLength": MAX_PATH - 1, "pattern": f"^/*({NAME}(/+{NAME})*/*)?$"}
        return {**schema, "minLength": 1} if self.empty_message else schema
