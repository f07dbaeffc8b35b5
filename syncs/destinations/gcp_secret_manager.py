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
import binascii
import contextlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

from config.responses import EXAMPLE_ID
from config.schemas.member import About
from config.schemas.model import Model
from config.schemas.types import Items, Text
from config.schemas.unions import OneOf
from connections.errors import BadResponse, Conflict, IntegrationError, NotFound, OutcomeUnknown, Unauthorized
from connections.http.client import ApiClient, quote
from connections.http.exchange import Method
from connections.providers.gcp import RIGHTS, host_of, pages
from syncs.destination.capabilities import Capabilities
from syncs.destination.key_value import KeyValueDestination
from syncs.destination.options import SyncOptions, sync_options
from syncs.engine.types import Action, Remote, Write, Written

SCOPE = About(help="The Google Cloud scope that secrets should be synced to.")
ProjectId = Annotated[
    str,
    Text(
        "Project ID",
        "The Google Cloud project.",
        pattern=r"(?![0-9]+$)[a-z0-9.:-]+",  # a number is the same project, so that one location would be two
        pattern_message="Give the project's ID, such as shop-prod, not its number",
        empty_message="Project ID required",
        example=EXAMPLE_ID,
    ),
]
PAGE = 5000  # secrets; the maximum is 25,000
MARK = {"managed-by": "keyferry"}
UNUSABLE = "unusable"  # the etag of a secret whose newest version cannot be accessed: no value has it


def _location(label: str, help: str = "") -> Text:
    """The type of a location, which becomes part of a host name."""
    return Text(label, help, pattern=r"[a-z]+(-[a-z]+[0-9]+)?", pattern_message=f"{label} must be one such as us-east1")


class Global(Model):
    scope: Annotated[Literal["global"], SCOPE]
    projectId: ProjectId
    userReplicaLocationIds: Annotated[
        list[Annotated[str, _location("Replica location")]] | None,
        Items("Where new secrets are stored; none: Google chooses. It cannot be changed later.", max_items=100),
    ] = None


class Region(Model):
    scope: Annotated[Literal["region"], SCOPE]
    projectId: ProjectId
    locationId: Annotated[str, _location("Location ID", "The region of the secrets.")]


