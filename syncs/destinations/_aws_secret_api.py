"""Requests to Secrets Manager that both mappings send, and the KMS key and tags that each secret gets.

Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from config.schemas.member import About
from config.schemas.types import Flag
from connections.aws import aws_of
from connections.http.client import ApiClient
from syncs.destination.options import SyncOptions

from ._aws_options import KmsKey, Tags, tags_of

LABEL = "AWS Secrets Manager"
SERVICE = "secretsmanager"
MAPPING = About(help="Whether each key is a secret of its own, or all of them are one secret.")


class SecretsManagerOptions(SyncOptions):
    keyId: KmsKey = None
    tags: Tags = None
    syncSecretMetadataAsTags: Annotated[
        bool | None, Flag("Metadata as tags", "Each secret's metadata as tags; not in one document.")
    ] = None


@dataclass(frozen=True, slots=True)
class SecretDescription:
    """A secret without its value: its ARN, tags and KMS key."""

    arn: str
    tags: Mapping[str, str]
    kms_key: str | None


class SecretApi:
    """Requests in one region, with the KMS key and tags of the options."""

    def __init__(self, client: ApiClient, region: str, options: SecretsManagerOptions) -> None:
        self.client, self.region, self.options = client, region, options

    def call(
        self,
        operation: str,
        body: Mapping[str, Any],
        about: str = "",
        *,
        read: bool = False,
        hidden: Iterable[str] = (),
    ) -> Mapping[str, Any]:
        client = aws_of(self.client)
        return client.call(SERVICE, self.region, operation, body, about=about, read=read, hidden=hidden)

    def pages(self, operation: str, body: Mapping[str, Any], member: str) -> Iterable[Any]:
        return aws_of(self.client).pages(SERVICE, self.region, operation, body, member)

    def describe(self, name: str) -> SecretDescription:
        """Source: "DescribeSecret"."""
        return description_of(self.call("DescribeSecret", {"SecretId": name}, name, read=True))

    def kms_member(self) -> dict[str, str]:
        return {"KmsKeyId": self.options.keyId} if self.options.keyId else {}

    def has_kms_key(self, secret: SecretDescription) -> bool:
        """Whether its key is the one of the options, by name: an alias and an ARN are never equal."""
        desired = self.options.keyId
        return (
            not desired
            or desired == (secret.kms_key or "alias/aws/secretsmanager")
            or _key_id(desired) == _key_id(secret.kms_key)
        )

    def tags(self, metadata: Iterable[tuple[str, str]] = ()) -> list[dict[str, str]]:
        """The tags of the options, and the secret's metadata."""
        return tags_of(self.options.tags, metadata)

    def tags_member(self, metadata: Iterable[tuple[str, str]] = ()) -> dict[str, list[dict[str, str]]]:
        tags = self.tags(metadata)
        return {"Tags": tags} if tags else {}

    def add_tags(self, secret: SecretDescription, tags: Sequence[Mapping[str, str]]) -> None:
        """Add those that are missing or have another value; no request if there are none."""
        if missing := [tag for tag in tags if secret.tags.get(tag["Key"]) != tag["Value"]]:
            self.call("TagResource", {"SecretId": secret.arn, "Tags": missing}, secret.arn)


def request_token() -> dict[str, str]:
    """The member that identifies a new version, which becomes its ID."""
    return {"ClientRequestToken": str(uuid.uuid4())}


def description_of(data: Mapping[str, Any]) -> SecretDescription:
    tags = {str(tag["Key"]): str(tag.get("Value") or "") for tag in data.get("Tags") or ()}
    return SecretDescription(str(data["ARN"]), tags, data.get("KmsKeyId"))


def current_version(data: Mapping[str, Any]) -> str | None:
    """The version that is current; None of a secret that never had a value."""
    versions = data.get("SecretVersionsToStages") or data.get("VersionIdsToStages") or {}
    return next((str(version) for version, stages in versions.items() if "AWSCURRENT" in stages), None)


def _key_id(key: str | None) -> str:
    """The ID within an ARN."""
    return (key or "").rpartition("key/")[2]
