"""A login at Vercel: an access token, of an account or of one team.

Sources: https://vercel.com/docs/rest-api/welcome (authentication, paging), https://vercel.com/docs/limits#rate-limits
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, ClassVar

import httpx
from pydantic import SecretStr

from config.schemas.model import Model
from config.schemas.types import Secret
from connections.errors import BadResponse, Conflict, NotFound, Rejected, Unauthorized
from connections.http.client import ApiClient, Classified, quote
from connections.provider import Choice, Provider, Rights, Session

TAKEN = frozenset({"ENV_CONFLICT", "ENV_ALREADY_EXISTS", "env_already_exists"})
"""Error codes of a name that is already in use in the same environment; they come with 400, 403 or 409."""

ENVIRONMENTS = ("production", "preview", "development")
PAGE = 100  # the maximum; the default is 20


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


class Vercel(Provider):
    slug: ClassVar[str] = "vercel"
    label: ClassVar[str] = "Vercel"
    base_url: ClassVar[str] = "https://api.vercel.com"
    docs_url: ClassVar[str] = "https://vercel.com/docs/sign-in-with-vercel/tokens"
    methods: ClassVar[Mapping[str, type[Model]]] = {"api-token": ApiToken}
    pickers: ClassVar[tuple[str, ...]] = ("projects",)

    def client(self, method: str, credentials: ApiToken, session: Session | None = None) -> ApiClient:
        token = credentials.apiToken.get_secret_value()
        return self.open(headers={"Authorization": f"Bearer {token}"}, secrets=[token], classify=_class_of)

    def check(self, client: ApiClient) -> Rights:
        answer = client.request("GET", "/v2/user")
        if not isinstance(answer, dict) or not isinstance(answer.get("user"), dict):
            raise BadResponse("Vercel: GET /v2/user: unexpected response: no user")
        return Rights()

    def choices(self, client: ApiClient, field: str, chosen: Mapping[str, Any]) -> list[Choice]:
        if field == "teamId":
            return _accounts(client) if chosen.get("scope", "project") == "project" else _teams(client)
        if field in ("app", "targetProjects"):
            return _named(pages(client, "/v10/projects", "projects", in_team(chosen.get("teamId"))))
        if field == "env":
            standard = [Choice(name, name.capitalize()) for name in ENVIRONMENTS]
            return standard + _custom_environments(client, chosen)
        if field == "branch":
            return _branches(client, chosen)
        return []

    def pick(self, client: ApiClient, picker: str) -> list[dict[str, Any]]:
        """The account and its teams, each `{id, name, slug, apps}` with its projects, each `{id, name}`."""
        found = []
        for account in _accounts(client):
            projects = pages(client, "/v10/projects", "projects", in_team(account.value))
            apps = [{"id": one.value, "name": one.label} for one in _named(projects)]
            found.append({"id": account.value, "name": account.label, "slug": account.label, "apps": apps})
        return found


def in_team(team: str | None) -> dict[str, str]:
    """The query with the team; none for a personal account, which the modelled pickers show as a team."""
    return {"teamId": team} if team and team.startswith("team_") else {}


def pages(
    client: ApiClient,
    path: str,
    member: str,
    params: Mapping[str, str],
    look: Callable[[Mapping[str, Any]], None] = lambda answer: None,
) -> Iterator[dict[str, Any]]:
    """Every item of a list, each once; `look` gets each response. Raises BadResponse if the list is not complete.

    The vendor pages by time of creation: `pagination.next` goes into `until`, and items created at the same moment may
    be repeated.
    """
    seen: set[str] = set()
    until: dict[str, str] = {}
    while True:
        answer = client.request("GET", path, params={**params, **until})
        items = answer.get(member) if isinstance(answer, dict) else None
        if not isinstance(items, list) or not all(isinstance(item, dict) and item.get("id") for item in items):
            raise BadResponse(f"Vercel: GET {path}: unexpected response: no list of {member}")
        look(answer)
        fresh = [item for item in items if item["id"] not in seen]
        yield from fresh
        seen.update(str(item["id"]) for item in fresh)
        after = (answer.get("pagination") or {}).get("next")
        if not after:
            return
        if not fresh:
            raise BadResponse(f"Vercel: GET {path}: the list is not complete: the same page came twice")
        until = {"until": str(after)}


def _accounts(client: ApiClient) -> list[Choice]:
    """The account of the token, then its teams."""
    answer = client.request("GET", "/v2/user")
    try:
        user = answer["user"]
        own = Choice(str(user["id"]), str(user.get("name") or user["username"]))
    except (KeyError, TypeError, AttributeError):
        raise BadResponse("Vercel: GET /v2/user: unexpected response: no user") from None
    return [own, *_teams(client)]


def _teams(client: ApiClient) -> list[Choice]:
    return _named(pages(client, "/v2/teams", "teams", {"limit": str(PAGE)}))


def _custom_environments(client: ApiClient, chosen: Mapping[str, Any]) -> list[Choice]:
    """The custom environments of the project; with plans that have none, a refusal or an empty list."""
    path = f"/v9/projects/{quote(chosen['app'])}/custom-environments"
    try:
        answer = client.request("GET", path, params=in_team(chosen.get("teamId")))
        return [Choice(str(one["id"]), str(one.get("slug") or one["id"])) for one in answer["environments"]]
    except (NotFound, Rejected, Unauthorized):
        return []
    except (KeyError, TypeError, AttributeError):
        raise BadResponse(f"Vercel: GET {path}: unexpected response: no list of environments") from None


def _branches(client: ApiClient, chosen: Mapping[str, Any]) -> list[Choice]:
    """The request of the vendor's dashboard; it is not documented, so a refusal is an empty list."""
    params = {**in_team(chosen.get("teamId")), "projectId": str(chosen["app"])}
    try:
        answer = client.request("GET", "/v1/integrations/git-branches", params=params)
        return [Choice(str(one["ref"]), str(one["ref"])) for one in answer]
    except (NotFound, Rejected, Unauthorized, KeyError, TypeError, AttributeError):
        return []


def _named(items: Iterator[dict[str, Any]]) -> list[Choice]:
    return [Choice(str(one["id"]), str(one.get("name") or one.get("slug") or one["id"])) for one in items]


def _class_of(status: int, headers: httpx.Headers, said: Any) -> Classified:
    """A name that is already in use, by its code."""
    error = said.get("error") if isinstance(said, dict) else None
    if isinstance(error, dict) and error.get("code") in TAKEN:
        return Conflict
    return None
