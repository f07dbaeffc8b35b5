"""A run at a location that its sync has left: removes the sync's keys there that nothing needs any more.

The ledger says what is left to do, so a run that is killed, or that leaves keys whose secrets have not arrived at the
present location yet, is followed by another one.
"""

from __future__ import annotations

from dataclasses import dataclass

from connections.refusals import watched
from syncs.destination.base import Destination
from syncs.engine.plan import State
from syncs.models import FormerLocation, ManagedSecret, OwedAction, Status, SyncRun
from syncs.planning.leaving import leaving_for
from syncs.running.operations import Operation
from syncs.services.deletion import leave_former_locations
from syncs.services.leaving import RETURNED

NO_CONNECTION = "The connection that wrote these keys was deleted, so they cannot be removed: they stay there."
ANOTHER_ADDRESS = "The service has another address by now, so these keys cannot be removed there: they stay."


@dataclass
class Departure(Operation):
    """Of one attempt. Raises as `Operation` does."""

    def execute(self) -> None:
        former = FormerLocation.objects.filter(sync=self.sync, location=self.run.location).first()
        if former is None or self.sync.location == self.run.location:
            self.completion.cancel(RETURNED)
            return
        rows = ManagedSecret.objects.filter(sync=self.sync, location=former.location)
        row = rows.exclude(connection=None).select_related("connection").first()
        if row is not None and row.connection is not None:
            with watched(row.connection) as client:
                self.connection, self.client = row.connection, client
                destination = type(self.destination)(
                    client, row.destination_config, policy=self.sync.policy.destination
                )
                if destination.location() == former.location:
                    self._remove_at_former(destination)
                    self._settle(former)
                    return
        if rows.exclude(state=State.MISSING).exists():
            self.completion.fail(ANOTHER_ADDRESS if row else NO_CONNECTION)
        else:
            self.completion.cancel("The sync owns no key there any more.")
        former.delete()
        leave_former_locations(self.sync)

    def _remove_at_former(self, destination: Destination) -> None:
        plan = leaving_for(self.sync, destination, self.destination, destination.listing())
        self._take_generation()
        self.run.digest, self.run.counts = plan.digest, plan.counts
        self._record(plan)
        freed = self.ledger.settle(plan.changes)
        self.writer.write(destination, list(plan.deletes))
        self._end(plan, freed, last=True, destination=destination)

    def _settle(self, former: FormerLocation) -> None:
        """Nothing is left to do once the sync owns no key there."""
        ended = SyncRun.objects.filter(pk=self.run.pk, status=Status.SUCCEEDED).exists()
        rows = ManagedSecret.objects.filter(sync=self.sync, location=former.location)
        if ended and not rows.exclude(state=State.MISSING).exists():
            rows.delete()
            OwedAction.objects.filter(sync=self.sync, location=former.location).delete()
            former.delete()
