"""One secret per key: listed, read in batches, created or restored, updated, and scheduled for deletion.

A secret that is scheduled for deletion keeps its name. One that a sync deleted has the tag `REMOVED`: it counts as
missing, and is restored when it is created again. Any other is never touched.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TypeVar

from connections.aws import WrongState, aws_of
from connections.errors import BadResponse, Forbidden, IntegrationError, NotFound, Rejected, Unavailable
from connections.http.responses import Response, Text
from syncs.destination.key_value import KeyValueDestination
from syncs.destination.reading import in_parallel
from syncs.engine.types import Action, Remote, Write, Written

from ._aws_secret_api import (
    LABEL,
    SERVICE,
    OneToOne,
    Secret,
    SecretsManager,
    SecretValue,
    WrittenSecret,
    request_token,
)

BATCH = 20  # values that one request reads
DELETED = ("ResourceNotFoundException", "InvalidRequestException")  # it is missing, or scheduled for deletion
REMOVED = "keyferry-removed"
SCHEDULED = "it is scheduled for deletion, and not by this server: restore it at AWS, or wait until it no longer exists"
Item = TypeVar("Item")


class Unread(Response):
    SecretId: Text
    ErrorCode: str
    Message: str = ""


class Values(Response):
    """Source: "BatchGetSecretValue"."""

    SecretValues: list[SecretValue]
    Errors: list[Unread] | None = None
    NextToken: str | None = None


class SecretPerKey(SecretsManager, KeyValueDestination):
    """The secrets of one region. `ref` of a listed one is a `Secret`."""

    config: OneToOne

    def request_cost(self, action: Action) -> float:
        """A secret that can be restored is tagged before it is deleted."""
        return 2.0 if action is Action.DELETE and self.policy.recoveryWindowInDays != 0 else 1.0

    def sends_metadata(self) -> bool:
        return bool(self.options.syncSecretMetadataAsTags)

    def nested_locations(self, location: str) -> Collection[str]:
        """The list also has a secret that is the document of another sync."""
        return (location.removeprefix(self.location()),)

    def fetch(self) -> list[Remote]:
        """Every secret of the region, without its value."""
        sent = {"MaxResults": 100, "IncludePlannedDeletion": True}
        listed = aws_of(self.client).pages(SERVICE, self.config.region, "ListSecrets", sent, "SecretList", Secret)
        return [self._remote(secret) for secret in listed if not (secret.DeletedDate and REMOVED in secret.tags)]

    def _remote(self, secret: Secret) -> Remote:
        locked = f"it belongs to AWS's service {secret.OwningService}" if secret.OwningService else ""
        if secret.PrimaryRegion not in (None, self.config.region):
            locked = f"it is a copy of one in {secret.PrimaryRegion}"
        locked = SCHEDULED if secret.DeletedDate else locked
        comment, etag = secret.Description or "", secret.current_version
        return Remote(secret.Name, comment=comment, object_id=secret.ARN, etag=etag, locked=locked, ref=secret)

    def read_values(self, remotes: Sequence[Remote], *, values: bool) -> Sequence[Remote]:
        """With their current value and version, whatever the list has; without those that were deleted since.

        If the login may not read values, only versions are compared.
        """
        readable = [remote for remote in remotes if remote.etag and not remote.locked]
        others = [remote for remote in remotes if not remote.etag or remote.locked]
        return [*self._in_batches(self._read_batch, readable), *others]

    def find_unlisted(self, keys: Collection[str]) -> list[Remote]:
        """Those that the list does not have yet: it may lag behind a create by minutes, which values do not."""
        return self._in_batches(self._find_batch, sorted(keys))

    def _in_batches(self, read: Callable[[Sequence[Item]], list[Remote]], items: Sequence[Item]) -> list[Remote]:
        """Read in parallel, in parts of the size that one request reads."""
        batches = [items[start : start + BATCH] for start in range(0, len(items), BATCH)]
        return [remote for remotes in in_parallel(read, batches, self.concurrency) for remote in remotes]

    def _find_batch(self, names: Sequence[str]) -> list[Remote]:
        try:
            values, _ = self._values(names)
        except Forbidden:
            return []
        return [
            Remote(each.Name, object_id=arn, etag=each.VersionId, ref=Secret(ARN=arn, Name=each.Name))
            for arn, each in values.items()
        ]

    def _read_batch(self, remotes: Sequence[Remote]) -> list[Remote]:
        """Raises BadResponse if the response has no result for one of them: it does not count as deleted."""
        arns = {remote.key: str(remote.object_id) for remote in remotes}  # an error names a secret by key or ARN
        try:
            values, errors = self._values(list(arns.values()))
        except Forbidden:
            return list(remotes)
        errors = {arns.get(secret_id, secret_id): error for secret_id, error in errors.items()}
        read = []
        for remote in remotes:
            arn = str(remote.object_id)
            if arn in values:
                read.append(replace(remote, value=values[arn].SecretString, etag=values[arn].VersionId))
            elif arn not in errors:
                raise BadResponse(f"{LABEL}: BatchGetSecretValue: unexpected response: no result for {remote.key}")
            elif (error := errors[arn]).ErrorCode not in DELETED:
                read.append(replace(remote, unreadable=f"AWS answered {error.ErrorCode}: {error.Message}"))
        return read

    def _values(self, ids: Sequence[str]) -> tuple[dict[str, SecretValue], dict[str, Unread]]:
        """From all pages: values by ARN, and errors by secret."""
        values: dict[str, SecretValue] = {}
        errors: dict[str, Unread] = {}
        token: dict[str, str] = {}
        for _ in ids:  # a page may have as few as one, if values are large
            page = self.call("BatchGetSecretValue", "", {"SecretIdList": list(ids), **token}, Values, read=True)
            values |= {value.ARN: value for value in page.SecretValues}
            errors |= {error.SecretId: error for error in page.Errors or ()}
            if not page.NextToken:
                break
            token = {"NextToken": page.NextToken}
        return values, errors

    def create(self, write: Write) -> Written:
        content = {"Name": write.key, "SecretString": write.value, **request_token()}
        attributes = {**self.kms_member(), **self.tags_member(write.metadata), **_described(write)}
        try:
            return _written(self.call("CreateSecret", write.key, {**content, **attributes}, WrittenSecret))
        except WrongState as error:
            return self._restore(write, error)

    def _restore(self, write: Write, error: WrongState) -> Written:
        """Restore and overwrite a secret that a sync has deleted. Raises `error` if that cannot be seen."""
        if self.policy.recoveryWindowInDays == 0:
            raise Unavailable(str(error)) from None  # it was deleted permanently a moment ago, which takes AWS a while
        try:
            secret = self.describe(write.key)
        except IntegrationError:
            raise error from None
        if not secret.DeletedDate:
            raise error
        if REMOVED not in secret.tags:
            raise Rejected(f"{error}. {secret.ARN} is not restored: {SCHEDULED}") from None
        try:
            self.call_on("RestoreSecret", secret.ARN)
        except (NotFound, WrongState):
            raise error from None
        self.call_on("UntagResource", secret.ARN, {"TagKeys": [REMOVED]})
        return self.update(replace(write, remote=self._remote(secret)))

    def update(self, write: Write) -> Written:
        """Only the differences: a new version for a new value or KMS key, and missing tags."""
        assert write.remote
        secret = _secret_of(write.remote)
        written = Written(object_id=secret.ARN, etag=write.remote.etag)
        body: dict[str, str] = {} if write.comment == (secret.Description or "") else {"Description": write.comment}
        if write.remote.value != write.value or not self.has_kms_key(secret):
            body |= {"SecretString": write.value, **self.kms_member()}
        if body:
            answer = self.call_on("UpdateSecret", secret.ARN, {**body, **request_token()})
            written = Written(object_id=secret.ARN, etag=answer.VersionId or write.remote.etag)
        self.add_tags(secret, write.metadata)
        return written

    def delete(self, write: Write) -> None:
        """By ARN: a recreated secret has another one. Tagged first, to find it while it is scheduled for deletion."""
        assert write.remote
        arn, days = _secret_of(write.remote).ARN, self.policy.recoveryWindowInDays
        how = {} if days is None else {"RecoveryWindowInDays": days} if days else {"ForceDeleteWithoutRecovery": True}
        # A secret may have all the tags that AWS allows: it is deleted all the same, which itself shows the result.
        with contextlib.suppress(NotFound, Rejected, Forbidden):
            if days != 0:
                self.call_on("TagResource", arn, {"Tags": [{"Key": REMOVED, "Value": "true"}]})
        try:
            self.call_on("DeleteSecret", arn, how)
        except WrongState as error:
            # One with copies in other regions is refused in the same way as one that is scheduled for deletion.
            if not self._is_deleted(arn):
                raise error from None

    def _is_deleted(self, arn: str) -> bool:
        try:
            return bool(self.describe(arn).DeletedDate)
        except IntegrationError as error:
            return isinstance(error, NotFound)


def _secret_of(remote: Remote) -> Secret:
    assert isinstance(remote.ref, Secret)
    return remote.ref


def _described(write: Write) -> dict[str, str]:
    return {"Description": write.comment} if write.comment else {}


def _written(response: WrittenSecret) -> Written:
    return Written(object_id=response.ARN, etag=response.VersionId)
