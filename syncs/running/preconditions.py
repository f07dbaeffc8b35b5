"""Whether a run may begin and continue: pauses, limits of the vendor, the rights of its owner. Reads only."""

from __future__ import annotations

from datetime import UTC

from django.utils import timezone

from config.access.models import Instance
from config.access.roles import PLATFORM, Right, actor_of_identity, actor_of_user
from connections.refusals import may_try
from syncs.engine.windows import forbidding, next_open, windows_of
from syncs.models import SecretSync, Status, SyncRun
from syncs.running.stop import Stop
from syncs.services.cancellation import is_cancelled

BUSY_WAIT = 1.0  # seconds until a run whose location or connection is busy tries again
PAUSE_WAIT = 5.0
LOOK_AGAIN = 15.0  # seconds after which a waiting run looks whether its connection still has to wait
WINDOW_WAIT = 60.0
RUNS_PER_CONNECTION = 5


def must_wait(run: SyncRun, sync: SecretSync) -> tuple[float, str] | None:
    """Seconds for which the run must not start yet, and why."""
    instance = Instance.objects.first()
    if instance and instance.paused_at:
        return PAUSE_WAIT, f"Paused for the whole instance by {instance.paused_by}."
    connection = sync.connection
    if connection.paused_at:
        return PAUSE_WAIT, f"The connection {connection.name} was paused by {connection.paused_by}."
    if connection.retry_at and not connection.login_refused_at:
        left = (connection.retry_at - timezone.now()).total_seconds()
        if left > 0:
            return min(left, LOOK_AGAIN), f"The service asked to wait {left:.0f} s."
    if not _was_requested(run) and (closed := _outside_windows(sync)):
        return closed
    others = SyncRun.objects.filter(
        status=Status.RUNNING, due_at__gt=timezone.now(), sync__connection=connection
    ).exclude(pk=run.pk)
    if others.count() >= RUNS_PER_CONNECTION:
        return BUSY_WAIT, f"{RUNS_PER_CONNECTION} runs use this connection already."
    return None


def _outside_windows(sync: SecretSync) -> tuple[float, str] | None:
    """Until when an automatic run waits for the windows of the policy, and for which."""
    windows, now = windows_of(sync.policy.windows), timezone.now()
    window = forbidding(windows, now)
    if window is None:
        return None
    opens = next_open(windows, now)
    left = (opens - now).total_seconds() if opens else WINDOW_WAIT
    until = f" until {opens.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if opens else ""
    # Not longer than a minute at a time: the windows may be changed.
    return min(left, WINDOW_WAIT), f"Outside its sync windows{until}: {window.text}. A manual run does not wait."


def cancelled(run: SyncRun, sync: SecretSync) -> str:
    """Why an automatic run is no longer to be executed, which is no failure; "" if it is."""
    if _was_requested(run):
        return ""
    if sync.policy.paused:
        return "Paused."
    # A run that has begun is completed.
    begun = run.started_at is not None
    by_choice = bool(run.options.leaving)  # it was confirmed with the change of the target
    return "" if begun or by_choice or sync.is_auto_sync_enabled else "Auto-sync was switched off."


def refusal(run: SyncRun, sync: SecretSync) -> str:
    """Why the run cannot be executed at all, or ""."""
    if run.operation in ("sync", "import") and sync.folder is None:
        return (
            "Invalid Secret Sync source configuration: folder no longer exists. "
            "Please update source environment and secret path."
        )
    return "" if _was_requested(run) else _owner_refusal(sync)


def refused_login(run: SyncRun, sync: SecretSync) -> str:
    """Why an automatic run must not try a login that was refused, or ""; then it is the one that tries it now."""
    if _was_requested(run) or may_try(sync.connection):
        return ""
    return (
        f"The login of the connection {sync.connection.name} was refused, so nothing was sent with it."
        " Check the connection, or enter new credentials."
    )


def stop(run: SyncRun) -> Stop | None:
    """Why a run must stop between keys: somebody cancelled it, a pause of all syncs or its own, its owner's rights."""
    if is_cancelled(run):
        return Stop.CANCELLED
    if Instance.objects.filter(paused_at__isnull=False).exists():
        return Stop.PAUSED
    sync = SecretSync.objects.select_related("owner_user", "owner_identity", "policy").filter(pk=run.sync_id).first()
    if sync is None:
        return Stop.SYNC_CHANGED
    if _was_requested(run):
        return None
    if sync.policy.paused:  # since before the run read the generation
        return Stop.PAUSED
    return Stop.OWNER_RIGHTS if _owner_refusal(sync) else None


def _was_requested(run: SyncRun) -> bool:
    return run.trigger in ("manual", "approval")


def _owner_refusal(sync: SecretSync) -> str:
    """An automatic run acts for the sync's owner, with the rights that the owner has now."""
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
