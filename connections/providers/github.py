"""A login at GitHub: a personal access token, or an App installed in an organization or on an account.

An App signs a short JWT with its private key and gets a token of its installation for it, valid for an hour. The
modelled API has one App in its settings and its installations through a browser; here each connection has its own App.
Sources: https://docs.github.com/en/rest/authentication/permissions-required-for-fine-grained-personal-access-tokens,
https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
"""

from __future__ import annotations

import re
import textwrap
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Self

import httpx
import jwt
from pydantic import SecretStr, model_validator

from config.errors import BadRequest
from config.responses import EXAMPLE_ID
from config.schemas.model import Model
from config.schemas.types import Secret, Text
from connections.certificates import Certificates
from connections.errors import BadResponse, RateLimited, Unauthorized
from connections.http.client import ApiClient, Classified, quote
from connections.http.pages import NextLink
from connections.provider import Choice, Provider, Session

VERSION = "2022-11-28"
MINUTE = 60.0
LIMITS = re.compile("rate.limit|abuse detection|blocked from content creation", re.IGNORECASE)
"""In the message of a 403 that is a limit, or in the address of its documentation; older servers word it otherwise."""
JWT_LIFE = 540  # seconds; GitHub takes at most 600
SKEW = 60  # seconds by which the JWT is dated back, as GitHub advises

RIGHTS = (
    "Repository permissions Secrets and Environments: read and write, Metadata: read, on only the repositories that are"
    " synced; for an organization's secrets the organization permission Secrets: read and write."
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


def _address(credentials: AccessToken | App) -> str:
    """Where the API is; "" at github.com. Source: https://docs.github.com/en/enterprise-server/rest/quickstart"""
    if not credentials.host:
        return ""
    server = credentials.instanceType == "server"
    return f"https://{credentials.host}/api/v3" if server else f"https://api.{credentials.host}"


class AppClient(ApiClient):
    """Signed in as an installation of an App, which is not a user: it has repositories, but no organizations."""


class GitHub(Provider):
    slug: ClassVar[str] = "github"
    label: ClassVar[str] = "GitHub"
    base_url: ClassVar[str] = "https://api.github.com"
    docs_url: ClassVar[str] = "https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api"
    methods: ClassVar[Mapping[str, type[Model]]] = {"pat": AccessToken, "github-app": App}
    pickers: ClassVar[tuple[str, ...]] = ("repositories", "organizations")

    def client(self, method: str, credentials: AccessToken | App, session: Session | None = None) -> ApiClient:
        if isinstance(credentials, AccessToken):
            token = credentials.personalAccessToken.get_secret_value()
            return self._open(ApiClient, credentials, token, [token])
        token = session.token if session else ""
        return self._open(AppClient, credentials, token, [token, credentials.privateKey.get_secret_value()])

    def _open(self, kind: type[ApiClient], credentials: AccessToken | App, token: str, secrets: list[str]) -> ApiClient:
        address = _address(credentials)
        is_given = bool(address) and not self._given_by_operator
        return kind(
            self.label,
            address if is_given else self._base_url,
            headers={
                "Authorization": f"Bearer {token}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": VERSION,
                "User-Agent": "keyferry",
            },
            secrets=secrets,
            deadline=self._deadline,
            classify=classify,
            guarded=is_given,
            tls=credentials.tls(),
        )

    def renew(self, method: str, credentials: AccessToken | App) -> Session | None:
        """Source: https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app"""
        if isinstance(credentials, AccessToken):
            return None
        path = f"/app/installations/{quote(credentials.installationId)}/access_tokens"
        token, key = _app_token(credentials), credentials.privateKey.get_secret_value()
        with self._open(ApiClient, credentials, token, [token, key]) as client:
            given = client.request("POST", path, read=True)
        try:
            return Session(token=str(given["token"]), expires_at=datetime.fromisoformat(given["expires_at"]))
        except (KeyError, TypeError, ValueError):
            raise BadResponse(f"GitHub: POST {path}: unexpected response: no token") from None

    def check(self, client: ApiClient) -> None:
        client.request("GET", "/installation/repositories" if isinstance(client, AppClient) else "/user")

    def choices(self, client: ApiClient, field: str, chosen: Mapping[str, Any]) -> list[Choice]:
        if field == "org":
            return [Choice(login, login) for login in sorted(_organizations(client))]
        if field == "owner":
            owners = {repository["owner"]["login"] for repository in _repositories(client)}
            return [Choice(owner, owner) for owner in sorted(owners)]
        if field == "repo":
            return [Choice(name, name) for name, _ in _of_owner(client, chosen["owner"])]
        if field == "selectedRepositoryIds":
            return [Choice(number, name) for name, number in _of_owner(client, chosen["org"])]
        if field == "env":
            path = f"/repos/{quote(chosen['owner'])}/{quote(chosen['repo'])}/environments"
            return [Choice(each["name"], each["name"]) for each in paged(client, path, "environments")]
        return []

    def pick(self, client: ApiClient, picker: str) -> dict[str, list[dict[str, Any]]]:
        """What can be reached: repositories `{id, name, owner}`, or organizations `{id, login}`."""
        if picker == "organizations":
            return {picker: [{"id": number, "login": login} for login, number in _organizations(client).items()]}
        return {
            "repositories": [
                {"id": each["id"], "name": each["name"], "owner": {key: each["owner"][key] for key in ("id", "login")}}
                for each in _repositories(client)
            ]
        }


def classify(status: int, headers: httpx.Headers, said: Any) -> Classified:
    """A rate limit is 403 as well as 429. Where no header states its end, GitHub asks to wait a minute.

    Source: https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
    """
    if status not in (403, 429):
        return None
    by_header = "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0"
    texts = [said.get("message"), said.get("documentation_url")] if isinstance(said, Mapping) else []
    return (RateLimited, MINUTE) if status == 429 or by_header or LIMITS.search(f"{texts}") else None


def paged(client: ApiClient, path: str, member: str = "") -> list[dict[str, Any]]:
    """Everything that a list has, 100 a request, or an IntegrationError: never a part.

    `member` is where the response keeps it, beside how many there are; "" where the response is the list itself.
    Source: https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
    """
    total = "total_count" if member else ""
    return client.read_list(path, dict[str, Any], NextLink(size="per_page"), member=member, total=total)


def _repositories(client: ApiClient) -> list[dict[str, Any]]:
    if isinstance(client, AppClient):
        found = paged(client, "/installation/repositories", "repositories")
    else:
        found = paged(client, "/user/repos")
    try:
        return sorted(found, key=lambda each: (each["owner"]["login"].lower(), each["name"].lower()))
    except (KeyError, TypeError, AttributeError):
        raise BadResponse("GitHub: a repository has no name or owner") from None


def _of_owner(client: ApiClient, owner: str) -> list[tuple[str, str]]:
    """Name and number of each repository of an owner, whose name is not case sensitive."""
    found = _repositories(client)
    return [(each["name"], str(each["id"])) for each in found if each["owner"]["login"].lower() == owner.lower()]


def _organizations(client: ApiClient) -> dict[str, int]:
    """Numbers of the organizations by login. Of an installation: the owners of its repositories."""
    if isinstance(client, AppClient):
        owners = [each["owner"] for each in _repositories(client)]
        return {owner["login"]: owner["id"] for owner in owners if owner.get("type") == "Organization"}
    return {each["login"]: each["id"] for each in paged(client, "/user/orgs")}


def _app_token(credentials: App) -> str:
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
