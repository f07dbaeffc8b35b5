"""A login at another server of the modelled API: a machine identity's client id and secret, exchanged for a token.

The identity needs a role that writes secrets in the project that is synced to, and in no other.
Source: https://infisical.com/docs/documentation/platform/identities/universal-auth
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar

from pydantic import SecretStr

from config.access.tokens import issued_here
from config.schemas.model import Model
from config.schemas.types import Id, Secret
from connections.certificates import Certificates
from connections.errors import BadResponse, Rejected
from connections.http.client import ApiClient
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


class ExternalInfisical(Provider):
    slug: ClassVar[str] = "external-infisical"
    label: ClassVar[str] = "Infisical"
    docs_url: ClassVar[str] = "https://infisical.com/docs/documentation/platform/identities/universal-auth"
    methods: ClassVar[Mapping[str, type[Model]]] = {"machine-identity": MachineIdentity}
    pickers: ClassVar[tuple[str, ...]] = ("projects",)

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
            given = client.request("POST", LOGIN, json=login, read=True)
        try:
            token, seconds = given["accessToken"], int(given["expiresIn"])
            if not isinstance(token, str) or not token:
                raise TypeError
        except (KeyError, TypeError, ValueError):
            raise BadResponse(f"{self.label}: POST {LOGIN}: unexpected response: no token") from None
        if issued_here(token):  # then a sync would write into the folders that it reads
            said = "that is this very server. Bring secrets from one of its folders to another with a secret import"
            raise Rejected(f"{self.label}: {said}.")
        return Session(token=token, expires_at=datetime.now(UTC) + (timedelta(seconds=seconds) or WITHOUT_END))

    def check(self, client: ApiClient) -> Rights:
        _projects(client)
        return Rights()

    def choices(self, client: ApiClient, field: str, chosen: Mapping[str, Any]) -> list[Choice]:
        if field == "projectId":
            return [Choice(each["id"], each["name"]) for each in _projects(client)]
        project, path = chosen["projectId"], "/api/v2/folders"
        if field == "environment":
            (found,) = (each for each in _projects(client) if each["id"] == project)
            return [Choice(each["slug"], each["name"]) for each in found["environments"]]
        if field != "secretPath":
            return []
        where = {"projectId": project, "environment": chosen["environment"], "path": "/", "recursive": "true"}
        below = _listed(client, path, "folders", where)
        return [
            Choice(one, one) for one in ("/", *sorted(f"/{str(each['relativePath']).strip('/')}" for each in below))
        ]

    def pick(self, client: ApiClient, picker: str) -> dict[str, list[dict[str, Any]]]:
        """The projects that the identity reaches, with their environments."""

        def named(one: Mapping[str, Any]) -> dict[str, Any]:
            return {key: one[key] for key in ("id", "name", "slug")}

        return {
            "projects": [
                {**named(each), "environments": [named(one) for one in each["environments"]]}
                for each in _projects(client)
            ]
        }


def _projects(client: ApiClient) -> list[dict[str, Any]]:
    return _listed(client, "/api/v1/projects", "projects")


def _listed(client: ApiClient, path: str, member: str, where: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    answer = client.request("GET", path, params=where)
    listed = answer.get(member) if isinstance(answer, dict) else None
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise BadResponse(f"Infisical: GET {path}: unexpected response: not a list")
    return listed
