"""AWS Secrets Manager: a secret for each key, or one secret that holds all of them as a JSON object.

Surprising facts: the list may lag by minutes, so values and versions come from `BatchGetSecretValue`, which does not;
a key that is not listed is read there too, before it counts as missing. Only desired and own keys are read: AWS records
the time of the last read. A deleted secret is scheduled for deletion for 30 days and keeps its name: one that a sync
deleted, which has a tag, is restored when it is created again. There is no check-and-set of a value, but the label
AWSCURRENT moves only from the version in the request.
500 keys, one changed: 5 pages of the list, 25 batches of values, 1 write; as one document 1 read, 2 writes.
Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from config import json_text
from config.schemas.member import About
from config.schemas.model import Model
from config.schemas.types import Flag, Text
from config.schemas.unions import OneOf
from connections.aws import Refused, WrongState, aws_of
from connections.errors import BadResponse, Conflict, NotFound, Rejected, Unauthorized
from syncs.destination.capabilities import Capabilities
from syncs.destination.key_value import KeyValueDestination
from syncs.destination.options import SyncOptions, sync_options
from syncs.destination.write import Document, remotes_of, write_document
from syncs.engine.types import Action, Outcome, Remote, Write, Written

from ._aws_options import KmsKey, Region, Tags, attributes_of, tags_of

BATCH = 20  # values that one request reads
MAPPING = About(help="Whether each key is a secret of its own, or all of them are one secret.")
GONE = ("ResourceNotFoundException", "InvalidRequestException")  # it is missing, or scheduled for deletion
WAITING = "waits to be deleted"
REMOVED = "keyferry-removed"  # the tag of a secret that a sync has deleted
STAGE = "KEYFERRY"  # the label of a version of the document that is not current yet
LABEL = "AWS Secrets Manager"
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class _Held:
    """A secret as listed: its ARN, tags and KMS key."""

    arn: str
    tags: Mapping[str, str]
    kms_key: str | None


@dataclass(frozen=True, slots=True)
class _Raw:
    """A member that is not text: the JSON to write it back with."""

    text: str = field(repr=False)


class OneToOne(Model):
    blank = ("secretName",)  # Terraform sends the member in this variant too, empty

    mappingBehavior: Annotated[Literal["one-to-one"], MAPPING]
    region: Region


class ManyToOne(Model):
    mappingBehavior: Annotated[Literal["many-to-one"], MAPPING]
    region: Region
    secretName: Annotated[
        str,
        Text(
            "Secret name",
            "The secret that holds all keys as one JSON object; created if it does not exist.",
            max_length=256,
            pattern=r"[A-Za-z0-9/_+=.@-]+",
            pattern_message="Secret name can only contain letters, digits and /_+=.@-",
            empty_message="Secret name required for Many-to-One mapping behavior",
        ),
    ]


class SecretsManagerOptions(SyncOptions):
    keyId: KmsKey = None
    tags: Tags = None
    syncSecretMetadataAsTags: Annotated[
        bool | None, Flag("Metadata as tags", "Each secret's metadata as tags; not in one document.")
    ] = None


class AwsSecretsManager(KeyValueDestination):
    slug: ClassVar[str] = "aws-secrets-manager"
    label: ClassVar[str] = LABEL
    provider: ClassVar[str] = "aws"
    Config: ClassVar[OneOf] = OneOf("mappingBehavior", OneToOne, ManyToOne)
    Options: ClassVar[type[Model]] = sync_options(LABEL, SecretsManagerOptions, can_import=True)
    config: OneToOne | ManyToOne
    options: SecretsManagerOptions
    capabilities: ClassVar[Capabilities] = Capabilities(
        can_read_values=True,
        can_import=True,
        takes_empty=False,
        holds_comments=False,
        key_pattern=r"[A-Za-z0-9/_+=.@-]+",
        key_rule="letters, digits and /_+=.@-",
        max_key_length=512,
        max_value_bytes=65536,
        pace=40.0,
        note="A deleted secret can be restored for 30 days. One to one and without a key schema, every secret of "
        "the region is in scope except those that other AWS services own. In one document foreign members "
        "stay as they are, and deleting the last key leaves an empty object.",
        rights="secretsmanager: ListSecrets, BatchGetSecretValue, GetSecretValue, CreateSecret, UpdateSecret, "
        "DeleteSecret, RestoreSecret, DescribeSecret, TagResource, UntagResource; as one document also "
        "PutSecretValue and UpdateSecretVersionStage; "
        "with a KMS key of your own kms: Decrypt and GenerateDataKey",
        verified="2026-11: moto's server 5.2, in front of it the refusals of AWS's documentation that moto lacks; "
        "signatures against those of AWS's own client. Never against AWS itself.",
        docs_url="https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html",
    )

    @classmethod
    def limits(cls, config: Model) -> Capabilities:
        """One document has no limits for names and empty values, but one for its size; its members have no etags."""
        if not isinstance(config, ManyToOne):
            return cls.capabilities
        return replace(
            cls.capabilities,
            has_etag=False,
            has_object_ids=False,
            takes_empty=True,
            key_pattern="",
            key_rule="",
            max_key_length=None,
            max_value_bytes=None,
            max_total_bytes=65536,
        )

    @property
    def _name(self) -> str:
        """The name of the one secret that holds all keys; "" if each key is a secret."""
        return self.config.secretName if isinstance(self.config, ManyToOne) else ""

    def location(self) -> str:
        client = aws_of(self.client)
        address = client.address("secretsmanager", self.config.region)
        return f"aws|{address}|{client.account}|{self.config.region}|{self._name}"

    def write_fingerprint(self) -> str:
        return attributes_of(self.options.keyId, self.options.tags)

    def sends_metadata(self) -> bool:
        return bool(self.options.syncSecretMetadataAsTags) and not self._name

    def nested_locations(self, location: str) -> Collection[str]:
        """One to one, the list also has a secret that is the document of another sync."""
        return (location.removeprefix(self.location()),)

    def batch_size(self, action: Action) -> int:
        return 10**6 if self._name else 1

    def request_cost(self, action: Action) -> float:
        return 0.0 if self._name else 1.0

    def requests(self, writes: Mapping[Action, int]) -> int:
        """A document: the new version, and the stage that makes it current."""
        return (2 if any(writes.values()) else 0) if self._name else super().requests(writes)

    def fetch(self) -> Iterable[Remote]:
        if self._name:
            self._seen = self._read()
            return remotes_of(self._seen)
        return self._fetch_each()

    def apply(self, writes: Iterable[Write]) -> Generator[Outcome, None, None]:
        if not self._name:
            yield from super().apply(writes)
            return
        self._seen = yield from write_document(
            writes, label=LABEL, read=self._read, write=self._write, normalize_key=self.normalize_key, seen=self._seen
        )

    # -- each key a secret -------------------------------------------------------------------------------------------

    def _fetch_each(self) -> list[Remote]:
        """Every secret of the region, without its value. Source: "ListSecrets"."""
        region = self.config.region
        pages = aws_of(self.client).pages("secretsmanager", region, "ListSecrets", {"MaxResults": 100}, "SecretList")
        try:
            return [self._remote(each) for each in pages]
        except (KeyError, TypeError, AttributeError):
            raise BadResponse(f"{LABEL}: unexpected response: a secret in the list lacks a required member") from None

    def _remote(self, each: Mapping[str, Any]) -> Remote:
        owner, home = each.get("OwningService"), each.get("PrimaryRegion") or self.config.region
        locked = f"it belongs to AWS's service {owner}" if owner else ""
        if home != self.config.region:
            locked = f"it is a copy of one in {home}"
        return Remote(
            key=str(each["Name"]),
            object_id=str(each["ARN"]),
            etag=_current(each),
            locked=locked,
            ref=_held(each),
        )

    def read_values(self, remotes: Sequence[Remote], *, values: bool) -> Sequence[Remote]:
        """With their current value and version, whatever the list has; without those that were deleted since.

        If the login may not read a value, only its version is used. Source: "BatchGetSecretValue".
        """
        if self._name:
            return remotes
        readable = [remote for remote in remotes if remote.etag]
        with ThreadPoolExecutor(max_workers=self.concurrency) as pool:
            found = [remote for part in pool.map(self._read_values, _batches(readable)) for remote in part]
        return [*found, *(remote for remote in remotes if not remote.etag)]

    def find_unlisted(self, keys: Collection[str]) -> Iterable[Remote]:
        """Those that the list does not have yet: it may lag behind a create by minutes, which values do not."""
        if self._name:
            return []
        with ThreadPoolExecutor(max_workers=self.concurrency) as pool:
            return [remote for part in pool.map(self._read_named, _batches(sorted(keys))) for remote in part]

    def _read_named(self, names: Sequence[str]) -> list[Remote]:
        try:
            held, _ = self._values(names)
        except Refused:
            return []
        return [
            Remote(str(each["Name"]), object_id=arn, etag=each["VersionId"], ref=_Held(arn, {}, None))
            for arn, each in held.items()
        ]

    def _read_values(self, remotes: Sequence[Remote]) -> list[Remote]:
        """Raises BadResponse if the response has no result for one of them: it does not count as deleted."""
        arns = {each.key: str(each.object_id) for each in remotes}  # an error names a secret by key or ARN
        try:
            held, errors = self._values(list(arns.values()))
        except Refused:
            return list(remotes)
        errors = {arns.get(named, named): code for named, code in errors.items()}
        if unreported := [each.key for each in remotes if each.object_id not in {*held, *errors}]:
            raise BadResponse(f"{LABEL}: BatchGetSecretValue: unexpected response: no result for {unreported[0]}")
        read = [
            replace(each, value=held[arn].get("SecretString"), etag=held[arn]["VersionId"])
            for each in remotes
            if (arn := str(each.object_id)) in held
        ]
        return read + [each for each in remotes if errors.get(str(each.object_id), GONE[0]) not in GONE]

    def _values(self, ids: Sequence[str]) -> tuple[dict[str, Mapping[str, Any]], dict[str, str]]:
        """From all pages: secrets with their values by ARN, and error codes by secret."""
        held: dict[str, Mapping[str, Any]] = {}
        errors: dict[str, str] = {}
        more: dict[str, str] = {}
        try:
            for _ in ids:  # a page may have as few as one, if values are large
                answer = self._call("BatchGetSecretValue", {"SecretIdList": list(ids), **more}, read=True)
                held |= {each["ARN"]: each for each in answer["SecretValues"] if each["Name"] and each["VersionId"]}
                errors |= {each["SecretId"]: each["ErrorCode"] for each in answer.get("Errors") or ()}
                if not answer.get("NextToken"):
                    break
                more = {"NextToken": str(answer["NextToken"])}
        except (KeyError, TypeError, AttributeError):
            raise BadResponse(
                f"{LABEL}: BatchGetSecretValue: unexpected response: a secret lacks a required member"
            ) from None
        return held, errors

    def create(self, write: Write) -> Written:
        sent = {"Name": write.key, "SecretString": write.value, "ClientRequestToken": str(uuid.uuid4())}
        try:
            return self._written(self._call("CreateSecret", {**sent, **self._kms(), **self._tags(write)}, write.key))
        except WrongState as refused:
            return self._brought_back(write, refused)

    def _brought_back(self, write: Write, refused: WrongState) -> Written:
        """A secret scheduled for deletion keeps its name: one that a sync has deleted is restored and overwritten."""
        held = _held(self._call("DescribeSecret", {"SecretId": write.key}, write.key, read=True))
        if REMOVED not in held.tags:
            raise Rejected(
                f"{LABEL}: {write.key} was scheduled for deletion externally, and its name is in use until then. "
                "Restore it at AWS, or wait"
            ) from None
        try:
            self._call("RestoreSecret", {"SecretId": held.arn}, write.key)
        except (NotFound, WrongState):
            raise refused from None
        self._call("UntagResource", {"SecretId": held.arn, "TagKeys": [REMOVED]}, write.key)
        return self.update(replace(write, remote=Remote(write.key, ref=_Held(held.arn, {}, None))))

    def update(self, write: Write) -> Written:
        """Only the differences: a new version for a new value or KMS key, and missing tags."""
        assert write.remote
        held: _Held = write.remote.ref
        written = Written(object_id=held.arn, etag=write.remote.etag)
        if write.remote.value != write.value or not self._same_kms_key(held):
            sent = {"SecretId": held.arn, "SecretString": write.value, "ClientRequestToken": str(uuid.uuid4())}
            written = self._written(self._call("UpdateSecret", {**sent, **self._kms()}, write.key))
        self._tag(held, self._tags(write).get("Tags", []))
        return written

    def delete(self, write: Write) -> None:
        """By ARN: a recreated secret has another one. Tagged first, to find it while it is scheduled for deletion."""
        assert write.remote
        mark = {"Tags": [{"Key": REMOVED, "Value": "true"}]}
        with contextlib.suppress(NotFound, WrongState, Unauthorized):  # the delete itself shows the result
            self._call("TagResource", {"SecretId": write.remote.ref.arn, **mark}, write.key)
        try:
            self._call("DeleteSecret", {"SecretId": write.remote.ref.arn}, write.key)
        except NotFound:
            return
        except WrongState:
            if self.read_values([write.remote], values=False):
                raise  # not scheduled for deletion: a secret with replicas in other regions is rejected in the same way

    # -- all keys in one secret --------------------------------------------------------------------------------------

    _seen: Document | None = None

    def _read(self) -> Document:
        """Source: "GetSecretValue"."""
        try:
            answer = self._call(
                "GetSecretValue", {"SecretId": self._name, "VersionStage": "AWSCURRENT"}, self._name, read=True
            )
        except NotFound:
            return Document(exists=False, version="")
        except WrongState:
            return Document(exists=False, version="", ref=WAITING)
        text, version = answer.get("SecretString"), answer.get("VersionId")
        if not isinstance(text, str) or not isinstance(version, str):
            raise Rejected(f"{LABEL}: the secret {self._name} has no text; it is not changed")
        return Document(_members(text, self._name), version=version)

    def _write(self, before: Document, entries: Mapping[str, Any]) -> Document:
        token = str(uuid.uuid4())
        sent: dict[str, Any] = {"SecretString": _text_of(entries), "ClientRequestToken": token}
        hidden = [value if isinstance(value, str) else value.text for value in entries.values()]
        if not before.exists and before.ref != WAITING:
            made = {"Name": self._name, **self._kms(), **self._tags()}
            try:
                created = self._call("CreateSecret", sent | made, self._name, hidden=hidden)
            except Conflict:
                # It is also read as missing if it never had a value, as infrastructure tools create it.
                if _current(self._call("DescribeSecret", {"SecretId": self._name}, self._name, read=True)):
                    raise
                self._dress()
                created = self._call("PutSecretValue", sent | {"SecretId": self._name}, self._name, hidden=hidden)
            return Document(entries, version=_version(created))
        if not before.exists:
            self._call("RestoreSecret", {"SecretId": self._name}, self._name)
            raise Conflict(f"{LABEL}: {self._name} was restored from its deletion")
        self._dress()
        sent |= {"SecretId": self._name, "VersionStages": [STAGE]}
        self._call("PutSecretValue", sent, self._name, hidden=hidden)
        self._make_current(before, token)
        return Document(entries, version=token)

    def _dress(self) -> None:
        """Apply the KMS key and tags of the options; no request if they have none."""
        if not self._kms() and not self._tags():
            return
        held = _held(self._call("DescribeSecret", {"SecretId": self._name}, self._name, read=True))
        if not self._same_kms_key(held):
            sent = {"SecretId": self._name, "ClientRequestToken": str(uuid.uuid4()), **self._kms()}
            self._call("UpdateSecret", sent, self._name)
        self._tag(held, self._tags().get("Tags", []))

    def _tag(self, held: _Held, tags: Sequence[Mapping[str, str]]) -> None:
        if missing := [tag for tag in tags if held.tags.get(tag["Key"]) != tag["Value"]]:
            self._call("TagResource", {"SecretId": held.arn, "Tags": missing}, held.arn)

    def _make_current(self, before: Document, version: str) -> None:
        """Raises Conflict if the current version is not the one that was read. Source: "UpdateSecretVersionStage"."""
        moved = {"VersionStage": "AWSCURRENT", "MoveToVersionId": version, "RemoveFromVersionId": before.version}
        try:
            self._call("UpdateSecretVersionStage", {"SecretId": self._name, **moved}, self._name)
        except Rejected as error:
            raise Conflict(str(error)) from None

    # -- requests ----------------------------------------------------------------------------------------------------

    def _call(
        self,
        operation: str,
        sent: Mapping[str, Any],
        about: str = "",
        *,
        read: bool = False,
        hidden: Iterable[str] = (),
    ) -> Mapping[str, Any]:
        region = self.config.region
        client = aws_of(self.client)
        return client.call("secretsmanager", region, operation, sent, about=about, read=read, hidden=hidden)

    def _kms(self) -> dict[str, str]:
        return {"KmsKeyId": self.options.keyId} if self.options.keyId else {}

    def _same_kms_key(self, held: _Held) -> bool:
        """Whether the listed key is the one of the options, by name: an alias and an ARN are never equal."""
        wanted = self.options.keyId
        return (
            not wanted
            or wanted == (held.kms_key or "alias/aws/secretsmanager")
            or _key_id(wanted) == _key_id(held.kms_key)
        )

    def _tags(self, write: Write | None = None) -> dict[str, list[dict[str, str]]]:
        tags = tags_of(self.options.tags, write.metadata if write else ())
        return {"Tags": tags} if tags else {}

    def _written(self, answer: Mapping[str, Any]) -> Written:
        return Written(object_id=answer.get("ARN"), etag=answer.get("VersionId"))


def _batches(items: Sequence[Item]) -> list[Sequence[Item]]:
    """Parts of the size that one request reads."""
    return [items[start : start + BATCH] for start in range(0, len(items), BATCH)]


def _held(each: Mapping[str, Any]) -> _Held:
    tags = {str(tag["Key"]): str(tag.get("Value") or "") for tag in each.get("Tags") or ()}
    return _Held(str(each["ARN"]), tags, each.get("KmsKeyId"))


def _version(answer: Mapping[str, Any]) -> str:
    version = answer.get("VersionId")
    if not isinstance(version, str):
        raise BadResponse(f"{LABEL}: a write: unexpected response: no version")
    return version


def _current(each: Mapping[str, Any]) -> str | None:
    """The version that is current; None of a secret that never had a value."""
    stages = each.get("SecretVersionsToStages") or each.get("VersionIdsToStages") or {}
    return next((str(version) for version, named in stages.items() if "AWSCURRENT" in named), None)


def _key_id(key: str | None) -> str:
    """The ID within an ARN."""
    return (key or "").rpartition("key/")[2]


def _members(text: str, name: str) -> dict[str, Any]:
    """The members of a JSON object: text as text, others as JSON, so that they are written back unchanged."""
    try:
        members = json_text.read_exactly(text)
        if not isinstance(members, json_text.Members) or len(dict(members)) != len(members):
            raise ValueError
        return {key: value if json_text.is_text(value) else _exact(value) for key, value in members}
    except (ValueError, RecursionError):
        message = "is not a JSON object with unique names; it is not changed"
        raise Rejected(f"{LABEL}: the secret {name} {message}") from None


def _exact(value: Any) -> _Raw:
    return _Raw(json_text.write_exactly(value))


def _text_of(entries: Mapping[str, Any]) -> str:
    members = (
        f"{json_text.write_exactly(key)}:{value.text if isinstance(value, _Raw) else json_text.write_exactly(value)}"
        for key, value in entries.items()
    )
    return "{" + ",".join(members) + "}"
