"""Test data of GitHub: secrets of its three stores and all scopes, opened with the private key as GitHub does.

Sources: https://docs.github.com/en/rest/actions/secrets, https://docs.github.com/en/actions/reference/security/secrets
and the vendor's OpenAPI description (npm `@octokit/openapi`), which tests/clients holds each exchange against.
"""

from __future__ import annotations

import base64
import itertools
import math
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox

from .serving import Answer, Ask, Served

NAME = re.compile(r"(?!GITHUB_)[A-Z_][A-Z0-9_]*", re.ASCII)
CLIENT_ID, CLIENT_SECRET = "Iv23liserver", "canary-client-secret"
TOKEN, APP_ID, INSTALLATION = "github_pat_contract", "Iv23licontract", "4711"
REPOSITORIES = {"acme": {"shop": 1001, "blog": 1002}, "ada": {"notes": 1003}}
"""By owner; acme is an organization."""
ENVIRONMENTS = ("production/eu", "test")
STORES = ("actions", "dependabot", "codespaces")

ADDRESSES = [
    "avatar",
    "events",
    "followers",
    "following",
    "gists",
    "html",
    "organizations",
    "received_events",
    "repos",
    "starred",
    "subscriptions",
]
USER = {
    "login": "ada",
    "id": 7,
    "node_id": "MDQ6VXNlcjc=",
    "type": "User",
    "site_admin": False,
    "gravatar_id": "",
    "url": "https://api.github.com/users/ada",
    **{f"{name}_url": f"https://api.github.com/users/ada/{name}" for name in ADDRESSES},
    **dict.fromkeys(("bio", "blog", "company", "email", "hireable", "location", "name")),
    **dict.fromkeys(("followers", "following", "public_gists", "public_repos"), 0),
    **dict.fromkeys(("created_at", "updated_at"), "2026-01-01T00:00:00Z"),
}

ORGANIZATION = {
    "login": "acme",
    "id": 9,
    "node_id": "O_9",
    "description": None,
    "url": "https://api.github.com/orgs/acme",
    **{
        f"{name}_url": f"https://api.github.com/orgs/acme/{name}"
        for name in ("repos", "events", "hooks", "issues", "members", "public_members", "avatar")
    },
}


@dataclass
class _Secret:
    value: str = field(repr=False)
    created_at: str
    updated_at: str
    more: dict[str, Any]


