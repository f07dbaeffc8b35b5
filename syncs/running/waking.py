"""Syncs that waited for what a run gave up or wrote."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

from config.access.roles import PLATFORM
from syncs.engine.plan import Change, Effect, Plan
from syncs.engine.types import Action, Outcome
from syncs.models import ManagedSecret, SecretSync, cause_of
from syncs.services.propagation import want
from syncs.services.waiting import waiting_for


def wake_waiting(sync: SecretSync, location: str, plan: Plan, freed: Collection[str]) -> None:
    """Other syncs of this location that waited for a key (normalized) that was given up, or that it was handed to."""
    heirs = {UUID(change.heir) for change in plan.changes if Effect.HAND_OVER in change.effects and change.heir}
    found = heirs | waiting_for([location], freed)
    waiting = SecretSync.objects.filter(pk__in=found).exclude(pk=sync.pk)
    want(PLATFORM, waiting, causes=[cause_of("released", names=[sync.name])])


def wake_moved(sync: SecretSync, results: Iterable[tuple[Change, Outcome]]) -> None:
    """Secrets written here that another sync still owns were moved: its deletes waited for this run."""
    written = [
        change.desired.secret_id
        for change, outcome in results
        if outcome.error is None and change.desired and change.action is not Action.DELETE
    ]
    if not written:
        return
    waiting = ManagedSecret.objects.filter(secret_id__in=written).exclude(sync=sync).exclude(sync=None)
    waiting_syncs = set(waiting.values_list("sync_id", flat=True))
    if waiting_syncs:
        cause = cause_of("moved", names=[sync.name])
        want(PLATFORM, SecretSync.objects.filter(pk__in=waiting_syncs), causes=[cause])
