"""The keys that a sync should have at its destination: filtered, named and checked against the vendor's rules."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase

from syncs.destination.base import Destination
from syncs.destination.limits import blocked_by
from syncs.engine.key_schema import KeySchema
from syncs.engine.types import Desired, Entry
from syncs.models import SecretSync
from syncs.source.loader import Reading


def desired_of(sync: SecretSync, destination: Destination, reading: Reading) -> list[Desired]:
    """The source as the destination should hold it; a key that must not be written has the reason in `blocked`."""
    schema = KeySchema.parse(sync.sync_options.get("keySchema"))
    chosen = filter_of(sync)
    limits, write_fingerprint = destination.limits(destination.config), destination.write_fingerprint()
    desired = []
    for entry in reading.source.entries:
        if not chosen(entry):
            continue
        name = schema.render(entry.key, reading.environment)
        blocked, code = blocked_by(
            limits,
            destination.label,
            entry,
            name,
            destination.normalize_key(name),
            refuses=destination.refuses,
            refuses_key=destination.refuses_key,
            refuses_metadata=destination.refuses_metadata if destination.sends_metadata() else lambda metadata: "",
        )
        desired.append(
            Desired(
                key=name,
                normalized_key=destination.normalize_key(name),
                source_key=entry.key,
                value=destination.normalize_value(entry.value or ""),
                comment=entry.comment if limits.holds_comments else "",
                secret_id=entry.secret_id,
                version=entry.version,
                write_fingerprint=write_fingerprint,
                metadata=entry.metadata if destination.sends_metadata() else (),
                tags=entry.tags if destination.sends_tags() else frozenset(),
                blocked=blocked,
                blocked_code=code,
                source_path=entry.path,
            )
        )
    return desired


def filter_of(sync: SecretSync) -> Callable[[Entry], bool]:
    """Whether the policy's filters choose an entry of the source."""
    policy = sync.policy
    tags = frozenset(policy.tags)

    def chosen(entry: Entry) -> bool:
        if policy.include and not any(fnmatchcase(entry.key, glob) for glob in policy.include):
            return False
        if any(fnmatchcase(entry.key, glob) for glob in policy.exclude):
            return False
        return not tags or bool(tags & entry.tags)

    return chosen
