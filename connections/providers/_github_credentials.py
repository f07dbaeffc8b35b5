"""The credentials of a login at GitHub, and the JWT that an App signs with its private key.

An App is one of the user's own, or the one that the operator has named for this server. A person installs the latter,
and GitHub redirects the browser to the App's callback address with `code` and `installation_id`; the code proves that
the person may use that installation, and is never stored.
Source: https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app
"""

from __future__ import annotations

import re
import textwrap
import time
from pathlib import Path
from typing import Annotated, Self

import jwt
from pydantic import SecretStr, ValidationError, model_validator

from config.errors import BadRequest
from config.responses import EXAMPLE_ID
from config.schemas.types import Secret, Text
from connections.certificates import Certificates
from connections.errors import Unauthorized
from connections.http.responses import Number, Response, reason
from connections.http.responses import Text as Filled

FILE = "KEYFERRY_GITHUB_APP_FILE"
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
        SecretStr | None,
        Secret(
            "Private key",
            "In PEM form, from the settings page of the App.",
            empty_message="Private key required",
            multiline=True,
        ),
    ] = None
    appId: Annotated[
        str | None,
        Text(
            "Client ID or App ID",
            f"Of an App of your own, installed on only the repositories that are synced. {RIGHTS}",
            empty_message="App ID required",
            example=EXAMPLE_ID,
        ),
    ] = None
    code: Annotated[
        SecretStr | None,
        Secret(
            "Code",
            "In place of private key and App ID, if the operator has named an App for this server: `code` of the"
            " address that GitHub redirects to after its installation. Good for ten minutes and one use.",
        ),
    ] = None
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
        if self.code:
            if self.privateKey or self.appId:
                raise BadRequest("Give either the code of this server's App, or an App ID and a private key")
            if self.host or self.instanceType == "server":
                raise BadRequest(
                    "A code is of this server's App at github.com: leave host out, or give an App of yours"
                )
            return self
        if self.privateKey is None or self.appId is None:
            missing = "privateKey: Private key" if self.privateKey is None else "appId: App ID"
            raise BadRequest(f"{missing} required, or the code of this server's App")
        return self


class ServerApp(Response):
    """The App of this server, from the file that the operator names."""

    appId: Number
    clientId: Filled
    clientSecret: SecretStr
    privateKey: SecretStr

    @classmethod
    def read(cls, file: str) -> Self:
        """Raises Unauthorized."""
        if not file:
            raise Unauthorized(f"GitHub: this server has no App of its own: give appId and privateKey, or set {FILE}")
        try:
            return cls.model_validate_json(Path(file).read_bytes())
        except ValidationError as error:
            raise Unauthorized(f"GitHub: the file of {FILE}: {reason(error)}") from None
        except OSError as error:
            raise Unauthorized(f"GitHub: the file of {FILE} cannot be read ({type(error).__name__})") from None


def _require_host(credentials: AccessToken | App) -> None:
    if credentials.instanceType == "server" and not credentials.host:
        raise BadRequest("host: required for a GitHub Enterprise Server, such as github.example.com")


def address(credentials: AccessToken | App) -> str:
    """Where the API is; "" at github.com. Source: https://docs.github.com/en/enterprise-server/rest/quickstart"""
    if not credentials.host:
        return ""
    server = credentials.instanceType == "server"
    return f"https://{credentials.host}/api/v3" if server else f"https://api.{credentials.host}"


def app_token(app_id: str, private_key: str) -> str:
    """The JWT of the App, valid for some minutes."""
    now = int(time.time())
    claims = {"iss": app_id, "iat": now - SKEW, "exp": now + JWT_LIFE}
    try:
        return jwt.encode(claims, _pem(private_key), "RS256")
    except (ValueError, TypeError, jwt.PyJWTError):
        raise Unauthorized("GitHub: the private key of the App is not an RSA key in PEM form") from None


def _pem(text: str) -> str:
    r"""The text with its line breaks: a one-line form field loses them, an environment variable has them as \n."""
    found = re.fullmatch(r"\s*-----BEGIN ([A-Z ]+)-----(.*)-----END \1-----\s*", text.replace("\\n", "\n"), re.DOTALL)
    if not found:
        raise ValueError
    lines = textwrap.wrap(re.sub(r"\s", "", found[2]), 64)
    return "\n".join([f"-----BEGIN {found[1]}-----", *lines, f"-----END {found[1]}-----", ""])
