"""The pause of one sync: who set it, when and why, and what it was set for."""

from __future__ import annotations

from django.utils import timezone

from config.access.roles import Actor
from syncs.models import RunChange, SecretSync, Status, SyncPolicy, SyncRun

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


def stop_waiting(sync: SecretSync) -> None:
    """Supersede the automatic runs of a paused sync that have not begun."""
    waiting = SyncRun.objects.filter(sync=sync, status=Status.PENDING).exclude(trigger__in=("manual", "approval"))
    RunChange.objects.filter(run__in=waiting, outcome="").update(outcome="skipped")
    waiting.update(status=Status.SUPERSEDED, due_at=None, ended_at=timezone.now(), message="Paused.")
