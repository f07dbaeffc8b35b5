"""What both mappings of AWS Secrets Manager share: their config, options and limits, and requests that both send.

Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, Field

from config.errors import BadRequest
from config.schemas import About, Flag, Model, OneOf, Text
from config.schemas.types import Whole
from connections.errors import IntegrationError
from connections.http import responses
from connections.http.responses import Response
from syncs.destination.capabilities import Capabilities
from syncs.engine.types import Write

from ._aws import VERIFIED, AwsDestination, AwsOptions, Region

MAPPING = About(help="Whether each key is a secret of its own, or all of them are one secret.")


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
            location=True,
            max_length=256,
            pattern=r"[A-Za-z0-9/_+=.@-]+",
            pattern_message="Secret name can only contain letters, digits and /_+=.@-",
            empty_message="Secret name required for Many-to-One mapping behavior",
        ),
    ]


class SecretsManagerOptions(AwsOptions):
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
    """A secret without its value. Source: "ListSecrets", "DescribeSecret"; with a version "CreateSecret"."""

    ARN: responses.Text
    Name: responses.Text
    Description: str | None = None
    KmsKeyId: str | None = None
    OwningService: str | None = None
    PrimaryRegion: str | None = None
    DeletedDate: Any = None
    VersionId: str | None = None
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
        labelled = (version for version, stages in (self.versions or {}).items() if "AWSCURRENT" in stages)
        return self.VersionId or next(labelled, None)


class SecretValue(Secret):
    """Source: "GetSecretValue", "BatchGetSecretValue"."""

    VersionId: responses.Text
    SecretString: str | None = Field(default=None, repr=False)


class SecretsManager(AwsDestination):
    """The base of both mappings."""

    slug = "aws-secrets-manager"
    label = "AWS Secrets Manager"
    service = "secretsmanager"
    Config = OneOf("mappingBehavior", OneToOne, ManyToOne)
    Options = SecretsManagerOptions
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
        return cls.capabilities if isinstance(config, OneToOne) else cls.capabilities.in_document(65536)

    def create_secret(self, name: str, content: Mapping[str, str], write: Write | None = None, **how: Any) -> Any:
        """With the KMS key and the tags of the options."""
        sent = {"Name": name, **content, **self.kms_key(), **self.tags(write)}
        return self.call("CreateSecret", sent, dict[str, Any], name, **how)

    def change(self, operation: str, secret: str, sent: Mapping[str, Any] | None = None, **how: Any) -> Any:
        """An operation on a secret, given by its ARN or name."""
        return self.call(operation, {"SecretId": secret, **(sent or {})}, dict[str, Any], secret, **how)

    def describe(self, secret: str) -> Secret:
        return self.call("DescribeSecret", {"SecretId": secret}, Secret, secret, read=True)

    def seen(self, secret: str) -> Secret | None:
        """As `describe`, for a second look; None if it fails, so that the first error is the one that is reported."""
        try:
            return self.describe(secret)
        except IntegrationError:
            return None

    def kms_key(self) -> dict[str, str]:
        return {"KmsKeyId": self.options.keyId} if self.options.keyId else {}

    def has_kms_key(self, secret: Secret) -> bool:
        """Whether its key is the one of the options, by name: an alias and an ARN are never equal."""
        wanted, held = self.options.keyId, secret.KmsKeyId or "alias/aws/secretsmanager"
        return not wanted or wanted.rpartition("key/")[2] == held.rpartition("key/")[2]  # the ID within an ARN

    def add_tags(self, secret: Secret, write: Write | None = None) -> None:
        """Add those that are missing or have another value; no request if there are none."""
        tags = self.tags(write).get("Tags", [])
        if missing := [tag for tag in tags if secret.tags.get(tag["Key"]) != tag["Value"]]:
            self.change("TagResource", secret.ARN, {"Tags": missing})


def request_token() -> dict[str, str]:
    """The member that identifies a new version, which becomes its ID."""
    return {"ClientRequestToken": str(uuid.uuid4())}
