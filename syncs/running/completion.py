"""How an attempt of a run ends: done, held, to be gone on with, tried again after a while, or failed.

Whatever the end, the run and its sync say what happened, and whoever waited for it is woken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from config.access import audit
from config.access.roles import PLATFORM, Actor
from connections.errors import Conflict, NotFound, RateLimited
from connections.models import AppConnection
from syncs.engine.plan import Change, Effect, Plan
from syncs.engine.types import Action, Outcome
from syncs.models import ManagedSecret, NoticeState, RunChange, RunOptions, SecretSync, Status, SyncRun
from syncs.notifications.outbox import run_ended
from syncs.planning.undo import forget_older
from syncs.running.ledger import is_unknown
from syncs.running.summary import summary
from syncs.services.approvals import refresh
from syncs.services.deletion import forget_sync
from syncs.services.propagation import schedule, want
from syncs.services.triggers import named

OPEN = (Status.PENDING, Status.RUNNING)
TRIES = 5  # attempts of one run, the first included
FIRST_WAIT = 3.0  # seconds before the second attempt; doubled each time
LATER = (1, 5, 15, 60)  # minutes until a failed sync is tried again by a new run; the last goes on for ever
COLUMNS = {"sync": "sync", "import": "import", "remove": "remove", "undo": "sync"}
_PAST = {"sync": "synced", "import": "imported", "remove": "removed", "undo": "synced"}

UNDONE = "Undone. Automatic runs of this sync are paused: the next one would write the source again."
CHANGED, ASKED_TO_WAIT = "the sync was changed", "the service asked to wait"


@dataclass
class Ending:
    """Of one attempt at one place. `results` are the outcomes recorded so far."""

    run: SyncRun
    sync: SecretSync
    location: str
    results: list[tuple[Change, Outcome]] = field(default_factory=list)

    def rate_limited(self, error: RateLimited) -> None:
        """The whole connection waits, not this key alone."""
        wait = error.retry_after if error.retry_after is not None else self._wait()
        until = timezone.now() + timedelta(seconds=wait)
        AppConnection.objects.filter(pk=self.sync.connection.pk).filter(
            Q(retry_at__isnull=True) | Q(retry_at__lt=until)
        ).update(retry_at=until)

    def refused(self) -> set[str]:
        """Keys that the vendor has refused for good in this run: asking again would change nothing."""
        return set(self.run.options.refused)

    def hold(self, plan: Plan) -> None:
        """Nothing is written. The sync's one held run is refreshed in place, or this run becomes it."""
        with transaction.atomic():
            open_hold = SyncRun.objects.select_for_update().filter(sync=self.sync, status=Status.HELD).first()
            held = open_hold or self.run
            held.source_rev, held.generation = self.run.source_rev, self.run.generation
            message = refresh(held, plan)
            if not open_hold:
                deletes = sum(change.action is Action.DELETE for change in plan.changes)
                named = {"run": held.pk, "sync": self.sync.pk, "name": self.sync.name, "deletes": deletes}
                audit.record(PLATFORM, "hold-run", self.sync.project_id, **named)
            if open_hold:
                self._end(Status.SUPERSEDED, f"Held; see run {held.pk}.")
            self._sync_ends(Status.FAILED, message)
            run_ended(held, self.sync, NoticeState.HELD, message)

    def go_on_later(self, stopped: str, plan: Plan) -> None:
        """The run stopped between keys. What it wrote is recorded; the rest is planned anew."""
        if stopped == CHANGED and not SecretSync.objects.filter(pk=self.sync.pk).exists():
            return
        tries = self.run.options.tries
        if stopped == ASKED_TO_WAIT:
            # An attempt that moved something forward does not count against the run.
            tries = 0 if any(outcome.error is None for _, outcome in self.results) else tries + 1
            if tries >= TRIES:
                self.again_or_fail([], "The service kept asking to wait.", plan)
                return
        self.run.options = replace(self.run.options, tries=tries, refused=self._all_refused())
        self._wait_for_next(0.0, f"Stopped between keys because {stopped}; the rest follows.")

    def _all_refused(self) -> tuple[str, ...]:
        refused = self.refused() | {
            change.normalized_key
            for change, outcome in self.results
            if outcome.error and not _may_retry(change, outcome)
        }
        return tuple(sorted(refused))

    def finish(self, plan: Plan, freed: set[str], *, last: bool) -> None:
        again = [outcome.error for change, outcome in self.results if outcome.error and _may_retry(change, outcome)]
        if again:
            self.run.options = replace(self.run.options, refused=self._all_refused())
            self.again_or_fail([error for error in again if error], "", plan)
        elif last or summary(self.run, plan) is not None:
            self._conclude(plan)
        if freed:
            self._wake(plan, freed)
        self._wake_moved()

    def _conclude(self, plan: Plan) -> None:
        message = summary(self.run, plan)
        status = Status.SUCCEEDED if message is None else Status.FAILED
        if self.run.operation == "undo":
            message = f"{UNDONE} {message}" if message else UNDONE
        with transaction.atomic():
            self._end(status, message)
            self._sync_ends(status, message)
            run_ended(
                self.run, self.sync, NoticeState.FAILED if status == Status.FAILED else NoticeState.RECOVERED, message
            )
        forget_older(self.sync)
        failed = RunChange.objects.filter(run=self.run, outcome="failed").exists()
        if failed or not plan.complete:
            self._try_later(failed)
        if status == Status.SUCCEEDED and self.run.operation == "remove" and self.run.options.delete_sync:
            with transaction.atomic():
                audit.record(self._who(), "delete-secret-sync", self.sync.project_id, **named(self.sync))
                forget_sync(self.sync)

    def again_or_fail(self, errors: Sequence[Exception], message: str, plan: Plan | None = None) -> None:
        """Another attempt after a while, where that can help and the run has some left; else the run has failed."""
        tries = self.run.options.tries + 1
        passing = [error for error in errors if plan is not None or getattr(error, "retryable", False)]
        for error in passing:
            if isinstance(error, RateLimited) and plan is None:
                self.rate_limited(error)
        if passing and tries < TRIES:
            self.run.options = replace(self.run.options, tries=tries)
            wait = self._wait(tries)
            said = message or str(passing[0])
            self._wait_for_next(wait, f"Attempt {tries} of {TRIES} failed, the next is in {wait:.0f} s: {said}")
            return
        if plan is not None:
            self._conclude(plan)
            return
        self.fail(message)
        if passing or errors:
            self._try_later(True)

    def _wait(self, tries: int = 1) -> float:
        return float(FIRST_WAIT * 2 ** (max(tries, 1) - 1))

    def _wait_for_next(self, seconds: float, message: str) -> None:
        due = timezone.now() + timedelta(seconds=seconds)
        retry_at = AppConnection.objects.values_list("retry_at", flat=True).get(pk=self.sync.connection.pk)
        due = max(due, retry_at) if retry_at else due
        with transaction.atomic():
            SyncRun.objects.filter(pk=self.run.pk, status__in=OPEN).update(
                status=Status.PENDING, due_at=due, queued_at=None, message=message[:1024], options=self.run.options
            )
            column = COLUMNS[self.run.operation]
            SecretSync.objects.filter(pk=self.sync.pk).update(
                **{f"{column}_status": Status.PENDING, f"last_{column}_message": message[:1024]}
            )

    def fail(self, message: str) -> None:
        with transaction.atomic():
            self._end(Status.FAILED, message)
            self._sync_ends(Status.FAILED, message)
            run_ended(self.run, self.sync, NoticeState.FAILED, message)

    def called_off(self, why: str) -> None:
        """What the run had to do waits with the sync; nobody is told of a failure."""
        stands: tuple[str | None, str | None] = (Status.PENDING, why)
        with transaction.atomic():
            self._end(Status.SUPERSEDED, why)
            if not self.sync.is_auto_sync_enabled:  # nothing is to come by itself: it stands where it stood
                ended = SyncRun.objects.filter(sync=self.sync, operation=self.run.operation)
                ended = ended.filter(status__in=(Status.SUCCEEDED, Status.FAILED)).order_by("-ended_at")
                stands = ended.values_list("status", "message").first() or (None, None)
            column = COLUMNS[self.run.operation]
            SecretSync.objects.filter(pk=self.sync.pk).update(
                **{f"{column}_status": stands[0], f"last_{column}_message": stands[1]}
            )

    def _end(self, status: Status, message: str | None) -> None:
        there = SyncRun.objects.filter(pk=self.run.pk).update(
            status=status,
            message=message and message[:1024],
            ended_at=timezone.now(),
            due_at=None,
            options=self.run.options,
        )
        RunChange.objects.filter(run=self.run, outcome="").update(outcome="skipped")
        if there and status in (Status.SUCCEEDED, Status.FAILED):
            self._tell(status, message)

    def _tell(self, status: Status, message: str | None) -> None:
        """One entry a run, not one an attempt."""
        run, sync = self.run, self.sync
        column = COLUMNS[run.operation]
        audit.record(
            self._who(),
            f"secret-sync-{column}-secrets",
            sync.project_id,
            syncId=sync.pk,
            destination=sync.destination,
            destinationConfig=sync.destination_config,
            folderId=sync.folder_id,
            connectionId=sync.connection_id,
            jobId=run.pk,
            jobRanAt=run.started_at,
            **{f"{column}Status": status, f"{column}Message": message and message[:1024]},
        )

    def _who(self) -> Actor:
        """Whoever asked for the run; else the platform."""
        run = self.run
        if run.trigger in ("manual", "approval") and run.actor_kind in ("user", "identity") and run.actor_id:
            return Actor("user" if run.actor_kind == "user" else "identity", UUID(run.actor_id), run.actor_name)
        return PLATFORM

    def _sync_ends(self, status: Status, message: str | None) -> None:
        """The sync's own status; `pending` where a newer change waits for its run."""
        column = COLUMNS[self.run.operation]
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
        step = self.run.options.later
        at = timezone.now() + timedelta(minutes=LATER[min(step, len(LATER) - 1)])
        schedule(PLATFORM, [self.sync], "retry", at=at)
        waiting = SyncRun.objects.filter(sync=self.sync, status=Status.PENDING, trigger="retry")
        waiting.update(options=RunOptions(later=step + 1))
        SecretSync.objects.filter(pk=self.sync.pk, sync_status=Status.PENDING).update(sync_status=Status.FAILED)

    def _wake(self, plan: Plan, freed: set[str]) -> None:
        """Keys were given up here: other syncs of this place may have waited for them."""
        others = SecretSync.objects.filter(location=self.location).exclude(pk=self.sync.pk)
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


def _may_retry(change: Change, outcome: Outcome) -> bool:
    """Whether listing and planning the key anew may help. A conflict or a missing key is settled by looking."""
    error = outcome.error
    if isinstance(error, Conflict) or (error is not None and is_unknown(error)):
        return True
    if isinstance(error, NotFound):
        return change.action is not Action.CREATE
    return bool(getattr(error, "retryable", False))
