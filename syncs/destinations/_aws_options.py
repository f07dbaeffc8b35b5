"""What the two destinations at AWS have in common in their configs and options: region, KMS key and tags; and
against what they were checked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import date
from typing import Annotated

from pydantic import AfterValidator

from config.errors import BadRequest
from config.responses import EXAMPLE_ID
from config.schemas.model import Model
from config.schemas.types import Items, Text
from connections.aws_regions import regions
from connections.errors import Rejected
from syncs.destination.capabilities import Verified

VERIFIED = (
    Verified(
        date(2026, 11, 25),
        "moto's server 5.2, behind the refusals of AWS's documentation that moto lacks",
        "not AWS itself",
    ),
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
_SIGN = r"[\w.:/=+@-]"
_TAG = r"[\w .:/=+@-]"
TAG_KEY = f"(?![Aa][Ww][Ss]:){_TAG}*{_SIGN}{_TAG}*"  # AWS reserves what begins with aws:
TAG_VALUE = f"{_TAG}*"
MOST_TAGS = 50


class Tag(Model):
    key: Annotated[
        str,
        Text(
            "Key",
            max_length=128,
            pattern=TAG_KEY,
            pattern_message="Invalid resource tag key",
            example="DB_URL",
        ),
    ]
    value: Annotated[
        str,
        Text("Value", min_length=0, max_length=256, pattern=TAG_VALUE, pattern_message="Invalid tag value"),
    ]


def _each_once(tags: list[Tag] | None) -> list[Tag] | None:
    """AWS takes a key once, which a description cannot say."""
    keys = [tag.key for tag in tags or ()]
    if len(set(keys)) != len(keys):
        raise BadRequest("Tag keys must be unique")
    return tags


Tags = Annotated[
    list[Tag] | None,
    Items("Tags of each secret. Other tags stay, and so do tags that are removed from this list.", max_items=MOST_TAGS),
    AfterValidator(_each_once),
]


def tags_of(tags: Iterable[Tag] | None, metadata: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    """The tags to write: those of the sync's options, and the secret's metadata under other keys.

    Raises Rejected for metadata that AWS does not take as tags; nothing is sent then.
    """
    if why := refused_tags(tags, metadata):
        raise Rejected(f"AWS does not take the metadata as tags: {why}")
    chosen = {tag.key: tag.value for tag in tags or ()}
    return [{"Key": key, "Value": value} for key, value in {**dict(metadata), **chosen}.items()]


def refused_tags(tags: Iterable[Tag] | None, metadata: Iterable[tuple[str, str]]) -> str:
    """Why AWS does not take a secret's metadata as tags, without its values; "" if it does."""
    for key, value in metadata:
        if len(key) > 128 or not re.fullmatch(TAG_KEY, key):
            return f"{key} cannot be the key of a tag"
        if len(value) > 256 or not re.fullmatch(TAG_VALUE, value):
            return f"what {key} has cannot be the value of a tag"
    count = len({*dict(metadata), *(tag.key for tag in tags or ())})
    return f"with those of the sync it has {count} tags, and AWS takes {MOST_TAGS}" if count > MOST_TAGS else ""


def attributes_of(key_id: str | None, tags: Iterable[Tag] | None) -> str:
    """What a sync's options add to each write, as one text; "" if nothing."""
    options = {"keyId": key_id, "tags": [tag.stored() for tag in tags or ()]}
    options = {name: value for name, value in options.items() if value}
    return json.dumps(options, sort_keys=True) if options else ""
