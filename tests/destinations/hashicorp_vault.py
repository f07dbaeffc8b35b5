"""Test data of Vault: key-value mounts of both versions, as OpenBao 2.7.2 answers (see tests/clients/test_openbao.py).

Sources: https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v1, kv-v2, auth/approle, system/internal-ui-mounts
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from .serving import Answer, Ask, Served

ABSENT = Answer(404, {"errors": []})
DENIED = Answer(403, {"errors": ["permission denied"]})
STALE = Answer(400, {"errors": ["check-and-set parameter did not match the current version"]})
TOKEN, ROLE, SECRET = "contract-root-token", "contract-role", "contract-secret-id"


@dataclass
class Stored:
    """A secret. `version` counts on when it is deleted and written again."""

    data: dict[str, Any] | None = field(default=None, repr=False)
    version: int = 0
    custom: dict[str, str] | None = None

    def metadata(self) -> dict[str, Any]:
        gone = "" if self.data is not None else "2026-11-01T00:00:00Z"
        return {"version": self.version, "deletion_time": gone, "destroyed": False, "custom_metadata": self.custom}


class HashicorpVault(Served):
    """`stored` by mount and path; `mounts` by version; `may_patch`: whether the policy has that right too."""

    description = "hashicorp-vault.json"
    undescribed = {
        r"^PATCH /v1/[\w/]+/data/.*: is not described": (
            "https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#patch-secret"
        ),
        r"^PATCH /v1/[\w/]+/metadata/.*: is not described": (
            "https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#patch-metadata"
        ),
    }
    method = "access-token"
    credentials = {"instanceUrl": "https://vault.example.com:8200", "accessToken": TOKEN}
    configs = {
        "version-2": {"mount": "secret", "path": "dev/shop"},
        "version-1": {"mount": "old/kv", "path": "dev/shop"},
    }
    bad_key = ""

    def __init__(self) -> None:
        super().__init__()
        self.mounts = {"secret": 2, "old/kv": 1}
        self.stored: dict[tuple[str, str], Stored] = {}
        self.namespace = ""
        self.may_patch = True
        self.lease = 1200
        self.tokens = {TOKEN}
        self.policies = ["sync"]
        self.logins: dict[str, dict[str, str]] = {"approle/login": {"role_id": ROLE, "secret_id": SECRET}}
        self.given: list[str] = []
        self._count = itertools.count(1)

    @classmethod
    def methods(cls, config: Mapping[str, Any]) -> Sequence[str]:
        return ("GET", "PATCH") if config["mount"] == "secret" else ("GET", "POST")

    def is_write(self, method: str, path: str) -> bool:
        """The note of the writer in the metadata changes no key."""
        return method != "GET" and "/metadata/" not in path

    def issued(self) -> list[str]:
        return self.given

    def reads(self, config: Mapping[str, Any], keys: int) -> int:
        return 1 if config["mount"] == "secret" else 4

    def _held(self, config: Mapping[str, Any]) -> Stored:
        return self.stored.setdefault((config["mount"], config["path"]), Stored())

    def held(self, config: Mapping[str, Any]) -> dict[str, Any]:
        return dict(self._held(config).data or {})

    def _replace(self, config: Mapping[str, Any], data: dict[str, Any]) -> None:
        held = self._held(config)
        held.data, held.version = data, held.version + 1

    def put(self, config: Mapping[str, Any], key: str, value: Any) -> None:
        self._replace(config, {**self.held(config), key: value})

    def drop(self, config: Mapping[str, Any], key: str) -> None:
        self._replace(config, {name: value for name, value in self.held(config).items() if name != key})

    def answer(self, ask: Ask) -> Answer:
        prefix = "/v1" + (f"/{self.namespace}" if self.namespace else "")
        if not ask.path.startswith(f"{prefix}/"):
            return Answer(404, {"errors": ["no handler for route. route entry not found."]})
        if (expected := self.logins.get(ask.path.removeprefix(f"{prefix}/auth/").replace("%20", " "))) is not None:
            return self._login(ask, expected)
        path = unquote(ask.path)[len(prefix) + 1 :]
        if ask.headers.get("x-vault-token") not in self.tokens:
            return DENIED
        if path == "auth/token/lookup-self":
            return Answer(200, {"data": {"ttl": 0, "policies": self.policies}})
        if path == "sys/internal/ui/mounts":
            named = {f"{name}/": {"type": "kv"} for name in self.mounts}
            return Answer(200, {"data": {"secret": {**named, "sys/": {"type": "system"}}}})
        if path.startswith("sys/internal/ui/mounts/"):
            return self._mount(path.removeprefix("sys/internal/ui/mounts/"))
        mount = next((name for name in self.mounts if path.startswith(f"{name}/")), None)
        if mount is None:
            return Answer(404, {"errors": ["no handler for route. route entry not found."]})
        rest = path.removeprefix(f"{mount}/")
        return self._first(ask, mount, rest) if self.mounts[mount] == 1 else self._second(ask, mount, rest)

    def _login(self, ask: Ask, expected: Mapping[str, str]) -> Answer:
        if ask.body != expected:
            return Answer(400, {"errors": ["invalid role or secret ID"]})
        self.given.append(f"hvs.session-{next(self._count)}")
        self.tokens.add(self.given[-1])
        return Answer(200, {"auth": {"client_token": self.given[-1], "lease_duration": self.lease}})

    def _mount(self, name: str) -> Answer:
        if name not in self.mounts:
            return Answer(403, {"errors": [f'preflight capability check returned 403, ... path "{name}/"']})
        return Answer(200, {"data": {"type": "kv", "options": {"version": str(self.mounts[name])}}})

    def _first(self, ask: Ask, mount: str, path: str) -> Answer:
        """Source: kv-v1. An empty map is refused; deleting a missing secret is no failure."""
        held = self.stored.setdefault((mount, path), Stored())
        if ask.query.get("list") == "true":
            return self._keys(mount)
        match ask.method:
            case "GET":
                return ABSENT if held.data is None else Answer(200, {"data": held.data})
            case "POST" | "PUT":
                if not ask.body:
                    return Answer(400, {"errors": ["missing data fields"]})
                held.data = dict(ask.body)
                return Answer(204)
            case "DELETE":
                held.data = None
                return Answer(204)
        return Answer(405, {"errors": ["unsupported operation"]})

    def _second(self, ask: Ask, mount: str, path: str) -> Answer:
        """Source: kv-v2. The version of a deleted secret stays, and must be named to write over it."""
        kind, _, path = path.partition("/")
        if kind == "metadata" and ask.query.get("list") == "true":
            return self._keys(mount)
        held = self.stored.setdefault((mount, path), Stored())
        if kind == "metadata":
            return self._note(ask, held)
        if ask.method == "GET":
            if held.version == 0:
                return ABSENT
            body = {"data": {"data": held.data, "metadata": held.metadata()}}
            return Answer(200 if held.data is not None else 404, body)
        if ask.method == "DELETE":
            held.data = None
            return Answer(204)
        if ask.method == "PATCH" and not self.may_patch:
            return DENIED
        if ask.method == "PATCH" and ask.headers.get("content-type") != "application/merge-patch+json":
            return Answer(415, {"errors": ["unsupported media type"]})
        if ask.body.get("options", {}).get("cas") != held.version:
            return STALE
        if ask.method == "PATCH" and held.data is None:
            return Answer(404, {"data": held.metadata()})
        before = held.data or {} if ask.method == "PATCH" else {}
        merged = {**before, **ask.body["data"]}
        if ask.method == "PATCH":
            merged = {key: value for key, value in merged.items() if value is not None}
        held.data, held.version = merged, held.version + 1
        return Answer(200, {"data": held.metadata()})

    def _note(self, ask: Ask, held: Stored) -> Answer:
        """Source: kv-v2, "Patch metadata"."""
        if held.version == 0:
            return Answer(404)
        if ask.method != "PATCH" or not self.may_patch:
            return DENIED
        held.custom = {**(held.custom or {}), **ask.body["custom_metadata"]}
        return Answer(204)

    def _keys(self, mount: str) -> Answer:
        tops = {
            path.partition("/")[0] + ("/" if "/" in path else "") for at, path in self.stored if at == mount if path
        }
        return Answer(200, {"data": {"keys": sorted(tops)}}) if tops else ABSENT