class GitHub(Served):
    """`secrets` by the path of their list ("orgs/acme/actions") and by name.

    The clock moves a second with each write; `still` stops it. `rotate` replaces the key that values are sealed with.
    `app_key` is the public half, in PEM form, of what the App signs with, and `permissions` what its installation has.
    `codes` are those of redirects that were not used yet. `scopes` are those of a classic token; a fine-grained one has
    none.
    """

    description = "github.json"
    undescribed = {
        r"^GET (/user|/installation|/orgs/.*)/repos\w*: the response 200's .* is a required property": (
            "a repository has 70 members, of which the stand-in gives those that are read"
        ),
        r"^GET /(orgs|users|repos/[^/]+)/[^/]+: is not described": (
            "left out of the cut: https://docs.github.com/en/rest/orgs/orgs#get-an-organization,"
            " https://docs.github.com/en/rest/users/users#get-a-user,"
            " https://docs.github.com/en/rest/repos/repos#get-a-repository"
        ),
    }
    method = "pat"
    credentials = {"personalAccessToken": TOKEN}
    configs = {
        "organization": {"scope": "organization", "org": "acme", "visibility": "all"},
        "organization-selected": {
            "scope": "organization",
            "org": "acme",
            "visibility": "selected",
            "selectedRepositoryIds": [1001, 1002],
        },
        "repository": {"scope": "repository", "owner": "acme", "repo": "shop"},
        "repository-environment": {
            "scope": "repository-environment",
            "owner": "acme",
            "repo": "shop",
            "env": "production/eu",
        },
        "organization-dependabot": {
            "scope": "organization-dependabot",
            "org": "acme",
            "visibility": "private",
        },
        "repository-codespaces": {"scope": "repository-codespaces", "owner": "acme", "repo": "shop"},
    }
    alike = ("repository-environment", "organization-dependabot", "repository-codespaces")  # in their addresses
    bad_key = "GITHUB_TOKEN"

    def __init__(self) -> None:
        super().__init__()
        self.secrets: dict[str, dict[str, _Secret]] = {}
        self.tokens = {TOKEN}
        self.app_key = ""
        self.codes: set[str] = set()
        self.scopes: str | None = None
        self.permissions = {"metadata": "read", "secrets": "write"}
        self.page_limit = 100
        self.still = False
        self._tick = 0
        self._keys = itertools.count(568250167242549743)
        self.rotate()

    def rotate(self) -> None:
        self.key_id, self.private_key = str(next(self._keys)), PrivateKey.generate()

    # -- external changes --------------------------------------------------------------------------------------

    def held(self, config: Mapping[str, Any]) -> dict[str, str]:
        return {name: secret.value for name, secret in self._at(config).items()}

    def put(self, config: Mapping[str, Any], key: str, value: str) -> None:
        more = {name: config[name] for name in ("visibility",) if name in config}
        if "selectedRepositoryIds" in config:
            more["selected_repository_ids"] = config["selectedRepositoryIds"]
        self._write(self._at(config), key.upper(), value, more)

    def drop(self, config: Mapping[str, Any], key: str) -> None:
        del self._at(config)[key.upper()]

    def _at(self, config: Mapping[str, Any]) -> dict[str, _Secret]:
        store = config["scope"].partition("-")[2] or "actions"
        if "org" in config:
            return self.secrets.setdefault(f"orgs/{config['org']}/{store}", {})
        repository = "/".join(config[part] for part in ("owner", "repo", "env") if part in config)
        return self.secrets.setdefault(f"repos/{repository}/{store}", {})

    @classmethod
    def methods(cls, config: Mapping[str, Any]) -> Sequence[str]:
        return ("GET", "PUT", "DELETE")

    def limit_pages(self, size: int) -> None:
        self.page_limit = size

    def picked(self, config: Mapping[str, Any]) -> list[str]:
        return [name for name in ("org", "owner", "repo", "env", "selectedRepositoryIds") if name in config]

    def reads(self, config: Mapping[str, Any], keys: int) -> int:
        """The pages of the list, the key to seal with, and a look before and after the write.

        With selected repositories, also those of each secret.
        """
        return math.ceil(keys / 100) + 3 + ("selectedRepositoryIds" in config) * keys

    def issued(self) -> list[str]:
        return sorted(self.tokens - {TOKEN})

    # -- as the vendor -----------------------------------------------------------------------------------------

    def answer(self, ask: Ask) -> Answer:
        if ask.parts[:2] == ["app", "installations"]:
            return self._installation_token(ask)
        if ask.parts == ["login", "oauth", "access_token"]:
            return self._user_token(ask)
        if ask.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _error(401, "Bad credentials")
        match ask.parts:
            case ["orgs", org, store, "secrets", *rest] if org == "acme" and store in STORES:
                return self._secrets(ask, f"orgs/{org}/{store}", rest)
            case ["orgs" | "users", "acme"] | ["users", "ada"]:
                return Answer(200, {"login": ask.parts[1]})
            case ["repos", owner, repo, *rest] if repo in REPOSITORIES.get(owner, {}):
                return self._repository(ask, f"repos/{owner}/{repo}", rest)
            case ["user"]:
                return Answer(200, USER, {} if self.scopes is None else {"x-oauth-scopes": self.scopes})
            case ["user", "orgs"]:
                return self._paged(ask, [ORGANIZATION])
            case ["user", "installations"]:
                return self._paged(ask, [{"id": int(INSTALLATION), "app_id": 1}], "installations")
            case ["user", "repos"]:
                return self._paged(ask, _repositories())
            case ["installation", "repositories"]:
                return self._paged(ask, _repositories(), "repositories")
        return _error(404, "Not Found")

    def _repository(self, ask: Ask, scope: str, parts: list[str]) -> Answer:
        match parts:
            case []:
                return Answer(200, {"name": scope.rpartition("/")[2]})
            case [store, "secrets", *rest] if store in STORES:
                return self._secrets(ask, f"{scope}/{store}", rest)
            case ["environments", env, "secrets", *rest] if env in ENVIRONMENTS:
                return self._secrets(ask, f"{scope}/{env}/environment", rest)
            case ["environments", env] if env in ENVIRONMENTS:
                return Answer(200, _environment(ENVIRONMENTS.index(env) + 1, env))
            case ["environments"]:
                shown = [_environment(number, name) for number, name in enumerate(ENVIRONMENTS, 1)]
                return self._paged(ask, shown, "environments")
        return _error(404, "Not Found")

    def _user_token(self, ask: Ask) -> Answer:
        """For the code of a redirect, once. Errors have the status 200, as at the vendor."""
        if (ask.body["client_id"], ask.body["client_secret"]) != (CLIENT_ID, CLIENT_SECRET):
            return Answer(200, {"error": "incorrect_client_credentials"})
        if ask.body["code"] not in self.codes:
            return Answer(200, {"error": "bad_verification_code", "error_description": "The code is incorrect."})
        self.codes.remove(ask.body["code"])
        token = f"ghu_{uuid.uuid4().hex}"
        self.tokens.add(token)
        return Answer(200, {"access_token": token, "token_type": "bearer", "scope": ""})

    def _installation_token(self, ask: Ask) -> Answer:
        """For whom signs as the App: RS256, not older than it may be, and not good for more than ten minutes."""
        try:
            signed = ask.headers["authorization"].removeprefix("Bearer ")
            claims = jwt.decode(
                signed, self.app_key, ["RS256"], issuer=APP_ID, options={"require": ["iss", "iat", "exp"]}
            )
        except jwt.PyJWTError:
            return _error(401, "A JSON web token could not be decoded")
        if claims["exp"] > time.time() + 600 or ask.parts[2:] != [INSTALLATION, "access_tokens"]:
            return _error(401, "'Expiration time' claim ('exp') is too far in the future")
        token = f"ghs_{uuid.uuid4().hex}"
        self.tokens.add(token)
        ends = datetime.now(UTC) + timedelta(hours=1)
        return Answer(
            201,
            {
                "token": token,
                "expires_at": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "permissions": dict(self.permissions),
            },
        )

    def _secrets(self, ask: Ask, scope: str, rest: list[str]) -> Answer:
        held = self.secrets.setdefault(scope, {})
        match ask.method, rest:
            case "GET", []:
                return self._paged(ask, [_shown(scope, name, held[name]) for name in sorted(held)], "secrets")
            case "GET", ["public-key"]:
                return Answer(
                    200, {"key_id": self.key_id, "key": base64.b64encode(bytes(self.private_key.public_key)).decode()}
                )
            case "GET", [name] if name.upper() in held:
                return Answer(200, _shown(scope, name.upper(), held[name.upper()]))
            case "GET", [name, "repositories"] if scope.startswith("orgs/") and name.upper() in held:
                selected = held[name.upper()].more.get("selected_repository_ids", ())
                return self._paged(ask, [each for each in _repositories() if each["id"] in selected], "repositories")
            case "DELETE", [name] if held.pop(name.upper(), None):
                return Answer(204)
            case "PUT", [name]:
                return self._put(ask, held, name.upper())
        return _error(404, "Not Found")

    def _put(self, ask: Ask, held: dict[str, _Secret], name: str) -> Answer:
        body = dict(ask.body)
        if not NAME.fullmatch(name):
            return _error(422, "Secret names can only contain alphanumeric characters or underscores")
        if body.pop("key_id", None) != self.key_id:
            return _error(422, "The key_id is not that of the current public key")
        try:
            value = SealedBox(self.private_key).decrypt(base64.b64decode(body.pop("encrypted_value"))).decode()
        except (CryptoError, KeyError, ValueError):
            return _error(422, "Improperly encrypted secret")
        if len(value.encode()) > 48 * 1024:
            return _error(422, "Value is too large")
        if body.get("visibility", "all") not in ("all", "private", "selected"):
            return _error(422, "Invalid request")
        is_new = name not in held
        self._write(held, name, value, body)
        return Answer(201, {}) if is_new else Answer(204)

    def _write(self, held: dict[str, _Secret], name: str, value: str, more: dict[str, Any]) -> None:
        """Times are to the second, as the vendor's are."""
        self._tick += not self.still
        now = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self._tick)).strftime("%Y-%m-%dT%H:%M:%SZ")
        created = held[name].created_at if name in held else now
        held[name] = _Secret(value, created, now, more)

    def _paged(self, ask: Ask, items: list[Any], member: str = "") -> Answer:
        size = min(int(ask.query.get("per_page", 30)), self.page_limit)
        page = int(ask.query.get("page", 1))
        shown = items[(page - 1) * size : page * size]
        more = page * size < len(items)
        links = {"link": f'<{self.url}{ask.path}?per_page={size}&page={page + 1}>; rel="next"'} if more else {}
        return Answer(200, {"total_count": len(items), member: shown} if member else shown, links)


def _shown(scope: str, name: str, secret: _Secret) -> dict[str, Any]:
    shown = {"name": name, "created_at": secret.created_at, "updated_at": secret.updated_at}
    if scope.startswith("orgs/"):
        shown["visibility"] = secret.more.get("visibility", "all")
    return shown


def _environment(number: int, name: str) -> dict[str, Any]:
    moments = dict.fromkeys(("created_at", "updated_at"), "2026-01-01T00:00:00Z")
    return {"id": number, "name": name, "node_id": f"EN_{number}", "url": "", "html_url": "", **moments}


def _repositories() -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "name": name,
            "owner": {
                "login": owner,
                "id": 9 if owner == "acme" else 7,
                "type": "Organization" if owner == "acme" else "User",
            },
        }
        for owner, names in REPOSITORIES.items()
        for name, number in names.items()
    ]


def _error(status: int, message: str) -> Answer:
    return Answer(
        status, {"message": message, "documentation_url": "https://docs.github.com/rest", "status": str(status)}
    )
