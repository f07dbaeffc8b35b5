"""What a run would do now: reads the source, the destination and the ledger; writes nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from syncs.destination.base import Destination
from syncs.destination.limits import within
from syncs.engine.key_schema import KeySchema
from syncs.engine.plan import Approval, Memory, Plan, Rules
from syncs.engine.planner import guarded, plan_removal, plan_sync
from syncs.engine.types import Entry, Remote
from syncs.models import SecretSync
from syncs.source.loader import Reading, Sources

from .desired import desired_of
from .ledger_rows import known, ledger_rows, rows_seen_from, verifier
from .memory import memory_of
from .others import others_at


@dataclass(frozen=True, slots=True)
class PlannedSync:
    """A plan with the source that it was made from. `listed_at` is on the monotonic clock."""

    plan: Plan
    reading: Reading
    listed_at: float


def planned_sync(
    sync: SecretSync,
    destination: Destination,
    sources: Sources,
    *,
    approval: Approval | None = None,
    run_id: UUID | None = None,
    after_import: Plan | None = None,
) -> PlannedSync:
    """Read, list and plan. Raises IntegrationError if the destination does not return a complete list.

    `approval`: heeded while the sync has the generation at which it was given. `run_id`: of the run that is planned,
    None in a preview. `after_import`: the import that would precede the sync; the source is taken as it would be then.
    """
    reading = sources.read(sync)
    if after_import:
        reading = _with_imported(reading, after_import)
    listed_at = time.monotonic()
    plan = plan_for(sync, destination, reading, destination.listing(), sources, approval=approval, run_id=run_id)
    return PlannedSync(plan, reading, listed_at)


def _with_imported(reading: Reading, plan: Plan) -> Reading:
    imported = {
        change.desired.source_key: Entry(change.desired.source_key, change.desired.value, change.desired.comment)
        for change in plan.changes
        if change.desired
    }
    others = tuple(entry for entry in reading.source.entries if entry.key not in imported)
    return replace(reading, source=replace(reading.source, entries=(*others, *imported.values())))


def plan_for(
    sync: SecretSync,
    destination: Destination,
    reading: Reading,
    listing: Sequence[Remote],
    sources: Sources,
    *,
    approval: Approval | None = None,
    run_id: UUID | None = None,
) -> Plan:
    """The plan for a source that was read and a destination that was listed."""
    location = destination.location()
    desired = desired_of(sync, destination, reading)
    desired_keys = {each.normalized_key for each in desired}
    rows, left = ledger_rows(sync, location)
    others = others_at(sync, destination, location, sources)
    rows = others.marked(rows)
    rows += rows_seen_from(sync, destination, location, {row.normalized_key for row in rows})
    again = desired_keys if sync.policy.unmanaged == "leave" else ()
    listing = known(destination, listing, rows, creates_again=again)
    listing = destination.resolve_listing(listing, desired_keys | {row.normalized_key for row in rows})
    rules = Rules(
        unmanaged=sync.policy.unmanaged,
        deletion_enabled=not sync.sync_options.get("disableSecretDeletion", False),
        max_deletions=sync.policy.max_deletions,
    )
    if approval and approval.generation != reading.generation:
        approval = None
    memory = memory_of(
        sync, destination, rows, desired_keys, left=left, approval=approval, run_id=run_id, others=others
    )
    schema = KeySchema.parse(sync.sync_options.get("keySchema"))
    plan = plan_sync(
        desired,
        listing,
        rows,
        rules=rules,
        memory=memory,
        gaps=reading.source.gaps,
        normalize_key=destination.normalize_key,
        in_schema=lambda name: schema.match(name, reading.environment, destination.normalize_key),
        verify=verifier(sync, location),
    )
    plan = guarded(within(plan, listing, destination.limits(destination.config), destination.label), rules, memory)
    writes = [change.write for change in plan.writes if change.write]
    return replace(plan, makes=tuple(destination.makes(writes))) if writes else plan


def removal_for(sync: SecretSync, destination: Destination, listing: Sequence[Remote]) -> Plan:
    """The deletes of every key that the sync owns at the destination's location; what another live sync needs there is
    handed over."""
    location = destination.location()
    others = others_at(sync, destination, location, Sources())
    rows, _ = ledger_rows(sync, location)
    listing = destination.resolve_listing(known(destination, listing, rows), {row.normalized_key for row in rows})
    return plan_removal(
        listing,
        rows,
        memory=Memory(wanted=others.wanted, heirs=others.heirs),
        normalize_key=destination.normalize_key,
        verify=verifier(sync, location),
    )
