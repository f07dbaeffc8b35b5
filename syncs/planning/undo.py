"""Undoing a finished run: what that would restore, read from history, the ledger and the destination."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from config.encryption import Undecryptable, unseal
from config.errors import BadRequest
from syncs.destination.base import Destination
from syncs.engine.plan import Plan, State
from syncs.engine.types import Action, Remote
from syncs.engine.undo_plan import Before, Past, plan_restore
from syncs.models import ManagedSecret, RunChange, SecretSync, Status, SyncRun

from .ledger_rows import known, ledger_rows, verifier
from .records import restore_context

LAST = 10
"""Number of runs of a sync that can be undone: the newest that wrote something."""

WRITES = (Action.CREATE, Action.UPDATE, Action.ADOPT, Action.DELETE)


def undoable(sync: SecretSync) -> QuerySet[SyncRun]:
    """The runs that can still be undone, newest first."""
    wrote = RunChange.objects.filter(run=OuterRef("pk"), outcome="applied", action__in=WRITES)
    ended = SyncRun.objects.filter(Exists(wrote), sync=sync, status__in=(Status.SUCCEEDED, Status.FAILED))
    ended = ended.exclude(operation="import")  # it wrote the source, whose versions can be restored
    return ended.order_by("-ended_at")[:LAST]


def require_undoable(run: SyncRun) -> None:
    """Raises BadRequest that says why not."""
    if run.status not in (Status.SUCCEEDED, Status.FAILED):
        raise BadRequest("Only a run that has ended can be undone")
    if run.sync.deleted_at:
        raise BadRequest("The sync was deleted, and with it the data that undo needs")
    if run.location != run.sync.location:
        raise BadRequest("The sync writes to another location now. Set its former target to undo this run.")
    if run.pk not in {each.pk for each in undoable(run.sync)}:
        raise BadRequest(f"Only the last {LAST} runs that wrote something can be undone")


def restore_for(run: SyncRun, destination: Destination, listing: Sequence[Remote], by: SyncRun | None = None) -> Plan:
    """What undoing the run would do now; `by`: the run that undoes it, if it has begun already."""
    rows, _ = ledger_rows(run.sync, run.location)
    pasts = [_with_history(past, destination) for past in _pasts(run, by)]
    listing = destination.resolve_listing(
        known(destination, listing, rows),
        {past.normalized_key for past in pasts} | {row.normalized_key for row in rows},
    )
    return plan_restore(
        pasts, listing, rows, normalize_key=destination.normalize_key, verify=verifier(run.sync, run.location)
    )


def _with_history(past: Past, destination: Destination) -> Past:
    """A value that could not be read may be in the vendor's history. Raises IntegrationError."""
    before = past.before
    if not past.last or not past.wrote or before is None or before.owned or before.value is not None:
        return past
    version = destination.version_of(past.key, before.etag) if before.etag else None
    return replace(past, before=replace(before, vendor_version=version))


def _pasts(run: SyncRun, by: SyncRun | None) -> list[Past]:
    done = list(run.changes.filter(outcome="applied", action__in=WRITES))
    rows = ManagedSecret.objects.filter(location=run.location, run=run, sync=run.sync)
    ours = set(rows.values_list("normalized_key", flat=True))
    tried = _claimed(run, by) if by else set()
    later = RunChange.objects.filter(run__location=run.location, outcome="applied", action__in=WRITES)
    later = later.exclude(run=run).exclude(run__operation="import")
    newest: dict[str, datetime] = {}
    if done and run.started_at:
        later = later.filter(ended_at__gt=run.started_at).order_by("ended_at")
        newest = {
            normalized_key: at
            for normalized_key, at in later.values_list("normalized_key", "ended_at")
            if at is not None
        }
    return [
        _past(
            run,
            change,
            newest.get(change.normalized_key),
            mine=change.normalized_key in ours,
            tried=change.normalized_key in tried,
        )
        for change in done
    ]


def _claimed(run: SyncRun, by: SyncRun) -> set[str]:
    """Keys of the run that the undo wrote without a response."""
    rows = ManagedSecret.objects.filter(location=run.location, sync=run.sync, run=by, state=State.CLAIM)
    found = set()
    for normalized_key, prior in rows.values_list("normalized_key", "prior"):
        before = prior.row if prior else None
        if before is None or before.run == str(run.pk):
            found.add(normalized_key)
    return found


def _past(run: SyncRun, change: RunChange, later: datetime | None, *, mine: bool, tried: bool) -> Past:
    again = later is not None and change.ended_at is not None and later > change.ended_at
    action = Action(change.action)
    before = None
    if change.before is not None and change.before.created:
        action = Action.CREATE  # it had created the key without a response, and wrote it again
    elif change.before is not None:
        value, comment = _opened(run, change)
        before = Before(
            change.before.owned,
            value,
            comment,
            secret_id=change.before.secret_id,
            version=change.before.version,
            etag=change.before.etag,
        )
    return Past(
        change.key,
        change.normalized_key,
        action,
        last=not again and (action is Action.DELETE or mine or tried),
        source_key=change.source_key,
        wrote=action is not Action.ADOPT or before is not None,
        before=before,
        tried=tried,
    )


def _opened(run: SyncRun, change: RunChange) -> tuple[str | None, str]:
    """Value and comment as they were; (None, "") if they were never known, or cannot be decrypted."""
    if change.before_sealed is None:
        return None, ""
    try:
        text = unseal(run.sync.project_id, restore_context(run.location, change.normalized_key), change.before_sealed)
    except Undecryptable:
        return None, ""
    value, comment = json.loads(text)
    return value, comment


def forget_older(sync: SecretSync) -> None:
    """Delete the values before runs that can no longer be undone."""
    recent = [run.pk for run in undoable(sync)]
    old = RunChange.objects.filter(run__sync=sync, before_sealed__isnull=False).exclude(run_id__in=recent)
    old.update(before_sealed=None)
