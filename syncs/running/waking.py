"""Syncs that waited for what a run gave up or wrote."""

from __future__ import annotations

from collections.abc import Iterable

from config.access.roles import PLATFORM
from syncs.engine.plan import Change, Effect, Plan
from syncs.engine.types import Action, Outcome
from syncs.models import ManagedSecret, SecretSync, Status, cause_of
from syncs.services.propagation import want


def wake_waiting(sync: SecretSync, location: str, plan: Plan) -> None:
    """Other syncs of this location may have waited for the keys that were given up."""
    others = SecretSync.objects.filter(location=location).exclude(pk=sync.pk)
    handed_over = any(Effect.HAND_OVER in change.effects for change in plan.changes)
    waiting = others if handed_over else others.filter(sync_status=Status.FAILED)
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
