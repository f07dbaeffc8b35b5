"""A login at another server of the modelled API: a machine identity's client id and secret, exchanged for a token.

Source: https://infisical.com/docs/documentation/platform/identities/universal-auth
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

import httpx
from pydantic import Field, SecretStr

from config.access.tokens import issued_here
from config.schemas import Secret
from config.schemas.types import Id
from connections.certificates import Certificates
from connections.errors import Conflict, Rejected
from connections.http.client import ApiClient, Classified
from connections.http.responses import Identified, Response, Text
from connections.provider import Choice, Session, address
from connections.tokens import Picker, TokenProvider

LOGIN = "/api/v1/auth/universal-auth/login"
WITHOUT_END = timedelta(days=1)  # after which a token without an end is renewed


class MachineIdentity(Certificates):
    machineIdentityClientSecret: Annotated[
        SecretStr,
        Secret(
            "Client secret",
            "Without a limit of uses: it is used each time its token expires.",
            max_length=512,
            empty_message="Machine Identity Client Secret required",
        ),
    ]
    machineIdentityClientId: Annotated[
        str,
        Id(
            "Client id of a machine identity that is a member of only the project that is synced to, with a role that"
            " reads and writes its secrets.",
            label="machineIdentityClientId",
        ),
    ]
    instanceUrl: Annotated[
        str,
        address("Instance URL", "Where that server is, such as https://secrets.example.com; not this server."),
    ]


class Granted(Response):
    accessToken: Text
    expiresIn: Annotated[int, Field(ge=0)]


class Environment(Identified):
    name: str
    slug: Text


class Project(Environment):
    environments: list[Environment]


class Projects(Response):
    projects: list[Project]


class Folder(Response):
    relativePath: str

    @property
    def path(self) -> str:
        return f"/{self.relativePath.strip('/')}"


def _class_of(status: int, headers: httpx.Headers, data: Any) -> Classified:
    """A name that is already in use is a 400: that API has no 409."""
    return Conflict if status == 400 and "already exist" in str(data) else None


class ExternalInfisical(TokenProvider):
    """Nothing states what an identity may do: `/api/v1/projects/{id}/permissions` is for people, not for identities.

    Source: https://github.com/Infisical/infisical, backend/src/ee/routes/v1/project-role-router.ts
    """

    slug = "external-infisical"
    label = "Infisical"
    docs_url = "https://infisical.com/docs/documentation/platform/identities/universal-auth"
    methods = {"machine-identity": MachineIdentity}
    pickers = ("projects",)
    check_path = "/api/v1/projects"
    check_kind = Projects
    classify = _class_of
    choices_from = {"projectId": Picker("/api/v1/projects", "projects")}

    def client(self, method: str, credentials: MachineIdentity, session: Session | None = None) -> ApiClient:
        secret = credentials.machineIdentityClientSecret.get_secret_value()
        return self.opened_with(session.token if session else "", credentials, secret)

    def renew(self, method: str, credentials: MachineIdentity) -> Session | None:
        """Raises Rejected if the other server is this one."""
        secret = credentials.machineIdentityClientSecret.get_secret_value()
        login = {"clientId": credentials.machineIdentityClientId, "clientSecret": secret}
        with self.client(method, credentials) as client:
            granted = client.post(LOGIN, Granted, json=login, read=True)
        if issued_here(granted.accessToken):  # then a sync would write into the folders that it reads
            said = "that is this very server. Bring secrets from one of its folders to another with a secret import"
            raise Rejected(f"{self.label}: {said}.")
        return Session.lasting(granted.accessToken, granted.expiresIn, otherwise=WITHOUT_END)

    def choices(self, client: ApiClient, field: str, chosen: Mapping[str, Any]) -> list[Choice]:
        if field == "environment":
            projects = (each for each in self._projects(client) if each.id == chosen["projectId"])
            return [Choice(one.slug, one.name) for each in projects for one in each.environments]
        if field == "secretPath":
            where = {name: chosen[name] for name in ("projectId", "environment")} | {"path": "/", "recursive": "true"}
            folders = client.get_in("/api/v2/folders", "folders", list[Folder], params=where)
            return [Choice(path, path) for path in ("/", *sorted(folder.path for folder in folders))]
        return super().choices(client, field, chosen)

    def pick(self, client: ApiClient, picker: str) -> dict[str, list[dict[str, Any]]]:
        """The projects that the identity reaches, with their environments."""
        return {"projects": [project.model_dump() for project in self._projects(client)]}

    def _projects(self, client: ApiClient) -> list[Project]:
        return client.get(self.check_path, Projects).projects
