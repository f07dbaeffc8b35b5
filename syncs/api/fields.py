"""Members of requests that only the source's endpoints have: secret names, environments, and the project.

The versions of the modelled API name the project differently. A body or query inherits from one of the classes below,
last, so that the project is the first of its members.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel

from config.errors import BadRequest
from config.responses import EXAMPLE_ID
from config.schemas.issues import refused
from config.schemas.json_schema import JsonSchema
from config.schemas.member import Member
from config.schemas.model import Body
from config.schemas.types import Text
from syncs.source.validation import MAX_KEY, key_issues

ENVIRONMENT = Text("Environment", "The environment's slug.", max_length=64, example="dev")
_ID = Text("Project", "The project's ID.", max_length=64, example=EXAMPLE_ID)
_ID_OR_EMPTY = Text("Project", "The project's ID.", min_length=0, max_length=64, example=EXAMPLE_ID)
_SLUG_OR_EMPTY = Text(
    "Project", "The project's slug, instead of its ID.", min_length=0, max_length=64, example="shop-dev"
)


class OfProject(Body):
    projectId: Annotated[str, _ID]


class OfWorkspace(Body):
    """As version 1 has it."""

    workspaceId: Annotated[str, _ID]


class InQueryOfWorkspace(Body):
    """As queries of version 3 have it: clients send both members, one of them empty."""

    workspaceId: Annotated[str | None, _ID_OR_EMPTY] = None
    workspaceSlug: Annotated[str | None, _SLUG_OR_EMPTY] = None


class InBodyOfWorkspace(Body):
    """As bodies of version 3 have it."""

    workspaceId: Annotated[str | None, _ID_OR_EMPTY] = None
    projectSlug: Annotated[str | None, _SLUG_OR_EMPTY] = None


def project_of(request: BaseModel, missing: str = "Missing project id") -> dict[str, str]:
    """`id` or `slug` of the project that a body or query names. Raises BadRequest with the text `missing`."""
    members = {"projectId": "id", "workspaceId": "id", "workspaceSlug": "slug", "projectSlug": "slug"}
    for member, key in members.items():
        if value := getattr(request, member, None):
            return {key: value}
    raise BadRequest(missing)


@dataclass(frozen=True, slots=True)
class SecretName(Member):
    """A name that a secret may have. `empty`: an empty one is left to the service, which has a message for it."""

    help: str = ""
    label: str = ""
    empty: bool = False

    def check(self, value: object) -> object:
        key = str(Text(min_length=0, verbatim=True).check(value)).strip()
        issues = [] if self.empty and not key else key_issues(key, ())
        if issues:
            raise refused(*issues)
        return key

    def shape(self) -> JsonSchema:
        inner = r"[^:/\u0000-\u001f\u007f]*"
        pattern = rf"^{inner}[^:/\s\u0000-\u001f\u007f\u0085]{inner}$" + ("|^$" if self.empty else "")
        return {"type": "string", "maxLength": MAX_KEY, "pattern": pattern}
