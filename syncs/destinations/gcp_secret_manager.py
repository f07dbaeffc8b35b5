"""Secrets of Google Secret Manager, global ones or those of one region; the newest version of each is its value.

Requests for 500 keys of which one changed: one list, one access of each of the 500, one write (two if old versions
are not kept). The list has neither values nor versions, and no etag of a secret changes with its versions, so only an
access detects external changes; accesses have a quota of their own, 90,000 per minute. Only desired and own secrets are
read. A new key is two writes, after an access that finds no secret.

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
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from functools import cached_property, partial
from typing import Any

from config.schemas.unions import OneOf
from connections.errors import Conflict, Forbidden, IntegrationError, NotFound, OutcomeUnknown
from connections.gcp import RIGHTS, WrongState, host_of, project_id, read_list
from connections.http.client import quote
from connections.http.exchange import Method
from connections.http.responses import Response
from syncs.destination.capabilities import Capabilities, Verified
from syncs.destination.key_value import KeyValueDestination
from syncs.destination.reading import in_parallel, read_each
from syncs.engine.types import Action, Remote, Write, Written

from ._gcp_config import Global, Region, SecretManagerOptions, SecretManagerPolicy
from ._gcp_secrets import MARK, Secret, Version, id_of

PAGE = 5000  # secrets; the maximum is 25,000
UNUSABLE = "unusable"  # the etag of a secret whose newest version cannot be accessed: no value has it


class GcpSecretManager(KeyValueDestination):
    slug = "gcp-secret-manager"
    label = "GCP Secret Manager"
    provider = "gcp"
    Config = OneOf("scope", Global, Region)
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
        return host_of(self.client, self.config.host)

    @property
    def secrets(self) -> str:
        return f"/v1/{self.config.parent(self.config.projectId)}/secrets"

    @cached_property
    def _location(self) -> str:
        """With the project's ID, so that a project is one location whether its ID or its number is given."""
        project = project_id(self.client, self.config.projectId)
        return f"{self.slug}|{self.client.base_url}|{self.config.parent(project)}"

    def location(self) -> str:
        return self._location

    @property
    def _drops_versions(self) -> bool:
        return (self.options.oldVersions or "keep") != "keep"

    def request_cost(self, action: Action) -> float:
        return 2 if action is Action.CREATE or (action is Action.UPDATE and self._drops_versions) else 1

    def fetch(self) -> Iterable[Remote]:
        """Every secret, without value and version: `read_values` reads those that matter."""
        listed = read_list(self.client, self.secrets, Secret, "secrets", {"pageSize": str(PAGE)}, self.host)
        return [one.remote() for one in listed]

    def read_values(self, remotes: Sequence[Remote], *, values: bool) -> Sequence[Remote]:
        return read_each(partial(self._accessed, values), remotes, self.concurrency)

    def _accessed(self, values: bool, remote: Remote) -> Remote | None:
        """One of ours without any version counts as missing: `create` completes it.

        A newest version that is disabled or destroyed, or whose encryption key is, has no value: a sync adds a version,
        an import reports Google's text.
        """
        try:
            latest = self._access(remote.key)
        except NotFound:
            return None if remote.ref.is_ours else remote
        except WrongState as error:
            return replace(remote, etag=UNUSABLE, unreadable=str(error) if values else "")
        return replace(remote, value=latest.value, etag=id_of(latest.name))

    def _access(self, key: str) -> Version:
        return self.client.get(f"{self._path(key)}/versions/latest:access", Version, base_url=self.host)

    def find_unlisted(self, keys: Collection[str]) -> Iterable[Remote]:
        """Those that exist but are not in the list yet."""
        return [remote for remote in in_parallel(self._unlisted, keys, self.concurrency) if remote]

    def _unlisted(self, key: str) -> Remote | None:
        """Accessed first, for the larger quota. With rights on some names, a missing secret is "forbidden" too."""
        try:
            with suppress(WrongState):  # it exists, but has no value
                self._access(key)
            return self._get(key).remote()
        except (NotFound, Forbidden):
            return None

    def _get(self, key: str) -> Secret:
        return self.client.get(self._path(key), Secret, base_url=self.host)

    def create(self, write: Write) -> Written:
        labels = {**{label.key: label.value for label in self.policy.labels or ()}, **MARK}
        body = {"labels": labels, **self.config.attributes()}
        visible = [write.key, *labels.values()]
        try:
            made = self._ask(
                "POST", self.secrets, params={"secretId": write.key}, json=body, hidden=[write.value], visible=visible
            )
            created = made.get("createTime") if isinstance(made, dict) else None
        except Conflict:
            created = self._created_without_value(write.key)
            if not created:
                raise
        # If this fails the secret is empty and labelled, and the next attempt completes it.
        return Written(created, self._add(write))

    def _created_without_value(self, key: str) -> str:
        """When the secret was created, if it is one of ours that never got a value.

        "" also if that cannot be seen, so that what is shown is why it could not be created.
        """
        try:
            secret = self._get(key)
            versions = read_list(self.client, f"{self._path(key)}/versions", Response, "versions", host=self.host)
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
                self._ask("POST", f"{self._path(key)}/versions/{quote(version)}:{action}", json={})
        except IntegrationError as error:
            left = f"GCP: {key} has its new value, but version {version} still exists ({action})"
            raise OutcomeUnknown(f"{left}: {error}") from None

    def delete(self, write: Write) -> None:
        """Delete it with all its versions. Rejected if the secret is not the listed one."""
        assert write.remote is not None
        etag = write.remote.ref.etag
        try:
            self._ask("DELETE", self._path(write.key), params={"etag": etag} if etag else None)
        except WrongState as stale:
            raise Conflict(str(stale)) from None

    def _add(self, write: Write) -> str | None:
        payload = {"data": base64.b64encode(write.value.encode()).decode()}
        answer = self._ask(
            "POST", f"{self._path(write.key)}:addVersion", json={"payload": payload}, hidden=[write.value]
        )
        name = answer.get("name") if isinstance(answer, dict) else None
        return id_of(str(name)) if name else None

    def _ask(self, method: Method, path: str, **arguments: Any) -> Any:
        return self.client.request(method, path, base_url=self.host, **arguments)

    def _path(self, key: str) -> str:
        return f"{self.secrets}/{quote(key)}"
