"""The credentials of a login at GitHub.

An App is one of the user's own, or the one that the operator has named for this server. A person installs the latter,
and GitHub redirects the browser to the App's callback address with `code` and `installation_id`; the code proves that
the person may use that installation, and is never stored.
Source: https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import SecretStr, model_validator

from config.errors import BadRequest
from config.responses import EXAMPLE_ID
from config.schemas import Model, Secret, Text
from connections.certificates import Certificates

RIGHTS = (
    "Repository permissions Secrets and Environments: read and write, Metadata: read, on only the repositories that are"
    " synced; for an organization's secrets the organization permission Secrets: read and write. For Dependabot or"
    " Codespaces the permissions of that name instead."
)


class Instance(Model):
    instanceType: Annotated[
        str | None,
        Text(
            "Instance",
            "cloud: github.com or an organization's own ghe.com address; server: GitHub Enterprise Server.",
            choices=("cloud", "server"),
            last=True,
        ),
    ] = None
    host: Annotated[
        str | None,
        Text(
            "Host",
            "Of GitHub Enterprise, such as github.example.com; blank for github.com.",
            pattern=r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?",
            pattern_message="Host must be a host's name, with a port where it needs one",
            last=True,
        ),
    ] = None

    @model_validator(mode="after")
    def _has_host(self) -> Self:
        if self.instanceType == "server" and not self.host:
            raise BadRequest("host: required for a GitHub Enterprise Server, such as github.example.com")
        return self

    def address(self) -> str:
        """Where the API is; "" at github.com. Source: https://docs.github.com/en/enterprise-server/rest/quickstart"""
        if not self.host:
            return ""
        return f"https://{self.host}/api/v3" if self.instanceType == "server" else f"https://api.{self.host}"


class AccessToken(Certificates, Instance):
    personalAccessToken: Annotated[
        SecretStr,
        Secret(
            "Personal access token",
            f"A fine-grained token, of an account used for nothing else, with an end date. {RIGHTS}"
            " A classic token needs the scope repo, or admin:org, and grants far more.",
            empty_message="Personal Access Token required",
        ),
    ]


class App(Certificates, Instance):
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

    @model_validator(mode="after")
    def _of_one_app(self) -> Self:
        if self.code and (self.privateKey or self.appId):
            raise BadRequest("Give either the code of this server's App, or an App ID and a private key")
        if self.code and (self.host or self.instanceType == "server"):
            raise BadRequest("A code is of this server's App at github.com: leave host out, or give an App of yours")
        if not self.code and (self.privateKey is None or self.appId is None):
            missing = "privateKey: Private key" if self.privateKey is None else "appId: App ID"
            raise BadRequest(f"{missing} required, or the code of this server's App")
        return self
