"""A login at another server of the modelled API: a machine identity's client id and secret, exchanged for a token.

The identity needs a role that writes secrets in the project that is synced to, and in no other.
Source: https://infisical.com/docs/documentation/platform/identities/universal-auth
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import Field, SecretStr

from config.access.tokens import issued_here
from config.schemas.types import Id, Secret
from connections.certificates import Certificates
from connections.errors import Rejected
from connections.http.client import ApiClient
from connections.http.pages import Single
from connections.http.responses import Response, Text
from connections.provider import Choice, Provider, Rights, Session, address

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


class Environment(Response):
    id: Text
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


class Tag(Response):
    id: Text
    slug: Text


class ExternalInfisical(Provider):
    slug = "external-infisical"
    label = "Infisical"
    docs_url = "https://infisical.com/docs/documentation/platform/identities/universal-auth"
    methods = {"machine-identity": MachineIdentity}
    pickers = ("projects",)

    def client(self, method: str, credentials: MachineIdentity, session: Session | None = None) -> ApiClient:
        secrets = [credentials.machineIdentityClientSecret.get_secret_value(), *([session.token] if session else [])]
        headers = {"Authorization": f"Bearer {session.token}"} if session else {}
        return self.open(credentials.instanceUrl, headers=headers, secrets=secrets, tls=credentials.tls())

    def renew(self, method: str, credentials: MachineIdentity) -> Session | None:
        """Raises Rejected if the other server is this one."""
        login = {
            "clientId": credentials.machineIdentityClientId,
            "clientSecret": credentials.machineIdentityClientSecret.get_secret_value(),
        }
        with self.client(method, credentials) as client:
            granted = client.post(LOGIN, Granted, json=login, read=True)
        if issued_here(granted.accessToken):  # then a sync would write into the folders that it reads
            said = "that is this very server. Bring secrets from one of its folders to another with a secret import"
            raise Rejected(f"{self.label}: {said}.")
        life = timedelta(seconds=granted.expiresIn) or WITHOUT_END
        return Session(token=granted.accessToken, expires_at=datetime.now(UTC) + life)

    def check(self, client: ApiClient) -> Rights:
        """The server does not say what an identity may do in a project."""
        _projects(client)
        return Rights()

    def choices(self, client: ApiClient, field: str, chosen: Mapping[str, Any]) -> list[Choice]:
        if field == "projectId":
            return [Choice(each.id, each.name) for each in _projects(client)]
        if field == "environment":
            chosen_one = (each for each in _projects(client) if each.id == chosen["projectId"])
            return [Choice(one.slug, one.name) for each in chosen_one for one in each.environments]
        if field != "secretPath":
            return []
        where = {name: chosen[name] for name in ("projectId", "environment")}
        where |= {"path": "/", "recursive": "true"}
        folders = client.read_list("/api/v2/folders", Folder, Single(), member="folders", params=where)
        return [Choice(path, path) for path in ("/", *sorted(folder.path for folder in folders))]

    def pick(self, client: ApiClient, picker: str) -> dict[str, list[dict[str, Any]]]:
        """The projects that the identity reaches, with their environments."""
        return {"projects": [project.model_dump() for project in _projects(client)]}


def _projects(client: ApiClient) -> list[Project]:
    return client.get("/api/v1/projects", Projects).projects
