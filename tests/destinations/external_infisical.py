"""Test data of another server of the modelled API, as its reference describes it; tests/clients has a real one.

Sources: https://infisical.com/docs/api-reference/endpoints/secrets/list, the pages "Bulk ..." beside it, and
https://infisical.com/docs/api-reference/endpoints/universal-auth/login
"""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from .serving import Answer, Ask, Served

LOGIN = "/api/v1/auth/universal-auth/login"
HIDDEN = "<hidden-by-infisical>"
CLIENT_ID = "0f5f9a52-7a52-4b9e-9f14-6a1d7b1a9a11"
PROJECT = "2f2cbb1c-5b0a-4a44-a3a1-0b6c6e7e0001"

FolderKey = tuple[str, str, str]


class ExternalInfisical(Served):
    """`secrets` by project, environment and path, then by name. `versions` says which routes the server has.

    `unreadable` names of secrets whose value the identity may not see; `approvals` holds every write back.
    """

    method = "machine-identity"
    credentials = {
        "machineIdentityClientSecret": "contract-client-secret",
        "machineIdentityClientId": CLIENT_ID,
        "instanceUrl": "https://secrets.example.com",
    }
    configs = {
        "root": {"projectId": PROJECT, "environment": "prod", "secretPath": "/"},
        "folder": {"projectId": PROJECT, "environment": "prod", "secretPath": "/services/api"},
    }
    bad_key = ""

    def __init__(self) -> None:
        super().__init__()
        self.secrets: dict[FolderKey, dict[str, dict[str, Any]]] = {
            (PROJECT, "prod", "/"): {},
            (PROJECT, "prod", "/services"): {},
            (PROJECT, "prod", "/services/api"): {},
        }
        self.versions = {"v3", "v4"}
        self.tokens: set[str] = set()
        self.token_life = 2592000
        self.logins = 0
        self.unreadable: set[str] = set()
        self.approvals = False
        self.tags: dict[str, str] = {}
        self._clock = itertools.count(1)

    # -- external changes --------------------------------------------------------------------------------------

    def held(self, config: Mapping[str, Any]) -> dict[str, str]:
        return {key: secret["secretValue"] for key, secret in self._at(config).items()}

    def put(self, config: Mapping[str, Any], key: str, value: str) -> None:
        self._write(self._at(config), {"secretKey": key, "secretValue": value})

    def drop(self, config: Mapping[str, Any], key: str) -> None:
        del self._at(config)[key]

    def _at(self, config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        return self.secrets[config["projectId"], config["environment"], config["secretPath"]]

    def is_write(self, method: str, path: str) -> bool:
        return method != "GET" and path != LOGIN

    def issued(self) -> list[str]:
        return sorted(self.tokens)

    # -- as the server -----------------------------------------------------------------------------------------

    def answer(self, ask: Ask) -> Answer:
        parts = ask.parts
        if ask.path == LOGIN:
            return self._login(ask.body)
        if ask.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _error(403, "The provided access token is malformed.")
        match ask.method, parts:
            case "GET", ["api", "v1", "projects"]:
                environments = [{"id": "e1", "name": "Production", "slug": "prod"}]
                return Answer(
                    200, {"projects": [{"id": PROJECT, "name": "Shop", "slug": "shop", "environments": environments}]}
                )
            case _, ["api", "v2", "folders"] if "v4" in self.versions:
                return self._folders(ask, "projectId")
            case _, ["api", "v1", "folders"] if "v3" in self.versions:
                return self._folders(ask, "workspaceId")
            case _, ["api", "v1", "projects", project, "tags"] if "v4" in self.versions and project == PROJECT:
                return self._tags(ask, "tags", "tag")
            case _, ["api", "v1", "workspace", project, "tags"] if "v3" in self.versions and project == PROJECT:
                return self._tags(ask, "workspaceTags", "workspaceTag")
            case "GET", ["api", "v4", "secrets"] if "v4" in self.versions:
                return self._list(ask, ask.query["projectId"])
            case "GET", ["api", "v3", "secrets", "raw"] if "v3" in self.versions:
                return self._list(ask, ask.query["workspaceId"])
            case _, ["api", "v4", "secrets", "batch"] if "v4" in self.versions:
                return self._batch(ask, ask.body["projectId"])
            case _, ["api", "v3", "secrets", "batch", "raw"] if "v3" in self.versions:
                return self._batch(ask, ask.body["workspaceId"])
        return _error(404, f"Route {ask.method}:{ask.path} not found")

    def _login(self, body: Mapping[str, str]) -> Answer:
        known = {"clientId": CLIENT_ID, "clientSecret": self.credentials["machineIdentityClientSecret"]}
        if body != known:
            return _error(401, "Invalid credentials")
        self.logins += 1
        token = f"contract-access-token-{uuid.uuid4().hex}"
        self.tokens.add(token)
        life = self.token_life
        return Answer(200, {"accessToken": token, "expiresIn": life, "accessTokenMaxTTL": life, "tokenType": "Bearer"})

    def _folders(self, ask: Ask, member: str) -> Answer:
        """Sorted; a create makes missing ancestors and returns a folder that exists."""
        where = ask.query if ask.method == "GET" else ask.body
        project, environment = where[member], where["environment"]
        if (project, environment, "/") not in self.secrets:
            return _error(404, f"Environment with slug '{environment}' in project with ID '{project}' not found")
        if ask.method == "GET":
            paths = [path for *at, path in self.secrets if at == [project, environment] and path != "/"]
            return Answer(200, {"folders": [{"name": path.split("/")[-1], "relativePath": path} for path in paths]})
        path = ""
        for name in f"{where['path']}/{where['name']}".strip("/").split("/"):
            path = f"{path}/{name}"
            self.secrets.setdefault((project, environment, path), {})
        return Answer(200, {"folder": {"id": str(uuid.uuid4()), "name": where["name"], "path": path}})

    def _tags(self, ask: Ask, many: str, one: str) -> Answer:
        if ask.method == "GET":
            return Answer(200, {many: [{"id": id, "slug": slug, "name": slug} for slug, id in self.tags.items()]})
        if ask.body["slug"] in self.tags:
            return _error(400, f"Tag with slug {ask.body['slug']} already exists")
        self.tags[ask.body["slug"]] = str(uuid.uuid4())
        return Answer(200, {one: {"id": self.tags[ask.body["slug"]], "slug": ask.body["slug"]}})

    def _list(self, ask: Ask, project: str) -> Answer:
        held = self.secrets.get((project, ask.query["environment"], ask.query["secretPath"]))
        if held is None:
            return _error(404, f"Folder with path '{ask.query['secretPath']}' was not found")
        assert (ask.query["expandSecretReferences"], ask.query["viewSecretValue"]) == ("false", "true")
        return Answer(200, {"secrets": [self._shown(each) for each in held.values()], "imports": []})

    def _shown(self, secret: dict[str, Any]) -> dict[str, Any]:
        if secret["secretKey"] not in self.unreadable:
            return secret
        return {**secret, "secretValue": HIDDEN, "secretValueHidden": True}

    def _batch(self, ask: Ask, project: str) -> Answer:
        """All or none."""
        held = self.secrets.get((project, ask.body["environment"], ask.body["secretPath"]))
        items = ask.body["secrets"]
        if held is None:
            return _error(404, f"Folder with path '{ask.body['secretPath']}' was not found")
        keys = [item["secretKey"] for item in items]
        taken = [key for key in keys if key in held]
        if ask.method == "POST" and taken:
            return _error(400, f"Secret already exist: {','.join(taken)}")
        if ask.method != "POST" and len(taken) < len(keys):
            return _error(404, f"Secret with name {next(key for key in keys if key not in held)} not found")
        if unknown := [
            item["secretValue"] for item in items if re.search(r"\$\{[\w.@-]+\}", item.get("secretValue", ""))
        ]:
            return _error(400, f"Referenced secret(s) not found: {unknown[0]}")
        for unknown in {id for item in items for id in item.get("tagIds", ())} - set(self.tags.values()):
            return _error(404, f"Tag not found. Missing {unknown}")
        if self.approvals:
            return Answer(200, {"approval": {"id": str(uuid.uuid4())}})
        if ask.method == "DELETE":
            return Answer(200, {"secrets": [held.pop(key) for key in keys]})
        return Answer(200, {"secrets": [self._shown(self._write(held, item)) for item in items]})

    def _write(self, held: dict[str, dict[str, Any]], item: Mapping[str, Any]) -> dict[str, Any]:
        """Blanks around a value go, one newline at its end stays."""
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=next(self._clock))
        now = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        key, value = item["secretKey"], item["secretValue"]
        before = held.get(key, {"id": str(uuid.uuid4()), "version": 0, "createdAt": now, "secretComment": ""})
        held[key] = {
            "id": before["id"],
            "_id": before["id"],
            "version": before["version"] + 1,
            "type": "shared",
            "secretKey": key,
            "secretValue": value.strip() + ("\n" if value.endswith("\n") and value.strip() else ""),
            "secretComment": item.get("secretComment", before["secretComment"]),
            "secretMetadata": item.get("secretMetadata", before.get("secretMetadata", [])),
            "tags": self._tagged(item, before),
            "secretValueHidden": False,
            "createdAt": before["createdAt"],
            "updatedAt": now,
        }
        return held[key]

    def _tagged(self, item: Mapping[str, Any], before: Mapping[str, Any]) -> list[dict[str, str]]:
        if "tagIds" not in item:
            return list(before.get("tags", []))
        slugs = {id: slug for slug, id in self.tags.items()}
        return [{"id": id, "slug": slugs[id], "name": slugs[id]} for id in item["tagIds"]]


def _error(status: int, message: str) -> Answer:
    return Answer(status, {"reqId": "req-1", "statusCode": status, "message": message, "error": "Error"})
