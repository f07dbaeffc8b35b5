"""The action after the writes of a run: done once for all keys that were changed, recorded like the outcome of a key.

It is done at least once: if its response is lost, or the worker is killed before its success is recorded, it is done
again. It is never done while another attempt of the run follows for keys that failed for a passing reason.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction

from connections.errors import IntegrationError
from syncs.destination.base import Destination
from syncs.models import ActionOutcome, OwedAction, SyncRun
from syncs.running.ledger import LeaseLost, Ledger


def act(
    run: SyncRun, destination: Destination, ledger: Ledger, may_continue: Callable[[], bool]
) -> IntegrationError | None:
    """Do what is owed at the ledger's location, unless a request may no longer be sent. Returns why it failed.

    Raises LeaseLost.
    """
    action = ledger.sync.policy.after_writes
    owed = OwedAction.objects.filter(sync=ledger.sync, location=ledger.lease.location).first()
    if owed is None and run.after and run.after.outcome == "failed":
        record_action(run, None)  # switched off between two attempts
    if owed is None or action not in destination.after_writes or not may_continue():
        return None
    try:
        destination.after(tuple(owed.keys))
    except IntegrationError as error:
        record_action(run, ActionOutcome(action, "failed", error.code, str(error)[:1024]))
        return error
    with transaction.atomic():
        if not ledger.lease.lock():
            raise LeaseLost
        owed.delete()
        record_action(run, ActionOutcome(action, "applied"))
    return None


def record_action(run: SyncRun, outcome: ActionOutcome | None) -> None:
    run.after = outcome
    SyncRun.objects.filter(pk=run.pk).update(after=outcome)
