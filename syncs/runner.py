"""The only effectful path: lease, read, list, plan, guard, claim, write, delete, record. See README, "A run".

Expected failures never leave `execute`. Whatever kills the process, the ledger's claims and the run's own row say
where to go on: a run whose lease has run out is due again by itself (`SyncRun.due_at`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from config.access.models import Instance
from config.access.roles import PLATFORM, Right, actor_of_identity, actor_of_user
from config.encryption import Undecryptable
from connections.errors import Conflict, IntegrationError, NotFound, OutcomeUnknown, RateLimited
from connections.models import AppConnection
from connections.services import open_client
from syncs import leases
from syncs.destination import Destination
from syncs.engine.plan import Change, Effect, Plan
from syncs.engine.types import Action, Outcome, Write
from syncs.ledger import LeaseLost, Ledger, planned_row, record_changes
from syncs.messages import summary
from syncs.models import InitialSet, ManagedSecret, RunChange, SecretSync, Status, SyncRun
from syncs.planning import Picture, destination_class, open_destination, picture, removal_for
from syncs.selectors import syncs
from syncs.services.reach import schedule, want
from syncs.services.syncs import forget_sync, leave_elsewhere, place_of

log = logging.getLogger(__name__)

OPEN = (Status.PENDING, Status.RUNNING)
TRIES = 5  # attempts of one run, the first included
FIRST_WAIT = 3.0  # seconds before the second attempt; doubled each time
LATER = (1, 5, 15, 60)  # minutes until a failed sync is tried again by a new run; the last goes on for ever
BUSY_WAIT = 1.0  # seconds until a run that found its place leased looks again
PAUSE_WAIT = 5.0
PAUSE_LOOK = 0.2
TASK_BUDGET = 300.0  # seconds of writing after which a run gives its worker back and goes on later
LISTING_FRESH = 60.0  # seconds that a listing may be old when keys are deleted by it
RUNS_A_CONNECTION = 5
FLUSH_EVERY, FLUSH_SIZE = 0.2, 25


def execute(run_id: UUID) -> None:
    """Do a run, or as much of it as can be done now; what is left is due again in the database."""
    run = SyncRun.objects.filter(pk=run_id, status__in=OPEN).first()
    if run is None:
        return
    sync = syncs().get(pk=run.sync_id)
    _follow_address(sync)
    if wait := _must_wait(run, sync):
        _postpone(run, *wait)
        return
    places = _places(run, sync)
    for place in places:
        lease = leases.acquire(place)
        if lease is None:
            _postpone(run, BUSY_WAIT)
            return
        try:
            _Run(run, sync, lease, last=place == places[-1]).go()
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
        place = place_of(destination_class(sync.destination), sync.connection, sync.destination_config)
    except Undecryptable:
        return  # the run says so
    if place != sync.place:
        sync.place = place
        with transaction.atomic():
            SecretSync.objects.filter(pk=sync.pk).update(place=place, generation=F("generation") + 1)
            leave_elsewhere(sync)


def _places(run: SyncRun, sync: SecretSync) -> list[str]:
    """Where the run writes: the sync's place; a removal also every other place where the sync still owns a key."""
    if run.operation != "remove":
        return [sync.place]
    owned = ManagedSecret.objects.filter(sync=sync).order_by("place").values_list("place", flat=True).distinct()
    return [*owned.exclude(place=sync.place), sync.place]


