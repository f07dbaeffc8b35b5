"""Writes of the ledger: claims before the first request, outcomes as they arrive, effects that need no request.

Every function is one transaction that first looks whether the lease's fence still stands.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.utils import timezone

from config.encryption import seal
from connections.errors import BadResponse, OutcomeUnknown, Unavailable
from syncs.engine.plan import Change, Drift, Effect, Rule, State, rest_of
from syncs.engine.types import Action, Desired, Outcome, Remote, Written
from syncs.models import Claim, InitialSet, ManagedSecret, PriorRow, PriorState, RunChange, SecretSync, SyncRun
from syncs.planning.builder import mac_of, verifier
from syncs.planning.records import BATCH, planned_row, record_changes, restore_context
from syncs.running.leases import Held

_ROW = (
    "key",
    "sync",
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
    "rewrites",
    "prior",
    "run",
    "written_at",
)
Before = tuple[PriorState, bytes | None]
"""A key before it was written, and its value and comment sealed, as far as they were known."""

_KEPT = ("state", "object_id", "etag", "secret_id", "secret_version", "rewrites", "value_mac", "rest_mac")


class LeaseLost(Exception):
    """The fence does not stand any more: another run may be at this place."""


class Ledger:
    """The ledger of one place, written by one run under one lease."""

    def __init__(self, sync: SecretSync, run: SyncRun, lease: Held) -> None:
        self.sync = sync
        self.run = run
        self.lease = lease

    def settle(self, changes: Iterable[Change]) -> set[str]:
        """The effects that no request is needed for. The keys that were given up are returned."""
        rows, gone, missing, freed = [], [], [], set()
        learned: dict[str, Written] = {}
        for change in changes:
            if Effect.SETTLE in change.effects:
                assert change.remote
                rows.append(self._owned(change, _as_listed(change.remote)))
            elif Effect.REFRESH in change.effects:
                assert change.remote
                learned[change.normalized_key] = _as_listed(change.remote)
            elif Effect.HAND_OVER in change.effects:
                gone.append(change.normalized_key)
                freed.add(change.normalized_key)
            elif Effect.VOID in change.effects and change.write is None:
                gone.append(change.normalized_key)
            elif Effect.MISS in change.effects:
                missing.append(change.normalized_key)
        if not (rows or gone or missing or learned):
            return freed
        with transaction.atomic():
            self._stand()
            self._put(rows)
            self._refresh_etags(learned)
            self._mine(gone).delete()
            self._mine(missing).update(state=State.MISSING)
        return freed

    def _refresh_etags(self, learned: Mapping[str, Written]) -> None:
        """What the vendor's answer to the write did not say. Who wrote it when stays."""
        known = list(self._mine(list(learned)))
        for row in known:
            written = learned[row.normalized_key]
            row.object_id, row.etag = written.object_id or row.object_id, written.etag
        ManagedSecret.objects.bulk_update(known, ["object_id", "etag"], batch_size=BATCH)

    def claim(self, changes: Sequence[Change]) -> None:
        """Say what is intended, keeping each row as it was. Deleting what is nobody's claims nothing."""
        wanted = [change for change in changes if change.action is not Action.DELETE or _own(change)]
        if not wanted:
            return
        with transaction.atomic():
            self._stand()
            normalized_keys = [change.normalized_key for change in wanted]
            stored = {row.normalized_key: row for row in self._rows(normalized_keys)}
            self._put([self._claimed(change, stored.get(change.normalized_key)) for change in wanted])

    def _claimed(self, change: Change, row: ManagedSecret | None) -> ManagedSecret:
        claimed = None
        if row is not None and row.state == State.CLAIM and row.sync_id == self.sync.pk:
            # The first claim's memory stays: a refusal now says nothing about the write that was never answered.
            row.prior = replace(row.prior or Claim(), repeated=True)
            if change.action is Action.CREATE:
                row.prior = replace(row.prior, created_by=str(self.run.pk))
            if Effect.VOID in change.effects:
                row.prior = Claim()
            row.run = self.run
            return row
        if row is not None and _own(change) and Effect.VOID not in change.effects and change.remote:
            claimed = row.object_id or change.remote.object_id
        made = row or ManagedSecret(location=self.lease.location, normalized_key=change.normalized_key)
        before = _before_claim(row) if row else None
        made.key = change.key
        made.sync = self.sync
        made.connection = self.sync.connection
        made.destination = self.sync.destination
        made.destination_config = self.sync.destination_config
        made.state = State.CLAIM
        made.run = self.run
        made.prior = Claim(claimed, before, created_by=str(self.run.pk) if change.action is Action.CREATE else "")
        return made

    def restore(self, normalized_keys: Iterable[str]) -> None:
        """Take claims back whose writes were surely not done: each row stands as it was before."""
        names = list(normalized_keys)
        if not names:
            return
        with transaction.atomic():
            self._stand()
            self._restore(names)

    def _restore(self, names: Sequence[str]) -> None:
        back, gone = [], []
        for row in self._rows(names):
            prior = row.prior or Claim()
            if row.state != State.CLAIM or prior.repeated:
                continue
            if prior.row is None:
                gone.append(row.pk)
                continue
            for name in _KEPT:
                setattr(row, name, getattr(prior.row, name))
            if prior.row.sync != str(self.sync.pk):
                row.sync_id = prior.row.sync
            row.run_id = prior.row.run
            row.prior = None
            back.append(row)
        ManagedSecret.objects.filter(pk__in=gone).delete()
        self._put(back)

    def record(self, outcomes: Sequence[tuple[Change, Outcome]]) -> None:
        """What became of writes. Applied: ours, or gone. Refused: as before. Unknown: the claim stays."""
        if not outcomes:
            return
        with transaction.atomic():
            self._stand()
            applied = [(change, outcome) for change, outcome in outcomes if outcome.error is None]
            before = self.before([change for change, _ in applied])
            self._put([self._owned(c, o.written) for c, o in applied if not _lets_go(c)])
            self._rows([c.normalized_key for c, _ in applied if _lets_go(c)]).delete()
            self._spend({c.normalized_key for c, _ in applied if c.action is Action.DELETE})
            self._restore([c.normalized_key for c, o in outcomes if o.error is not None and not is_unknown(o.error)])
            record_changes(
                self.run, [_change_row(self.run, c, outcome, before.get(c.normalized_key)) for c, outcome in outcomes]
            )

    def _spend(self, deleted: set[str]) -> None:
        """The first overwrite deletes a key once: what is made there again is another's, whatever the vendor tells."""
        kept = InitialSet.objects.filter(sync=self.sync, location=self.lease.location).first() if deleted else None
        if kept and deleted & kept.keys.keys():
            kept.keys = {key: object_id for key, object_id in kept.keys.items() if key not in deleted}
            kept.save(update_fields=["keys"])

    def before(self, changes: Sequence[Change]) -> dict[str, Before]:
        """What stood at keys that were just written, for undo: of our own what we had written, else what was listed.

        What other hands had made of a key of ours is what stood there, not what we had written.
        """
        stored = {row.normalized_key: row for row in self._rows([change.normalized_key for change in changes])}
        found: dict[str, Before] = {}
        for change in changes:
            if change.remote is None and change.rule is not Rule.ALREADY_GONE:
                continue
            row = stored.get(change.normalized_key)
            prior = (row.prior if row else None) or Claim()
            if change.rule is Rule.SETTLE_CLAIM and prior.created_by:
                state = PriorState(owned=True, created=prior.created_by == str(self.run.pk))
                found[change.normalized_key] = (state, None)
                continue
            kept = prior.row
            if (
                change.rule is Rule.SETTLE_CLAIM
                and change.remote
                and change.remote.object_id
                and prior.object_id is None
            ):
                kept = None  # other hands had made it anew before it was claimed
            ours = kept is not None and kept.state == State.OWNED and kept.sync == str(self.sync.pk)
            if row is not None and kept is not None and ours and Effect.VOID not in change.effects:
                known = PriorState(owned=True, secret_id=kept.secret_id, version=kept.secret_version)
                if change.drift is not Drift.CHANGED:
                    found[change.normalized_key] = (known, bytes(row.value_sealed) if row.value_sealed else None)
                    continue
                if change.remote and change.remote.value is not None:
                    theirs = self._sealed(change.normalized_key, change.remote.value, change.remote.comment or "")
                    found[change.normalized_key] = (known, theirs)
                    continue
            if change.remote is None or change.rule is Rule.SETTLE_CLAIM:
                # What is listed may be what our own write left, that was never answered: what was before is not known.
                found[change.normalized_key] = (PriorState(owned=True), None)
                continue
            sealed = None
            if change.remote.value is not None:
                sealed = self._sealed(change.normalized_key, change.remote.value, change.remote.comment or "")
            found[change.normalized_key] = (PriorState(owned=False, etag=change.remote.etag), sealed)
        return found

    def _sealed(self, normalized_key: str, value: str, comment: str) -> bytes:
        """What a write sends, so that it can be sent again."""
        return seal(
            self.sync.project_id, restore_context(self.lease.location, normalized_key), json.dumps([value, comment])
        )

    def doubt(self, outcomes: Sequence[tuple[Change, Outcome]]) -> None:
        """Of a late writer: its keys are unknown from now on, whatever it was told."""
        names = [change.normalized_key for change, _ in outcomes]
        with transaction.atomic():
            for row in self._rows(names).filter(sync=self.sync, state=State.OWNED):
                row.prior = Claim(row.object_id, repeated=True)
                row.state = State.CLAIM
                row.save(update_fields=["prior", "state"])

    def _owned(self, change: Change, written: Written) -> ManagedSecret:
        want, location = change.desired, self.lease.location
        assert want is not None
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
            value_mac=mac_of(self.sync, location, change.normalized_key, want.value),
            rest_mac=mac_of(self.sync, location, change.normalized_key, rest_of(want)),
            value_sealed=self._sealed(change.normalized_key, want.value, want.comment),
            secret_id=want.secret_id,
            secret_version=want.version,
            rewrites=self._rewrites(change, want),
            prior=None,
            run=self.run,
            written_at=timezone.now(),
        )

    def _rewrites(self, change: Change, want: Desired) -> int:
        """How often this value was written again because other hands had changed it; a new value starts anew."""
        row = change.row
        verify = verifier(self.sync, self.lease.location)
        if row is None or not row.mine or not verify(row.normalized_key, want.value, row.value_mac):
            return 0
        return row.rewrites + (change.rule is Rule.UPDATE and change.drift is Drift.CHANGED)

    def _put(self, rows: Sequence[ManagedSecret]) -> None:
        for row in rows:
            row.pk = None  # the place and the key say which row it is
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

    def _stand(self) -> None:
        if not self.lease.held():
            raise LeaseLost


def is_unknown(error: Exception) -> bool:
    """Whether a write may have been done although it failed."""
    return isinstance(error, OutcomeUnknown | BadResponse | Unavailable)


def _own(change: Change) -> bool:
    return change.row is not None and change.row.mine


def _as_listed(remote: Remote) -> Written:
    return Written(remote.object_id, remote.etag)


def _before_claim(row: ManagedSecret) -> PriorRow:
    sync, run = (None if pk is None else str(pk) for pk in (row.sync_id, row.run_id))
    return PriorRow(**{name: getattr(row, name) for name in _KEPT}, sync=sync, run=run)


def _lets_go(change: Change) -> bool:
    """Whether the key is nobody's once it was written."""
    return change.action is Action.DELETE or Effect.RELEASE in change.effects


def _change_row(run: SyncRun, change: Change, outcome: Outcome, before: Before | None) -> RunChange:
    error = outcome.error
    row = planned_row(run, change)
    row.outcome = "applied" if error is None else "failed"
    row.error_code = getattr(error, "code", "") if error else ""
    row.error_message = str(error)[:1024] if error else ""
    row.ended_at = timezone.now()
    if before is not None:
        row.before, row.before_sealed = before
    return row
