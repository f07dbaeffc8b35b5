"""What the two destinations at AWS have in common in their options."""

from __future__ import annotations

import pytest

from config.errors import BadRequest, Invalid
from syncs.destinations._aws import AwsOptions, Tag, refused_tags


def test_tags_have_the_format_of_aws() -> None:
    tags = [{"key": "a b/ä", "value": ""}, {"key": "c", "value": "d:e"}]
    assert AwsOptions.parse({"initialSyncBehavior": "overwrite-destination", "tags": tags}).tags == [
        Tag(**tag) for tag in tags
    ]
    for wrong in (
        {"key": " ", "value": ""},
        {"key": "a?", "value": ""},
        {"key": "AWS:a", "value": ""},
        {"key": "a", "value": "x" * 257},
    ):
        with pytest.raises(Invalid):
            AwsOptions.parse({"initialSyncBehavior": "overwrite-destination", "tags": [wrong]})
    with pytest.raises(BadRequest, match="unique"):
        AwsOptions.parse(
            {"initialSyncBehavior": "overwrite-destination", "tags": [*tags, {"key": "c", "value": "other"}]}
        )


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"owner": "ada", "a b/ä": ""}, ""),
        ({"a?": "x"}, "a? cannot be the key of a tag"),
        ({"aws:x": "x"}, "aws:x cannot be the key of a tag"),
        ({"k" * 129: "x"}, f"{'k' * 129} cannot be the key of a tag"),
        ({"owner": "x" * 257}, "what owner has cannot be the value of a tag"),
        ({"owner": "canary?"}, "what owner has cannot be the value of a tag"),
        ({f"k{number}": "x" for number in range(49)}, ""),
        ({f"k{number}": "x" for number in range(50)}, "with those of the sync it has 51 tags, and AWS takes 50"),
    ],
)
def test_metadata_that_aws_does_not_take_as_tags_is_known(metadata: dict[str, str], reason: str) -> None:
    assert refused_tags([Tag(key="team", value="shop")], tuple(metadata.items())) == reason
