"""Rows of the ledger and of history, as the outcomes of a run leave them."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from connections.errors import BadResponse, OutcomeUnknown, Unavailable
from syncs.engine.plan import Change, Effect
from syncs.engine.types import Action, Outcome, Remote, Written
from syncs.models import ManagedSecret, PriorRow, RunChange, SecretSync, SyncRun
from syncs.planning.records import planned_row
from syncs.running.before import Before

PRIOR_COLUMNS = (
    "state",
    "object_id",
    "etag",
    "secret_id",
    "secret_version",
    "source_key",
    "rewrites",
    "value_mac",
    "rest_mac",
)


def hand_over(rows: Any, heir: str, location: str) -> None:
    """The rows become those of the sync `heir`, which does not know their values; without one they end."""
    sync = SecretSync.objects.filter(pk=heir, location=location).first() if heir else None
    if sync is None:
        rows.delete()
        return
    rows.update(
        sync=sync,
        connection=sync.connection,
        destination_config=sync.destination_config,
        value_mac="",
        rest_mac="",
        value_sealed=None,
        secret_id="",
        secret_version=0,
        source_key="",
        rewrites=0,
    )


def is_unknown(error: Exception) -> bool:
    """Whether a write may have been applied although it failed."""
    return isinstance(error, OutcomeUnknown | BadResponse | Unavailable)


def as_listed(remote: Remote) -> Written:
    return Written(remote.object_id, remote.etag)


def before_claim(row: ManagedSecret) -> PriorRow:
    sync, run = (None if pk is None else str(pk) for pk in (row.sync_id, row.run_id))
    return PriorRow(**{name: getattr(row, name) for name in PRIOR_COLUMNS}, sync=sync, run=run)


def releases(change: Change) -> bool:
    """Whether the key is unmanaged once it was written."""
    return change.action is Action.DELETE or Effect.RELEASE in change.effects


def change_row(run: SyncRun, change: Change, outcome: Outcome, before: Before | None) -> RunChange:
    error = outcome.error
    row = planned_row(run, change)
    row.outcome = "applied" if error is None else "failed"
    row.error_code = getattr(error, "code", "") if error else ""
    row.error_message = str(error)[:1024] if error else ""
    row.ended_at = timezone.now()
    if before is not None:
        row.before, row.before_sealed = before
    return row
