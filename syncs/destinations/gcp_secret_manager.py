"""Secrets of Google Secret Manager, global ones or those of one region; the newest version of each is its value.

The list has neither values nor versions, and no etag of a secret changes with its versions, so only an access of each
desired and own secret detects external changes; accesses have a quota of their own. A new key is two writes.

Surprising facts. Between its two writes a new secret is empty; one that is labelled as ours and has no version is
completed by the next run. `latest` is the newest version even if that is disabled, and then there is no value. Lists
and `latest` may lag behind a write for a while: a key that is not listed is read before it counts as missing, and one
may be written twice, never lost. An empty value is rejected.
Sources: https://cloud.google.com/secret-manager/docs/reference/rest (discovery revision 20261021),
https://cloud.google.com/secret-manager/quotas, https://cloud.google.com/secret-manager/docs/etags,
https://cloud.google.com/secret-manager/docs/consistency
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import date
from functools import cached_property
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from config.schemas import OneOf
from connections.errors import Conflict, Forbidden, IntegrationError, NotFound, OutcomeUnknown
from connections.gcp import RIGHTS, WrongState, host_of, project_id, read_list
from connections.http.client import quote
from connections.http.exchange import Method
from connections.http.responses import Response, Text
from syncs.destination.capabilities import Capabilities, Verified
from syncs.destination.key_value import KeyValueDestination
from syncs.destination.reading import ReadsEach, in_parallel
from syncs.engine.types import Action, Remote, Write, Written

from ._gcp_config import Global, Region, SecretManagerOptions, SecretManagerPolicy

MARK = {"managed-by": "keyferry"}  # the label of secrets that a sync has created
PAGE = 5000  # secrets; the maximum is 25,000
UNUSABLE = "unusable"  # the etag of a secret whose newest version cannot be accessed: no value has it
Name = Annotated[str, Field(pattern=r"/[^/]+$")]


class Secret(Response):
    name: Name
    createTime: Text
    etag: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    secretType: str = ""

    @property
    def is_ours(self) -> bool:
        return MARK.items() <= self.labels.items()


class Payload(Response):
    data: Annotated[bytes, BeforeValidator(lambda text: base64.b64decode(text, validate=True))] = b""


class Version(Response):
    name: Name
    payload: Payload


class GcpSecretManager(ReadsEach, KeyValueDestination):
    slug = "gcp-secret-manager"
    label = "GCP Secret Manager"
    provider = "gcp"
    Config = OneOf.of("scope", {"global": Global, "region": Region})
    Options = SecretManagerOptions
    Policy = SecretManagerPolicy
    config: Global | Region
    options: SecretManagerOptions
    policy: SecretManagerPolicy
    capabilities = Capabilities(
        can_read_values=True,
        can_import=True,
        takes_empty=False,
        holds_comments=False,
        key_pattern=r"[A-Za-z0-9_-]+",
        key_rule="letters, digits, underscores and dashes",
        max_key_length=255,
        max_value_bytes=64 * 1024,
        quota=(600, 60.0),  # writes per minute and project; reads have one of their own
        concurrency=16,
        note="Each change adds a version. Applications that read a version by its number do not see it. Lists may lag"
        " behind a write for a while. Labels are set when a secret is created.",
        rights=f"A service account with {RIGHTS}",
        verified=(
            Verified(date(2026, 11, 25), "drongo 0.8.0", "global secrets; not Google itself"),
            Verified(date(2026, 11, 25), "Google's discovery document of revision 20261021"),
        ),
        docs_url="https://cloud.google.com/secret-manager/docs",
    )

    @cached_property
    def host(self) -> str:
        """The address of a region's own service, or ""."""
        if isinstance(self.config, Global):
            return ""
        return host_of(self.client, f"https://secretmanager.{self.config.locationId}.rep.googleapis.com")

    @property
    def list_path(self) -> str:
        return f"/v1/{self.config.parent(self.config.projectId)}/secrets"

    @cached_property
    def _project(self) -> str:
        return project_id(self.client, self.config.projectId)

    def location(self) -> str:
        """With the project's ID, so that a project is one location whether its ID or its number is given."""
        return f"{self.slug}|{self.client.base_url}|{self.config.parent(self._project)}"

    @property
    def _drops_versions(self) -> bool:
        return (self.options.oldVersions or "keep") != "keep"

    def request_cost(self, action: Action) -> float:
        return 2 if action is Action.CREATE or (action is Action.UPDATE and self._drops_versions) else 1

    def items(self) -> list[Secret]:
        return read_list(self.client, self.list_path, Secret, "secrets", {"pageSize": str(PAGE)}, self.host)

    def remote(self, item: Secret) -> Remote:
        """Without value and version, which only an access shows."""
        managed = item.secretType == "CLOUD_SQL_DB_CREDENTIALS"
        locked = "Google rotates it for a database" if managed else ""
        return Remote(_id(item.name), object_id=item.createTime, locked=locked, ref=item)

    def read_value(self, remote: Remote, *, values: bool) -> Remote | None:
        """One of ours without any version counts as missing: `create` completes it.

        A newest version that is disabled or destroyed, or whose encryption key is, has no value: a sync adds a version,
        an import reports Google's text. Bytes that are no text have none either: no secret of a source has them.
        """
        try:
            latest = self._access(remote.key)
        except NotFound:
            return None if remote.ref.is_ours else remote
        except WrongState as error:
            return replace(remote, etag=UNUSABLE, unreadable=str(error) if values else "")
        value = None
        with suppress(UnicodeDecodeError):
            value = latest.payload.data.decode()
        return replace(remote, value=value, etag=_id(latest.name))

    def find_unlisted(self, keys: Collection[str]) -> Iterable[Remote]:
        """Those that exist but are not in the list yet."""
        return [remote for remote in in_parallel(self._unlisted, keys, self.concurrency) if remote]

    def _unlisted(self, key: str) -> Remote | None:
        """Accessed first, for the larger quota. With rights on some names, a missing secret is "forbidden" too."""
        try:
            with suppress(WrongState):  # it exists, but has no value
                self._access(key)
            return self.remote(self._get(key))
        except (NotFound, Forbidden):
            return None

    def _access(self, key: str) -> Version:
        return self.client.get(f"{self.path(key)}/versions/latest:access", Version, base_url=self.host)

    def _get(self, key: str) -> Secret:
        return self.client.get(self.path(key), Secret, base_url=self.host)

    def create(self, write: Write) -> Written:
        """If the second request fails the secret is empty and labelled, and the next attempt completes it."""
        labels = {**{label.key: label.value for label in self.policy.labels or ()}, **MARK}
        body: dict[str, Any] = {"labels": labels}
        if isinstance(self.config, Global):
            places = [{"location": one} for one in self.config.userReplicaLocationIds or ()]
            body["replication"] = {"userManaged": {"replicas": places}} if places else {"automatic": {}}
        shown = {"hidden": [write.value], "visible": [write.key, *labels.values()]}
        try:
            made = self._ask("POST", self.list_path, params={"secretId": write.key}, json=body, **shown)
            created = made.get("createTime") if isinstance(made, dict) else None
        except Conflict:
            created = self._created_without_value(write.key)
            if not created:
                raise
        return Written(created, self._add(write))

    def _created_without_value(self, key: str) -> str:
        """When the secret was created, if it is one of ours that never got a value.

        "" also if that cannot be seen, so that what is shown is why it could not be created.
        """
        try:
            secret = self._get(key)
            versions = read_list(self.client, f"{self.path(key)}/versions", Response, "versions", host=self.host)
        except IntegrationError:
            return ""
        return secret.createTime if secret.is_ours and not versions else ""

    def update(self, write: Write) -> Written:
        assert write.remote is not None
        etag = self._add(write)
        before = write.remote.etag
        if self._drops_versions and before not in (None, UNUSABLE, etag):
            self._drop(write.key, str(before))
        return Written(write.remote.object_id, etag)

    def _drop(self, key: str, version: str) -> None:
        """Raises OutcomeUnknown if the version is left, so that the key is looked at again."""
        action = self.options.oldVersions
        try:
            with suppress(NotFound, WrongState):  # deleted or disabled already
                self._ask("POST", f"{self.path(key)}/versions/{quote(version)}:{action}", json={})
        except IntegrationError as error:
            left = f"GCP: {key} has its new value, but version {version} still exists ({action})"
            raise OutcomeUnknown(f"{left}: {error}") from None

    def delete(self, write: Write) -> None:
        """Delete it with all its versions. Rejected if the secret is not the listed one."""
        assert write.remote is not None
        etag = write.remote.ref.etag
        try:
            self._ask("DELETE", self.path(write.key), params={"etag": etag} if etag else None)
        except WrongState as stale:
            raise Conflict(str(stale)) from None

    def _add(self, write: Write) -> str | None:
        """The number of the new version."""
        body = {"payload": {"data": base64.b64encode(write.value.encode()).decode()}}
        answer = self._ask("POST", f"{self.path(write.key)}:addVersion", json=body, hidden=[write.value])
        name = answer.get("name") if isinstance(answer, dict) else None
        return _id(str(name)) if name else None

    def _ask(self, method: Method, path: str, **arguments: Any) -> Any:
        return self.client.request(method, path, base_url=self.host, **arguments)


def _id(name: str) -> str:
    """The last part of a full name: the ID of a secret, or the number of a version."""
    return name.rpartition("/")[2]
