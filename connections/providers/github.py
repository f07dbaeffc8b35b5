"""A login at GitHub: a personal access token, or an App installed in an organization or on an account.

An App signs a short JWT with its private key and gets a token of its installation for it, valid for an hour. The
modelled API has one App in its settings and its installations through a browser; here each connection has its own App,
or the operator's with the code of the browser's redirect. The redirect itself is not offered, nor is OAuth.
Sources: https://docs.github.com/en/rest/authentication/permissions-required-for-fine-grained-personal-access-tokens,
https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, ClassVar, TypeVar

import httpx
from pydantic import Field

from config.schemas.model import Model
from connections.errors import Forbidden, RateLimited, Unauthorized
from connections.http.client import ApiClient, Classified, quote
from connections.http.pages import NextLink
from connections.http.responses import Response, Text, validate
from connections.provider import Choice, Provider, Rights, Session

from ._github_credentials import RIGHTS, AccessToken, App, ServerApp, address, app_token

__all__ = ["RIGHTS", "GitHub", "Numbered", "paged"]

T = TypeVar("T", bound=Response)

VERSION = "2022-11-28"
MINUTE = 60.0
LIMITS = re.compile("rate.limit|abuse detection|blocked from content creation", re.IGNORECASE)
"""In the message of a 403 that is a limit, or in the address of its documentation; older servers word it otherwise."""
CLASSIC = frozenset({"repo", "admin:org"})
"""Scopes of a classic token that can write secrets: of a repository and of an organization."""
READS = frozenset({"read:org", "metadata: read", "actions: read"})
"""Rights that pickers use; `actions` lists environments."""
WRITES = re.compile(r"environments|((organization_)?(dependabot_|codespaces_)?secrets)")
"""Permissions of an App's installation, of which a sync needs one or more, to write."""


class Owner(Response):
    login: str
    id: int
    type: str = ""


class Repository(Response):
    id: int
    name: str
    owner: Owner


class Environment(Response):
    name: str


class Organization(Response):
    login: str
    id: int


class UserToken(Response):
    access_token: Text


class Numbered(Response):
    id: int


class InstallationToken(Response):
    token: Text
    expires_at: datetime
    permissions: dict[str, str] = Field(default_factory=dict)


