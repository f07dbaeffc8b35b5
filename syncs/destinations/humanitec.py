"""Humanitec Shared Values (Platform Orchestrator v1 API), of an application or of one of its environments.

Surprising fact: the list of an environment is the application's values with the environment's laid over them; `source`
has the level of each. Secret values cannot be read.
Source: https://api-docs.humanitec.com/#tag/public/operation/listValues
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Annotated, Literal

from config.schemas.member import About
from config.schemas.model import Model
from config.schemas.types import Text
from config.schemas.unions import OneOf
from connections.http.client import quote
from connections.http.responses import Response
from connections.http.responses import Text as Filled
from syncs.destination.capabilities import Capabilities, Verified
from syncs.destination.key_value import KeyValueDestination
from syncs.engine.types import Remote, Write

SCOPE = About(help="The Humanitec scope that secrets should be synced to.")
Org = Annotated[str, Text("Org ID", "The ID of the Humanitec org to sync secrets to.", location=True, example="acme")]
App = Annotated[
    str, Text("App ID", "The ID of the Humanitec app to sync secrets to.", location=True, example="humanitec")
]
Env = Annotated[
    str, Text("Env ID", "The ID of the Humanitec environment to sync secrets to.", location=True, example="development")
]


class Application(Model):
    scope: Annotated[Literal["application"], SCOPE]
    org: Org
    app: App


class Environment(Model):
    scope: Annotated[Literal["environment"], SCOPE]
    org: Org
    app: App
    env: Env


class _Named(Response):
    id: str


class _Deployment(Response):
    set_id: str
    status: str


class _Value(Response):
    key: Filled
    description: str | None = None
    is_secret: bool
    source: str
    created_at: Filled
    updated_at: Filled
    secret_version: str | None = None

    @property
    def etag(self) -> str:
        return f"{self.secret_version or ''}|{self.updated_at}"


class _Version(Response):
    id: Filled
    created_at: Filled
    values: dict[str, _Value]


class Humanitec(KeyValueDestination):
    slug = "humanitec"
    label = "Humanitec"
    Config = OneOf("scope", Application, Environment)
    lists_wider = True
    after_writes = ("deploy",)
    Item = _Value
    config: Application | Environment
    capabilities = Capabilities(
        key_pattern=r"[A-Za-z0-9_.-]+",
        key_rule="letters, digits, underscores, dots and dashes",
        keeps_versions=True,
        note="Workloads see new values at their next deployment, which the policy's afterWrites can start: what was"
        " deployed last is deployed again, for an application in each of its environments. This is the API of Platform"
        " Orchestrator v1; v2 has no Shared Values.",
        rights="A service user with the Developer role on just the applications that are synced.",
        verified=(
            Verified(date(2026, 11, 25), "the vendor's OpenAPI description"),
            Verified(date(2026, 11, 25), "a stand-in made from it", "not Humanitec itself"),
        ),
        docs_url="https://developer.humanitec.com/platform-orchestrator/security/shared-secrets/",
    )

    def items(self) -> list[_Value]:
        """Every value at this scope; the vendor has no pages. Source: "List Shared Values"."""
        return self.client.get(self._values(), list[_Value])

    def remote(self, item: _Value) -> Remote:
        return Remote(
            key=item.key,
            comment=item.description,
            object_id=item.created_at,
            etag=item.etag,
            inherited=isinstance(self.config, Environment) and item.source == "app",
            is_secret=item.is_secret,
        )

    def create(self, write: Write) -> object:
        body = {"key": write.key, "value": write.value, "description": write.comment, "is_secret": True}
        return self.client.request("POST", self._values(), json=body, visible=[write.key])

    def update(self, write: Write) -> object:
        body = {"value": write.value, "description": write.comment}
        return self.client.request("PATCH", self._value(write), json=body)

    def delete(self, write: Write) -> None:
        self.client.request("DELETE", self._value(write))

    def after(self, changed: Collection[str]) -> None:
        """Deploy what was deployed last once more, in each environment that has the values and any deployment.

        Source: "List Deployments in an Environment" (the newest first), "Start a new Deployment".
        """
        app = f"/orgs/{quote(self.config.org)}/apps/{quote(self.config.app)}/envs"
        if isinstance(self.config, Environment):
            envs = [self.config.env]
        else:
            envs = [each.id for each in self.client.get(app, list[_Named])]
        for env in envs:
            path = f"{app}/{quote(env)}/deploys"
            listed = self.client.get(path, list[_Deployment])
            if deployed := next((each.set_id for each in listed if each.status == "succeeded"), ""):
                self.client.request("POST", path, json={"set_id": deployed, "comment": "New values from Keyferry"})

    def version_of(self, key: str, etag: str) -> str | None:
        """Source: "List Value Set Versions", "Restore the value of a single Shared Value"."""
        return next((version for version, value in self._versions(key) if value.etag == etag), None)

    def restore(self, write: Write) -> None:
        path = f"{self._scope()}/value-set-versions/{quote(write.version or '')}/restore/{quote(write.key)}"
        self.client.request("POST", path, json={"comment": "Undone by Keyferry"})

    def purge(self, key: str, object_id: str) -> None:
        """Each version in which that object had another value; the vendor keeps the rest of the version."""
        first = {value.etag: version for version, value in self._versions(key)[::-1] if value.created_at == object_id}
        for version in first.values():
            path = f"{self._scope()}/value-set-versions/{quote(version)}/purge/{quote(key)}"
            self.client.request("POST", path, json={"comment": "Purged by Keyferry"})

    def _versions(self, key: str) -> list[tuple[str, _Value]]:
        """The versions in which `key` changed and exists, each with its value, the oldest first."""
        path = f"{self._scope()}/value-set-versions"
        listed = self.client.get(path, list[_Version], params={"key_changed": key})
        found = [one for one in listed if key in one.values]
        return [(one.id, one.values[key]) for one in sorted(found, key=lambda one: one.created_at)]

    def _scope(self) -> str:
        path = f"/orgs/{quote(self.config.org)}/apps/{quote(self.config.app)}"
        return f"{path}/envs/{quote(self.config.env)}" if isinstance(self.config, Environment) else path

    def _values(self) -> str:
        return f"{self._scope()}/values"

    def _value(self, write: Write) -> str:
        """The address of one value. Without its last part it would delete all values: `quote` rejects an empty part."""
        return f"{self._values()}/{quote(write.key)}"
