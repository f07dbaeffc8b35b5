"""What each destination can do, in words: from the registry alone, so that a new one needs no page of its own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from config.schemas.json_schema import described, example_of
from config.schemas.unions import OneOf
from connections.provider import providers
from syncs.destination.base import Destination, destinations
from syncs.destination.capabilities import Capabilities
from syncs.destination.limits_text import limits_as_text


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one destination. `limits` are sentences; `verified` says against what it was checked, and when."""

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
    verified: str
    docs: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def catalogue() -> list[Facts]:
    """Every destination that is known here, in the order of their names."""
    return [facts_of(found) for found in destinations]


def facts_of(found: type[Destination]) -> Facts:
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
        verified=can.verified or "Nobody has said.",
        docs=can.docs_url,
    )


def _drift(can: Capabilities) -> str:
    """How exactly it is known what other hands did."""
    if can.can_read_values:
        told = "Exact: values are compared."
    elif can.has_etag:
        told = "By a stamp that each write moves: that a key was changed, not to what."
    else:
        told = "Keys that are gone; a value that was changed is not noticed."
    if can.has_object_ids:
        return f"{told} A key made anew is told from the one before."
    return f"{told} A key made anew within one run and the next is taken for the one before."


def _pace(can: Capabilities) -> str:
    side = f"{can.concurrency} requests side by side"
    side += f", at most {can.concurrency_limit}" if can.concurrency_limit else ""
    return f"{can.pace:g} requests a second, {side}" if can.pace else side


def _by_scope(found: type[Destination]) -> dict[str, Capabilities]:
    shape = found.Config
    variants = shape.variants if isinstance(shape, OneOf) else {"": shape}
    return {scope: found.limits_of(example_of(described(variant))) for scope, variant in variants.items()}
