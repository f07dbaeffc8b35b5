"""Which rights a login has on projects, as `testIamPermissions` answers; it can be asked without any right.

A right that a condition limits to some secrets is none on the project: it is reported as missing there.
Source: https://cloud.google.com/resource-manager/reference/rest/v1/projects/testIamPermissions.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from connections.gcp import PROJECTS, host_of
from connections.http.client import ApiClient, quote
from connections.http.responses import Response
from connections.provider import Rights

NEEDED = (
    "secretmanager.secrets.create",
    "secretmanager.secrets.delete",
    "secretmanager.secrets.get",
    "secretmanager.secrets.list",
    "secretmanager.versions.access",
    "secretmanager.versions.add",
)
EXCESS = (
    "iam.serviceAccountKeys.create",
    "iam.serviceAccounts.getAccessToken",
    "resourcemanager.projects.delete",
    "resourcemanager.projects.setIamPolicy",
    "secretmanager.secrets.setIamPolicy",
)
"""With which a login could give rights to itself or to others, or end the project."""
MOST = 10
"""Projects that are asked about: a login for syncs sees a few."""


class _Held(Response):
    permissions: list[str] = Field(default_factory=list)


def rights_of(client: ApiClient, projects: Sequence[str]) -> Rights:
    """What is missing on each of the projects, and what is held on any. Raises IntegrationError."""
    held = {project: _held(client, project) for project in projects[:MOST]}
    if not held:
        return Rights()
    common = set.intersection(*({*NEEDED} - each for each in held.values()))
    excess = [f"{right} on {project}" for project, each in held.items() for right in EXCESS if right in each]
    where = held.popitem()[0] if len(held) == 1 else "every project"
    return Rights(tuple(f"{right} on {where}" for right in NEEDED if right in common), tuple(excess))


def _held(client: ApiClient, project: str) -> set[str]:
    path = f"/v1/projects/{quote(project)}:testIamPermissions"
    asked = [*NEEDED, *EXCESS]
    host = host_of(client, PROJECTS)
    held = client.post(path, _Held, json={"permissions": asked}, visible=asked, read=True, base_url=host)
    return set(held.permissions)
