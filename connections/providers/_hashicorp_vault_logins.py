"""The ways to sign in at HashiCorp Vault or OpenBao: each is the credentials and the one request that they are sent in.

Source: https://developer.hashicorp.com/vault/api-docs/auth, the pages on approle, kubernetes, jwt, userpass and cert.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, ClassVar, Self

from pydantic import SecretStr, model_validator

from config.errors import BadRequest
from config.responses import EXAMPLE_ID
from config.schemas import Model, Secret, Text
from connections.certificates import Certificates
from connections.http.client import quote
from connections.provider import address

RIGHTS = (
    "A policy with read, create, update and patch on MOUNT/data/PATH; on a KV version 1 mount read, create, update and"
    " delete on MOUNT/PATH. With patch on MOUNT/metadata/PATH its metadata notes that Keyferry writes it."
)
PART = r"(?!(.*/)?\.{1,2}(/|$))[^\x00-\x1f\x7f]+"  # no part that is only dots: it would be another address


def path_of(text: str) -> str:
    """A namespace, mount or path as a part of an address."""
    return "/".join(quote(part) for part in text.split("/") if part)


class Server(Certificates):
    instanceUrl: Annotated[
        str, address("Instance URL", "Where the server runs, such as https://vault.example.com:8200.")
    ]
    namespace: Annotated[
        str | None,
        Text(
            "Namespace",
            "Such as team/shop; blank for the root namespace, or if the server has none.",
            max_length=256,
            pattern=PART,
            pattern_message="Invalid namespace: no part that is only dots",
        ),
    ] = None


class AccessToken(Server):
    accessToken: Annotated[
        SecretStr,
        Secret(
            "Access token",
            f"It is not renewed: use a long-lived one, or another method. {RIGHTS}",
            empty_message="Access Token required",
            example="eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...",
        ),
    ]


class Login(Server):
    """Credentials that are exchanged for a token. `mount` is where the method is enabled if `authMount` is blank."""

    mount: ClassVar[str]
    authMount: Annotated[
        str | None,
        Text(
            "Auth mount",
            "Where the server has this auth method; blank for the usual path, which is the method's name.",
            max_length=256,
            pattern=PART,
            pattern_message="Invalid auth mount: no part that is only dots",
        ),
    ] = None

    def path(self) -> str:
        return f"/auth/{path_of(self.authMount or self.mount)}/login"

    @abstractmethod
    def body(self) -> dict[str, str]:
        """What the login sends."""


class AppRole(Login):
    mount = "approle"
    roleId: Annotated[str, Text("Role ID", f"Of an AppRole. {RIGHTS}", example=EXAMPLE_ID)]
    secretId: Annotated[
        SecretStr,
        Secret(
            "Secret ID",
            "One that may be used more than once.",
            empty_message="Secret ID required",
            example=EXAMPLE_ID,
        ),
    ]

    def body(self) -> dict[str, str]:
        return {"role_id": self.roleId, "secret_id": self.secretId.get_secret_value()}


class Jwt(Login):
    mount = "jwt"
    role: Annotated[str, Text("Role", f"Of the auth method. {RIGHTS}", max_length=256)]
    jwt: Annotated[
        SecretStr,
        Secret("JWT", "A signed token that the role accepts. It is sent at each login, so it must not end soon."),
    ]

    def body(self) -> dict[str, str]:
        return {"role": self.role, "jwt": self.jwt.get_secret_value()}


class Kubernetes(Jwt):
    """The same request; the server has the cluster review the token."""

    mount = "kubernetes"


class UserPass(Login):
    mount = "userpass"
    username: Annotated[str, Text("User name", RIGHTS, max_length=256, pattern=r"(?!\.{1,2}$)[^/\x00-\x1f\x7f]+")]
    password: Annotated[SecretStr, Secret("Password")]

    def path(self) -> str:
        return f"{super().path()}/{quote(self.username)}"

    def body(self) -> dict[str, str]:
        return {"password": self.password.get_secret_value()}


class Certificate(Login):
    """The client certificate, which every method may have beside its own credentials, is the credential here."""

    mount = "cert"
    role: Annotated[
        str | None, Text("Role", f"Of the auth method; blank for the first that matches. {RIGHTS}", max_length=256)
    ] = None

    @model_validator(mode="after")
    def _with_certificate(self) -> Self:
        if not self.clientCertificate:
            raise BadRequest("clientCertificate: it is the credential of this method: give it with its clientKey")
        return self

    def body(self) -> dict[str, str]:
        return {"name": self.role} if self.role else {}


METHODS: dict[str, type[Model]] = {
    "access-token": AccessToken,
    "app-role": AppRole,
    "kubernetes": Kubernetes,
    "jwt": Jwt,
    "userpass": UserPass,
    "certificate": Certificate,
}
