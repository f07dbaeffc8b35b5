"""Humanitec Shared Values (Platform Orchestrator v1 API), of an application or of one of its environments.

Surprising fact: the list of an environment is the application's values with the environment's laid over them; `source`
has the level of each. Secret values cannot be read.
Source: https://api-docs.humanitec.com/#tag/public/operation/listValues
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Annotated

from config.schemas import About, Model, OneOf, Text
from connections.http.client import quote
from connections.http.responses import Identified, Response
from connections.http.responses import Text as Filled
from syncs.destination.capabilities import Capabilities, Verified
from syncs.destination.key_value import KeyValueDestination
from syncs.engine.types import Remote, Write


def _id(label: str, what: str, example: str) -> Text:
    return Text(label, f"The ID of the Humanitec {what} to sync secrets to.", location=True, example=example)


class Application(Model):
    scope: Annotated[str, About(help="The Humanitec scope that secrets should be synced to.")]
    org: Annotated[str, _id("Org ID", "org", "acme")]
    app: Annotated[str, _id("App ID", "app", "humanitec")]

    def path(self) -> str:
        return f"/orgs/{quote(self.org)}/apps/{quote(self.app)}"


class Environment(Application):
    env: Annotated[str, _id("Env ID", "environment", "development")]

    def path(self) -> str:
        return f"{super().path()}/envs/{quote(self.env)}"


class _Value(Response):
    key: Filled
    description: str | None = None
    is_secret: bool
    source: str
    created_at: Filled
    updated_at: Filled
    secret_version: str | None = None


class _Version(Response):
    id: Filled
    created_at: Filled
    values: dict[str, _Value]


class _Deployment(Response):
    set_id: str
    status: str


class Humanitec(KeyValueDestination):
    slug = "humanitec"
    label = "Humanitec"
    Config = OneOf.of("scope", {"application": Application, "environment": Environment})
    lists_wider = True
    after_writes = ("deploy",)
    Item = _Value
    config: Application
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

    @property
    def list_path(self) -> str:
        return f"{self.config.path()}/values"

    def remote(self, item: _Value) -> Remote:
        return Remote(
            key=item.key,
            comment=item.description,
            object_id=item.created_at,
            etag=f"{item.secret_version or ''}|{item.updated_at}",
            inherited=isinstance(self.config, Environment) and item.source == "app",
            is_secret=item.is_secret,
        )

    def create(self, write: Write) -> object:
        body = {"key": write.key, "value": write.value, "description": write.comment, "is_secret": True}
        return self.client.request("POST", self.list_path, json=body, visible=[write.key])

    def update(self, write: Write) -> object:
        body = {"value": write.value, "description": write.comment}
        return self.client.request("PATCH", self.path(write.key), json=body)

    def after(self, changed: Collection[str]) -> None:
        """Deploy what was deployed last once more, in each environment that has the values and any deployment.

        Source: "List Deployments in an Environment" (the newest first), "Start a new Deployment".
        """
        path = f"{Application.path(self.config)}/envs"
        if isinstance(self.config, Environment):
            envs = [self.config.env]
        else:
            envs = [each.id for each in self.client.get(path, list[Identified])]
        for env in envs:
            deploys = f"{path}/{quote(env)}/deploys"
            listed = self.client.get(deploys, list[_Deployment])
            if deployed := next((each.set_id for each in listed if each.status == "succeeded"), ""):
                self.client.request("POST", deploys, json={"set_id": deployed, "comment": "New values from Keyferry"})

    def version_of(self, key: str, etag: str) -> str | None:
        """Source: "List Value Set Versions", "Restore the value of a single Shared Value"."""
        return next((version for version, remote in self._versions(key) if remote.etag == etag), None)

    def restore(self, write: Write) -> None:
        path = f"{self.config.path()}/value-set-versions/{quote(write.version or '')}/restore/{quote(write.key)}"
        self.client.request("POST", path, json={"comment": "Undone by Keyferry"})

    def purge(self, key: str, object_id: str) -> None:
        """Each version in which that object had another value; the vendor keeps the rest of the version."""
        first = {one.etag: version for version, one in self._versions(key)[::-1] if one.object_id == object_id}
        for version in first.values():
            path = f"{self.config.path()}/value-set-versions/{quote(version)}/purge/{quote(key)}"
            self.client.request("POST", path, json={"comment": "Purged by Keyferry"})

    def _versions(self, key: str) -> list[tuple[str, Remote]]:
        """The versions in which `key` changed and exists, each with its value, the oldest first."""
        path = f"{self.config.path()}/value-set-versions"
        listed = self.client.get(path, list[_Version], params={"key_changed": key})
        found = [one for one in listed if key in one.values]
        return [(one.id, self.remote(one.values[key])) for one in sorted(found, key=lambda one: one.created_at)]
