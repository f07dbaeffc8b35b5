"""One attempt of a run at one location: begins it, carries out its operation, and turns every error into an end."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field

from django.db import transaction
from django.utils import timezone

from config.encryption import Undecryptable
from config.errors import where
from connections.errors import IntegrationError
from connections.refusals import mark_accepted, watched
from syncs.models import SecretSync, Status, SyncRun
from syncs.planning.opening import open_destination
from syncs.running import leases, preconditions
from syncs.running.completion import OPEN, Completion
from syncs.running.leaving import Departure
from syncs.running.ledger import LeaseLost, Ledger
from syncs.running.operations import Operation
from syncs.running.writer import PAUSE_CHECK, Writer
from syncs.services.cancellation import is_cancelled
from syncs.services.outcomes import COLUMNS

log = logging.getLogger(__name__)


class _Cancelled(Exception):
    """Somebody cancelled the run while it read."""


@dataclass
class Attempt:
    """Holds the lease of its location. `last`: no other location follows in this run."""

    run: SyncRun
    sync: SecretSync
    lease: leases.HeldLease
    last: bool = True
    _writer: Writer | None = None
    _thread: threading.Thread = field(default_factory=threading.current_thread)
    _checked: float = 0.0

    def execute(self) -> None:
        """Raises LeaseLost, and nothing else."""
        completion = Completion(self.run, self.sync, self.lease.location)
        if is_cancelled(self.run):  # while no worker held it
            completion.end_cancelled()
            return
        if reason := preconditions.cancelled(self.run, self.sync):
            completion.cancel(reason)
            return
        if refusal := preconditions.refusal(self.run, self.sync):
            self.run.source_rev = self.sync.wanted_rev  # only a change or a person makes it worth another attempt
            completion.fail(refusal)
            return
        if refused := preconditions.refused_login(self.run, self.sync):
            completion.fail_for_now(refused)
            return
        if not self._begin():
            return
        try:
            with watched(self.sync.connection) as client:
                client.before_reads(self._check)
                destination = open_destination(self.sync, client)
                ledger = Ledger(self.sync, self.run, self.lease)
                self._writer = writer = Writer(self.run, self.sync, self.lease, ledger, completion)
                operation = Departure if self.run.options.leaving else Operation
                operation(self.run, self.sync, destination, completion, ledger, writer, self.last).execute()
                if writer.refusal is None:
                    mark_accepted(self.sync.connection)
        except _Cancelled:
            completion.end_cancelled()
        except IntegrationError as error:
            completion.retry_or_fail([error], str(error))
        except Undecryptable:
            self.run.source_rev = self.sync.wanted_rev
            completion.fail("The connection's credentials cannot be decrypted; enter them again.")
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001 - a defect must not repeat the run for ever without a message
            log.error("run %s: %s at %s", self.run.pk, type(error).__name__, where(error))
            completion.retry_or_fail([error], f"Something went wrong ({type(error).__name__}); the log says where.")

    def _check(self) -> None:
        """Before each request of a list, which may have many pages; the writer checks before each write.

        A request of another thread is sent: it has no connection to the database.
        """
        if threading.current_thread() is not self._thread or (self._writer and self._writer.began):
            return
        if time.monotonic() - self._checked > PAUSE_CHECK:
            self._checked = time.monotonic()
            if is_cancelled(self.run):
                raise _Cancelled

    def _begin(self) -> bool:
        """Mark the run as running; False if it was superseded meanwhile."""
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
                due_at=self.lease.due_after,
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
                self._supersede_waiting()
        return True

    def _supersede_waiting(self) -> None:
        """Automatic runs that wait: this one has not read the source yet, so it carries their changes."""
        waiting = SyncRun.objects.filter(sync=self.sync, operation="sync", status=Status.PENDING)
        waiting = waiting.exclude(pk=self.run.pk).exclude(trigger__in=("manual", "approval"))
        carried = [cause for reason in waiting.values_list("reason", flat=True) for cause in reason.causes]
        if carried:
            self.run.reason = self.run.reason.plus(carried)
            SyncRun.objects.filter(pk=self.run.pk).update(reason=self.run.reason)
        waiting.update(
            status=Status.SUPERSEDED,
            ended_at=timezone.now(),
            due_at=None,
            message="A newer run carried its changes.",
        )
