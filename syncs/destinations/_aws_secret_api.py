"""What both mappings of AWS Secrets Manager share: their config, options and limits, and the requests that both send.

Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, AliasChoices, Field

from config.errors import BadRequest
from config.schemas.member import About
from config.schemas.model import Model
from config.schemas.types import Flag, Text, Whole
from config.schemas.unions import OneOf
from connections.aws import aws_of
from connections.http import responses
from connections.http.responses import Response
from syncs.destination.base import Destination
from syncs.destination.capabilities import Capabilities
from syncs.destination.options import SyncOptions
from syncs.engine.types import Pairs

from ._aws_options import VERIFIED, KmsKey, Region, Tags, attributes_of, refused_tags, tags_of

LABEL = "AWS Secrets Manager"
SERVICE = "secretsmanager"
MAPPING = About(help="Whether each key is a secret of its own, or all of them are one secret.")
T = TypeVar("T")


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


def _window(days: int | None) -> int | None:
    if days in range(1, 7):
        raise BadRequest("recoveryWindowInDays must be 0, or from 7 to 30")
    return days


class SecretsManagerPolicy(Model):
    recoveryWindowInDays: Annotated[
        int | None,
        Whole(
            "For how many days a deleted secret can be restored: 7 to 30, by default 30. 0 deletes it permanently.",
            "Recovery window",
            maximum=30,
        ),
        AfterValidator(_window),
    ] = None


class SecretTag(Response):
    Key: str
    Value: str = ""


class Secret(Response):
    """A secret without its value. Source: "ListSecrets", "DescribeSecret"."""

    ARN: responses.Text
    Name: responses.Text
    Description: str | None = None
    KmsKeyId: str | None = None
    OwningService: str | None = None
    PrimaryRegion: str | None = None
    DeletedDate: Any = None
    Tags: tuple[SecretTag, ...] | None = None
    versions: Mapping[str, tuple[str, ...]] | None = Field(
        default=None, validation_alias=AliasChoices("SecretVersionsToStages", "VersionIdsToStages")
    )

    @property
    def tags(self) -> dict[str, str]:
        return {tag.Key: tag.Value for tag in self.Tags or ()}

    @property
    def current_version(self) -> str | None:
        """None of a secret that never had a value."""
        return next((version for version, stages in (self.versions or {}).items() if "AWSCURRENT" in stages), None)


class SecretValue(Response):
    """Source: "GetSecretValue", "BatchGetSecretValue"."""

    ARN: responses.Text
    Name: responses.Text
    VersionId: responses.Text
    SecretString: str | None = Field(default=None, repr=False)


class WrittenSecret(Response):
    ARN: str | None = None
    VersionId: str | None = None


class SecretsManager(Destination):
    """The base of both mappings."""

    slug = "aws-secrets-manager"
    label = LABEL
    provider = "aws"
    Config = OneOf("mappingBehavior", OneToOne, ManyToOne)
    Options = SecretsManagerOptions
    options: SecretsManagerOptions
    Policy = SecretsManagerPolicy
    policy: SecretsManagerPolicy
    capabilities = Capabilities(
        can_read_values=True,
        can_import=True,
        takes_empty=False,
        max_comment_length=2048,
        key_pattern=r"[A-Za-z0-9/_+=.@-]+",
        key_rule="letters, digits and /_+=.@-",
        max_key_length=512,
        max_value_bytes=65536,
        pace=40.0,
        note="A deleted secret can be restored for as long as the policy says, by default 30 days. One that something "
        "else has scheduled for deletion is never restored. Comments become descriptions. One to one and without a "
        "key schema, every secret of the region is in scope except those that other AWS services own. In one document "
        "foreign members stay as they are, and deleting the last key leaves an empty object.",
        rights="secretsmanager: ListSecrets, BatchGetSecretValue, GetSecretValue, CreateSecret, UpdateSecret, "
        "DeleteSecret, RestoreSecret, DescribeSecret, TagResource, UntagResource; as one document also "
        "PutSecretValue and UpdateSecretVersionStage, without which a change that something else makes in the same "
        "moment may be lost; "
        "with a KMS key of your own kms: Decrypt and GenerateDataKey",
        verified=VERIFIED,
        docs_url="https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html",
    )

    @classmethod
    def limits(cls, config: Model) -> Capabilities:
        """One document has no limits for names and empty values, but one for its size; its members have no etags."""
        if isinstance(config, OneToOne):
            return cls.capabilities
        free = replace(cls.capabilities, has_etag=False, has_object_ids=False, takes_empty=True, key_pattern="")
        return replace(
            free, key_rule="", holds_comments=False, max_key_length=None, max_value_bytes=None, max_total_bytes=65536
        )

    def location(self) -> str:
        client, region = aws_of(self.client), self.config.region
        name = self.config.secretName if isinstance(self.config, ManyToOne) else ""
        return f"aws|{client.place(SERVICE, region)}|{client.account}|{region}|{name}"

    def write_fingerprint(self) -> str:
        return attributes_of(self.options.keyId, self.options.tags)

    def call(
        self,
        operation: str,
        name: str,
        body: Mapping[str, Any],
        kind: type[T],
        *,
        read: bool = False,
        hidden: Iterable[str] = (),
    ) -> T:
        """An operation on a secret, of which messages show `name`: its ARN, or its name where the ARN is unknown."""
        line = aws_of(self.client)
        return line.call(SERVICE, self.config.region, operation, body, kind, about=name, read=read, hidden=hidden)

    def call_on(
        self, operation: str, secret: str, body: Mapping[str, Any] | None = None, *, hidden: Iterable[str] = ()
    ) -> WrittenSecret:
        """An operation that changes a secret, given by its ARN or name."""
        return self.call(operation, secret, {"SecretId": secret, **(body or {})}, WrittenSecret, hidden=hidden)

    def describe(self, secret: str) -> Secret:
        return self.call("DescribeSecret", secret, {"SecretId": secret}, Secret, read=True)

    def kms_member(self) -> dict[str, str]:
        return {"KmsKeyId": self.options.keyId} if self.options.keyId else {}

    def has_kms_key(self, secret: Secret) -> bool:
        """Whether its key is the one of the options, by name: an alias and an ARN are never equal."""
        wanted = self.options.keyId
        held = secret.KmsKeyId or "alias/aws/secretsmanager"
        return not wanted or wanted == held or _key_id(wanted) == _key_id(secret.KmsKeyId)

    def refuses_metadata(self, metadata: Pairs) -> str:
        return refused_tags(self.options.tags, metadata)

    def tags_member(self, metadata: Iterable[tuple[str, str]] = ()) -> dict[str, list[dict[str, str]]]:
        """The tags of the options, and the secret's metadata."""
        tags = tags_of(self.options.tags, metadata)
        return {"Tags": tags} if tags else {}

    def add_tags(self, secret: Secret, metadata: Iterable[tuple[str, str]] = ()) -> None:
        """Add those that are missing or have another value; no request if there are none."""
        tags = tags_of(self.options.tags, metadata)
        if missing := [tag for tag in tags if secret.tags.get(tag["Key"]) != tag["Value"]]:
            self.call_on("TagResource", secret.ARN, {"Tags": missing})


def request_token() -> dict[str, str]:
    """The member that identifies a new version, which becomes its ID."""
    return {"ClientRequestToken": str(uuid.uuid4())}


def _key_id(key: str | None) -> str:
    """The ID within an ARN."""
    return (key or "").rpartition("key/")[2]
