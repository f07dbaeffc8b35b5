"""Writes of the ledger: claims before the first request, outcomes as they arrive, effects that need no request.

Every function is one transaction that first checks that the lease's fencing token is unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.utils import timezone

from connections.errors import NotFound
from syncs.destination.base import destinations
from syncs.engine.ownership import is_settled
from syncs.engine.plan import Change, Drift, Effect, Rule, State, rest_of
from syncs.engine.types import Action, Desired, Outcome, Written
from syncs.models import Claim, InitialSet, ManagedSecret, SecretSync, SyncRun
from syncs.planning.ledger_rows import mac_of, verifier
from syncs.planning.records import BATCH, record_changes
from syncs.running.before import Before, sealed_for_undo, states_before
from syncs.running.leases import HeldLease
from syncs.running.ledger_entries import (
    PRIOR_COLUMNS,
    as_listed,
    before_claim,
    change_row,
    hand_over,
    is_unknown,
    releases,
)
from syncs.running.owed import owe

_ROW = (
    "key",
    "sync",
    "left_by",
    "connection",
    "destination",
    "destination_config",
    "state",
    "object_id",
    "etag",
    "value_mac",
    "rest_mac",
    "value_sealed",
    "secret_id",
    "secret_version",
    "source_key",
    "rewrites",
    "prior",
    "run",
    "written_at",
)


class LeaseLost(Exception):
    """The fencing token has changed: another run may have the location."""


class Ledger:
    """The ledger of one location, written by one run under one lease."""

    def __init__(self, sync: SecretSync, run: SyncRun, lease: HeldLease) -> None:
        self.sync = sync
        self.run = run
        self.lease = lease

    def settle(self, changes: Iterable[Change]) -> set[str]:
        """Apply the effects that need no request. Returns the normalized keys that were given up."""
        owned, ended, missing, freed, written = [], [], [], set(), []
        learned: dict[str, Written] = {}
        handed: dict[str, list[str]] = {}
        for change in changes:
            if is_settled(change):
                written.append(change.normalized_key)
            if Effect.SETTLE in change.effects:
                assert change.remote
                owned.append(self._owned(change, as_listed(change.remote)))
            elif Effect.REFRESH in change.effects:
                assert change.remote
                learned[change.normalized_key] = as_listed(change.remote)
            elif Effect.HAND_OVER in change.effects:
                handed.setdefault(change.heir, []).append(change.normalized_key)
                freed.add(change.normalized_key)
            elif Effect.VOID in change.effects and change.write is None:
                ended.append(change.normalized_key)
                freed.add(change.normalized_key)
            elif Effect.MISS in change.effects:
                missing.append(change.normalized_key)
                freed.add(change.normalized_key)
        if not (owned or ended or missing or learned or written or handed):
            return freed
        with transaction.atomic():
            self._check_lease()
            self._put(owned)
            self._refresh_etags(learned)
            self._mine(ended).delete()
            for heir, names in handed.items():
                hand_over(self._mine(names), heir, self.lease.location)
            self._mine(missing).update(state=State.MISSING)
            owe(self.sync, self.lease.location, written)
        return freed

    def _refresh_etags(self, learned: Mapping[str, Written]) -> None:
        """Ids that the vendor's response to the write did not contain. Run and time of the write stay."""
        known = list(self._mine(list(learned)))
        for row in known:
            written = learned[row.normalized_key]
            row.object_id, row.etag = written.object_id or row.object_id, written.etag
        ManagedSecret.objects.bulk_update(known, ["object_id", "etag"], batch_size=BATCH)

    def claim(self, changes: Sequence[Change]) -> None:
        """Record the intention, keeping each row as it was. Deleting an unmanaged key claims nothing."""
        claimed = [change for change in changes if change.action is not Action.DELETE or change.owned]
        if not claimed:
            return
        with transaction.atomic():
            self._check_lease()
            normalized_keys = [change.normalized_key for change in claimed]
            stored = {row.normalized_key: row for row in self._rows(normalized_keys)}
            self._put([self._claimed(change, stored.get(change.normalized_key)) for change in claimed])

    def _claimed(self, change: Change, row: ManagedSecret | None) -> ManagedSecret:
        object_id = None
        if row is not None and row.state == State.CLAIM and row.sync_id == self.sync.pk:
            # The first claim stays: a refusal now proves nothing about the write without a response.
            row.prior = replace(row.prior or Claim(), repeated=True)
            if change.action is Action.CREATE:
                row.prior = replace(row.prior, created_by=str(self.run.pk))
            if Effect.VOID in change.effects:
                row.prior = Claim()
            row.run = self.run
            return row
        if row is not None and change.owned and Effect.VOID not in change.effects and change.remote:
            object_id = row.object_id or change.remote.object_id
        claim = row or ManagedSecret(location=self.lease.location, normalized_key=change.normalized_key)
        before = before_claim(row) if row else None
        claim.key = change.key
        claim.sync, claim.left_by = self.sync, None
        if (
            row is None or change.action is not Action.DELETE
        ):  # a key may be deleted at a former target, by its own config
            claim.connection = self.sync.connection
            claim.destination = self.sync.destination
            claim.destination_config = self.sync.destination_config
        claim.state = State.CLAIM
        claim.run = self.run
        claim.prior = Claim(object_id, before, created_by=str(self.run.pk) if change.action is Action.CREATE else "")
        return claim

    def restore(self, normalized_keys: Iterable[str]) -> None:
        """Revert claims whose writes were certainly not applied: each row becomes what it was before."""
        names = list(normalized_keys)
        if not names:
            return
        with transaction.atomic():
            self._check_lease()
            self._restore(names)

    def _restore(self, names: Sequence[str]) -> None:
        reverted, removed = [], []
        for row in self._rows(names):
            prior = row.prior or Claim()
            if row.state != State.CLAIM or prior.repeated:
                continue
            if prior.row is None:
                removed.append(row.pk)
                continue
            for name in PRIOR_COLUMNS:
                setattr(row, name, getattr(prior.row, name))
            if prior.row.sync != str(self.sync.pk):
                row.sync_id = prior.row.sync
            row.run_id = prior.row.run
            row.prior = None
            reverted.append(row)
        ManagedSecret.objects.filter(pk__in=removed).delete()
        self._put(reverted)

    def record(self, outcomes: Sequence[tuple[Change, Outcome]]) -> None:
        """Record outcomes. Applied: the key is ours, or deleted. Refused: as before. Unknown: the claim stays."""
        if not outcomes:
            return
        with transaction.atomic():
            self._check_lease()
            applied = [(change, outcome) for change, outcome in outcomes if outcome.error is None]
            before = self.before([change for change, _ in applied])
            self._put([self._owned(c, o.written) for c, o in applied if not releases(c)])
            self._rows([c.normalized_key for c, _ in applied if releases(c)]).delete()
            owe(self.sync, self.lease.location, [c.normalized_key for c, _ in applied])
            self._use_up({c.normalized_key for c, _ in applied if c.action is Action.DELETE})
            self._restore([c.normalized_key for c, o in outcomes if o.error is not None and not is_unknown(o.error)])
            self._miss_unlisted([c.normalized_key for c, o in outcomes if isinstance(o.error, NotFound)])
            record_changes(
                self.run, [change_row(self.run, c, outcome, before.get(c.normalized_key)) for c, outcome in outcomes]
            )

    def _miss_unlisted(self, names: Sequence[str]) -> None:
        """What no list shows: a key that the vendor did not find is missing, and is created again."""
        found = destinations.get(self.sync.destination)
        if names and found and not found.capabilities.lists:
            self._mine(names).update(state=State.MISSING, prior=None)

    def _use_up(self, deleted: set[str]) -> None:
        """The first overwrite deletes a key once: a key that is created again is foreign, whatever its object id."""
        initial = InitialSet.objects.filter(sync=self.sync, location=self.lease.location).first() if deleted else None
        if initial and deleted & initial.keys.keys():
            initial.keys = {key: object_id for key, object_id in initial.keys.items() if key not in deleted}
            initial.save(update_fields=["keys"])

    def before(self, changes: Sequence[Change]) -> dict[str, Before]:
        """Keys that were just written, as they were before, for undo."""
        rows = {row.normalized_key: row for row in self._rows([change.normalized_key for change in changes])}
        return states_before(self.run, self.sync, self.lease.location, changes, rows)

    def mark_unknown(self, outcomes: Sequence[tuple[Change, Outcome]]) -> None:
        """Of a late writer: its keys are unknown from now on, whatever responses it got."""
        names = [change.normalized_key for change, _ in outcomes]
        with transaction.atomic():
            for row in self._rows(names).filter(sync=self.sync, state=State.OWNED):
                row.prior = Claim(row.object_id, repeated=True)
                row.state = State.CLAIM
                row.save(update_fields=["prior", "state"])

    def _owned(self, change: Change, written: Written) -> ManagedSecret:
        desired, location = change.desired, self.lease.location
        assert desired is not None
        return ManagedSecret(
            location=location,
            normalized_key=change.normalized_key,
            key=change.key,
            sync=self.sync,
            connection=self.sync.connection,
            destination=self.sync.destination,
            destination_config=self.sync.destination_config,
            state=State.OWNED,
            object_id=written.object_id or (change.remote.object_id if change.remote else None),
            etag=written.etag,
            value_mac=mac_of(self.sync, location, change.normalized_key, desired.value),
            rest_mac=mac_of(self.sync, location, change.normalized_key, rest_of(desired)),
            value_sealed=sealed_for_undo(self.sync, location, change.normalized_key, desired.value, desired.comment),
            secret_id=desired.secret_id,
            secret_version=desired.version,
            source_key=desired.source_key,
            rewrites=self._rewrites(change, desired),
            prior=None,
            run=self.run,
            written_at=timezone.now(),
        )

    def _rewrites(self, change: Change, desired: Desired) -> int:
        """How often this value was written again because it had drifted; a new value starts at 0."""
        row = change.row
        verify = verifier(self.sync, self.lease.location)
        if row is None or not row.mine or not verify(row.normalized_key, desired.value, row.value_mac):
            return 0
        return row.rewrites + (change.rule is Rule.UPDATE and change.drift is Drift.CHANGED)

    def _put(self, rows: Sequence[ManagedSecret]) -> None:
        for row in rows:
            row.pk = None  # location and key identify the row
        ManagedSecret.objects.bulk_create(
            rows,
            batch_size=BATCH,
            update_conflicts=True,
            unique_fields=["location", "normalized_key"],
            update_fields=list(_ROW),
        )

    def _rows(self, normalized_keys: Sequence[str]) -> Any:
        return ManagedSecret.objects.filter(location=self.lease.location, normalized_key__in=normalized_keys)

    def _mine(self, normalized_keys: Sequence[str]) -> Any:
        return self._rows(normalized_keys).filter(sync=self.sync)

    def _check_lease(self) -> None:
        if not self.lease.lock():
            raise LeaseLost
