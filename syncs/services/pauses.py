"""The pause of one sync: who set it, when and why, what it was set for, and what ends it."""

from __future__ import annotations

from django.db.models import F, QuerySet
from django.utils import timezone

from config.access.roles import Actor
from syncs.models import RunChange, SecretSync, Status, SyncPolicy, SyncRun

from .outcomes import keep_last_outcome

REMOVAL, UNDO = "removal", "undo"  # what may set a pause besides a person, whose cause is ""
COLUMNS = ("paused", "paused_at", "paused_by", "pause_reason", "pause_cause")
_STRENGTH = {REMOVAL: 0, UNDO: 1, "": 2}


def mark_paused(policy: SyncPolicy, actor: Actor, *, reason: str = "", cause: str = "") -> None:
    """Set the members of `COLUMNS`; not stored. A pause that ends only with resume is not replaced by a weaker one.

    Pausing again without a new reason keeps author and time.
    """
    if policy.paused and policy.paused_at:
        before, now = _STRENGTH[policy.pause_cause], _STRENGTH[cause]
        if before > now or (before == now and not reason):
            return
    policy.paused, policy.paused_at, policy.paused_by = True, timezone.now(), actor.name
    policy.pause_reason, policy.pause_cause = reason, cause


def mark_resumed(policy: SyncPolicy) -> None:
    """Clear the members of `COLUMNS`; not stored."""
    policy.paused, policy.paused_at, policy.paused_by = False, None, ""
    policy.pause_reason, policy.pause_cause = "", ""


def set_paused(policy: SyncPolicy, actor: Actor, *, paused: bool, reason: str = "", cause: str = "") -> None:
    """Pause or resume as the stored policy allows; `policy` gets its members. Call it in a transaction."""
    stored = SyncPolicy.objects.select_for_update().get(pk=policy.pk)
    if paused:
        mark_paused(stored, actor, reason=reason, cause=cause)
    else:
        mark_resumed(stored)
    stored.save(update_fields=COLUMNS)
    for name in COLUMNS:
        setattr(policy, name, getattr(stored, name))


def pause_for_removal(actor: Actor, sync: SecretSync) -> None:
    """Pause a sync whose secrets are about to be removed: nothing that waits may write them again.

    Call it in the transaction that stores the removal, before its run.
    """
    set_paused(sync.policy, actor, paused=True, cause=REMOVAL)
    SecretSync.objects.filter(pk=sync.pk).update(generation=F("generation") + 1)
    waiting = SyncRun.objects.filter(sync=sync, status__in=(Status.PENDING, Status.HELD))
    _supersede(sync, waiting, "Superseded: the secrets of this sync are removed.")


def end_removal_pause(sync: SecretSync) -> None:
    """Resume the sync if a removal paused it; any other pause ends only with resume. Call it in a transaction."""
    policy = SyncPolicy.objects.select_for_update().filter(sync=sync, paused=True, pause_cause=REMOVAL).first()
    if policy is not None:
        mark_resumed(policy)
        policy.save(update_fields=COLUMNS)
        SecretSync.objects.filter(pk=sync.pk).update(generation=F("generation") + 1)


def stop_waiting(sync: SecretSync) -> None:
    """Supersede the automatic runs of a paused sync that have not begun."""
    waiting = SyncRun.objects.filter(sync=sync, status=Status.PENDING).exclude(trigger__in=("manual", "approval"))
    _supersede(sync, waiting, "Paused.")


def _supersede(sync: SecretSync, waiting: QuerySet[SyncRun], message: str) -> None:
    operations = dict(waiting.values_list("pk", "operation"))
    RunChange.objects.filter(run__in=operations, outcome="").update(outcome="skipped")
    SyncRun.objects.filter(pk__in=operations).update(
        status=Status.SUPERSEDED, due_at=None, ended_at=timezone.now(), message=message
    )
    for operation in set(operations.values()):
        keep_last_outcome(sync.pk, operation)