def _must_wait(run: SyncRun, sync: SecretSync) -> tuple[float, str] | None:
    """Seconds and reason for which the run must not start yet."""
    instance = Instance.objects.first()
    if instance and instance.paused_at:
        return PAUSE_WAIT, f"Paused for the whole instance by {instance.paused_by}."
    connection = sync.connection
    if connection.paused_at:
        return PAUSE_WAIT, f"The connection {connection.name} was paused by {connection.paused_by}."
    if connection.retry_at and (left := (connection.retry_at - timezone.now()).total_seconds()) > 0:
        return left, f"The service asked to wait {left:.0f} s."
    others = SyncRun.objects.filter(
        status=Status.RUNNING, due_at__gt=timezone.now(), sync__connection=connection
    ).exclude(pk=run.pk)
    if others.count() >= RUNS_A_CONNECTION:
        return BUSY_WAIT, f"{RUNS_A_CONNECTION} runs are going on this connection."
    return None


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
    results: list[tuple[Change, Outcome]] = field(default_factory=list)
    _buffer: list[tuple[Change, Outcome]] = field(default_factory=list)
    _flushed: float = 0.0
    _looked: float = 0.0
    _began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.sync, self.run, self.lease)

    def go(self) -> None:
        if refusal := self._refusal():
            self.run.source_rev = self.sync.wanted_rev  # nothing but a change or a person makes it worth another try
            self._fail(refusal)
            return
        if not self._begin():
            return
        try:
            with open_client(self.sync.connection) as client:
                destination = open_destination(self.sync, client)
                if self.run.operation == "remove":
                    self._remove(destination)
                else:
                    self._sync(destination)
        except IntegrationError as error:
            self._again_or_fail([error], str(error))
        except Undecryptable:
            self._fail("The connection's credentials cannot be decrypted; enter them again.")

    # -- before ------------------------------------------------------------------------------------------------

    def _refusal(self) -> str:
        """Why the run cannot be done at all."""
        if self.run.operation == "sync" and self.sync.folder is None:
            return (
                "Invalid Secret Sync source configuration: folder no longer exists. "
                "Please update source environment and secret path."
            )
        if self.run.trigger in ("manual", "approval"):
            return ""
        if self.sync.policy.paused:
            return "The sync is paused."
        return self._owner_refusal()

    def _owner_refusal(self) -> str:
        """An automatic run acts for the sync's owner: what he may no longer do, it does not do."""
        user, identity = self.sync.owner_user, self.sync.owner_identity
        if user is None and identity is None:
            return "The owner of this sync no longer exists. Save the sync again to make it yours."
        owner = actor_of_user(user) if user else actor_of_identity(identity) if identity else PLATFORM
        active = user is None or user.is_active
        for right in (Right.READ_VALUES, Right.USE_CONNECTIONS):
            if not active or not owner.may(right, self.sync.project_id):
                action, subject, _ = right.value
                return f"{owner.name}, the owner of this sync, may no longer {action} on {subject}."
        return ""

    def _begin(self) -> bool:
        """Mark the run as going; False where it was superseded meanwhile."""
        now = timezone.now()
        run = self.run
        run.started_at = run.started_at or now
        run.attempts += 1
        run.place = self.lease.place
        run.status = Status.RUNNING
        with transaction.atomic():
            begun = SyncRun.objects.filter(pk=run.pk, status__in=OPEN).update(
                status=run.status,
                started_at=run.started_at,
                attempts=run.attempts,
                place=run.place,
                due_at=self._lease_end(),
                ended_at=None,
            )
            if not begun:
                return False
            column = _COLUMNS[run.operation]
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
        approved = self.run.options.get("approved")
        seen = picture(self.sync, destination, approved=None if approved is None else frozenset(approved))
        plan = seen.plan
        self.run.source_rev, self.run.generation = seen.reading.rev, seen.reading.generation
        self.run.digest, self.run.counts = plan.digest, plan.counts
        writes_only = bool(self.run.options.get("writesOnly"))
        if plan.held and not writes_only:
            self._hold(plan)
            return
        self._note(plan)
        freed = self.ledger.settle(plan.changes)
        self._write(destination, plan.writes)
        deletes = [] if writes_only else self._deletes(plan, seen)
        self._write(destination, deletes)
        if self.stopped:
            self._go_on_later(plan)
            return
        freed |= {change.canonical for change, outcome in self.results if _gone(change, outcome)}
        self._finish(plan, freed)

    def _note(self, plan: Plan) -> None:
        """Keep the plan: what needs nothing as lists of names, the rest as one row a key."""
        refused = self._refused()
        rows = []
        for change in plan.changes:
            if change.action is Action.UNCHANGED or _is_quiet(change):
                continue
            row = planned_row(self.run, change)
            if change.action is Action.BLOCKED:
                row.outcome = "blocked"
            elif change.write is None:
                row.outcome = "applied" if Effect.SETTLE in change.effects else "kept"
            elif change.canonical in refused:
                continue
            rows.append(row)
        with transaction.atomic():
            fresh = RunChange.objects.filter(run=self.run).exclude(outcome="applied")
            fresh.exclude(canonical__in=refused).delete()
            record_changes(self.run, rows)
            done = set(RunChange.objects.filter(run=self.run, outcome="applied").values_list("canonical", flat=True))
            self.run.unchanged = [
                c.key for c in plan.changes if c.action is Action.UNCHANGED and c.canonical not in done
            ]
            self.run.unmanaged = [c.key for c in plan.changes if _is_quiet(c)]
            self.run.save(
                update_fields=["source_rev", "generation", "digest", "counts", "unchanged", "unmanaged", "message"]
            )
            if self.run.operation == "sync":
                InitialSet.objects.get_or_create(
                    sync=self.sync, place=self.lease.place, defaults={"keys": dict(plan.initial)}
                )
                SyncRun.objects.filter(sync=self.sync, status=Status.HELD).update(
                    status=Status.SUPERSEDED, ended_at=timezone.now(), message="A newer run was not held."
                )

    def _deletes(self, plan: Plan, seen: Picture) -> list[Change]:
        """The deletes that may be done now: all that was to arrive before them has, and nothing has moved since."""
        if not plan.deletes or self.stopped:
            return []
        if time.monotonic() - seen.listed_at > LISTING_FRESH:
            self.stopped = "the listing is too old to delete by"
            return []
        now = SecretSync.objects.filter(pk=self.sync.pk).values_list("wanted_rev", "generation").first()
        if now != (seen.reading.rev, seen.reading.generation):
            return []  # a newer run is on its way and will judge them anew
        failed = {change.canonical for change, outcome in self.results if outcome.error is not None}
        blocked = {change.canonical for change in plan.changes if change.action is Action.BLOCKED}
        failed |= blocked | self._refused()
        return [change for change in plan.deletes if change.after not in failed]

    # -- remove ------------------------------------------------------------------------------------------------

    def _remove(self, destination: Destination) -> None:
        """Take away what this sync owns at the lease's place, with the config that it was written by."""
        row = ManagedSecret.objects.filter(sync=self.sync, place=self.lease.place).exclude(connection=None).first()
        if row and row.connection and self.lease.place != destination.place():
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
        self._write(destination, list(plan.deletes))
        if self.stopped:
            self._go_on_later(plan)
            return
        freed = {change.canonical for change, outcome in self.results if _gone(change, outcome)}
        self._finish(plan, freed)

    # -- writes ------------------------------------------------------------------------------------------------

    def _write(self, destination: Destination, changes: Sequence[Change]) -> None:
        refused = self._refused()
        changes = [change for change in changes if change.canonical not in refused]
        if not changes or self.stopped:
            return
        self.ledger.claim(changes)
        by_key = {change.canonical: change for change in changes}
        answered = set()
        for outcome in destination.apply(self._gate(changes)):
            change = by_key[outcome.write.canonical]
            answered.add(change.canonical)
            if isinstance(outcome.error, RateLimited):
                self._rate_limited(outcome.error)
            self._buffer.append((change, outcome))
            if len(self._buffer) >= FLUSH_SIZE or time.monotonic() - self._flushed > FLUSH_EVERY:
                self._flush()
        self._flush()
        self.ledger.restore(by_key.keys() - answered)

    def _gate(self, changes: Iterable[Change]) -> Iterator[Write]:
        """Each write just before its request, as long as nothing says stop."""
        for change in changes:
            if change.write is None or not self._may_go_on():
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
            self.stopped = "the sync was changed"
        elif sync[1] is not None or self._all_paused():
            self.stopped = "it was paused"
        elif not self.lease.stands():
            self.stopped = "the lease was lost"
        return not self.stopped

    def _all_paused(self) -> bool:
        """Of the whole instance; asked a few times a second, which is soon enough for a person."""
        if time.monotonic() - self._looked > PAUSE_LOOK:
            self._looked = time.monotonic()
            return Instance.objects.filter(paused_at__isnull=False).exists()
        return False

    def _flush(self) -> None:
        self._flushed = time.monotonic()
        batch, self._buffer = self._buffer, []
        try:
            self.ledger.record(batch)
        except LeaseLost:
            self.ledger.doubt(batch)
            want(PLATFORM, [self.sync], "retry")
            raise
        self.results += batch

    def _rate_limited(self, error: RateLimited) -> None:
        """The whole connection waits, not this key alone."""
        wait = error.retry_after if error.retry_after is not None else self._wait()
        until = timezone.now() + timedelta(seconds=wait)
        AppConnection.objects.filter(pk=self.sync.connection_id).filter(
            Q(retry_at__isnull=True) | Q(retry_at__lt=until)
        ).update(retry_at=until)
        self.stopped = self.stopped or "the service asked to wait"

    def _refused(self) -> set[str]:
        """Keys that the vendor has refused for good in this run: asking again would change nothing."""
        return set(self.run.options.get("refused", ()))

    # -- after -------------------------------------------------------------------------------------------------

    def _hold(self, plan: Plan) -> None:
        """Nothing is written. The sync's one held run is refreshed in place, or this run becomes it."""
        now = timezone.now()
        with transaction.atomic():
            open_hold = SyncRun.objects.select_for_update().filter(sync=self.sync, status=Status.HELD).first()
            held = open_hold or self.run
            where = f"{settings.PUBLIC_URL}/admin/syncs/syncrun/{held.pk}/change/"
            message = f"Held: {plan.held}. Nothing was written. Approve or dismiss it at {where}"[:1024]
            held.status, held.message, held.digest, held.counts = Status.HELD, message, plan.digest, plan.counts
            held.ended_at, held.due_at = now, None
            held.source_rev, held.generation = self.run.source_rev, self.run.generation
            held.save()
            held.changes.all().delete()
            record_changes(held, [planned_row(held, c) for c in plan.changes if c.write or c.suspended])
            if open_hold:
                self._end(Status.SUPERSEDED, f"Held; see run {held.pk}.")
            self._sync_ends(Status.FAILED, message)

    def _go_on_later(self, plan: Plan) -> None:
        """The run stopped between keys. What it wrote is recorded; the rest is planned anew."""
        if self.stopped == "the sync was changed" and not SecretSync.objects.filter(pk=self.sync.pk).exists():
            return
        tries = self.run.options.get("tries", 0)
        if self.stopped == "the service asked to wait":
            # An attempt that moved something forward does not count against the run.
            tries = 0 if any(outcome.error is None for _, outcome in self.results) else tries + 1
            if tries >= TRIES:
                self._again_or_fail([], "The service kept asking to wait.", plan)
                return
        self.run.options = {**self.run.options, "tries": tries, **self._newly_refused()}
        self._wait_for_next(0.0, f"Stopped between keys because {self.stopped}; the rest follows.")

    def _newly_refused(self) -> dict[str, list[str]]:
        refused = self._refused() | {
            change.canonical for change, outcome in self.results if outcome.error and not _may_retry(change, outcome)
        }
        return {"refused": sorted(refused)} if refused else {}

    def _finish(self, plan: Plan, freed: set[str]) -> None:
        again = [outcome.error for change, outcome in self.results if outcome.error and _may_retry(change, outcome)]
        if again:
            self.run.options = {**self.run.options, **self._newly_refused()}
            self._again_or_fail([error for error in again if error], "", plan)
        elif self.last or self._lost(plan):
            self._conclude(plan)
        if freed:
            self._wake(plan, freed)
        self._wake_moved()

    def _lost(self, plan: Plan) -> bool:
        return summary(self.run, plan) is not None

    def _conclude(self, plan: Plan) -> None:
        message = summary(self.run, plan)
        status = Status.SUCCEEDED if message is None else Status.FAILED
        with transaction.atomic():
            self._end(status, message)
            self._sync_ends(status, message)
        failed = RunChange.objects.filter(run=self.run, outcome="failed").exists()
        if failed or not plan.complete:
            self._try_later(failed)
        if status == Status.SUCCEEDED and self.run.operation == "remove" and self.run.options.get("deleteSync"):
            forget_sync(self.sync)

    def _again_or_fail(self, errors: Sequence[Exception], message: str, plan: Plan | None = None) -> None:
        """Another attempt after a while, where that can help and the run has some left; else the run has failed."""
        tries = self.run.options.get("tries", 0) + 1
        passing = [error for error in errors if plan is not None or getattr(error, "retryable", False)]
        if passing and tries < TRIES:
            for error in passing:
                if isinstance(error, RateLimited) and plan is None:
                    self._rate_limited(error)
            self.run.options = {**self.run.options, "tries": tries}
            wait = self._wait(tries)
            said = message or str(passing[0])
            self._wait_for_next(wait, f"Attempt {tries} of {TRIES} failed, the next is in {wait:.0f} s: {said}")
            return
        if plan is not None:
            self._conclude(plan)
            return
        self._fail(message)
        if passing or errors:
            self._try_later(True)

    def _wait(self, tries: int = 1) -> float:
        return float(FIRST_WAIT * 2 ** (max(tries, 1) - 1))

    def _wait_for_next(self, seconds: float, message: str) -> None:
        due = timezone.now() + timedelta(seconds=seconds)
        retry_at = AppConnection.objects.values_list("retry_at", flat=True).get(pk=self.sync.connection_id)
        due = max(due, retry_at) if retry_at else due
        with transaction.atomic():
            SyncRun.objects.filter(pk=self.run.pk, status__in=OPEN).update(
                status=Status.PENDING, due_at=due, queued_at=None, message=message[:1024], options=self.run.options
            )
            column = _COLUMNS[self.run.operation]
            SecretSync.objects.filter(pk=self.sync.pk).update(
                **{f"{column}_status": Status.PENDING, f"last_{column}_message": message[:1024]}
            )

    def _fail(self, message: str) -> None:
        with transaction.atomic():
            self._end(Status.FAILED, message)
            self._sync_ends(Status.FAILED, message)

    def _end(self, status: Status, message: str | None) -> None:
        SyncRun.objects.filter(pk=self.run.pk).update(
            status=status,
            message=message and message[:1024],
            ended_at=timezone.now(),
            due_at=None,
            options=self.run.options,
        )

    def _sync_ends(self, status: Status, message: str | None) -> None:
        """The sync's own status; `pending` where a newer change waits for its run."""
        column = _COLUMNS[self.run.operation]
        update: dict[str, object] = {f"{column}_status": status, f"last_{column}_message": message and message[:1024]}
        rows = SecretSync.objects.filter(pk=self.sync.pk)
        if status == Status.SUCCEEDED:
            update[f"last_{_PAST[self.run.operation]}_at"] = timezone.now()
        if self.run.operation == "sync":
            rows.filter(done_rev__lt=self.run.source_rev).update(done_rev=self.run.source_rev)
            newer = SyncRun.objects.filter(sync=self.sync, operation="sync", status=Status.PENDING)
            if newer.exclude(pk=self.run.pk).exists():
                update["sync_status"] = Status.PENDING
        rows.update(**update)

    def _try_later(self, failed: bool) -> None:
        """A sync that still fails stays wanted: after 1, 5, 15, then every 60 minutes."""
        if self.run.operation != "sync" or not failed:
            return
        step = self.run.options.get("later", 0)
        at = timezone.now() + timedelta(minutes=LATER[min(step, len(LATER) - 1)])
        schedule(PLATFORM, [self.sync], "retry", at=at)
        waiting = SyncRun.objects.filter(sync=self.sync, status=Status.PENDING, trigger="retry")
        waiting.update(options={"later": step + 1})
        SecretSync.objects.filter(pk=self.sync.pk, sync_status=Status.PENDING).update(sync_status=Status.FAILED)

    def _wake(self, plan: Plan, freed: set[str]) -> None:
        """Keys were given up here: other syncs of this place may have waited for them."""
        others = SecretSync.objects.filter(place=self.lease.place).exclude(pk=self.sync.pk)
        handed = any(Effect.HAND_OVER in change.effects for change in plan.changes)
        want(PLATFORM, others if handed else others.filter(sync_status=Status.FAILED))

    def _wake_moved(self) -> None:
        """Secrets that arrived here and are still owned by another sync were moved: its deletes waited for this."""
        arrived = [
            change.desired.secret_id
            for change, outcome in self.results
            if outcome.error is None and change.desired and change.action is not Action.DELETE
        ]
        if not arrived:
            return
        waiting = ManagedSecret.objects.filter(secret_id__in=arrived).exclude(sync=self.sync).exclude(sync=None)
        names = set(waiting.values_list("sync_id", flat=True))
        if names:
            want(PLATFORM, SecretSync.objects.filter(pk__in=names))


_COLUMNS = {"sync": "sync", "import": "import", "remove": "remove", "undo": "sync"}
_PAST = {"sync": "synced", "import": "imported", "remove": "removed", "undo": "synced"}


def _is_quiet(change: Change) -> bool:
    """A key of other hands that nothing is to be told of but its name."""
    return change.action is Action.KEEP and change.row is None and not change.suspended and not change.code


def _gone(change: Change, outcome: Outcome) -> bool:
    return outcome.error is None and change.action is Action.DELETE


def _may_retry(change: Change, outcome: Outcome) -> bool:
    """Whether listing and planning the key anew may help. A conflict or a missing key is settled by looking."""
    error = outcome.error
    if isinstance(error, Conflict | OutcomeUnknown):
        return True
    if isinstance(error, NotFound):
        return change.action is not Action.CREATE
    return bool(getattr(error, "retryable", False))
