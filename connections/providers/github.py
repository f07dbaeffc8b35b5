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
from typing import Any, TypeVar

import httpx
from pydantic import Field, SecretStr, ValidationError

from connections.assertions import assertion
from connections.errors import Forbidden, RateLimited, Unauthorized
from connections.http.client import ApiClient, Classified, quote
from connections.http.pages import NextLink
from connections.http.responses import Number, Response, Text, reason
from connections.provider import Choice, Provider, Rights, Session

from ._github_credentials import RIGHTS, AccessToken, App

__all__ = ["RIGHTS", "GitHub", "Numbered", "paged"]

T = TypeVar("T", bound=Response)

VERSION = "2022-11-28"
FILE = "KEYFERRY_GITHUB_APP_FILE"
JWT_LIFE = 540  # seconds; GitHub takes at most 600
MINUTE = 60.0
LIMITS = re.compile("rate.limit|abuse detection|blocked from content creation", re.IGNORECASE)
"""In the message of a 403 that is a limit, or in the address of its documentation; older servers word it otherwise."""
CLASSIC = frozenset({"repo", "admin:org"})
"""Scopes of a classic token that can write secrets: of a repository and of an organization."""
READS = frozenset({"read:org", "metadata: read", "actions: read"})
"""Rights that pickers use; `actions` lists environments."""
WRITES = re.compile(r"environments|((organization_)?(dependabot_|codespaces_)?secrets)")
"""Permissions of an App's installation, of which a sync needs one or more, to write."""


class Numbered(Response):
    id: int


class Owner(Numbered):
    login: str
    type: str = ""


class Named(Response):
    name: str


class Repository(Numbered, Named):
    owner: Owner


class ServerApp(Response):
    """The App of this server, from the file that the operator names."""

    appId: Number
    clientId: Text
    clientSecret: SecretStr
    privateKey: SecretStr


