"""The credentials of a login at GitHub, and the JWT that an App signs with its private key."""

from __future__ import annotations

import re
import textwrap
import time
from typing import Annotated, Self

import jwt
from pydantic import SecretStr, model_validator

from config.errors import BadRequest
from config.responses import EXAMPLE_ID
from config.schemas.types import Secret, Text
from connections.certificates import Certificates
from connections.errors import Unauthorized

JWT_LIFE = 540  # seconds; GitHub takes at most 600
SKEW = 60  # seconds by which the JWT is dated back, as GitHub advises

RIGHTS = (
    "Repository permissions Secrets and Environments: read and write, Metadata: read, on only the repositories that are"
    " synced; for an organization's secrets the organization permission Secrets: read and write. For Dependabot or"
    " Codespaces the permissions of that name instead."
)
Instance = Annotated[
    str | None,
    Text(
        "Instance",
        "cloud: github.com or an organization's own ghe.com address; server: GitHub Enterprise Server.",
        choices=("cloud", "server"),
    ),
]
Host = Annotated[
    str | None,
    Text(
        "Host",
        "Of GitHub Enterprise, such as github.example.com; blank for github.com.",
        pattern=r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?",
        pattern_message="Host must be a host's name, with a port where it needs one",
    ),
]


class AccessToken(Certificates):
    personalAccessToken: Annotated[
        SecretStr,
        Secret(
            "Personal access token",
            f"A fine-grained token, of an account used for nothing else, with an end date. {RIGHTS}"
            " A classic token needs the scope repo, or admin:org, and grants far more.",
            empty_message="Personal Access Token required",
        ),
    ]
    instanceType: Instance = None
    host: Host = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        _require_host(self)
        return self


class App(Certificates):
    privateKey: Annotated[
        SecretStr,
        Secret(
            "Private key",
            "In PEM form, from the settings page of the App.",
            empty_message="Private key required",
            multiline=True,
        ),
    ]
    appId: Annotated[
        str,
        Text(
            "Client ID or App ID",
            f"Of an App of your own, installed on only the repositories that are synced. {RIGHTS}",
            empty_message="App ID required",
            example=EXAMPLE_ID,
        ),
    ]
    installationId: Annotated[
        str,
        Text(
            "Installation ID",
            "The number at the end of the installation's address.",
            pattern="[0-9]+",
            pattern_message="Installation ID must be a number",
            empty_message="GitHub App Installation ID required",
        ),
    ]
    instanceType: Instance = None
    host: Host = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        _require_host(self)
        return self


def _require_host(credentials: AccessToken | App) -> None:
    if credentials.instanceType == "server" and not credentials.host:
        raise BadRequest("A GitHub Enterprise Server has a host: give it")


def address(credentials: AccessToken | App) -> str:
    """Where the API is; "" at github.com. Source: https://docs.github.com/en/enterprise-server/rest/quickstart"""
    if not credentials.host:
        return ""
    server = credentials.instanceType == "server"
    return f"https://{credentials.host}/api/v3" if server else f"https://api.{credentials.host}"


def app_token(credentials: App) -> str:
    """The JWT of the App, valid for some minutes."""
    now = int(time.time())
    claims = {"iss": credentials.appId, "iat": now - SKEW, "exp": now + JWT_LIFE}
    try:
        return jwt.encode(claims, _pem(credentials.privateKey.get_secret_value()), "RS256")
    except (ValueError, TypeError, jwt.PyJWTError):
        raise Unauthorized("GitHub: the private key of the App is not an RSA key in PEM form") from None


def _pem(text: str) -> str:
    r"""The text with its line breaks: a one-line form field loses them, an environment variable has them as \n."""
    found = re.fullmatch(r"\s*-----BEGIN ([A-Z ]+)-----(.*)-----END \1-----\s*", text.replace("\\n", "\n"), re.DOTALL)
    if not found:
        raise ValueError
    lines = textwrap.wrap(re.sub(r"\s", "", found[2]), 64)
    return "\n".join([f"-----BEGIN {found[1]}-----", *lines, f"-----END {found[1]}-----", ""])
