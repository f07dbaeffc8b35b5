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

from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

from config.schemas.model import Model
from config.schemas.unions import OneOf
from connections.aws import aws_of
from syncs.destination.capabilities import Capabilities
from syncs.destination.key_value import KeyValueDestination
from syncs.destination.options import sync_options
from syncs.engine.types import Action, Outcome, Remote, Write, Written

from ._aws_options import attributes_of
from ._aws_secret_api import LABEL, SERVICE, SecretApi, SecretsManagerOptions
from ._aws_secret_document import ManyToOne, SecretDocument
from ._aws_secret_per_key import OneToOne, SecretPerKey


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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.one_write = self._document is not None

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

    @cached_property
    def _document(self) -> SecretDocument | None:
        """The one secret that holds all keys; None if each key is a secret."""
        if not isinstance(self.config, ManyToOne):
            return None
        return SecretDocument(self._api, self.config.secretName)

    @property
    def _secrets(self) -> SecretPerKey:
        return SecretPerKey(self._api, self.concurrency)

    @property
    def _api(self) -> SecretApi:
        return SecretApi(self.client, self.config.region, self.options)

    def location(self) -> str:
        client = aws_of(self.client)
        address = client.address(SERVICE, self.config.region)
        name = self._document.name if self._document else ""
        return f"aws|{address}|{client.account}|{self.config.region}|{name}"

    def write_fingerprint(self) -> str:
        return attributes_of(self.options.keyId, self.options.tags)

    def sends_metadata(self) -> bool:
        return bool(self.options.syncSecretMetadataAsTags) and not self._document

    def nested_locations(self, location: str) -> Collection[str]:
        """One to one, the list also has a secret that is the document of another sync."""
        return (location.removeprefix(self.location()),)

    def batch_size(self, action: Action) -> int:
        return 10**6 if self._document else 1

    def request_cost(self, action: Action) -> float:
        """A secret is tagged before it is deleted."""
        if self._document:
            return 0.0
        return 2.0 if action is Action.DELETE else 1.0

    def requests(self, writes: Mapping[Action, int]) -> int:
        """A document: the new version, and the stage that makes it current."""
        return (2 if any(writes.values()) else 0) if self._document else super().requests(writes)

    def fetch(self) -> Iterable[Remote]:
        return self._document.remotes() if self._document else self._secrets.remotes()

    def read_values(self, remotes: Sequence[Remote], *, values: bool) -> Sequence[Remote]:
        return remotes if self._document else self._secrets.read_values(remotes)

    def find_unlisted(self, keys: Collection[str]) -> Iterable[Remote]:
        return () if self._document else self._secrets.find_unlisted(keys)

    def apply(self, writes: Iterable[Write]) -> Generator[Outcome, None, None]:
        return self._document.apply(writes, self.normalize_key) if self._document else super().apply(writes)

    def create(self, write: Write) -> Written:
        return self._secrets.create(write)

    def update(self, write: Write) -> Written:
        return self._secrets.update(write)

    def delete(self, write: Write) -> None:
        self._secrets.delete(write)
