"""AWS Secrets Manager: a secret for each key, or one secret that holds all of them as a JSON object.

Surprising facts: the list may lag by minutes, so values and versions come from `BatchGetSecretValue`, which does not;
a key that is not listed is read there too, before it counts as missing. Only desired and own keys are read: AWS records
the time of the last read. A secret that is scheduled for deletion keeps its name; one that a sync deleted has the tag
`REMOVED`: it counts as missing, and is restored when it is created again. Any other is never touched. There is no
check-and-set of a value, but the label AWSCURRENT moves only from the version in the request.
500 keys, one changed: 5 pages of the list, 25 batches of values, 1 write; as one document 1 read, 2 writes.
Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from config.schemas.model import Model
from connections.aws import WrongState
from connections.errors import BadResponse, Forbidden, IntegrationError, NotFound, Rejected, Unavailable
from connections.http.client import ApiClient
from connections.http.responses import Response, Text
from syncs.destination.key_value import KeyValueDestination
from syncs.destination.reading import batches, in_parallel
from syncs.engine.types import Action, Remote, Write, Written

from ._aws_secret import ManyToOne, Secret, SecretsManager, SecretValue, request_token
from ._aws_secret_document import SecretDocument

BATCH = 20  # values that one request reads
DELETED = ("ResourceNotFoundException", "InvalidRequestException")  # it is missing, or scheduled for deletion
REMOVED = "keyferry-removed"
SCHEDULED = "it is scheduled for deletion, and not by this server: restore it at AWS, or wait until it no longer exists"


class Unread(Response):
    SecretId: Text
    ErrorCode: str
    Message: str = ""


class Values(Response):
    """Source: "BatchGetSecretValue"."""

    SecretValues: list[SecretValue]
    Errors: list[Unread] | None = None
    NextToken: str | None = None


class AwsSecretsManager(SecretsManager, KeyValueDestination):
    """The secrets of one region, each of a key. `ref` of a listed one is a `Secret`.

    With a config that maps many keys to one secret, it makes a `SecretDocument`.
    """

    Item = Secret

    def __new__(cls, client: ApiClient, config: Mapping[str, Any] | Model, *args: Any, **more: Any) -> Any:
        chosen = config if isinstance(config, Model) else cls.Config.restored(config)
        if isinstance(chosen, ManyToOne):
            return SecretDocument(client, chosen, *args, **more)
        return super().__new__(cls)

    def request_cost(self, action: Action) -> float:
        """A secret that can be restored is tagged before it is deleted."""
        return 2.0 if action is Action.DELETE and self.policy.recoveryWindowInDays != 0 else 1.0

    def nested_locations(self, location: str) -> Collection[str]:
        """The list also has a secret that is the document of another sync."""
        return (location.removeprefix(self.location()),)

    def items(self) -> Iterable[Secret]:
        """Every secret of the region, without its value."""
        sent = {"MaxResults": 100, "IncludePlannedDeletion": True}
        listed = self.pages("ListSecrets", sent, "SecretList", Secret)
        return [secret for secret in listed if not (secret.DeletedDate and REMOVED in secret.tags)]

    def remote(self, item: Secret) -> Remote:
        locked = f"it belongs to AWS's service {item.OwningService}" if item.OwningService else ""
        if item.PrimaryRegion not in (None, self.config.region):
            locked = f"it is a copy of one in {item.PrimaryRegion}"
        locked = SCHEDULED if item.DeletedDate else locked
        comment, etag = item.Description or "", item.current_version
        return Remote(item.Name, comment=comment, object_id=item.ARN, etag=etag, locked=locked, ref=item)

    def read_values(self, remotes: Sequence[Remote], *, values: bool) -> Sequence[Remote]:
        """With their current value and version, whatever the list has; without those that were deleted since.

        If the login may not read values, only versions are compared.
        """
        readable = {str(remote.object_id): remote for remote in remotes if remote.etag and not remote.locked}
        try:
            found = self._values(readable)
        except Forbidden:
            return remotes
        read = (self._with_value(remote, found) if remote.object_id in readable else remote for remote in remotes)
        return [remote for remote in read if remote]

    def find_unlisted(self, keys: Collection[str]) -> Iterable[Remote]:
        """Those that the list does not have yet: it may lag behind a create by minutes, which values do not."""
        try:
            found = self._values(sorted(keys))
        except Forbidden:
            return []
        return [self.remote(each) for each in found.values() if isinstance(each, SecretValue)]

    def _with_value(self, remote: Remote, found: Mapping[str, SecretValue | Unread]) -> Remote | None:
        """None if it was deleted. Raises BadResponse if the response lacks it: then it does not count as deleted."""
        result = found.get(str(remote.object_id)) or found.get(remote.key)  # an error names a secret by key or ARN
        if isinstance(result, SecretValue):
            return replace(remote, value=result.SecretString, etag=result.VersionId)
        if result is None:
            raise BadResponse(f"{self.label}: BatchGetSecretValue: unexpected response: no result for {remote.key}")
        if result.ErrorCode in DELETED:
            return None
        return replace(remote, unreadable=f"AWS answered {result.ErrorCode}: {result.Message}")

    def _values(self, secrets: Iterable[str]) -> dict[str, SecretValue | Unread]:
        """Values by ARN and errors by secret, from all pages of as many requests as it takes, in parallel."""
        read = in_parallel(self._batch, batches(secrets, BATCH), self.concurrency)
        return {name: result for results in read for name, result in results.items()}

    def _batch(self, secrets: Sequence[str]) -> dict[str, SecretValue | Unread]:
        found: dict[str, SecretValue | Unread] = {}
        token: dict[str, str] = {}
        for _ in secrets:  # a page may have as few as one, if values are large
            page = self.call("BatchGetSecretValue", {"SecretIdList": secrets, **token}, Values, read=True)
            found |= {value.ARN: value for value in page.SecretValues}
            found |= {error.SecretId: error for error in page.Errors or ()}
            if not page.NextToken:
                break
            token = {"NextToken": page.NextToken}
        return found

    def create(self, write: Write) -> Any:
        content = {"SecretString": write.value, **request_token()}
        if write.comment:
            content["Description"] = write.comment
        try:
            return self.create_secret(write.key, content, write)
        except WrongState as error:
            return self._restore(write, error)

    def _restore(self, write: Write, error: WrongState) -> Written:
        """Restore and overwrite a secret that a sync has deleted. Raises `error` if that cannot be seen."""
        if self.policy.recoveryWindowInDays == 0:
            raise Unavailable(str(error)) from None  # it was deleted permanently a moment ago, which takes AWS a while
        secret = self.seen(write.key)
        if secret is None or not secret.DeletedDate:
            raise error
        if REMOVED not in secret.tags:
            raise Rejected(f"{error}. {secret.ARN} is not restored: {SCHEDULED}") from None
        try:
            self.change("RestoreSecret", secret.ARN)
        except (NotFound, WrongState):
            raise error from None
        self.change("UntagResource", secret.ARN, {"TagKeys": [REMOVED]})
        return self.update(replace(write, remote=self.remote(secret)))

    def update(self, write: Write) -> Written:
        """Only the differences: a new version for a new value or KMS key, and missing tags."""
        assert write.remote
        secret: Secret = write.remote.ref
        etag = write.remote.etag
        sent = {} if write.comment == (secret.Description or "") else {"Description": write.comment}
        if write.remote.value != write.value or not self.has_kms_key(secret):
            sent |= {"SecretString": write.value, **self.kms_key()}
        if sent:
            etag = self.written(self.change("UpdateSecret", secret.ARN, {**sent, **request_token()})).etag or etag
        self.add_tags(secret, write)
        return Written(object_id=secret.ARN, etag=etag)

    def delete(self, write: Write) -> None:
        """By ARN: a recreated secret has another one. Tagged first, to find it while it is scheduled for deletion."""
        assert write.remote
        arn, days = write.remote.ref.ARN, self.policy.recoveryWindowInDays
        how = {} if days is None else {"RecoveryWindowInDays": days} if days else {"ForceDeleteWithoutRecovery": True}
        # A secret may have all the tags that AWS allows: it is deleted all the same, which itself shows the result.
        with contextlib.suppress(NotFound, Rejected, Forbidden):
            if days != 0:
                self.change("TagResource", arn, {"Tags": [{"Key": REMOVED, "Value": "true"}]})
        try:
            self.change("DeleteSecret", arn, how)
        except WrongState:
            if not self._is_deleted(arn):  # one with copies in other regions is refused in the same way
                raise

    def _is_deleted(self, arn: str) -> bool:
        try:
            return bool(self.describe(arn).DeletedDate)
        except IntegrationError as error:
            return isinstance(error, NotFound)
