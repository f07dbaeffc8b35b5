"""The policy of a sync over the API, in forms and as model fields."""

from __future__ import annotations

import re
from typing import Annotated, Any

from config.responses import members
from config.schemas.json_schema import described
from config.schemas.model import Model
from config.schemas.types import Flag, Items, Text, Whole
from syncs.models import UNMANAGED, SyncPolicy


class Policy(Model):
    """The members of a policy that a request changes; those of `SyncPolicy` have the same names, in snake case."""

    unmanaged: Annotated[
        str | None, Text("Unmanaged keys", "What a run does with keys it did not write.", choices=UNMANAGED)
    ] = None
    maxDeletions: Annotated[
        int | None,
        Whole("Deletes that a run may do without approval; null: no limit.", nullable=True, maximum=1_000_000),
    ] = None
    include: Annotated[
        list[Annotated[str, Text("include", max_length=512)]] | None,
        Items("Globs of the source's keys; empty: all.", max_items=100, example=["DB_*"]),
    ] = None
    exclude: Annotated[
        list[Annotated[str, Text("exclude", max_length=512)]] | None,
        Items("Globs of the source's keys.", max_items=100, example=["*_LOCAL"]),
    ] = None
    tags: Annotated[
        list[Annotated[str, Text("tags", max_length=512)]] | None,
        Items("Slugs; a secret needs one of them. Empty: all.", max_items=100, example=["db"]),
    ] = None
    recursive: Annotated[bool | None, Flag(help="Include the folders below.")] = None
    driftCheckMinutes: Annotated[int | None, Whole("0: off.", maximum=525_600)] = None
    heal: Annotated[bool | None, Flag(help="Run when a drift check finds something.")] = None
    paused: Annotated[bool | None, Flag(help="Stop automatic work.")] = None
    maxConcurrency: Annotated[
        int | None,
        Whole("Requests side by side; null: the default.", nullable=True, minimum=1, maximum=32),
    ] = None


PolicyJson = Annotated[dict[str, Any], members(described(Policy)["properties"])]
"""Every member of `Policy`."""


def policy_as_json(policy: SyncPolicy) -> PolicyJson:
    return {name: getattr(policy, _field(name)) for name in Policy.model_fields}


def policy_changes(policy: Policy) -> dict[str, Any]:
    """The members that were sent, by their names in `SyncPolicy`."""
    return {_field(name): value for name, value in policy.sent().items() if name in Policy.model_fields}


def _field(name: str) -> str:
    return re.sub(r"(?=[A-Z])", "_", name).lower()
