"""The only effectful path: lease, read, list, plan, guard, claim, write, delete, record. See "A run" in the docs.

Expected failures never leave `execute`. Whatever kills the process, the ledger's claims and the run's own row say
where to go on: a run whose lease has run out is due again by itself (`SyncRun.due_at`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from config.access.roles import PLATFORM
from config.encryption import Undecryptable
from config.errors import BadRequest, ServiceError, where
from connections.errors import IntegrationError, RateLimited
from connections.services import open_client, reserve_slot
from syncs.destination.base import Destination
from syncs.engine.plan import Change, Effect, Plan, Rule, State
from syncs.engine.types import Action, Outcome, Write
from syncs.models import InitialSet, ManagedSecret, RunChange, RunOptions, SecretSync, Status, SyncRun
from syncs.planning.builder import Picture, destination_class, open_destination, picture, removal_for
from syncs.planning.imports import imports_first, listed
from syncs.planning.records import planned_row, record_changes
from syncs.planning.undo import WRITES, restore_for
from syncs.running import leases, preconditions
from syncs.running.completion import ASKED_TO_WAIT, CHANGED, COLUMNS, OPEN, Ending
from syncs.running.imports import import_secrets
from syncs.running.ledger import LeaseLost, Ledger
from syncs.running.purge import purge, remember
from syncs.services.deletion import leave_elsewhere
from syncs.services.propagation import want
from syncs.services.syncs import place_of
from syncs.source.selectors import syncs

log = logging.getLogger(__name__)

PAUSE_LOOK = 0.2  # seconds between two looks at what stops every run of an instance or an owner
TASK_BUDGET = 300.0  # seconds of writing after which a run gives its worker back and goes on later
LISTING_FRESH = 60.0  # seconds that a listing may be old when keys are deleted by it
FLUSH_EVERY, FLUSH_SIZE = 0.2, 25


def execute(run_id: UUID) -> None:
    """Do a run, or as much of it as can be done now; what is left is due again in the database."""
    run = SyncRun.objects.filter(pk=run_id, status__in=OPEN).first()
    if run is None:
        return
    sync = syncs().filter(pk=run.sync_id).first()
    if sync is None:
        return
    _follow_address(sync)
    if wait := preconditions.must_wait(run, sync):
        _postpone(run, *wait)
        return
    locations = _places(run, sync)
    for location in locations:
        lease = leases.acquire(location)
        if lease is None:
            _postpone(run, preconditions.BUSY_WAIT)
            return
        try:
            _Run(run, sync, lease, last=location == locations[-1]).go()
        except LeaseLost:
            log.warning("run %s lost its lease and stopped; it goes on by itself", run.pk)
            return
        finally:
            lease.release()
        if not SyncRun.objects.filter(pk=run.pk, status=Status.RUNNING).exists():
            return


def _follow_address(sync: SecretSync) -> None:
    """The operator may have given the vendor another address since the sync was saved: then its place is another."""
    try:
        location = place_of(destination_class(sync.destination), sync.connection, sync.destination_config)
    except (Undecryptable, BadRequest):
        return  # the run says so
    if location != sync.location:
        sync.location = location
        with transaction.atomic():
            SecretSync.objects.filter(pk=sync.pk).update(location=location, generation=F("generation") + 1)
            leave_elsewhere(sync)


def _places(run: SyncRun, sync: SecretSync) -> list[str]:
    """Where the run writes: the sync's place; a removal also every other place where the sync still owns a key."""
    if run.operation != "remove":
        return [sync.location]
    owned = ManagedSecret.objects.filter(sync=sync).order_by("location").values_list("location", flat=True).distinct()
    return [*owned.exclude(location=sync.location), sync.location]


def _postpone(run: SyncRun, seconds: float, message: str = "") -> None:
    changes = {"message": message[:1024]} if message else {}
    due = timezone.now() + timedelta(seconds=seconds)
    SyncRun.objects.filter(pk=run.pk, status__in=OPEN).update(due_at=due, queued_at=None, **changes)


