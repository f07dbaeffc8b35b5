"""What a sync removes at a location that it has left: its own keys there, as soon as nothing needs them any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

from syncs.destination.base import Destination
from syncs.engine.error_codes import Code
from syncs.engine.plan import Change, Plan, State
from syncs.engine.reasons import Reason
from syncs.engine.types import Action, Remote
from syncs.models import ManagedSecret, SecretSync
from syncs.source.loader import Sources

from .builder import removal_for
from .desired import desired_of
from .ledger_rows import ledger_rows
from .memory import moved_elsewhere


def leaving_for(sync: SecretSync, former: Destination, present: Destination, listing: Sequence[Remote]) -> Plan:
    """The deletes at the former location.

    A key that another live sync wants there is handed over, as by a removal. Any other is deleted once its secret has
    arrived at the present location; if the source does not have the secret any more, there is nothing to wait for.
    """
    location, sources = former.location(), Sources()
    plan = removal_for(sync, former, listing)
    rows, _ = ledger_rows(sync, location)
    waits = moved_elsewhere(sync, rows, set())
    expected = _expected(sync, present, sources)
    arrived = set(
        ManagedSecret.objects.filter(sync=sync, location=present.location(), state=State.OWNED).values_list(
            "secret_id", flat=True
        )
    )
    return replace(plan, changes=tuple(_decided(change, waits, arrived, expected) for change in plan.changes))


def _expected(sync: SecretSync, present: Destination, sources: Sources) -> Set[str] | None:
    """Ids of the secrets that the sync writes at its present location; None while the source is incomplete."""
    if sync.folder is None:
        return None
    reading = sources.read(sync)
    desired = desired_of(sync, present, reading)
    if reading.source.gaps or any(each.blocked for each in desired):
        return None
    return {each.secret_id for each in desired}


def _decided(
    change: Change,
    waits: Mapping[str, str],
    arrived: Set[str],
    expected: Set[str] | None,
) -> Change:
    if change.action is not Action.DELETE:
        return change
    secret_id = change.row.secret_id if change.row else ""
    if secret_id in arrived:
        return change
    wait = waits.get(change.normalized_key)
    if wait is None and expected is not None:
        everything_arrived = expected <= arrived  # of a row that does not name its secret
        if (secret_id not in expected) if secret_id else everything_arrived:
            return change
    reason = wait or Reason.NOT_ARRIVED.text()
    return replace(change, action=Action.KEEP, write=None, reason=reason, code=Code.WAITS)
