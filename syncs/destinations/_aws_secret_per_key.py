"""One secret per key: listed, read in batches, created or restored, updated, and scheduled for deletion."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Annotated, Any, Literal, TypeVar

from config.schemas.model import Model
from connections.aws import Refused, WrongState
from connections.errors import BadResponse, NotFound, Rejected, Unauthorized
from syncs.engine.types import Remote, Write, Written

from ._aws_options import Region
from ._aws_secret_api import (
    LABEL,
    MAPPING,
    SecretApi,
    SecretDescription,
    current_version,
    description_of,
    request_token,
)

BATCH = 20  # values that one request reads
DELETED = ("ResourceNotFoundException", "InvalidRequestException")  # it is missing, or scheduled for deletion
REMOVED = "keyferry-removed"  # the tag of a secret that a sync has deleted
Item = TypeVar("Item")


class OneToOne(Model):
    blank = ("secretName",)  # Terraform sends the member in this variant too, empty

    mappingBehavior: Annotated[Literal["one-to-one"], MAPPING]
    region: Region


class SecretPerKey:
    """The secrets of one region. `ref` of a listed one is its `SecretDescription`."""

    def __init__(self, api: SecretApi, concurrency: int) -> None:
        self.api, self.concurrency = api, concurrency

    def remotes(self) -> list[Remote]:
        """Every secret of the region, without its value. Source: "ListSecrets"."""
        secrets = self.api.pages("ListSecrets", {"MaxResults": 100}, "SecretList")
        try:
            return [self._remote(secret) for secret in secrets]
        except (KeyError, TypeError, AttributeError):
            raise BadResponse(f"{LABEL}: unexpected response: a secret in the list lacks a required member") from None

    def _remote(self, secret: Mapping[str, Any]) -> Remote:
        owner, primary_region = secret.get("OwningService"), secret.get("PrimaryRegion") or self.api.region
        locked = f"it belongs to AWS's service {owner}" if owner else ""
        if primary_region != self.api.region:
            locked = f"it is a copy of one in {primary_region}"
        return Remote(
            key=str(secret["Name"]),
            object_id=str(secret["ARN"]),
            etag=current_version(secret),
            locked=locked,
            ref=description_of(secret),
        )

    def read_values(self, remotes: Sequence[Remote]) -> list[Remote]:
        """With their current value and version, whatever the list has; without those that were deleted since.

        If the login may not read a value, only its version is used. Source: "BatchGetSecretValue".
        """
        readable = [remote for remote in remotes if remote.etag]
        return [*self._in_batches(self._read_batch, readable), *(remote for remote in remotes if not remote.etag)]

    def find_unlisted(self, keys: Collection[str]) -> list[Remote]:
        """Those that the list does not have yet: it may lag behind a create by minutes, which values do not."""
        return self._in_batches(self._find_batch, sorted(keys))

    def _in_batches(self, read: Callable[[Sequence[Item]], list[Remote]], items: Sequence[Item]) -> list[Remote]:
        """Read in parallel, in parts of the size that one request reads."""
        batches = [items[start : start + BATCH] for start in range(0, len(items), BATCH)]
        with ThreadPoolExecutor(max_workers=self.concurrency) as pool:
            return [remote for remotes in pool.map(read, batches) for remote in remotes]

    def _find_batch(self, names: Sequence[str]) -> list[Remote]:
        try:
            secrets, _ = self._values(names)
        except Refused:
            return []
        return [
            Remote(str(secret["Name"]), object_id=arn, etag=secret["VersionId"], ref=SecretDescription(arn, {}, None))
            for arn, secret in secrets.items()
        ]

    def _read_batch(self, remotes: Sequence[Remote]) -> list[Remote]:
        """Raises BadResponse if the response has no result for one of them: it does not count as deleted."""
        arns = {remote.key: str(remote.object_id) for remote in remotes}  # an error names a secret by key or ARN
        try:
            secrets, errors = self._values(list(arns.values()))
        except Refused:
            return list(remotes)
        errors = {arns.get(secret_id, secret_id): code for secret_id, code in errors.items()}
        if unreported := [remote.key for remote in remotes if remote.object_id not in {*secrets, *errors}]:
            raise BadResponse(f"{LABEL}: BatchGetSecretValue: unexpected response: no result for {unreported[0]}")
        read = [
            replace(remote, value=secrets[arn].get("SecretString"), etag=secrets[arn]["VersionId"])
            for remote in remotes
            if (arn := str(remote.object_id)) in secrets
        ]
        return read + [remote for remote in remotes if errors.get(str(remote.object_id), DELETED[0]) not in DELETED]

    def _values(self, ids: Sequence[str]) -> tuple[dict[str, Mapping[str, Any]], dict[str, str]]:
        """From all pages: secrets with their values by ARN, and error codes by secret."""
        secrets: dict[str, Mapping[str, Any]] = {}
        errors: dict[str, str] = {}
        page_token: dict[str, str] = {}
        try:
            for _ in ids:  # a page may have as few as one, if values are large
                page = self.api.call("BatchGetSecretValue", {"SecretIdList": list(ids), **page_token}, read=True)
                secrets |= {each["ARN"]: each for each in page["SecretValues"] if each["Name"] and each["VersionId"]}
                errors |= {each["SecretId"]: each["ErrorCode"] for each in page.get("Errors") or ()}
                if not page.get("NextToken"):
                    break
                page_token = {"NextToken": str(page["NextToken"])}
        except (KeyError, TypeError, AttributeError):
            raise BadResponse(
                f"{LABEL}: BatchGetSecretValue: unexpected response: a secret lacks a required member"
            ) from None
        return secrets, errors

    def create(self, write: Write) -> Written:
        content = {"Name": write.key, "SecretString": write.value, **request_token()}
        attributes = {**self.api.kms_member(), **self.api.tags_member(write.metadata)}
        try:
            return _written(self.api.call("CreateSecret", {**content, **attributes}, write.key))
        except WrongState as rejected:
            return self._restore(write, rejected)

    def _restore(self, write: Write, rejected: WrongState) -> Written:
        """A secret scheduled for deletion keeps its name: one that a sync has deleted is restored and overwritten."""
        secret = self.api.describe(write.key)
        if REMOVED not in secret.tags:
            raise Rejected(
                f"{LABEL}: {write.key} was scheduled for deletion externally, and its name is in use until then. "
                "Restore it at AWS, or wait"
            ) from None
        try:
            self.api.call("RestoreSecret", {"SecretId": secret.arn}, write.key)
        except (NotFound, WrongState):
            raise rejected from None
        self.api.call("UntagResource", {"SecretId": secret.arn, "TagKeys": [REMOVED]}, write.key)
        restored = Remote(write.key, ref=SecretDescription(secret.arn, {}, None))
        return self.update(replace(write, remote=restored))

    def update(self, write: Write) -> Written:
        """Only the differences: a new version for a new value or KMS key, and missing tags."""
        assert write.remote
        secret = _secret_of(write.remote)
        written = Written(object_id=secret.arn, etag=write.remote.etag)
        if write.remote.value != write.value or not self.api.has_kms_key(secret):
            body = {"SecretId": secret.arn, "SecretString": write.value, **request_token()}
            written = _written(self.api.call("UpdateSecret", body | self.api.kms_member(), write.key))
        self.api.add_tags(secret, self.api.tags(write.metadata))
        return written

    def delete(self, write: Write) -> None:
        """By ARN: a recreated secret has another one. Tagged first, to find it while it is scheduled for deletion."""
        assert write.remote
        body = {"SecretId": _secret_of(write.remote).arn}
        tags = [{"Key": REMOVED, "Value": "true"}]
        with contextlib.suppress(NotFound, WrongState, Unauthorized):  # the delete itself shows the result
            self.api.call("TagResource", {**body, "Tags": tags}, write.key)
        try:
            self.api.call("DeleteSecret", body, write.key)
        except NotFound:
            return
        except WrongState:
            if self.read_values([write.remote]):
                raise  # not scheduled for deletion: a secret with replicas in other regions is rejected in the same way


def _secret_of(remote: Remote) -> SecretDescription:
    assert isinstance(remote.ref, SecretDescription)
    return remote.ref


def _written(response: Mapping[str, Any]) -> Written:
    return Written(object_id=response.get("ARN"), etag=response.get("VersionId"))
