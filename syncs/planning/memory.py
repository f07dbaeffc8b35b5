"""What earlier runs and other syncs mean for a plan: initial set, dismissals, recent deletes, keys that others need."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from syncs.destination.base import Destination
from syncs.engine.plan import Approval, Memory, Row
from syncs.engine.reasons import Reason
from syncs.engine.types import Action
from syncs.models import InitialSet, RunChange, Secret, SecretSync, Status, SyncRun

from .opening import import_behavior
from .others import Others

GUARD_WINDOW = timedelta(hours=1)


def memory_of(
    sync: SecretSync,
    destination: Destination,
    rows: Iterable[Row],
    desired_keys: set[str],
    *,
    left: Mapping[str, str | None],
    approval: Approval | None,
    run_id: UUID | None,
    others: Others,
) -> Memory:
    """`left`: keys that a sync left on purpose, with their object ids; `run_id`: of the run that is planned, None in a
    preview."""
    location = destination.location()
    return Memory(
        initial=_initial(sync, location, run_id),
        wanted=others.wanted,
        heirs=others.heirs,
        recent_deletes=_recent_deletes(sync, location),
        dismissed=frozenset(dismissals([sync]).get(sync.pk, ())),
        approval=approval,
        waiting=moved_elsewhere(sync, rows, desired_keys),
        left=left,
        confirmed=sync.confirmed_deletes,
    )


def _initial(sync: SecretSync, location: str, run_id: UUID | None) -> Mapping[str, str | None] | None:
    """The right to delete the initial set ends with the first run, however that ends."""
    first = None
    if sync.confirmed_deletes is None:  # else the target was changed, and its first run has not gone ahead
        first = InitialSet.objects.filter(sync=sync, location=location).only("run", "keys").first()
    if first is not None:
        return dict(first.keys) if run_id is not None and first.run_id == run_id else {}
    return {} if import_behavior(sync) else None  # a key that was not imported must not be deleted either


def _recent_deletes(sync: SecretSync, location: str) -> int:
    """Unapproved deletes of this sync at this location within the guard's window."""
    return (
        RunChange.objects.filter(
            run__sync=sync,
            run__location=location,
            run__operation="sync",
            action="delete",
            outcome="applied",
            ended_at__gt=timezone.now() - GUARD_WINDOW,
        )
        .exclude(run__trigger="approval")
        .filter(source_key="")  # half of a rename otherwise
        .count()
    )


def basis_of_dismissal(sync: SecretSync) -> str:
    """A digest of the source and the policy that decide which keys are deleted: while it is equal, a dismissal holds.

    A new name, another owner or a pause are no reason to delete keys that a person decided to keep.
    """
    policy = sync.policy
    options = [sync.sync_options.get(name) for name in ("keySchema", "disableSecretDeletion")]
    filters = [policy.include, policy.exclude, policy.tags, policy.recursive]
    basis = [str(sync.folder_id), options, policy.unmanaged, policy.max_deletions, filters]
    return hashlib.sha256(json.dumps(basis).encode()).hexdigest()


def written_basis(sync: SecretSync) -> str:
    """A digest of everything but the secrets that decides what a run of the sync writes, and where."""
    basis = [basis_of_dismissal(sync), sync.location, str(sync.connection.pk), sync.destination_config]
    return hashlib.sha256(json.dumps([*basis, sync.sync_options], sort_keys=True).encode()).hexdigest()


def dismissals(syncs: Collection[SecretSync]) -> dict[UUID, dict[str, tuple[UUID, datetime]]]:
    """Sync -> normalized key whose deletion was dismissed at its location -> the run, and when. Three queries at most.

    A dismissal ends with a change of the source or the policy, and once the key was written or deleted since.
    """
    by_id = {sync.pk: sync for sync in syncs}
    runs = [
        run
        for run in SyncRun.objects.filter(sync__in=by_id, status=Status.DISMISSED, ended_at__isnull=False).defer(
            "unchanged", "unmanaged"
        )
        if run.location == by_id[run.sync_id].location
        and run.options.stands_on == basis_of_dismissal(by_id[run.sync_id])
    ]
    found: dict[UUID, dict[str, tuple[UUID, datetime]]] = {}
    if not runs:
        return found
    rows = RunChange.objects.filter(run__in=runs, action__in=(Action.DELETE, Action.KEEP)).order_by("run__ended_at")
    for sync_id, key, run_id, ended_at in rows.values_list("run__sync", "normalized_key", "run", "run__ended_at"):
        if ended_at is not None:
            found.setdefault(sync_id, {})[key] = run_id, ended_at
    written = RunChange.objects.filter(run__sync__in=found, outcome="applied", ended_at__isnull=False)
    written = written.filter(normalized_key__in={key for keys in found.values() for key in keys})
    for sync_id, key, written_at in written.values_list("run__sync", "normalized_key", "ended_at"):
        if written_at is not None and key in found[sync_id] and written_at > found[sync_id][key][1]:
            del found[sync_id][key]
    return found


def moved_elsewhere(sync: SecretSync, rows: Iterable[Row], desired_keys: set[str]) -> dict[str, str]:
    """Own keys whose secret was moved to another folder, of a sync that has not written it yet."""
    surplus = {
        row.secret_id: row.normalized_key
        for row in rows
        if row.mine and row.secret_id and row.normalized_key not in desired_keys
    }
    if not surplus or sync.folder is None:
        return {}
    moved = list(
        Secret.objects.filter(pk__in=surplus).exclude(folder=sync.folder).values_list("pk", "folder_id", "key")
    )
    others = SecretSync.objects.filter(
        folder_id__in={folder_id for _, folder_id, _ in moved}, is_auto_sync_enabled=True, policy__paused=False
    ).exclude(pk=sync.pk)
    found: dict[str, str] = {}
    failed = _not_written(others) if moved else set()
    for other in others:
        behind = other.done_rev < other.wanted_rev
        for secret_id, folder_id, key in moved:
            if folder_id == other.folder_id and (behind or (other.pk, key) in failed):
                found[surplus[str(secret_id)]] = Reason.MOVED.text(owner=other.name)
    return found


def _not_written(syncs: QuerySet[SecretSync]) -> set[tuple[UUID, str]]:
    """(sync, secret's key) of what the last run of a sync did not write: blocked, failed, or not come to."""
    ended = SyncRun.objects.filter(sync=OuterRef("pk"), operation="sync", ended_at__isnull=False)
    last = syncs.annotate(last=Subquery(ended.order_by("-created_at").values("pk")[:1])).values_list("last", flat=True)
    rows = RunChange.objects.filter(
        run__in=[run_id for run_id in last if run_id], outcome__in=("blocked", "failed", "skipped")
    ).exclude(source_key="")
    return set(rows.values_list("run__sync", "source_key"))
