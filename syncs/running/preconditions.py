"""Whether a run may begin, and go on: pauses, the vendor's wishes, the rights that it acts by. Asked, never written."""

from __future__ import annotations

from django.utils import timezone

from config.access.models import Instance
from config.access.roles import PLATFORM, Right, actor_of_identity, actor_of_user
from syncs.models import SecretSync, Status, SyncRun
from syncs.running.completion import CHANGED

BUSY_WAIT = 1.0  # seconds until a run that found its place or its connection busy looks again
PAUSE_WAIT = 5.0
RUNS_A_CONNECTION = 5
PAUSED = "it was paused"


def must_wait(run: SyncRun, sync: SecretSync) -> tuple[float, str] | None:
    """Seconds and reason for which the run must not start yet."""
    instance = Instance.objects.first()
    if instance and instance.paused_at:
        return PAUSE_WAIT, f"Paused for the whole instance by {instance.paused_by}."
    connection = sync.connection
    if connection.paused_at:
        return PAUSE_WAIT, f"The connection {connection.name} was paused by {connection.paused_by}."
    if connection.retry_at and (left := (connection.retry_at - timezone.now()).total_seconds()) > 0:
        return left, f"The service asked to wait {left:.0f} s."
    others = SyncRun.objects.filter(
        status=Status.RUNNING, due_at__gt=timezone.now(), sync__connection=connection
    ).exclude(pk=run.pk)
    if others.count() >= RUNS_A_CONNECTION:
        return BUSY_WAIT, f"{RUNS_A_CONNECTION} runs are going on this connection."
    return None


def called_off(run: SyncRun, sync: SecretSync) -> str:
    """What people have done since an automatic run was queued, so that it is not to be; no failure. "" for nothing."""
    if _asked_for(run):
        return ""
    if sync.policy.paused:
        return "Paused."
    # One that has begun is brought to its end.
    begun = run.started_at is not None
    return "" if begun or sync.is_auto_sync_enabled else "Auto-sync was switched off."


def refusal(run: SyncRun, sync: SecretSync) -> str:
    """Why the run cannot be done at all, or ""."""
    if run.operation in ("sync", "import") and sync.folder is None:
        return (
            "Invalid Secret Sync source configuration: folder no longer exists. "
            "Please update source environment and secret path."
        )
    return "" if _asked_for(run) else _owner_refusal(sync)


def stop(run: SyncRun) -> str:
    """Why a run that is going must stop between keys: a pause of the whole instance, its owner's rights. Or ""."""
    if Instance.objects.filter(paused_at__isnull=False).exists():
        return PAUSED
    sync = SecretSync.objects.select_related("owner_user", "owner_identity").filter(pk=run.sync_id).first()
    if sync is None:
        return CHANGED
    return "" if _asked_for(run) or not _owner_refusal(sync) else "its owner's rights have changed"


def _asked_for(run: SyncRun) -> bool:
    return run.trigger in ("manual", "approval")


def _owner_refusal(sync: SecretSync) -> str:
    """An automatic run acts for the sync's owner: what he may no longer do, it does not do."""
    user, identity = sync.owner_user, sync.owner_identity
    if user is None and identity is None:
        return "The owner of this sync no longer exists. Save the sync again to make it yours."
    owner = actor_of_user(user) if user else actor_of_identity(identity) if identity else PLATFORM
    active = user is None or user.is_active
    for right in (Right.READ_VALUES, Right.USE_CONNECTIONS):
        if not active or not owner.may(right, sync.project_id):
            action, subject, _ = right.value
            return f"{owner.name}, the owner of this sync, may no longer {action} on {subject}."
    return ""
