"""A login at Vercel: an access token, of an account or of one team.

Sources: https://vercel.com/docs/rest-api/welcome (authentication, paging), https://vercel.com/docs/limits#rate-limits,
https://vercel.com/docs/rest-api/authentication/get-auth-token-metadata and
https://vercel.com/docs/accounts/access-tokens (scopes of tokens)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import httpx
from pydantic import SecretStr

from config.schemas import Model, Secret
from connections.errors import BadResponse, Conflict, NotFound, Rejected, Unauthorized
from connections.http.client import ApiClient, Classified
from connections.http.pages import Token
from connections.http.responses import Response, Text
from connections.provider import Choice, Rights
from connections.tokens import Picker, TokenProvider

TAKEN = frozenset({"ENV_CONFLICT", "ENV_ALREADY_EXISTS", "env_already_exists"})
"""Error codes of a name that is already in use in the same environment; they come with 400, 403 or 409."""

ENVIRONMENTS = ("production", "preview", "development")
PAGES = Token("until", "pagination.next")
"""By time of creation: items created at the same moment as the last of a page may come again on the next."""

TEAM = {"teamId": "{teamId}"}
PROJECTS = Picker("/v10/projects", "projects", PAGES, TEAM)


class ApiToken(Model):
    apiToken: Annotated[
        SecretStr,
        Secret(
            "API token",
            "An access token whose scope is only the team that is synced, of a member with the role Project"
            " Administrator on only those projects (team scope: Member), with an end date.",
            empty_message="API Token required",
            example="a token of a service user",
        ),
    ]


class Account(Response):
    id: Text
    username: Text
    name: str | None = None


class Login(Response):
    user: Account


class Scope(Response):
    type: str


def _class_of(status: int, headers: httpx.Headers, said: Any) -> Classified:
    """A name that is already in use, by its code."""
    error = said.get("error") if isinstance(said, dict) else None
    return Conflict if isinstance(error, dict) and error.get("code") in TAKEN else None


class Vercel(TokenProvider):
    slug = "vercel"
    label = "Vercel"
    base_url = "https://api.vercel.com"
    docs_url = "https://vercel.com/docs/sign-in-with-vercel/tokens"
    methods = {"api-token": ApiToken}
    pickers = ("projects",)
    check_path = "/v2/user"
    check_kind = Login
    classify = _class_of
    choices_from = {
        "teamId": Picker("/v2/teams", "teams", PAGES, {"limit": "100"}, label=("name", "slug")),
        "app": PROJECTS,
        "targetProjects": PROJECTS,
        "env": Picker(
            "/v9/projects/{app}/custom-environments", "environments", params=TEAM, label=("slug",), optional=True
        ),
        "branch": Picker(  # as the vendor's dashboard reads it; not documented
            "/v1/integrations/git-branches", params={**TEAM, "projectId": "{app}"}, value="ref", optional=True
        ),
    }

    def check(self, client: ApiClient) -> Rights:
        """A token is of the full account, of teams or of a project; some may not read that, or have no scopes."""
        super().check(client)
        try:
            scopes = client.get_in("/v5/user/tokens/current", "token.scopes", list[Scope])
        except (BadResponse, NotFound, Rejected, Unauthorized):
            return Rights()
        return Rights(excess=("Full Account",) if any(scope.type == "user" for scope in scopes) else ())

    def choices(self, client: ApiClient, field: str, chosen: Mapping[str, Any]) -> list[Choice]:
        found = super().choices(client, field, {**chosen, "teamId": "", **in_team(chosen.get("teamId"))})
        if field == "teamId" and chosen.get("scope") != "team":
            user = client.get(self.check_path, Login).user
            return [Choice(user.id, user.name or user.username), *found]
        standard = [Choice(name, name.capitalize()) for name in ENVIRONMENTS] if field == "env" else []
        return standard + found

    def pick(self, client: ApiClient, picker: str) -> list[dict[str, Any]]:
        """The account and its teams, each `{id, name, slug, apps}` with its projects, each `{id, name}`."""

        def apps(team: str) -> list[dict[str, Any]]:
            return [{"id": one.value, "name": one.label} for one in self.choices(client, "app", {"teamId": team})]

        accounts = self.choices(client, "teamId", {})
        return [{"id": one.value, "name": one.label, "slug": one.label, "apps": apps(one.value)} for one in accounts]


def in_team(team: str | None) -> dict[str, str]:
    """The query with the team; none for a personal account, which the modelled pickers show as a team."""
    return {"teamId": team} if team and team.startswith("team_") else {}
