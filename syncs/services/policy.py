"""The policy of a sync over the API, in forms and as model fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from config.schemas.schema import NULL, Flag, Schema, Text, Texts, Whole
from syncs.models import UNMANAGED, SyncPolicy

POLICY = Schema(
    (
        Text("unmanaged", "Unmanaged keys", "What a run does with keys it did not write.", False, choices=UNMANAGED),
        Whole("maxDeletions", "Deletes that one run may do unasked; null: no limit.", nullable=True, maximum=1_000_000),
        Texts("include", "Globs of the source's keys; empty: all."),
        Texts("exclude", "Globs of the source's keys."),
        Texts("tags", "Slugs; a secret needs one of them. Empty: all."),
        Flag("recursive", "", "Take the folders below too."),
        Whole("driftCheckMinutes", "0: off.", maximum=525_600),
        Flag("heal", "", "Run when a drift check finds something."),
        Flag("paused", "", "Stop automatic work."),
        Whole("maxConcurrency", "Requests side by side; null: the default.", nullable=True, minimum=1, maximum=32),
    )
)


_POLICY_FIELDS = {
    "unmanaged": "unmanaged",
    "maxDeletions": "max_deletions",
    "include": "include",
    "exclude": "exclude",
    "tags": "tags",
    "recursive": "recursive",
    "driftCheckMinutes": "drift_check_minutes",
    "heal": "heal",
    "paused": "paused",
    "maxConcurrency": "max_concurrency",
}


def policy_as_json(policy: SyncPolicy) -> dict[str, Any]:
    return {wire: getattr(policy, name) for wire, name in _POLICY_FIELDS.items()}


def policy_changes(given: Mapping[str, Any]) -> dict[str, Any]:
    """A validated policy as model fields."""
    return {_POLICY_FIELDS[wire]: None if value is NULL else value for wire, value in given.items()}


def policy_shape() -> dict[str, Any]:
    properties = POLICY.json_schema()["properties"]
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
