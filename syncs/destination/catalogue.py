"""What each destination can do, as text for pages, documentation and the command line. Made from the registry."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from config.schemas.json_schema import described, example_of
from config.schemas.unions import OneOf
from connections.provider import providers
from syncs.destination.base import Destination, destinations
from syncs.destination.capabilities import Capabilities, Verified
from syncs.destination.limits_text import limits_as_text


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts about one destination. `limits` are sentences."""

    slug: str
    name: str
    connection: str
    methods: tuple[str, ...]
    scopes: tuple[str, ...]
    imports: bool
    drift: str
    limits: tuple[str, ...]
    pace: str
    rights: str
    note: str
    verified: tuple[Verified, ...]
    docs: str

    def as_json(self) -> dict[str, Any]:
        checks = [{**asdict(each), "on": each.on.isoformat()} for each in self.verified]
        return {**asdict(self), "verified": checks}


def catalogue() -> list[Facts]:
    """Every destination, in the order of their names."""
    return [facts_of(found) for found in destinations]


def facts_of(found: type[Destination]) -> Facts:
    """What is known of one destination, from its declarations alone."""
    can = found.capabilities
    provider = providers.get(found.provider)
    return Facts(
        slug=found.slug,
        name=found.label,
        connection=found.provider,
        methods=tuple(provider.methods) if provider else (),
        scopes=tuple(found.Config.variants) if isinstance(found.Config, OneOf) else (),
        imports=can.can_import,
        drift=_drift(can),
        limits=tuple(limits_as_text(_by_scope(found))),
        pace=_pace(can),
        rights=can.rights,
        note=can.note,
        verified=can.verified,
        docs=can.docs_url,
    )


def _drift(can: Capabilities) -> str:
    """How exactly external changes are detected."""
    if not can.lists:
        return "Unknown: it cannot be listed."
    if can.can_read_values:
        detected = "Exact: values are compared."
    elif can.has_etag:
        detected = "By the etag, which every write changes: that a key changed, not its new value."
    else:
        detected = "Missing keys only; a changed value is not detected."
    if can.has_object_ids:
        return f"{detected} Detects keys that were deleted and recreated."
    return f"{detected} Does not detect keys that were deleted and recreated between two runs."


def _pace(can: Capabilities) -> str:
    parallel = f"{can.concurrency} requests in parallel"
    parallel += f", at most {can.concurrency_limit}" if can.concurrency_limit else ""
    pace = f"{can.pace:g} requests per second" if can.pace else ""
    quota = f"{can.quota[0]} requests in {can.quota[1]:g} seconds" if can.quota else ""
    return ", ".join(filter(None, [pace, quota, parallel]))


def _by_scope(found: type[Destination]) -> dict[str, Capabilities]:
    shape = found.Config
    variants = shape.variants if isinstance(shape, OneOf) else {"": shape}
    return {scope: found.limits_of(example_of(described(variant))) for scope, variant in variants.items()}
