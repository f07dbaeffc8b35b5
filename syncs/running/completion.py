"""How an attempt of a run ends: complete, held, resumed later, retried after a while, or failed.

However it ends, the run and its sync say what happened, and syncs that waited for it are woken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from config.access import audit
from config.access.roles import PLATFORM, Actor
from connections.errors import Conflict, IntegrationError, RateLimited
from connections.models import AppConnection
from connections.refusals import postpone
from syncs.engine.plan import Change, Plan
from syncs.engine.types import Outcome
from syncs.models import TRIES, NoticeState, RunChange, RunOptions, SecretSync, Status, SyncRun, cause_of
from syncs.notifications.outbox import run_ended
from syncs.planning.undo import forget_older
from syncs.running.drift import corrected
from syncs.running.ledger_entries import is_unknown
from syncs.running.preconditions import LOOK_AGAIN
from syncs.running.retries import may_retry
from syncs.running.stop import Stop
from syncs.running.summary import not_done, only_blocked, summary
from syncs.running.waking import wake_moved, wake_waiting
from syncs.services.cancellation import end_cancelled, is_cancelled
from syncs.services.deletion import forget_sync
from syncs.services.outcomes import COLUMNS, keep_last_outcome
from syncs.services.propagation import schedule
from syncs.services.triggers import audited

OPEN = (Status.PENDING, Status.RUNNING)
FIRST_WAIT = 3.0  # seconds before the second attempt; doubled each time
LONGEST_WAIT = 3600.0  # seconds that a run waits because the vendor asks it to; if it asks for more, the run ends
LATER = (1, 5, 15, 60)  # minutes until a new run follows a failed one; the last one repeats
_PAST = {"sync": "synced", "import": "imported", "remove": "removed", "undo": "synced"}

UNDONE = "Undone. Automatic runs of this sync were paused, because the next one would write the source again."


@dataclass
class Completion:
    """Of one attempt at one location. `results` are the outcomes recorded so far.

    `ended_by`: why the run ends before all keys were tried, though nothing prevents it from recording that.
    """

    run: SyncRun
    sync: SecretSync
    location: str
    results: list[tuple[Change, Outcome]] = field(default_factory=list)
    ended_by: str = ""

    def rate_limited(self, error: RateLimited) -> None:
        """The whole connection waits, not only this key: at least as long as the run would by itself."""
        wait = max(error.retry_after or 0.0, self._wait(self.run.options.tries + 1))
        now = timezone.now()
        postpone(self.sync.connection.pk, now + timedelta(seconds=min(wait, LONGEST_WAIT)))
        if wait > LONGEST_WAIT:
            until = f"{now + timedelta(seconds=wait):%Y-%m-%d %H:%M} UTC"
            self.ended_by = f"The service asks to wait until {until}, longer than a run waits. Run the sync again then"

    def refused(self) -> set[str]:
        """Normalized keys that the vendor has permanently refused in this run: sending them again is useless."""
        return set(self.run.options.refused)

    # -- the run ends, or stays open ---------------------------------------------------------------------------

    def resume_later(self, stop: Stop, plan: Plan) -> None:
        """The run stopped between keys. Keys that it wrote are recorded; the others are planned again."""
        if stop is Stop.SYNC_CHANGED and not SecretSync.objects.filter(pk=self.sync.pk).exists():
            return
        if self.ended_by and stop is not Stop.CANCELLED:
            self.end_early(plan, self.ended_by, set())
            return
        tries = self.run.options.tries
        if stop is Stop.ASKED_TO_WAIT:
            # An attempt that made progress does not count against the run.
            tries = 0 if any(outcome.error is None for _, outcome in self.results) else tries + 1
            if tries >= TRIES:
                self.retry_or_fail([], "The service kept asking to wait.", plan)
                return
        self.run.options = replace(self.run.options, tries=tries, refused=self._all_refused())
        self._wait_for_next(0.0, f"Stopped between keys because {stop.text}; the rest follows.")

    def must_retry(self) -> bool:
        """Whether another attempt follows for keys that failed for a passing reason."""
        return bool(self._passing()) and self.run.options.tries + 1 < TRIES

    def _passing(self) -> list[Exception]:
        return [outcome.error for change, outcome in self.results if outcome.error and may_retry(change, outcome)]

    def finish(self, plan: Plan, freed: set[str], *, last: bool, after: IntegrationError | None = None) -> None:
        """All keys were tried. `freed`: normalized keys that the sync gave up; `last`: no other location follows.

        `after`: why the action after the writes failed.
        """
        again = self._passing()
        if after and (after.retryable or isinstance(after, Conflict) or is_unknown(after)):
            again.append(after)
            if isinstance(after, RateLimited):
                self.rate_limited(after)
        if again:
            self.run.options = replace(self.run.options, refused=self._all_refused())
            self.retry_or_fail(again, not_done(self.run), plan)
        elif last or summary(self.run, plan) is not None:
            self._conclude(plan)
        self._wake(plan, freed)

    def end_early(self, plan: Plan, why: str, freed: set[str]) -> None:
        """Nothing more is sent in this run: the keys that were not tried are skipped, for that reason."""
        self.ended_by = why
        self._conclude(plan)
        self._wake(plan, freed)

    def _wake(self, plan: Plan, freed: set[str]) -> None:
        if freed:
            wake_waiting(self.sync, self.location, plan, freed)
        wake_moved(self.sync, self.results)

    def retry_or_fail(self, errors: Sequence[Exception], message: str, plan: Plan | None = None) -> None:
        """Another attempt after a while, if that can help and attempts are left; else the run has failed."""
        if plan is None and is_cancelled(self.run):
            self.end_cancelled()
            return
        tries = self.run.options.tries + 1
        passing = [error for error in errors if plan is not None or getattr(error, "retryable", False)]
        for error in passing:
            if isinstance(error, RateLimited) and plan is None:
                self.rate_limited(error)
        if self.ended_by and plan is None:
            self.fail_for_now(f"{self.ended_by}: {message}")
            return
        if passing and tries < TRIES:
            self.run.options = replace(self.run.options, tries=tries)
            wait = self._wait(tries)
            why = message or str(passing[0])
            self._wait_for_next(wait, f"Attempt {tries} of {TRIES} failed, the next is in {wait:.0f} s: {why}")
            return
        if plan is not None:
            self._conclude(plan)
            return
        self.fail(message)
        if passing or errors:
            self._try_later()

    def fail(self, message: str) -> None:
        with transaction.atomic():
            self.end(Status.FAILED, message)
            self.sync_ends(Status.FAILED, message)
            run_ended(self.run, self.sync, NoticeState.FAILED, message)

    def fail_for_now(self, message: str) -> None:
        """As `fail`; another run follows by itself."""
        self.fail(message)
        self._try_later()

    def cancel(self, why: str) -> None:
        """The sync keeps its change until it may run again; no failure is reported."""
        with transaction.atomic():
            self.end(Status.SUPERSEDED, why)
            keep_last_outcome(self.sync.pk, self.run.operation)

    def end_cancelled(self) -> None:
        """A person cancelled the run: no other attempt and no other run follows for it."""
        with transaction.atomic():
            end_cancelled(self.run)
        wake_moved(self.sync, self.results)

    # -- how it is recorded ------------------------------------------------------------------------------------

    def _all_refused(self) -> tuple[str, ...]:
        refused = self.refused() | {
            change.normalized_key
            for change, outcome in self.results
            if outcome.error and not may_retry(change, outcome)
        }
        return tuple(sorted(refused))

    def _conclude(self, plan: Plan) -> None:
        message = ". ".join(filter(None, [self.ended_by, summary(self.run, plan)])) or None
        status = Status.SUCCEEDED if message is None else Status.FAILED
        if self.run.operation == "undo":
            message = f"{UNDONE} {message}" if message else UNDONE
        state = NoticeState.FAILED if status == Status.FAILED else NoticeState.RECOVERED
        self.run.is_incomplete = status == Status.FAILED and not self.ended_by and only_blocked(self.run)
        with transaction.atomic():
            self.end(status, message)
            self.sync_ends(status, message)
            corrected(self.run, self.sync, plan)
            run_ended(self.run, self.sync, state, message)
        forget_older(self.sync)
        unfinished = self.ended_by or not_done(self.run)
        if unfinished or RunChange.objects.filter(run=self.run, outcome="failed").exists():
            self._try_later()
        if status == Status.SUCCEEDED and self.run.operation == "remove" and self.run.options.delete_sync:
            with transaction.atomic():
                audit.record(self._actor(), "delete-secret-sync", self.sync.project_id, **audited(self.sync))
                forget_sync(self.sync)

    def _wait(self, tries: int = 1) -> float:
        return float(FIRST_WAIT * 2 ** (max(tries, 1) - 1))

    def _wait_for_next(self, seconds: float, message: str) -> None:
        due = timezone.now() + timedelta(seconds=seconds)
        retry_at = AppConnection.objects.values_list("retry_at", flat=True).get(pk=self.sync.connection.pk)
        if retry_at:  # until then at most: the wait may be lifted
            due = max(due, min(retry_at, timezone.now() + timedelta(seconds=LOOK_AGAIN)))
        if is_cancelled(self.run):
            self.end_cancelled()
            return
        with transaction.atomic():
            SyncRun.objects.filter(pk=self.run.pk, status__in=OPEN).update(
                status=Status.PENDING, due_at=due, queued_at=None, message=message[:1024], options=self.run.options
            )
            self._update_sync(Status.PENDING, message[:1024])

    def end(self, status: Status, message: str | None) -> None:
        ended = SyncRun.objects.filter(pk=self.run.pk).update(
            status=status,
            message=message and message[:1024],
            ended_at=timezone.now(),
            due_at=None,
            options=self.run.options,
            is_incomplete=self.run.is_incomplete,
        )
        RunChange.objects.filter(run=self.run, outcome="").update(outcome="skipped", error_message=self.ended_by[:1024])
        if ended and status in (Status.SUCCEEDED, Status.FAILED):
            self._audit(status, message)

    def _audit(self, status: Status, message: str | None) -> None:
        """One entry per run, not per attempt."""
        run, sync = self.run, self.sync
        column = COLUMNS[run.operation]
        audit.record(
            self._actor(),
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

    def _actor(self) -> Actor:
        """Whoever requested the run; else the platform."""
        run = self.run
        if run.trigger in ("manual", "approval") and run.actor_kind in ("user", "identity") and run.actor_id:
            return Actor("user" if run.actor_kind == "user" else "identity", UUID(run.actor_id), run.actor_name)
        return PLATFORM

    def _update_sync(self, status: str | None, message: str | None, **more: object) -> None:
        column = COLUMNS[self.run.operation]
        SecretSync.objects.filter(pk=self.sync.pk).update(
            **{f"{column}_status": status, f"last_{column}_message": message, **more}
        )

    def sync_ends(self, status: Status, message: str | None) -> None:
        """The sync's own status; `pending` if a newer change waits for its run."""
        succeeded = {f"last_{_PAST[self.run.operation]}_at": timezone.now()} if status == Status.SUCCEEDED else {}
        sync_status: str = status
        if self.run.operation == "sync":
            rows = SecretSync.objects.filter(pk=self.sync.pk, done_rev__lt=self.run.source_rev)
            rows.update(done_rev=self.run.source_rev)
            if status == Status.SUCCEEDED and not self.run.options.writes_only:
                SecretSync.objects.filter(pk=self.sync.pk, wanted_rev=self.run.source_rev).update(changed_by=[])
            newer = SyncRun.objects.filter(sync=self.sync, operation="sync", status=Status.PENDING)
            sync_status = Status.PENDING if newer.exclude(pk=self.run.pk).exists() else status
        self._update_sync(sync_status, message and message[:1024], **succeeded)

    # -- what follows ------------------------------------------------------------------------------------------

    def _try_later(self) -> None:
        """A sync that still fails stays wanted: after 1, 5, 15, then every 60 minutes."""
        if self.run.operation != "sync" or is_cancelled(self.run):
            return
        step = self.run.options.later
        at = timezone.now() + timedelta(minutes=LATER[min(step, len(LATER) - 1)])
        schedule(PLATFORM, [self.sync], "retry", at=at, causes=[cause_of("retry", run=self.run.pk)])
        waiting = SyncRun.objects.filter(sync=self.sync, status=Status.PENDING, trigger="retry")
        waiting.update(options=RunOptions(later=step + 1))
        SecretSync.objects.filter(pk=self.sync.pk, sync_status=Status.PENDING).update(sync_status=Status.FAILED)
