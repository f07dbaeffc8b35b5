"""A stand-in for Vercel's environment variables, of projects and shared.

Sources: https://vercel.com/docs/rest-api/projects/create-one-or-more-environment-variables and its neighbours (list,
edit, remove, batch remove), https://vercel.com/docs/rest-api/environment (shared variables, custom environments),
https://vercel.com/docs/environment-variables/sensitive-environment-variables, @vercel/sdk 1.28.35 (shapes of answers).
Reported by other users: an existing name is a 403 with ENV_CONFLICT; shared variables have 25 per page.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from typing import Any

from .serving import Answer, Ask, Served

KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
CONFLICT = "Another Environment Variable with the same Name and Environment exists"
PAGE = 25  # shared variables a page
USER = {
    "id": "u1",
    "name": "Ada",
    "username": "ada",
    "email": "ada@acme.example",
    "limited": True,
    "avatar": None,
    "defaultTeamId": None,
    "version": "northstar",
}

Record = dict[str, Any]


class Vercel(Served):
    """`records` are the variables of projects and, under "", those shared by the team, by ID.

    A variable may have the newer `visibility`, as one of a dashboard that has it.

    `sealed`: the list leaves encrypted values encrypted, as it may. `hidden`: production variables that the token may
    not see. `page`: a list of a project's has as many a page (None: all at once).
    """

    description = "vercel.json"
    undescribed = {
        r"^GET /v10/projects: the response 200's .* is a required property": (
            "a project has 40 members, of which the stand-in gives those that are read"
        ),
        r"^GET /v10/projects/\{idOrName\}/env: the parameter until is not described": (
            "https://vercel.com/docs/rest-api/welcome#pagination"
        ),
        r"^GET /v1/integrations/git-branches: is not described": "as the vendor's dashboard requests it",
        r"^\w+ /v1/env(/\w+)?: is not described": "shared variables: @vercel/sdk 1.28.35, operations of `environment`",
        r"^(GET|POST) /v(7|9|13)/(deployments|projects/\w+): is not described": (
            "@vercel/sdk 1.28.35, operations getProject, getDeployments and createDeployment"
        ),
        r"^GET /v5/user/tokens/current: is not described": (
            "https://vercel.com/docs/rest-api/authentication/get-auth-token-metadata"
        ),
        r"^DELETE /v1/projects/\w+/env: is not described": "batch removal: @vercel/sdk 1.28.35, `projects`",
    }
    method = "api-token"
    credentials = {"apiToken": "contract-token"}
    PROJECT = {"scope": "project", "teamId": "team_acme", "app": "prj_shop", "appName": "shop"}
    configs = {
        "production": {**PROJECT, "env": "production", "sensitive": False},
        "production-sensitive": {**PROJECT, "env": "production", "sensitive": True},
        "preview-branch": {**PROJECT, "env": "preview", "branch": "next", "sensitive": False},
        "custom": {**PROJECT, "env": "env_staging", "sensitive": False},
        "team": {
            "scope": "team",
            "teamId": "team_acme",
            "targetEnvironments": ["production", "preview"],
            "applyToAllCustomEnvironments": True,
            "targetProjects": ["prj_shop"],
            "sensitive": False,
        },
        "team-unlinked": {
            "scope": "team",
            "teamId": "team_acme",
            "targetEnvironments": ["development"],
            "applyToAllCustomEnvironments": False,
            "sensitive": False,
        },
    }
    alike = ("custom", "preview-branch", "team-unlinked")
    bad_key = "BAD-KEY"

    def limit_pages(self, size: int) -> None:
        self.page = size

    def picked(self, config: Mapping[str, Any]) -> list[str]:
        return [name for name in ("teamId", "app", "env", "branch", "targetProjects") if name in config]

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[str, dict[str, Record]] = {"prj_shop": {}, "": {}}
        self.sealed = False
        self.hidden = 0
        self.page: int | None = None
        self.deployments: list[Record] = []  # each with `uid`, `target` and `branch`, the newest first
        self.current: str | None = None  # what the domains of production serve
        self.redeployed: list[Record] = []
        self.scopes: list[Record] = [{"type": "team", "teamId": "team_acme", "createdAt": 1}]  # of the token
        self._clock = itertools.count(1_760_000_000_000)

    # -- behind the API ----------------------------------------------------------------------------------------

    def held(self, config: Mapping[str, Any]) -> dict[str, str]:
        return {one["key"]: one["value"] for one in self._in(config).values() if self._mine(config, one)}

    def put(self, config: Mapping[str, Any], key: str, value: str) -> None:
        for one in self._in(config).values():
            if one["key"] == key and self._mine(config, one):
                one.update(value=value, updatedAt=next(self._clock))
                return
        self.add(config, key, value)

    def add(self, config: Mapping[str, Any], key: str, value: str, **more: Any) -> Record:
        """A variable created externally, such as one for several environments."""
        kind = "sensitive" if config["sensitive"] else "encrypted"
        return self._keep(self._in(config), {"key": key, "value": value, "type": kind, **self._way(config), **more})

    def drop(self, config: Mapping[str, Any], key: str) -> None:
        held = self._in(config)
        del held[next(id for id, one in held.items() if one["key"] == key and self._mine(config, one))]

    def reads(self, config: Mapping[str, Any], keys: int) -> int:
        return math.ceil(keys / PAGE) if config["scope"] == "team" else 1

    def _in(self, config: Mapping[str, Any]) -> dict[str, Record]:
        return self.records[config.get("app", "")]

    def _way(self, config: Mapping[str, Any]) -> Record:
        if config["scope"] == "team":
            custom = config.get("applyToAllCustomEnvironments", False)
            shared = {"applyToAllCustomEnvironments": custom, "projectId": list(config.get("targetProjects", []))}
            return {"target": list(config["targetEnvironments"]), **shared}
        if config["env"].startswith("env_"):
            return {"target": [], "customEnvironmentIds": [config["env"]]}
        return {"target": [config["env"]], **({"gitBranch": config["branch"]} if "branch" in config else {})}

    def _mine(self, config: Mapping[str, Any], one: Record) -> bool:
        way = self._way(config)
        if config["scope"] == "team":
            return all(one.get(name) == value for name, value in way.items() if value != [])
        serves = [*one["target"], *one.get("customEnvironmentIds", [])]
        return config["env"] in serves and one.get("gitBranch") == config.get("branch")

    def _keep(self, held: dict[str, Record], body: Record) -> Record:
        now = next(self._clock)
        made = {**body, "id": f"env_{now}", "createdAt": now, "updatedAt": now}
        held[made["id"]] = made
        return made

    # -- the API -----------------------------------------------------------------------------------------------

    def answer(self, ask: Ask) -> Answer:
        if ask.headers.get("authorization") != "Bearer contract-token":
            return error(403, "forbidden", "Not authorized")
        match ask.parts:
            case ["v2", "user"]:
                return Answer(200, {"user": USER})
            case ["v5", "user", "tokens", "current"]:
                token = {"id": "t1", "name": "sync", "type": "token", "activeAt": 1, "createdAt": 1}
                return Answer(200, {"token": {**token, "scopes": self.scopes}})
            case ["v2", "teams"]:
                return Answer(200, {"teams": [{"id": "team_acme", "slug": "acme", "name": "Acme"}], **paging()})
            case ["v10", "projects"]:
                mine = ask.query.get("teamId") == "team_acme"
                return Answer(200, {"projects": [{"id": "prj_shop", "name": "shop"}] if mine else [], **paging()})
            case ["v9", "projects", "prj_shop", "custom-environments"]:
                return Answer(200, {"environments": [{"id": "env_staging", "slug": "staging", "type": "preview"}]})
            case ["v9", "projects", "prj_shop"]:
                targets = {"production": {"id": self.current} if self.current else None}
                return Answer(200, {"id": "prj_shop", "name": "shop", "targets": targets})
            case ["v7", "deployments"]:
                where = {name: ask.query[name] for name in ("target", "branch") if name in ask.query}
                found = [one for one in self.deployments if where.items() <= one.items()]
                return Answer(200, {"deployments": found[: int(ask.query["limit"])], **paging()})
            case ["v13", "deployments"]:
                assert ask.query["forceNew"] == "1"
                self.redeployed.append(ask.body)
                return Answer(200, {"id": f"dpl_{len(self.redeployed)}", "readyState": "QUEUED"})
            case ["v1", "integrations", "git-branches"]:
                return Answer(200, [{"ref": "main"}, {"ref": "next"}])
            case ["v1", "env", *rest]:
                held, listed = self.records[""], "data"
            case ["v1" | "v9" | "v10", "projects", project, "env", *rest] if project in self.records:
                held, listed = self.records[project], "envs"
            case _:
                return error(404, "not_found", "Not found")
        if ask.query.get("teamId") != "team_acme":
            return error(404, "not_found", "Project not found")
        return self._one(ask, held, rest[0]) if rest else self._many(ask, held, listed)

    def _many(self, ask: Ask, held: dict[str, Record], listed: str) -> Answer:
        shared = listed == "data"
        if ask.method == "GET":
            return self._list(ask, held, listed)
        if ask.method == "POST":
            return self._create(ask, held, shared)
        if ask.method == "PATCH" and shared:
            return self._update_shared(ask.body["updates"], held)
        if ask.method == "DELETE":
            gone = [id for id in ask.body["ids"] if held.pop(id, None)]
            if not shared:
                return Answer(200, {"deleted": len(gone), "ids": gone})
            lost = [failed("not_found", envVarId=id) for id in ask.body["ids"] if id not in gone]
            return Answer(200, {"deleted": gone, "failed": lost})
        return error(405, "method_not_allowed", "Method not allowed")

    def _list(self, ask: Ask, held: dict[str, Record], listed: str) -> Answer:
        newest = sorted(held.values(), key=lambda one: -one["createdAt"])
        shared = listed == "data"
        size = PAGE if shared else self.page
        decrypt = not shared and ask.query.get("decrypt") == "true" and not self.sealed
        until = int(ask.query.get("until", 2**60))
        newest = [
            one for one in newest if one["createdAt"] < until + (not shared)
        ]  # a project's page begins with the last
        shown = [self._shown(one, decrypt) for one in newest[:size]]
        if size is None:
            return Answer(200, {"envs": shown, "hiddenProductionEnvCount": self.hidden})
        after = shown[-1]["createdAt"] if len(newest) > size else None
        return Answer(200, {listed: shown, **paging(len(shown), after)})

    def _shown(self, one: Record, decrypt: bool) -> Record:
        secret = one["type"] == "sensitive" or one.get("visibility") == "secret"
        known = not secret and (one["type"] == "plain" or (one["type"] == "encrypted" and decrypt))
        value = one["value"] if known else "" if secret else "eyJ2IjoidjIiLCJlcGsiOiJ4In0="
        return {**one, "value": value, "decrypted": known}

    def _create(self, ask: Ask, held: dict[str, Record], shared: bool) -> Answer:
        bodies = ask.body if isinstance(ask.body, list) else [ask.body]
        if shared:
            way = {name: value for name, value in ask.body.items() if name != "evs"}
            way = {"target": [], "applyToAllCustomEnvironments": False, "projectId": [], **way}
            bodies = [{**one, **way} for one in ask.body["evs"]]
        if len(bodies) > 50 and shared:
            return error(400, "bad_request", "`evs` should NOT have more than 50 items")
        for body in bodies:
            if not KEY.fullmatch(body["key"]):
                return error(400, "invalid_key", f"The name {body['key']} contains invalid characters")
        created: list[Record] = []
        lost: list[Record] = []
        for body in ({"target": [], **one} for one in bodies):
            taken = next((one for one in held.values() if clashes(one, body)), None)
            if taken and ask.query.get("upsert") == "true":
                taken.update({**body, "updatedAt": next(self._clock)})
                created.append(taken)
            elif taken:
                lost.append(failed("ENV_CONFLICT", key=body["key"], message=CONFLICT, value=body["value"]))
            else:
                created.append(self._keep(held, body))
        if lost and len(bodies) == 1:
            return error(403, "ENV_CONFLICT", CONFLICT)
        return Answer(201, {"created": [self._shown(one, False) for one in created], "failed": lost})

    def _update_shared(self, updates: Mapping[str, Record], held: dict[str, Record]) -> Answer:
        lost = [failed("not_found", envVarId=id) for id in updates if id not in held]
        for id in updates.keys() & held.keys():
            held[id].update({**updates[id], "updatedAt": next(self._clock)})
        done = [self._shown(held[id], False) for id in updates if id in held]
        return Answer(200, {"updated": done, "failed": lost})

    def _one(self, ask: Ask, held: dict[str, Record], id: str) -> Answer:
        if id not in held:
            return error(404, "not_found", "Environment variable not found")
        if ask.method == "GET":
            return Answer(200, self._shown(held[id], True))
        if ask.method == "DELETE":
            return Answer(200, self._shown(held.pop(id), False))
        if "key" in ask.body and held[id]["type"] == "sensitive":
            return error(400, "bad_request", "The key of a sensitive variable cannot be changed")
        if ask.body.get("type", held[id]["type"]) != held[id]["type"]:
            return error(400, "bad_request", "The type cannot be changed")
        held[id].update({**ask.body, "updatedAt": next(self._clock)})
        return Answer(200, self._shown(held[id], False))


def clashes(one: Record, other: Record) -> bool:
    """Names are unique per environment and branch; those of shared variables per environment of the team."""
    if one["key"] != other["key"] or one.get("gitBranch") != other.get("gitBranch"):
        return False
    if one.get("applyToAllCustomEnvironments") and other.get("applyToAllCustomEnvironments"):
        return True
    return bool(_serves(one) & _serves(other))


def _serves(one: Record) -> set[str]:
    return {*one["target"], *one.get("customEnvironmentIds", [])}


def paging(count: int = 0, after: int | None = None) -> Record:
    return {"pagination": {"count": count, "next": after, "prev": None}}


def failed(code: str, **more: Any) -> Record:
    return {"error": {"code": code, "message": code, **more}}


def error(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"error": {"code": code, "message": message}})