class AppClient(ApiClient):
    """Signed in as an installation of an App, which is not a user: it has repositories, but no organizations.

    `granted` are its permissions, each `read`, `write` or `admin`; empty where unknown.
    """

    def __init__(self, *args: Any, granted: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.granted = granted


class GitHub(Provider):
    slug: ClassVar[str] = "github"
    label: ClassVar[str] = "GitHub"
    base_url: ClassVar[str] = "https://api.github.com"
    docs_url: ClassVar[str] = "https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api"
    methods: ClassVar[Mapping[str, type[Model]]] = {"pat": AccessToken, "github-app": App}
    pickers: ClassVar[tuple[str, ...]] = ("repositories", "organizations")
    operator_settings: ClassVar[tuple[str, ...]] = ("GITHUB_APP_FILE",)

    def client(self, method: str, credentials: AccessToken | App, session: Session | None = None) -> ApiClient:
        if isinstance(credentials, AccessToken):
            return self._open(credentials, credentials.personalAccessToken.get_secret_value())
        token, _, granted = (session.token if session else "").partition(" ")
        return self._open(credentials, token, make=partial(AppClient, granted=json.loads(granted or "{}")))

    def _open(self, credentials: AccessToken | App, token: str, **arguments: Any) -> ApiClient:
        own = credentials.privateKey if isinstance(credentials, App) else None
        return self.open(
            address(credentials),
            headers={
                "Authorization": f"Bearer {token}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": VERSION,
                "User-Agent": "keyferry",
            },
            secrets=[token, own.get_secret_value() if own else ""],
            classify=classify,
            tls=credentials.tls(),
            **arguments,
        )

    def _server_app(self) -> ServerApp:
        return ServerApp.read(self.operator.get("GITHUB_APP_FILE") or "")

    def redeem(self, method: str, credentials: AccessToken | App) -> AccessToken | App:
        """Without the code, which showed that the person who entered it may use the installation."""
        if not isinstance(credentials, App) or credentials.code is None:
            return credentials
        server, code = self._server_app(), credentials.code.get_secret_value()
        login = {"client_id": server.clientId, "client_secret": server.clientSecret.get_secret_value(), "code": code}
        web = self._given_by_operator or "https://github.com"
        path = "/login/oauth/access_token"
        with self.open(headers={"Accept": "application/json"}, inspect=_refused_code) as client:
            answer = client.request("POST", path, json=login, base_url=web, visible=[server.clientId])
        token = validate(UserToken, answer, f"GitHub: POST {path}").access_token
        with self._open(credentials, token) as client:
            reached = {each.id for each in paged(client, "/user/installations", Numbered, "installations")}
        if int(credentials.installationId) not in reached:
            raise Forbidden(f"GitHub: whoever the code is of may not use the installation {credentials.installationId}")
        return credentials.model_copy(update={"code": None})

    def renew(self, method: str, credentials: AccessToken | App) -> Session | None:
        """The session's token is the installation's, and behind a blank the permissions that were granted.

        Source: https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app
        """
        if isinstance(credentials, AccessToken):
            return None
        path = f"/app/installations/{quote(credentials.installationId)}/access_tokens"
        if credentials.privateKey and credentials.appId:
            token = app_token(credentials.appId, credentials.privateKey.get_secret_value())
        else:
            server = self._server_app()
            token = app_token(server.appId, server.privateKey.get_secret_value())
        with self._open(credentials, token) as client:
            answer = client.request("POST", path, read=True)
        given = validate(InstallationToken, answer, f"GitHub: POST {path}")
        return Session(f"{given.token} {json.dumps(given.permissions)}", given.expires_at)

    def check(self, client: ApiClient) -> Rights:
        """A fine-grained token does not say what it may do. Source:
        https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps
        """
        if isinstance(client, AppClient):
            client.request("GET", "/installation/repositories")
            return _rights_of_installation(client.granted)
        scopes = client.send("GET", "/user").headers.get("x-oauth-scopes")
        return Rights() if scopes is None else _rights_of_scopes({each.strip() for each in scopes.split(",")} - {""})

    def choices(self, client: ApiClient, field: str, chosen: Mapping[str, Any]) -> list[Choice]:
        if field == "org":
            return [Choice(login, login) for login in sorted(_organizations(client))]
        if field == "owner":
            owners = {each.owner.login for each in _repositories(client)}
            return [Choice(owner, owner) for owner in sorted(owners)]
        if field == "repo":
            return [Choice(each.name, each.name) for each in _of_owner(client, chosen["owner"])]
        if field == "selectedRepositoryIds":
            return [Choice(str(each.id), each.name) for each in _of_owner(client, chosen["org"])]
        if field == "env":
            path = f"/repos/{quote(chosen['owner'])}/{quote(chosen['repo'])}/environments"
            return [Choice(each.name, each.name) for each in paged(client, path, Environment, "environments")]
        return []

    def pick(self, client: ApiClient, picker: str) -> dict[str, list[dict[str, Any]]]:
        """What can be reached: repositories `{id, name, owner}`, or organizations `{id, login}`."""
        if picker == "organizations":
            return {picker: [{"id": number, "login": login} for login, number in _organizations(client).items()]}
        return {
            "repositories": [
                {"id": each.id, "name": each.name, "owner": {"id": each.owner.id, "login": each.owner.login}}
                for each in _repositories(client)
            ]
        }


def _refused_code(status: int, headers: httpx.Headers, said: Any) -> Classified:
    """GitHub reports a code that it does not take with the status 200."""
    return Unauthorized if isinstance(said, Mapping) and "error" in said else None


def classify(status: int, headers: httpx.Headers, said: Any) -> Classified:
    """A rate limit is 403 as well as 429. Where no header states its end, GitHub asks to wait a minute.

    Source: https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
    """
    if status not in (403, 429):
        return None
    by_header = "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0"
    texts = [said.get("message"), said.get("documentation_url")] if isinstance(said, Mapping) else []
    return (RateLimited, MINUTE) if status == 429 or by_header or LIMITS.search(f"{texts}") else None


def _rights_of_scopes(scopes: set[str]) -> Rights:
    missing = () if scopes & CLASSIC else ("repo or admin:org",)
    return Rights(missing, tuple(sorted(scopes - CLASSIC - READS)))


def _rights_of_installation(granted: Mapping[str, str]) -> Rights:
    """A permission that is granted to read only is missing. Which of the others are, depends on the target."""
    ours = {name: level for name, level in granted.items() if WRITES.fullmatch(name)}
    missing = [f"{name}: write" for name, level in sorted(ours.items()) if level == "read"]
    if granted and not ours:
        missing.append("secrets: write or organization_secrets: write")
    others = {f"{name}: {level}" for name, level in granted.items() if name not in ours}
    return Rights(tuple(missing), tuple(sorted(others - READS)))


def paged(client: ApiClient, path: str, kind: type[T], member: str = "") -> list[T]:
    """Everything that a list has, 100 a request, or an IntegrationError: never a part.

    `member` is where the response keeps it, beside how many there are; "" where the response is the list itself.
    Source: https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
    """
    total = "total_count" if member else ""
    return client.read_list(path, kind, NextLink(size="per_page"), member=member, total=total)


def _repositories(client: ApiClient) -> list[Repository]:
    if isinstance(client, AppClient):
        found = paged(client, "/installation/repositories", Repository, "repositories")
    else:
        found = paged(client, "/user/repos", Repository)
    return sorted(found, key=lambda each: (each.owner.login.lower(), each.name.lower()))


def _of_owner(client: ApiClient, owner: str) -> list[Repository]:
    """The repositories of an owner, whose name is not case sensitive."""
    return [each for each in _repositories(client) if each.owner.login.lower() == owner.lower()]


def _organizations(client: ApiClient) -> dict[str, int]:
    """Numbers of the organizations by login. Of an installation: the owners of its repositories."""
    if isinstance(client, AppClient):
        owners = [each.owner for each in _repositories(client)]
        return {owner.login: owner.id for owner in owners if owner.type == "Organization"}
    return {each.login: each.id for each in paged(client, "/user/orgs", Organization)}
