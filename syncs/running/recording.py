"""The plan of a run as history: keys that need nothing as lists of names, the others as one row each."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.utils import timezone

from syncs.engine.error_codes import Code
from syncs.engine.ownership import is_settled
from syncs.engine.plan import Change, Effect, Plan, Rule
from syncs.engine.reasons import Reason
from syncs.engine.types import Action
from syncs.models import InitialSet, RunChange, SecretSync, Status, SyncRun
from syncs.planning.memory import written_basis
from syncs.planning.records import planned_row, record_changes
from syncs.planning.undo import WRITES
from syncs.running.ledger import Ledger

_GONE = object()


def record_plan(
    run: SyncRun, sync: SecretSync, plan: Plan, ledger: Ledger, refused: Collection[str], *, held: bool = False
) -> None:
    """Store the plan before anything is written. `refused`: keys that the vendor has refused in this run before.

    `held`: its creates and updates go ahead while its deletes wait for approval.
    """
    rows = _confirmed(run, plan, ledger)
    confirmed = {row.normalized_key for row in rows}
    for change in plan.changes:
        if change.normalized_key in confirmed or change.action is Action.UNCHANGED or _only_listed(change):
            continue
        row = planned_row(run, change)
        if change.action is Action.BLOCKED:
            row.outcome = "blocked"
        elif change.write is None:
            row.outcome = "applied" if Effect.SETTLE in change.effects else "kept"
        elif change.normalized_key in refused:
            continue
        elif held and change.action is Action.DELETE:
            row.outcome, row.reason = "kept", Reason.HELD.text()
        rows.append(row)
    with transaction.atomic():
        planned = RunChange.objects.filter(run=run).exclude(outcome="applied")
        planned.exclude(normalized_key__in=refused).delete()
        record_changes(run, rows)
        done = set(RunChange.objects.filter(run=run, outcome="applied").values_list("normalized_key", flat=True))
        run.unchanged = [c.key for c in plan.changes if c.action is Action.UNCHANGED and c.normalized_key not in done]
        run.unmanaged = [c.key for c in plan.changes if _only_listed(c)]
        run.save(update_fields=["source_rev", "generation", "digest", "counts", "unchanged", "unmanaged", "message"])
        if run.operation == "sync":
            _record_initial_set(run, sync, plan)
            _first_run_goes_ahead(run)
            if not held:
                SyncRun.objects.filter(sync=sync, status=Status.HELD).update(
                    status=Status.SUPERSEDED, ended_at=timezone.now(), message="A newer run was not held."
                )
                SecretSync.objects.filter(pk=sync.pk).update(written_basis=written_basis(sync))


def _record_initial_set(run: SyncRun, sync: SecretSync, plan: Plan) -> None:
    """This is the first run if none was recorded. A deleted, recreated or wanted key leaves the set."""
    first, created = InitialSet.objects.get_or_create(
        sync=sync, location=run.location, defaults={"keys": dict(plan.initial), "run": run}
    )
    if created or not first.keys:
        return
    listed = {
        change.normalized_key: change.remote.object_id
        for change in plan.changes
        if change.remote and change.desired is None and change.rule in (Rule.DELETE_FOREIGN, Rule.KEEP_FOREIGN)
    }
    there = {key: object_id for key, object_id in first.keys.items() if listed.get(key, _GONE) == object_id}
    if there != first.keys:
        first.keys = there
        first.save(update_fields=["keys"])


def record_spared(run: SyncRun, plan: Plan) -> None:
    """Keys that are not this sync's and stay, because another key of the run has failed."""
    foreign = [change.normalized_key for change in plan.deletes if change.rule is Rule.DELETE_FOREIGN]
    RunChange.objects.filter(run=run, outcome="", normalized_key__in=foreign).update(
        outcome="kept", reason=Reason.SPARED.text(), error_code=Code.SPARED
    )


def _first_run_goes_ahead(run: SyncRun) -> None:
    """From now on its policy decides, unless the target was changed again since the run read the sync."""
    here = SecretSync.objects.filter(pk=run.sync_id, location=run.location, generation=run.generation)
    here.exclude(confirmed_deletes=None).update(confirmed_deletes=None)


def _confirmed(run: SyncRun, plan: Plan, ledger: Ledger) -> list[RunChange]:
    """Writes of an earlier attempt without a response that the list now shows to have been applied."""
    settled = {change.normalized_key: change for change in plan.changes if is_settled(change)}
    if not settled:
        return []
    before = ledger.before(list(settled.values()))
    rows = []
    tried = run.changes.filter(normalized_key__in=settled, action__in=WRITES)
    for normalized_key, action in tried.values_list("normalized_key", "action"):
        change = settled[normalized_key]
        if (change.action is Action.KEEP) == (action == Action.DELETE):
            row = planned_row(run, change)
            row.action, row.outcome, row.ended_at = action, "applied", timezone.now()
            row.before, row.before_sealed = before.get(normalized_key, (None, None))
            rows.append(row)
    return rows


def _only_listed(change: Change) -> bool:
    """An unmanaged key of which only the name is recorded."""
    return change.action is Action.KEEP and change.row is None and not change.suspended and not change.code
