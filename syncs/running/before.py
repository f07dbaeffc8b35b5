"""Keys as they were before a run wrote them, recorded so that the run can be undone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from config.encryption import seal
from syncs.engine.plan import Change, Drift, Effect, Rule, State
from syncs.engine.types import Remote
from syncs.models import Claim, ManagedSecret, PriorState, SecretSync, SyncRun
from syncs.planning.records import restore_context

Before = tuple[PriorState, bytes | None]
"""A key before it was written, and its value and comment sealed, as far as they are known."""


def sealed_for_undo(sync: SecretSync, location: str, normalized_key: str, value: str, comment: str) -> bytes:
    """Value and comment as a write sends them, so that they can be sent again."""
    return seal(sync.project_id, restore_context(location, normalized_key), json.dumps([value, comment]))


def states_before(
    run: SyncRun, sync: SecretSync, location: str, changes: Sequence[Change], rows: Mapping[str, ManagedSecret]
) -> dict[str, Before]:
    """By normalized key, for keys that were just written. `rows`: their rows in the ledger, as claimed.

    Of a key of ours that is the value we had written, unless it was changed externally; else the value that was listed.
    """

    def listed(remote: Remote, normalized_key: str) -> bytes | None:
        if remote.value is None:
            return None
        return sealed_for_undo(sync, location, normalized_key, remote.value, remote.comment or "")

    found = {}
    for change in changes:
        if change.remote is not None or change.rule is Rule.ALREADY_GONE:
            row = rows.get(change.normalized_key)
            found[change.normalized_key] = _state_before(run, sync, change, row, listed)
    return found


def _state_before(
    run: SyncRun,
    sync: SecretSync,
    change: Change,
    row: ManagedSecret | None,
    listed: Callable[[Remote, str], bytes | None],
) -> Before:
    claim = (row.prior if row else None) or Claim()
    settles = change.rule is Rule.SETTLE_CLAIM
    if settles and claim.created_by:
        return PriorState(owned=True, created=claim.created_by == str(run.pk)), None
    before = claim.row
    if settles and change.remote and change.remote.object_id and claim.object_id is None:
        before = None  # it was recreated externally before it was claimed
    ours = before is not None and before.state == State.OWNED and before.sync == str(sync.pk)
    if row is not None and before is not None and ours and Effect.VOID not in change.effects:
        state = PriorState(owned=True, secret_id=before.secret_id, version=before.secret_version)
        if change.drift is not Drift.CHANGED:
            return state, bytes(row.value_sealed) if row.value_sealed else None
        if change.remote and change.remote.value is not None:
            return state, listed(change.remote, change.normalized_key)
    if change.remote is None or settles:
        # The listed value may be that of our own write without a response: the value before it is unknown.
        return PriorState(owned=True), None
    return PriorState(owned=False, etag=change.remote.etag), listed(change.remote, change.normalized_key)
