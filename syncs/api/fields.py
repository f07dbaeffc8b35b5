"""Members of requests that only the source's endpoints have: paths of folders, and how a project is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from config.errors import BadRequest
from config.schemas.schema import Checked, Path, Text
from syncs.source.validation import MAX_KEY, key_issues


@dataclass(frozen=True, slots=True)
class SecretName:
    """A name that a secret may have. `empty`: the service has its own word for an empty one."""

    name: str
    help: str = ""
    required: bool = False
    empty: bool = False

    def check(self, value: object, path: Path) -> Checked:
        text, issues = Text(self.name, self.name, required=self.required, min_length=0, verbatim=True).check(
            value, path
        )
        if text is None or issues:
            return None, issues
        key = str(text).strip()
        return key, [] if self.empty and not key else key_issues(key, path)

    def json_schema(self) -> dict[str, Any]:
        inner = r"[^:/\u0000-\u001f\u007f]*"
        pattern = rf"^{inner}[^:/\s\u0000-\u001f\u007f\u0085]{inner}$" + ("|^$" if self.empty else "")
        return {"type": "string", "maxLength": MAX_KEY, "pattern": pattern, "description": self.help}


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
        if not slug:
            return (Text(self.id_key, "Project", "The project's id.", max_length=64),)
        # Clients send both, the one that they do not know as an empty text.
        common: dict[str, Any] = {"required": False, "min_length": 0, "max_length": 64}
        return (
            Text(self.id_key, "Project", "The project's id.", **common),
            Text(slug, "Project", "Its slug, instead.", **common),
        )

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