class UserToken(Response):
    access_token: Text


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
    slug = "github"
    label = "GitHub"
    base_url = "https://api.github.com"
    docs_url = "https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api"
    methods = {"pat": AccessToken, "github-app": App}
    pickers = ("repositories", "organizations")
    operator_settings = ("GITHUB_APP_FILE",)

    def client(self, method: str, credentials: AccessToken | App, session: Session | None = None) -> ApiClient:
        if isinstance(credentials, AccessToken):
            return self._open(credentials, credentials.personalAccessToken.get_secret_value())
        token, _, granted = (session.token if session else "").partition(" ")
        return self._open(credentials, token, make=partial(AppClient, granted=json.loads(granted or "{}")))

    def _open(self, credentials: AccessToken | App, token: str, **arguments: Any) -> ApiClient:
        own = credentials.privateKey if isinstance(credentials, App) else None
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
        return self.open(
            credentials.address(),
            headers={**headers, "X-GitHub-Api-Version": VERSION, "User-Agent": "keyferry"},
            secrets=[token, own.get_secret_value() if own else ""],
            classify=classify,
            tls=credentials.tls(),
            **arguments,
        )

    def _server_app(self) -> ServerApp:
        file = self.operator.get("GITHUB_APP_FILE")
        if not file:
            raise Unauthorized(f"GitHub: this server has no App of its own: give appId and privateKey, or set {FILE}")
        text = self.read_file(file, f"the file of {FILE}")
        try:
            return ServerApp.model_validate_json(text)
        except ValidationError as error:
            raise Unauthorized(f"GitHub: the file of {FILE}: {reason(error)}") from None

    def redeem(self, method: str, credentials: AccessToken | App) -> AccessToken | App:
        """Without the code, which showed that the person who entered it may use the installation."""
        if not isinstance(credentials, App) or credentials.code is None:
            return credentials
        server, code = self._server_app(), credentials.code.get_secret_value()
        login = {"client_id": server.clientId, "client_secret": server.clientSecret.get_secret_value(), "code": code}
        web, path = self._given_by_operator or "https://github.com", "/login/oauth/access_token"
        with self.open(headers={"Accept": "application/json"}, inspect=_refused_code) as client:
            token = client.post(path, UserToken, json=login, base_url=web, visible=[server.clientId]).access_token
        with self._open(credentials, token) as client:
            reached = paged(client, "/user/installations", Numbered, "installations")
        if int(credentials.installationId) not in {each.id for each in reached}:
            raise Forbidden(f"GitHub: whoever the code is of may not use the installation {credentials.installationId}")
        return credentials.model_copy(update={"code": None})

    def renew(self, method: str, credentials: AccessToken | App) -> Session | None:
        """The session's token is the installation's, and behind a blank the permissions that were granted.

        Source: https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app
        """
        if isinstance(credentials, AccessToken):
            return None
        app_id, key = credentials.appId, credentials.privateKey
        if not app_id or not key:
            server = self._server_app()
            app_id, key = server.appId, server.privateKey
        try:
            signed = assertion(app_id, key.get_secret_value(), life=JWT_LIFE)
        except ValueError as error:
            raise Unauthorized(f"GitHub: the private key of the App is {error}") from None
        path = f"/app/installations/{quote(credentials.installationId)}/access_tokens"
        with self._open(credentials, signed) as client:
            given = client.post(path, InstallationToken, read=True)
        return Session(f"{given.token} {json.dumps(given.permissions)}", given.expires_at)

    def check(self, client: ApiClient) -> Rights:
        """A fine-grained token does not say what it may do. Source:
        https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps
        """
        if isinstance(client, AppClient):
            client.request("GET", "/installation/repositories")
            return _rights_of_installation(client.granted)
        scopes = client.send("GET", "/user").headers.get("x-oauth-scopes")
        if scopes is None:
            return Rights()
        held = {each.strip() for each in scopes.split(",")} - {""}
        return Rights(() if held & CLASSIC else ("repo or admin:org",), tuple(sorted(held - CLASSIC - READS)))

    def choices(self, client: ApiClient, field: str, chosen: Mapping[str, Any]) -> list[Choice]:
        names: list[str] = []
        if field == "org":
            names = sorted(each.login for each in _organizations(client))
        if field == "owner":
            names = sorted({each.owner.login for each in _repositories(client)})
        if field == "repo":
            names = [each.name for each in _repositories(client, chosen["owner"])]
        if field == "env":
            path = f"/repos/{quote(chosen['owner'])}/{quote(chosen['repo'])}/environments"
            names = [each.name for each in paged(client, path, Named, "environments")]
        if field == "selectedRepositoryIds":
            return [Choice(str(each.id), each.name) for each in _repositories(client, chosen["org"])]
        return [Choice(name, name) for name in names]

    def pick(self, client: ApiClient, picker: str) -> dict[str, list[dict[str, Any]]]:
        """What can be reached: repositories `{id, name, owner}`, or organizations `{id, login}`."""
        if picker == "organizations":
            return {picker: [each.model_dump(include={"id", "login"}) for each in _organizations(client)]}
        return {"repositories": [each.model_dump(exclude={"owner": {"type"}}) for each in _repositories(client)]}


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


def _repositories(client: ApiClient, owner: str = "") -> list[Repository]:
    """All, or those of an owner, whose name is not case sensitive."""
    by_app = isinstance(client, AppClient)
    path, member = ("/installation/repositories", "repositories") if by_app else ("/user/repos", "")
    found = [
        each for each in paged(client, path, Repository, member) if owner.lower() in ("", each.owner.login.lower())
    ]
    return sorted(found, key=lambda each: (each.owner.login.lower(), each.name.lower()))


def _organizations(client: ApiClient) -> list[Owner]:
    """Of an installation: the owners of its repositories."""
    if not isinstance(client, AppClient):
        return paged(client, "/user/orgs", Owner)
    owners = {each.owner.id: each.owner for each in _repositories(client)}
    return [owner for owner in owners.values() if owner.type == "Organization"]
