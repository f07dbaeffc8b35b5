"""What the destinations at AWS have in common: region, KMS key, tags, and the requests to a service of a region."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator

from config.errors import BadRequest
from config.responses import EXAMPLE_ID
from config.schemas import Flag, Items, Model, Text
from connections.aws import aws_of
from connections.aws_regions import regions
from connections.errors import Rejected
from syncs.destination.base import Destination
from syncs.destination.capabilities import Verified
from syncs.destination.location import target_of
from syncs.destination.options import SyncOptions
from syncs.engine.types import Pairs, Write

T = TypeVar("T")

MOTO = "moto's server 5.2, behind the refusals of AWS's documentation that moto lacks"
VERIFIED = (
    Verified(date(2026, 11, 25), MOTO, "not AWS itself"),
    Verified(date(2026, 11, 25), "the signatures of AWS's own client"),
)
Region = Annotated[str, Text("Region", "The AWS region to sync secrets to.", choices=regions())]
KmsKey = Annotated[
    str | None,
    Text(
        "KMS key",
        "The ID, ARN or alias of the KMS key that encrypts them; leave empty for the one that AWS keeps.",
        max_length=256,
        pattern=r"[A-Za-z0-9:/_-]+",
        pattern_message="KMS key ID can only contain letters, digits and :/_-",
        example=EXAMPLE_ID,
    ),
]
TAG_KEY = r"(?![Aa][Ww][Ss]:)[\w .:/=+@-]*[\w.:/=+@-][\w .:/=+@-]*"  # AWS reserves what begins with aws:
TAG_VALUE = r"[\w .:/=+@-]*"
MOST_TAGS = 50


class Tag(Model):
    key: Annotated[
        str, Text("Key", max_length=128, pattern=TAG_KEY, pattern_message="Invalid resource tag key", example="DB_URL")
    ]
    value: Annotated[
        str, Text("Value", min_length=0, max_length=256, pattern=TAG_VALUE, pattern_message="Invalid tag value")
    ]


def _each_once(tags: list[Tag] | None) -> list[Tag] | None:
    """AWS takes a key once, which a description cannot say."""
    if len({tag.key for tag in tags or ()}) != len(tags or ()):
        raise BadRequest("Tag keys must be unique")
    return tags


class AwsOptions(SyncOptions):
    keyId: KmsKey = None
    tags: Annotated[
        list[Tag] | None,
        Items(
            "Tags of each secret. Other tags stay, and so do tags that are removed from this list.", max_items=MOST_TAGS
        ),
        AfterValidator(_each_once),
    ] = None
    syncSecretMetadataAsTags: Annotated[bool | None, Flag("Metadata as tags", "Each secret's metadata as tags.")] = None


class AwsDestination(Destination):
    """A service with a JSON API, in the region of the config."""

    provider = "aws"
    service: ClassVar[str]
    Options = AwsOptions
    options: AwsOptions

    def location(self) -> str:
        client, region = aws_of(self.client), self.config.region
        return f"aws|{client.place(self.service, region)}|{client.account}|{region}|{target_of(self.config)}"

    def write_fingerprint(self) -> str:
        sent = {"keyId": self.options.keyId, "tags": [tag.stored() for tag in self.options.tags or ()]}
        sent = {name: value for name, value in sent.items() if value}
        return json.dumps(sent, sort_keys=True) if sent else ""

    def sends_metadata(self) -> bool:
        return bool(self.options.syncSecretMetadataAsTags)

    def call(self, operation: str, sent: Mapping[str, Any], kind: type[T], about: str = "", **how: Any) -> T:
        """The response to an operation; `about` is what messages name. As `AwsClient.call`."""
        return aws_of(self.client).call(self.service, self.config.region, operation, sent, kind, about=about, **how)

    def pages(self, operation: str, sent: Mapping[str, Any], member: str, kind: type[T], about: str = "") -> list[T]:
        """The items of all pages of a list. As `call`."""
        client = aws_of(self.client)
        return client.pages(self.service, self.config.region, operation, sent, member, kind, about=about)

    def refuses_metadata(self, metadata: Pairs) -> str:
        return refused_tags(self.options.tags, metadata)

    def tags(self, write: Write | None = None) -> dict[str, list[dict[str, str]]]:
        """The member `Tags`, if there are any: those of the options, and the secret's metadata under other keys.

        Raises Rejected for metadata that AWS does not take; nothing is sent then.
        """
        metadata = write.metadata if write else ()
        if why := refused_tags(self.options.tags, metadata):
            raise Rejected(f"AWS does not take the metadata as tags: {why}")
        chosen = dict(metadata) | {tag.key: tag.value for tag in self.options.tags or ()}
        return {"Tags": [{"Key": key, "Value": value} for key, value in chosen.items()]} if chosen else {}


def refused_tags(tags: Iterable[Tag] | None, metadata: Pairs) -> str:
    """Why AWS does not take a secret's metadata as tags, without its values; "" if it does."""
    for key, value in metadata:
        if len(key) > 128 or not re.fullmatch(TAG_KEY, key):
            return f"{key} cannot be the key of a tag"
        if len(value) > 256 or not re.fullmatch(TAG_VALUE, value):
            return f"what {key} has cannot be the value of a tag"
    count = len({*dict(metadata), *(tag.key for tag in tags or ())})
    return f"with those of the sync it has {count} tags, and AWS takes {MOST_TAGS}" if count > MOST_TAGS else ""