@dataclass
class _Run:
    """One attempt of a run at one place, holding its lease."""

    run: SyncRun
    sync: SecretSync
    lease: leases.Held
    last: bool = True
    stopped: str = ""
    _buffer: list[tuple[Change, Outcome]] = field(default_factory=list)
    _flushed: float = 0.0
    _looked: float = 0.0
    _began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.sync, self.run, self.lease)
        self.ending = Ending(self.run, self.sync, self.lease.location)

    def go(self) -> None:
        if called_off := preconditions.called_off(self.run, self.sync):
            self.ending.called_off(called_off)
            return
        if refusal := preconditions.refusal(self.run, self.sync):
            self.run.source_rev = self.sync.wanted_rev  # nothing but a change or a person makes it worth another try
            self.ending.fail(refusal)
            return
        if not self._begin():
            return
        try:
            with open_client(self.sync.connection) as client:
                destination = open_destination(self.sync, client)
                if self.run.operation == "remove":
                    self._remove(destination)
                elif self.run.operation == "undo":
                    self._undo(destination)
                elif self.run.operation == "import":
                    self._import(destination)
                else:
                    self._sync(destination)
        except IntegrationError as error:
            self.ending.again_or_fail([error], str(error))
        except Undecryptable:
            self.run.source_rev = self.sync.wanted_rev
            self.ending.fail("The connection's credentials cannot be decrypted; enter them again.")
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001 - a defect must not send the run round for ever without a word
            log.error("run %s: %s at %s", self.run.pk, type(error).__name__, where(error))
            self.ending.again_or_fail([error], f"Something went wrong ({type(error).__name__}); the log says where.")

    # -- before ------------------------------------------------------------------------------------------------

    def _begin(self) -> bool:
        """Mark the run as going; False where it was superseded meanwhile."""
        now = timezone.now()
        run = self.run
        run.started_at = run.started_at or now
        run.attempts += 1
        run.location = self.lease.location
        run.status = Status.RUNNING
        with transaction.atomic():
            begun = SyncRun.objects.filter(pk=run.pk, status__in=OPEN).update(
                status=run.status,
                started_at=run.started_at,
                attempts=run.attempts,
                location=run.location,
                due_at=self._lease_end(),
                ended_at=None,
            )
            if not begun:
                return False
            column = COLUMNS[run.operation]
            update: dict[str, object] = {f"{column}_status": Status.RUNNING, f"last_{column}_job_id": str(run.pk)}
            if run.trigger not in ("manual", "approval"):
                update["started_at"] = now
            SecretSync.objects.filter(pk=self.sync.pk).update(**update)
            if run.operation == "sync":
                # What waits to carry a change is carried by this run: it has not read the source yet.
                waiting = SyncRun.objects.filter(sync=self.sync, operation="sync", status=Status.PENDING)
                waiting.exclude(pk=run.pk).exclude(trigger__in=("manual", "approval")).update(
                    status=Status.SUPERSEDED, ended_at=now, due_at=None, message="A newer run carried its changes."
                )
        return True

    def _lease_end(self) -> datetime:
        return timezone.now() + timedelta(seconds=self.lease.left + settings.REQUEST_DEADLINE)

    # -- sync --------------------------------------------------------------------------------------------------

    def _sync(self, destination: Destination) -> None:
        leave_elsewhere(self.sync)  # a run that was going while the sync was pointed elsewhere may have left a row
        if not self._import_first(destination):
            return
        approved = self.run.options.approved
        seen = picture(self.sync, destination, approved=None if approved is None else frozenset(approved))
        plan = seen.plan
        self.run.source_rev, self.run.generation = seen.reading.rev, seen.reading.generation
        self.run.digest, self.run.counts = plan.digest, plan.counts
        writes_only = self.run.options.writes_only
        if plan.held and not writes_only:
            self.ending.hold(plan)
            return
        self._note(plan)
        freed = self.ledger.settle(plan.changes)
        self._write(destination, plan.writes)
        deletes = [] if writes_only else self._deletes(plan, seen)
        self._write(destination, deletes)
        if self.stopped:
            self.ending.go_on_later(self.stopped, plan)
            return
        freed |= {change.normalized_key for change, outcome in self.ending.results if _gone(change, outcome)}
        self.ending.finish(plan, freed, last=self.last)

    def _note(self, plan: Plan) -> None:
        """Keep the plan: what needs nothing as lists of names, the rest as one row a key."""
        refused = self.ending.refused()
        rows = self._confirmed(plan)
        confirmed = {row.normalized_key for row in rows}
        for change in plan.changes:
            if change.normalized_key in confirmed or change.action is Action.UNCHANGED or _is_quiet(change):
                continue
            row = planned_row(self.run, change)
            if change.action is Action.BLOCKED:
                row.outcome = "blocked"
            elif change.write is None:
                row.outcome = "applied" if Effect.SETTLE in change.effects else "kept"
            elif change.normalized_key in refused:
                continue
            rows.append(row)
        with transaction.atomic():
            fresh = RunChange.objects.filter(run=self.run).exclude(outcome="applied")
            fresh.exclude(normalized_key__in=refused).delete()
            record_changes(self.run, rows)
            done = set(
                RunChange.objects.filter(run=self.run, outcome="applied").values_list("normalized_key", flat=True)
            )
            self.run.unchanged = [
                c.key for c in plan.changes if c.action is Action.UNCHANGED and c.normalized_key not in done
            ]
            self.run.unmanaged = [c.key for c in plan.changes if _is_quiet(c)]
            self.run.save(
                update_fields=["source_rev", "generation", "digest", "counts", "unchanged", "unmanaged", "message"]
            )
            if self.run.operation == "sync":
                InitialSet.objects.get_or_create(
                    sync=self.sync, location=self.lease.location, defaults={"keys": dict(plan.initial)}
                )
                SyncRun.objects.filter(sync=self.sync, status=Status.HELD).update(
                    status=Status.SUPERSEDED, ended_at=timezone.now(), message="A newer run was not held."
                )

    def _confirmed(self, plan: Plan) -> list[RunChange]:
        """What an earlier attempt of this run did without an answer, as the listing shows now."""
        settled = {change.normalized_key: change for change in plan.changes if _is_settled(change)}
        if not settled:
            return []
        before = self.ledger.before(list(settled.values()))
        rows = []
        tried = self.run.changes.filter(normalized_key__in=settled, action__in=WRITES)
        for normalized_key, action in tried.values_list("normalized_key", "action"):
            change = settled[normalized_key]
            if (change.action is Action.KEEP) == (action == Action.DELETE):
                row = planned_row(self.run, change)
                row.action, row.outcome, row.ended_at = action, "applied", timezone.now()
                row.before, row.before_sealed = before.get(normalized_key, (None, None))
                rows.append(row)
        return rows

    def _deletes(self, plan: Plan, seen: Picture) -> list[Change]:
        """The deletes that may be done now: all that was to arrive before them has, and nothing has moved since."""
        if not plan.deletes or self.stopped:
            return []
        if time.monotonic() - seen.listed_at > LISTING_FRESH:
            self.stopped = "the listing is too old to delete by"
            return []
        now = SecretSync.objects.filter(pk=self.sync.pk).values_list("wanted_rev", "generation").first()
        if now != (seen.reading.rev, seen.reading.generation):
            self.stopped = "the source or the sync changed meanwhile"  # so they are judged anew
            return []
        failed = {change.normalized_key for change, outcome in self.ending.results if outcome.error is not None}
        blocked = {change.normalized_key for change in plan.changes if change.action is Action.BLOCKED}
        failed |= blocked | self.ending.refused()
        return [change for change in plan.deletes if change.after not in failed]

    # -- import ------------------------------------------------------------------------------------------------

    def _import(self, destination: Destination) -> None:
        """Bring what stands there into the source, one transaction. Nothing is written at the destination."""
        listing = listed(destination)
        try:
            plan = import_secrets(self.run, self.sync, destination, listing)
        except ServiceError as refusal:
            self.ending.fail(str(refusal))
            return
        self.ending.finish(plan, set(), last=True)

    def _import_first(self, destination: Destination) -> bool:
        """Before the first sync, where its options ask for it, as a run of its own; False where that cannot be done."""
        behavior = imports_first(self.sync)
        if not behavior:
            return True
        listing = listed(destination)
        first = SyncRun.objects.create(
            sync=self.sync,
            operation="import",
            trigger=self.run.trigger,
            actor_kind=self.run.actor_kind,
            actor_id=self.run.actor_id,
            actor_name=self.run.actor_name,
            status=Status.RUNNING,
            options=RunOptions(import_behavior=behavior),
            attempts=1,
            location=self.lease.location,
            started_at=timezone.now(),
            due_at=self._lease_end(),
        )
        ending = Ending(first, self.sync, self.lease.location)
        try:
            plan = import_secrets(first, self.sync, destination, listing)
        except ServiceError as refusal:
            ending.fail(str(refusal))
            self.ending.fail(f"The import that goes before the first sync could not be done: {refusal}")
            return False
        ending.finish(plan, set(), last=True)
        return True

    # -- remove ------------------------------------------------------------------------------------------------

    def _remove(self, destination: Destination) -> None:
        """Take away what this sync owns at the lease's place, with the config that it was written by."""
        row = (
            ManagedSecret.objects.filter(sync=self.sync, location=self.lease.location).exclude(connection=None).first()
        )
        if row and row.connection and self.lease.location != destination.location():
            with open_client(row.connection) as client:
                self._remove_at(type(destination)(client, row.destination_config))
            return
        self._remove_at(destination)

    def _remove_at(self, destination: Destination) -> None:
        plan = removal_for(self.sync, destination, destination.listing())
        self.run.generation = SecretSync.objects.values_list("generation", flat=True).get(pk=self.sync.pk)
        self.run.counts = {name: self.run.counts.get(name, 0) + count for name, count in plan.counts.items()}
        self._note(plan)
        self.ledger.settle(plan.changes)
        purging = self.run.options.purge
        if purging:
            remember(self.run, self.lease.location, plan.deletes)
        self._write(destination, list(plan.deletes))
        if purging and not self.stopped:
            # What was refused before is not even asked again: all that this attempt has not deleted still stands.
            deleted = {change.key for change, outcome in self.ending.results if outcome.error is None}
            there = {change.key for change in plan.deletes} - deleted
            purge(self.run, destination, self.lease.location, there, self._may_go_on)
        if self.stopped:
            self.ending.go_on_later(self.stopped, plan)
            return
        freed = {change.normalized_key for change, outcome in self.ending.results if _gone(change, outcome)}
        self.ending.finish(plan, freed, last=self.last)

    # -- undo --------------------------------------------------------------------------------------------------

    def _undo(self, destination: Destination) -> None:
        """Restore what stood there before another run, as it was shown, or nothing."""
        undone = SyncRun.objects.select_related("sync").filter(pk=self.run.options.undo).first()
        if undone is None:
            self.ending.fail("The run to be undone is forgotten.")
            return
        plan = restore_for(undone, destination, destination.listing(), self.run)
        shown = self.run.options.digest
        begun = self.run.changes.exists()  # an attempt that could not look has begun nothing
        if shown and shown != plan.digest and not begun:
            self.ending.fail("Nothing was undone: what it would restore has changed since it was shown. Look again.")
            return
        self.run.generation = SecretSync.objects.values_list("generation", flat=True).get(pk=self.sync.pk)
        self.run.digest, self.run.counts = plan.digest, plan.counts
        self._note(plan)
        freed = self.ledger.settle(plan.changes)
        self._write(destination, plan.writes)
        self._write(destination, plan.deletes)
        if self.stopped:
            self.ending.go_on_later(self.stopped, plan)
            return
        freed |= {change.normalized_key for change, outcome in self.ending.results if _gone(change, outcome)}
        self.ending.finish(plan, freed, last=True)

    # -- writes ------------------------------------------------------------------------------------------------

    def _write(self, destination: Destination, changes: Sequence[Change]) -> None:
        refused = self.ending.refused()
        changes = [change for change in changes if change.normalized_key not in refused]
        if not changes or self.stopped:
            return
        # Side by side what may go in one request.
        changes.sort(key=lambda change: change.write.action if change.write else "")
        self.ledger.claim(changes)
        by_key = {change.normalized_key: change for change in changes}
        answered = set()
        # Closed whatever happens here: the lease must outlive every request that is on its way.
        with closing(destination.apply(self._gate(changes, destination))) as outcomes:
            for outcome in outcomes:
                change = by_key[outcome.write.normalized_key]
                answered.add(change.normalized_key)
                if isinstance(outcome.error, RateLimited):
                    self.ending.rate_limited(outcome.error)
                    self.stopped = self.stopped or ASKED_TO_WAIT
                self._buffer.append((change, outcome))
                if len(self._buffer) >= FLUSH_SIZE or time.monotonic() - self._flushed > FLUSH_EVERY:
                    self._flush()
        self._flush()
        self.ledger.restore(by_key.keys() - answered)

    def _gate(self, changes: Iterable[Change], destination: Destination) -> Iterator[Write]:
        """Each write just before its request, as long as nothing says stop, no faster than the vendor allows."""
        pace = destination.limits(destination.config).pace
        for change in changes:
            if change.write is None:
                return
            if pace and (requests := destination.request_cost(change.write.action)):
                time.sleep(reserve_slot(self.sync.connection.pk, pace / requests))
            if not self._may_go_on():
                return
            yield change.write

    def _may_go_on(self) -> bool:
        if self.stopped:
            return False
        if self.lease.left < settings.REQUEST_DEADLINE:
            if not self.lease.renew():
                self.stopped = "the lease was lost"
                return False
            SyncRun.objects.filter(pk=self.run.pk).update(due_at=self._lease_end())
        if time.monotonic() - self._began > TASK_BUDGET:
            self.stopped = "the worker's time was up"
            return False
        sync = SecretSync.objects.filter(pk=self.sync.pk).values_list("generation", "connection__paused_at").first()
        if sync is None or sync[0] != self.run.generation:
            self.stopped = CHANGED
        elif sync[1] is not None:
            self.stopped = preconditions.PAUSED
        elif time.monotonic() - self._looked > PAUSE_LOOK:
            self._looked = time.monotonic()
            self.stopped = preconditions.stop(self.run)
        if self.stopped:
            return False
        if not self.lease.stands():
            self.stopped = "the lease was lost"
        return not self.stopped

    def _flush(self) -> None:
        self._flushed = time.monotonic()
        batch, self._buffer = self._buffer, []
        try:
            self.ledger.record(batch)
        except LeaseLost:
            self.ledger.doubt(batch)
            want(PLATFORM, [self.sync], "retry")
            raise
        self.ending.results += batch


def _is_settled(change: Change) -> bool:
    """A claim of ours whose write is seen to have been done: the key stands there as we wrote it, or is gone."""
    claimed = change.row is not None and change.row.mine and change.row.state is State.CLAIM
    done = change.rule in (Rule.SETTLE_CLAIM, Rule.ALREADY_GONE) and change.write is None
    return claimed and done and change.action is not Action.BLOCKED


def _is_quiet(change: Change) -> bool:
    """A key of other hands that nothing is to be told of but its name."""
    return change.action is Action.KEEP and change.row is None and not change.suspended and not change.code


def _gone(change: Change, outcome: Outcome) -> bool:
    return outcome.error is None and change.action is Action.DELETE