class SecretManagerOptions(SyncOptions):
    oldVersions: Annotated[
        str | None,
        Text(
            "Old versions",
            "What a replaced version becomes: keep (the default; each is billed), disable, or destroy permanently.",
            choices=("keep", "disable", "destroy"),
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class _Secret:
    """The details from the list that a write needs."""

    id: str
    etag: str
    ours: bool
    version: str = ""  # the newest, if it can be accessed


class GcpSecretManager(KeyValueDestination):
    slug: ClassVar[str] = "gcp-secret-manager"
    label: ClassVar[str] = "GCP Secret Manager"
    provider: ClassVar[str] = "gcp"
    Config: ClassVar[OneOf] = OneOf("scope", Global, Region)
    Options: ClassVar[type[Model]] = sync_options("GCP Secret Manager", SecretManagerOptions, can_import=True)
    config: Global | Region
    options: SecretManagerOptions
    capabilities: ClassVar[Capabilities] = Capabilities(
        can_read_values=True,
        can_import=True,
        takes_empty=False,
        holds_comments=False,
        key_pattern=r"[A-Za-z0-9_-]+",
        key_rule="letters, digits, underscores and dashes",
        max_key_length=255,
        max_value_bytes=64 * 1024,
        pace=10.0,  # 600 writes per minute and project
        concurrency=16,
        note="Each change adds a version. Applications that read a version by its number do not see it. Lists may lag"
        " behind a write for a while.",
        rights=f"A service account with {RIGHTS}",
        verified="drongo 0.8.0 (global) and Google's discovery document of revision 20261021; November 2026",
        docs_url="https://cloud.google.com/secret-manager/docs",
    )

    def __init__(
        self,
        client: ApiClient,
        config: Mapping[str, Any] | Model,
        options: Mapping[str, Any] | None = None,
        *,
        concurrency: int | None = None,
    ) -> None:
        super().__init__(client, config, options, concurrency=concurrency)
        self.parent = f"projects/{quote(self.config.projectId)}"
        self.host = ""
        if isinstance(self.config, Region):
            self.parent += f"/locations/{quote(self.config.locationId)}"
            self.host = host_of(client, f"https://secretmanager.{self.config.locationId}.rep.googleapis.com")
        self.secrets = f"/v1/{self.parent}/secrets"
        self.old_versions = self.options.oldVersions or "keep"

    def location(self) -> str:
        return f"gcp-secret-manager|{self.client.base_url}|{self.parent}"

    def request_cost(self, action: Action) -> float:
        return 2 if action is Action.CREATE or (action is Action.UPDATE and self.old_versions != "keep") else 1

    def fetch(self) -> Iterable[Remote]:
        """Every secret, without value and version: `read_values` reads those that matter."""
        listed = pages(self.client, self.secrets, "secrets", {"pageSize": str(PAGE)}, self.host)
        return [self._remote(one) for one in listed]

    def _remote(self, listed: Mapping[str, Any]) -> Remote:
        try:
            id = str(listed["name"]).rsplit("/", 1)[1]
            labels = listed.get("labels") or {}
            ours = all(labels.get(name) == value for name, value in MARK.items())
            managed = listed.get("secretType") == "CLOUD_SQL_DB_CREDENTIALS"
            return Remote(
                id,
                object_id=str(listed["createTime"]),
                locked="Google rotates it for a database" if managed else "",
                ref=_Secret(id, str(listed.get("etag") or ""), ours),
            )
        except (KeyError, IndexError, AttributeError):
            raise BadResponse(
                f"GCP: GET {self.secrets}: unexpected response: a secret has no name or createTime"
            ) from None

    def read_values(self, remotes: Sequence[Remote], *, values: bool) -> Sequence[Remote]:
        """With value and version. One of ours without any version counts as missing: `create` completes it."""
        with ThreadPoolExecutor(max_workers=self.concurrency) as pool:
            read = list(pool.map(self._accessed, remotes))
        return [one for one in read if one.etag or not one.ref.ours]

    def _accessed(self, remote: Remote) -> Remote:
        try:
            answer = self._ask("GET", f"{self._path(remote.key)}/versions/latest:access")
        except NotFound:
            return remote  # it has no version
        except Conflict:
            return replace(remote, etag=UNUSABLE)  # disabled or destroyed
        try:
            version = str(answer["name"]).rsplit("/", 1)[1]
            data = base64.b64decode(answer["payload"].get("data", ""), validate=True)
        except (KeyError, IndexError, TypeError, AttributeError, binascii.Error):
            raise BadResponse(
                f"GCP: unexpected response: the latest version of {remote.key} has no name or data"
            ) from None
        try:
            value = data.decode()
        except UnicodeDecodeError:
            value = None  # other bytes, which no secret of a source has
        return replace(remote, value=value, etag=version, ref=replace(remote.ref, version=version))

    def find_unlisted(self, keys: Collection[str]) -> Iterable[Remote]:
        """Those that exist but are not in the list yet."""
        with ThreadPoolExecutor(max_workers=self.concurrency) as pool:
            return [remote for remote in pool.map(self._unlisted, keys) if remote]

    def _unlisted(self, key: str) -> Remote | None:
        """Accesses have the far larger quota, so only an existing secret is read.

        An account with rights on some names only gets "forbidden" for missing secrets.
        """
        path = self._path(key)
        try:
            with contextlib.suppress(Conflict):  # it exists, but is disabled or destroyed
                self._ask("GET", f"{path}/versions/latest:access")
            return self._remote(self._ask("GET", path))
        except (NotFound, Unauthorized):
            return None

    def create(self, write: Write) -> Written:
        body: dict[str, Any] = {"labels": MARK}
        if isinstance(self.config, Global):
            body["replication"] = _replication(self.config.userReplicaLocationIds or [])
        asked: dict[str, Any] = {"params": {"secretId": write.key}, "json": body, "hidden": [write.value]}
        try:
            made = self._ask("POST", self.secrets, **asked, visible=[write.key, *MARK.values()])
        except Conflict:
            made = self._half_made(write)
            if made is None:
                raise
        # If this fails the secret is empty and labelled, and the next attempt completes it.
        etag = self._add(write)
        return Written(made.get("createTime") if isinstance(made, dict) else None, etag)

    def _half_made(self, write: Write) -> Any:
        """The secret, if it is one of ours that never got a value."""
        path = self._path(write.key)
        listed = self._ask("GET", path)
        versions = self._ask("GET", f"{path}/versions", params={"pageSize": "1"})
        empty = isinstance(versions, dict) and not versions.get("versions")
        return listed if isinstance(listed, dict) and empty and self._remote(listed).ref.ours else None

    def update(self, write: Write) -> Written:
        assert write.remote is not None
        etag = self._add(write)
        before: str = write.remote.ref.version
        if self.old_versions != "keep" and before and before != etag:
            try:
                self._ask("POST", f"{self._path(write.key)}/versions/{quote(before)}:{self.old_versions}", json={})
            except (NotFound, Conflict):
                pass  # deleted or disabled already
            except IntegrationError as error:
                said = f"GCP: {write.key} has its new value, but version {before} still exists ({self.old_versions})"
                raise OutcomeUnknown(f"{said}: {error}") from None
        return Written(write.remote.object_id, etag)

    def delete(self, write: Write) -> None:
        """Delete it with all its versions. Rejected if the secret is not the listed one."""
        assert write.remote is not None
        etag = write.remote.ref.etag
        try:
            self._ask("DELETE", self._path(write.key), params={"etag": etag} if etag else None)
        except NotFound:
            return

    def _add(self, write: Write) -> str | None:
        payload = {"data": base64.b64encode(write.value.encode()).decode()}
        answer = self._ask(
            "POST", f"{self._path(write.key)}:addVersion", json={"payload": payload}, hidden=[write.value]
        )
        name = answer.get("name") if isinstance(answer, dict) else None
        return str(name).rsplit("/", 1)[1] if name else None

    def _ask(self, method: Method, path: str, **arguments: Any) -> Any:
        return self.client.request(method, path, base_url=self.host, **arguments)

    def _path(self, key: str) -> str:
        return f"{self.secrets}/{quote(key)}"


def _replication(locations: Sequence[str]) -> dict[str, Any]:
    if not locations:
        return {"automatic": {}}
    return {"userManaged": {"replicas": [{"location": one} for one in locations]}}
