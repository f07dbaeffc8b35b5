"""What the two destinations at AWS have in common in their options."""

from __future__ import annotations

import pytest

from config.errors import BadRequest, Invalid
from config.schemas.model import Model
from syncs.destinations._aws_options import Tags


def test_tags_have_the_format_of_aws() -> None:
    class Tagged(Model):
        tags: Tags = None

    tags = [{"key": "a b/ä", "value": ""}, {"key": "c", "value": "d:e"}]
    assert Tagged.parse({"tags": tags}).stored() == {"tags": tags}
    for wrong in ({"key": " ", "value": ""}, {"key": "a?", "value": ""}, {"key": "a", "value": "x" * 257}):
        with pytest.raises(Invalid):
            Tagged.parse({"tags": [wrong]})
    with pytest.raises(BadRequest, match="unique"):
        Tagged.parse({"tags": [*tags, {"key": "c", "value": "other"}]})
