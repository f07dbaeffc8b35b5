"""Members of requests that only the source's endpoints have: paths of folders, and how a project is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from config.errors import BadRequest, Invalid, problem
from config.schema import Checked, Path, Text
from syncs.services.source import BAD_FOLDER_NAME, normal_path


@dataclass(frozen=True, slots=True)
class FolderPath:
    """`/a/b`: a slash in front is added, one at the end taken away."""

    name: str
    help: str = "Path of a folder, as /services/api."
    required: bool = False
    default: str | None = "/"

    def check(self, value: object, path: Path) -> Checked:
        text, issues = Text(self.name, self.name, required=self.required, min_length=0, max_length=2048).check(
            value, path
        )
        if issues or (text is None and self.default is None):
            return None, issues
        try:
            return normal_path(str(text or self.default)), []
        except Invalid:
            return None, [problem(path, BAD_FOLDER_NAME)]

    def json_schema(self) -> dict[str, Any]:
        made: dict[str, Any] = {"type": "string", "maxLength": 2048, "description": self.help}
        return made if self.default is None else {**made, "default": self.default}


@dataclass(frozen=True)
class Dialect:
    """How a version of an endpoint calls the project."""

    version: str  # of the path, as "v1"
    id_key: str  # its id, in queries and bodies
    slug_query: str = ""  # its slug, in queries
    slug_body: str = ""  # its slug, in bodies

    def query_fields(self) -> tuple[Text, ...]:
        return self._fields(self.slug_query)

    def body_fields(self) -> tuple[Text, ...]:
        return self._fields(self.slug_body)

    def _fields(self, slug: str) -> tuple[Text, ...]:
        by_id = Text(self.id_key, "Project", "The project's id.", required=not slug, max_length=64)
        return (by_id, Text(slug, "Project", "Its slug, instead.", required=False, max_length=64)) if slug else (by_id,)

    def project(self, given: Mapping[str, Any], missing: str) -> dict[str, str]:
        """`id` or `slug` of what was given. Raises BadRequest with the text `missing`."""
        if named := given.get(self.id_key):
            return {"id": named}
        for key in (self.slug_query, self.slug_body):
            if key and given.get(key):
                return {"slug": given[key]}
        raise BadRequest(missing)


def environment_field(*, required: bool = True) -> Text:
    return Text("environment", "Environment", "The environment's slug.", required=required, max_length=64)
