"""Writes of a run: pulled one by one through a gate that stops them, their outcomes recorded as they arrive."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from config.access.roles import PLATFORM
from connections.errors import Forbidden, RateLimited, Unauthorized
from connections.pace import reserve_slot
from connections.refusals import postpone
from syncs.destination.base import Destination
from syncs.destination.capabilities import Capabilities
from syncs.engine.plan import Change
from syncs.engine.types import Action, Outcome, Write
from syncs.models import SecretSync, SyncRun, cause_of
from syncs.running import leases, preconditions
from syncs.running.completion import Completion
from syncs.running.ledger import LeaseLost, Ledger
from syncs.running.stop import Stop
from syncs.services.propagation import want

PAUSE_CHECK = 0.2  # seconds between two checks of pauses and of the owner's rights
TASK_BUDGET = 300.0  # seconds of writing after which a run frees its worker and resumes later
DENIALS = 3  # writes in a row that were refused for lack of a right, after which no other is sent
SLOT_WAIT = 3.0  # seconds that a run waits for the vendor's quota before it stops and resumes later
FLUSH_EVERY, FLUSH_SIZE = 0.2, 25


@dataclass
class Writer:
    """Of one attempt. `stopped` is set as soon as no further request may be sent."""

    run: SyncRun
    sync: SecretSync
    lease: leases.HeldLease
    ledger: Ledger
    completion: Completion
    stopped: Stop | None = None
    began: bool = False
    """Whether the first write may have been sent."""
    refusal: Unauthorized | None = None
    """The first error of the login, or of several writes in a row for lack of a right, none having been accepted."""
    _denied: list[Unauthorized] = field(default_factory=list)
    _accepted: bool = False
    _buffer: list[tuple[Change, Outcome]] = field(default_factory=list)
    _flushed: float = 0.0
    _checked: float = 0.0
    _began: float = field(default_factory=time.monotonic)

    def write(self, destination: Destination, changes: Sequence[Change]) -> None:
        """Claim the changes and send them; what was refused before is not sent again. Raises LeaseLost."""
        refused = self.completion.refused()
        changes = [change for change in changes if change.normalized_key not in refused]
        if not changes or self.stopped:
            return
        # Side by side what may go in one request; deletes last.
        changes.sort(key=lambda change: (change.action is Action.DELETE, change.write.action if change.write else ""))
        self.began = True
        self.ledger.claim(changes)
        by_key = {change.normalized_key: change for change in changes}
        answered = set()
        # Closed whatever happens: the lease must outlive every request that is under way.
        with closing(destination.apply(self.gate(changes, destination))) as outcomes:
            for outcome in outcomes:
                change = by_key[outcome.write.normalized_key]
                answered.add(change.normalized_key)
                if isinstance(outcome.error, RateLimited):
                    self.completion.rate_limited(outcome.error)
                    self.stopped = self.stopped or Stop.ASKED_TO_WAIT
                self._watch_login(outcome.error)
                self._buffer.append((change, outcome))
                if len(self._buffer) >= FLUSH_SIZE or time.monotonic() - self._flushed > FLUSH_EVERY:
                    self._flush()
        self._flush()
        self.ledger.restore(by_key.keys() - answered)

    def _watch_login(self, error: Exception | None) -> None:
        """Stop at a refused login: more requests would fail too, and may lock the account."""
        if not isinstance(error, Unauthorized):
            self._denied = []
            self._accepted = self._accepted or error is None
            return
        self._denied.append(error)
        if not isinstance(error, Forbidden):
            self.stopped, self.refusal = Stop.LOGIN_REFUSED, error
        elif len(self._denied) >= DENIALS and not self._accepted and self.refusal is None:
            self.stopped, self.refusal = Stop.NOT_ALLOWED, self._denied[0]

    def gate(self, changes: Iterable[Change], destination: Destination) -> Iterator[Write]:
        """Each write just before its request, until something stops the run, no faster than the vendor allows."""
        limits = destination.limits(destination.config).paced(self.sync.policy.pace_percent)
        for change in changes:
            if change.write is None:
                return
            self._await_slot(limits, destination.request_cost(change.write.action))
            if not self.may_continue():
                return
            yield change.write

    def _await_slot(self, limits: Capabilities, requests: float) -> None:
        """Wait for the vendor's pace. If its quota is used up, the run stops: its worker and lease are not held."""
        if not requests or not (limits.pace or limits.quota):
            return
        at_most = SLOT_WAIT if limits.quota else math.inf
        wait = reserve_slot(
            self.sync.connection.pk, limits.pace, quota=limits.quota, requests=requests, at_most=at_most
        )
        if wait <= at_most:
            time.sleep(wait)
            return
        postpone(self.sync.connection.pk, timezone.now() + timedelta(seconds=wait))
        self.stopped = self.stopped or Stop.QUOTA_USED

    def may_continue(self) -> bool:
        """Whether another request may be sent now; the lease is renewed if it is about to expire."""
        self.stopped = self.stopped or self._stop()
        return self.stopped is None

    def _stop(self) -> Stop | None:
        if self.lease.left < settings.REQUEST_DEADLINE:
            if not self.lease.renew():
                return Stop.LEASE_LOST
            SyncRun.objects.filter(pk=self.run.pk).update(due_at=self.lease.due_after)
        if time.monotonic() - self._began > TASK_BUDGET:
            return Stop.OUT_OF_TIME
        sync = SecretSync.objects.filter(pk=self.sync.pk).values_list("generation", "connection__paused_at").first()
        if sync is None or sync[0] != self.run.generation:
            return Stop.SYNC_CHANGED
        if sync[1] is not None:
            return Stop.PAUSED
        if time.monotonic() - self._checked > PAUSE_CHECK:
            self._checked = time.monotonic()
            if stop := preconditions.stop(self.run):
                return stop
        return None if self.lease.is_ours() else Stop.LEASE_LOST

    def _flush(self) -> None:
        self._flushed = time.monotonic()
        batch, self._buffer = self._buffer, []
        try:
            self.ledger.record(batch)
        except LeaseLost:
            self.ledger.mark_unknown(batch)
            want(PLATFORM, [self.sync], "retry", causes=[cause_of("retry", run=self.run.pk)])
            raise
        self.completion.results += batch
