"""What a run does at an opened destination: sync, import, remove or undo."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from django.utils import timezone

from config.errors import ServiceError
from connections.errors import Unauthorized
from connections.refusals import mark_if_refused, watched
from syncs.destination.base import Destination
from syncs.engine.plan import Approval, Change, Plan
from syncs.engine.types import Action, Outcome
from syncs.models import ManagedSecret, RunOptions, RunReason, SecretSync, Status, SyncRun, cause_of
from syncs.planning.builder import PlannedSync, planned_sync, removal_for
from syncs.planning.imports import imports_first, list_with_values
from syncs.planning.memory import written_basis
from syncs.planning.undo import restore_for
from syncs.running.after import act
from syncs.running.completion import Completion
from syncs.running.holding import hold, hold_deletes
from syncs.running.imports import import_secrets
from syncs.running.ledger import Ledger
from syncs.running.ledger_entries import is_unknown
from syncs.running.purge import purge, remember
from syncs.running.recording import record_plan, record_spared
from syncs.running.stop import Stop
from syncs.running.writer import DENIALS, Writer
from syncs.services.approvals import approval_of
from syncs.services.cancellation import is_cancelled
from syncs.services.deletion import leave_former_locations
from syncs.source.loader import Sources

LIST_FRESH = 60.0  # seconds for which a list may justify deletes


@dataclass
class Operation:
    """Of one attempt. Raises IntegrationError if the destination cannot be listed, LeaseLost."""

    run: SyncRun
    sync: SecretSync
    destination: Destination
    completion: Completion
    ledger: Ledger
    writer: Writer
    last: bool
    deletes_stopped: Stop | None = None

    def __post_init__(self) -> None:
        self.connection, self.client = self.sync.connection, self.destination.client

    def execute(self) -> None:
        if self.run.operation == "remove":
            self._remove()
        elif self.run.operation == "undo":
            self._undo()
        elif self.run.operation == "import":
            self._import()
        else:
            self._sync()

    # -- sync --------------------------------------------------------------------------------------------------

    def _sync(self) -> None:
        leave_former_locations(self.sync)  # a run under way while the sync was given another target may have left a row
        if not self._import_first():
            return
        options = self.run.options
        approval = approval_of(options)
        seen = planned_sync(self.sync, self.destination, Sources(), approval=approval, run_id=self.run.pk)
        plan = seen.plan
        self.run.source_rev, self.run.generation = seen.reading.rev, seen.reading.generation
        self.run.digest, self.run.counts = plan.digest, plan.counts
        held = bool(plan.held) and not options.writes_only
        if held and not self._may_write_while_held():
            hold(self.completion, plan)
            return
        writes, deletes = list(plan.writes), None if held or options.writes_only else self._deletes
        if self.run.trigger == "approval" and self.sync.policy.paused:
            self.run.source_rev = self.sync.done_rev  # its changes still wait
            writes, deletes = [], None
            if approval and approval.generation == seen.reading.generation and not held:
                deletes = partial(self._approved_deletes, approval)
        record_plan(self.run, self.sync, plan, self.ledger, self.completion.refused(), held=held)
        freed = self.ledger.settle(plan.changes)
        self._write(writes, lambda: deletes(plan, seen) if deletes else [])
        self._end(plan, freed, last=self.last)
        if held:
            hold_deletes(self.completion, plan)

    def _may_write_while_held(self) -> bool:
        """By the policy, unless something besides the secrets has changed since the last run that was not held."""
        allowed = self.sync.policy.while_held == "writes"
        return allowed and self.sync.written_basis == written_basis(self.sync)

    def _write(self, writes: Sequence[Change], deletes: Callable[[], Sequence[Change]]) -> None:
        """Writes, then deletes, or both as one changeset. `deletes` is called as late as possible."""
        if self.destination.one_write:
            self.writer.write(self.destination, [*writes, *deletes()])
        else:
            self.writer.write(self.destination, writes)
            self.writer.write(self.destination, deletes())

    def _deletes(self, plan: Plan, seen: PlannedSync) -> list[Change]:
        """The deletes that may be done now: what they wait for did not fail, and nothing has changed since."""
        if not plan.deletes or self.writer.stopped:
            return []
        if time.monotonic() - seen.listed_at > LIST_FRESH:
            self.deletes_stopped = Stop.LIST_TOO_OLD
            return []
        now = SecretSync.objects.filter(pk=self.sync.pk).values_list("wanted_rev", "generation").first()
        if now != (seen.reading.rev, seen.reading.generation):
            self.deletes_stopped = Stop.SOURCE_CHANGED  # they are planned again
            return []
        failed = self._failed()
        blocked = {change.normalized_key for change in plan.changes if change.action is Action.BLOCKED}
        return [
            change
            for change in plan.deletes
            if change.after not in failed | blocked and not (failed and change.write and change.write.needs_all)
        ]

    def _failed(self) -> set[str]:
        """Normalized keys of this run that were not written because something went wrong, in any of its attempts."""
        failed = {change.normalized_key for change, outcome in self.completion.results if outcome.error is not None}
        return failed | self.completion.refused()

    def _approved_deletes(self, approval: Approval, plan: Plan, seen: PlannedSync) -> list[Change]:
        """Of a paused sync, which writes nothing: no delete whose secret is still to be written under another key."""
        unwritten = {change.normalized_key for change in plan.writes}
        return [
            change
            for change in self._deletes(plan, seen)
            if change.after not in unwritten and approval.covers(change.normalized_key, change.remote)
        ]

    def _record(self, plan: Plan) -> None:
        record_plan(self.run, self.sync, plan, self.ledger, self.completion.refused())

    def _end(self, plan: Plan, freed: set[str], *, last: bool, destination: Destination | None = None) -> None:
        if self.writer.refusal:
            self.completion.end_early(plan, self._refused(self.writer.refusal), freed)
            return
        if self._resumed_later(plan):
            return
        if self._failed():
            record_spared(self.run, plan)
        failed = None
        if not self.completion.must_retry():
            failed = act(self.run, destination or self.destination, self.ledger, self.writer.may_continue)
            if isinstance(failed, Unauthorized):
                mark_if_refused(self.connection, self.client, failed)
            if self._resumed_later(plan):
                return
        released = {change.normalized_key for change, outcome in self.completion.results if _released(change, outcome)}
        self.completion.finish(plan, freed | released, last=last, after=failed)

    def _resumed_later(self, plan: Plan) -> bool:
        if stop := self.writer.stopped or self.deletes_stopped:
            self.completion.resume_later(stop, plan)
        return stop is not None

    def _refused(self, error: Unauthorized) -> str:
        """Why nothing more is sent; the connection is marked if its login is the reason."""
        if mark_if_refused(self.connection, self.client, error):
            return (
                f"The login of the connection {self.connection.name} was refused, so nothing more was sent with it."
                " Check the connection, or enter new credentials"
            )
        return f"{DENIALS} writes in a row were refused and none was accepted, so no other was sent"

    # -- import ------------------------------------------------------------------------------------------------

    def _import(self) -> None:
        """Copy the destination's secrets into the source, in one transaction. Nothing is written at the destination."""
        listing = list_with_values(self.destination)
        if is_cancelled(self.run):
            self.completion.end_cancelled()
            return
        try:
            plan = import_secrets(self.run, self.sync, self.destination, listing)
        except ServiceError as refusal:
            self.completion.fail(str(refusal))
            return
        self.completion.finish(plan, set(), last=True)

    def _import_first(self) -> bool:
        """As a run of its own before the first sync, if its options say so; False if that failed."""
        behavior = imports_first(self.sync)
        if not behavior:
            return True
        listing = list_with_values(self.destination)
        run = SyncRun.objects.create(
            sync=self.sync,
            operation="import",
            trigger=self.run.trigger,
            actor_kind=self.run.actor_kind,
            actor_id=self.run.actor_id,
            actor_name=self.run.actor_name,
            status=Status.RUNNING,
            options=RunOptions(import_behavior=behavior),
            reason=RunReason().plus([cause_of("first-import", run=self.run.pk)]),
            attempts=1,
            location=self.run.location,
            started_at=timezone.now(),
            due_at=self.ledger.lease.due_after,
        )
        completion = Completion(run, self.sync, self.run.location)
        try:
            plan = import_secrets(run, self.sync, self.destination, listing)
        except ServiceError as refusal:
            completion.fail(str(refusal))
            self.completion.fail(f"The import before the first sync failed: {refusal}")
            return False
        completion.finish(plan, set(), last=True)
        return True

    # -- remove ------------------------------------------------------------------------------------------------

    def _remove(self) -> None:
        """Delete the keys that this sync owns at the run's location, with the config that wrote them."""
        location = self.run.location
        row = ManagedSecret.objects.filter(sync=self.sync, location=location).exclude(connection=None).first()
        if row and row.connection and location != self.destination.location():
            with watched(row.connection) as client:
                self.connection, self.client = row.connection, client
                self._remove_at(
                    type(self.destination)(client, row.destination_config, policy=self.sync.policy.destination)
                )
            return
        self._remove_at(self.destination)

    def _remove_at(self, destination: Destination) -> None:
        plan = removal_for(self.sync, destination, destination.listing())
        self._take_generation()
        self.run.counts = {name: self.run.counts.get(name, 0) + count for name, count in plan.counts.items()}
        self._record(plan)
        self.ledger.settle(plan.changes)
        purging = self.run.options.purge
        if purging:
            remember(self.run, self.run.location, plan.deletes)
        self.writer.write(destination, list(plan.deletes))
        if purging and not self.writer.stopped:
            # A key that was refused before is not sent again: every key that this attempt did not delete still exists.
            deleted = {change.key for change, outcome in self.completion.results if outcome.error is None}
            remaining = {change.key for change in plan.deletes} - deleted
            purge(self.run, destination, self.run.location, remaining, self.writer.may_continue)
        self._end(plan, set(), last=self.last, destination=destination)

    def _take_generation(self) -> None:
        self.run.generation = SecretSync.objects.values_list("generation", flat=True).get(pk=self.sync.pk)

    # -- undo --------------------------------------------------------------------------------------------------

    def _undo(self) -> None:
        """Restore the state before another run, as the plan was shown, or nothing."""
        options = self.run.options
        undone = SyncRun.objects.select_related("sync").filter(pk=options.undo).first()
        if undone is None:
            self.completion.fail("The run to undo no longer exists.")
            return
        plan = restore_for(undone, self.destination, self.destination.listing(), self.run)
        begun = self.run.changes.exists()  # an attempt that could not list has begun nothing
        if options.digest and options.digest != plan.digest and not begun:
            self.completion.fail("Nothing was undone: the plan has changed since it was shown. Look at it again.")
            return
        self._take_generation()
        self.run.digest, self.run.counts = plan.digest, plan.counts
        self._record(plan)
        freed = self.ledger.settle(plan.changes)
        self._write(plan.writes, lambda: plan.deletes)
        self._end(plan, freed, last=True)


def _released(change: Change, outcome: Outcome) -> bool:
    """Whether the key is no longer this sync's: it was deleted, or the write that was to make it so was refused."""
    if outcome.error is None:
        return change.action is Action.DELETE
    return not change.owned and change.action is not Action.DELETE and not is_unknown(outcome.error)
