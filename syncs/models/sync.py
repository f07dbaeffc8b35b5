"""Syncs, their policy, their runs, and the ledger of the keys that they own."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models import Q

from config.access.models import Identity, Project

from .reasons import RunReason
from .records import ActionOutcome, PriorState, RecordField, RunOptions
from .source import Folder

if TYPE_CHECKING:
    from connections.models import AppConnection


class Status(models.TextChoices):
    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    HELD = "held"
    DISMISSED = "dismissed"
    SUPERSEDED = "superseded"


UNMANAGED = ("overwrite-initially", "leave", "mirror")
WHILE_HELD = ("nothing", "writes")
NO_ACTION = "off"
AFTER_WRITES = (NO_ACTION, "deploy")


class _Living(models.Manager["SecretSync"]):
    def get_queryset(self) -> models.QuerySet[SecretSync]:
        return super().get_queryset().filter(deleted_at__isnull=True)


class SecretSync(models.Model):
    """One folder, one destination. `wanted_rev` counts the changes that reach it, `done_rev` those that runs carried.

    `generation` grows with every change of config, policy, pause, rights or existence, which stops a run under way.
    `confirmed_deletes` maps normalized keys to object ids; null once the first run at the target has gone ahead.
    A deleted sync is no longer among `objects`; its row stays as long as the history of its runs does.
    """

    AUDITED = (
        "name",
        "description",
        "folder",
        "connection",
        "destination_config",
        "sync_options",
        "is_auto_sync_enabled",
    )

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="syncs")
    name = models.CharField(max_length=256)
    description = models.CharField(max_length=256, null=True, blank=True)  # noqa: DJ001 - null on the wire
    destination = models.CharField(max_length=64)
    destination_config = models.JSONField()
    sync_options = models.JSONField(default=dict)
    folder = models.ForeignKey(Folder, null=True, blank=True, on_delete=models.SET_NULL, related_name="syncs")
    # Null once the sync is deleted, so never in `objects`; then the connection may be deleted too.
    connection: models.ForeignKey[AppConnection, AppConnection] = models.ForeignKey(  # type: ignore[misc]
        "connections.AppConnection", null=True, on_delete=models.RESTRICT, related_name="syncs"
    )
    is_auto_sync_enabled = models.BooleanField(default=True)
    version = models.PositiveIntegerField(default=1)
    owner_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    owner_identity = models.ForeignKey(Identity, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    location = models.CharField(max_length=512, db_index=True)
    confirmed_deletes = models.JSONField(
        null=True,
        help_text="Since its target was changed, until its first run there: the foreign deletes that were confirmed.",
    )
    generation = models.PositiveBigIntegerField(default=1)
    wanted_rev = models.PositiveBigIntegerField(default=0)
    done_rev = models.PositiveBigIntegerField(default=0)
    # A digest of what decides about its keys, as it was in the last run that was not held.
    written_basis = models.CharField(max_length=64, blank=True)
    changed_by = models.JSONField(default=list, editable=False)  # authors of changes that no run has carried yet
    started_at = models.DateTimeField(null=True, blank=True, help_text="Start of the last automatic run.")
    sync_status = models.CharField(max_length=16, null=True, blank=True)  # noqa: DJ001 - null on the wire
    last_sync_job_id = models.CharField(max_length=36, null=True, blank=True)  # noqa: DJ001
    last_sync_message = models.CharField(max_length=1024, null=True, blank=True)  # noqa: DJ001
    last_synced_at = models.DateTimeField(null=True, blank=True)
    import_status = models.CharField(max_length=16, null=True, blank=True)  # noqa: DJ001
    last_import_job_id = models.CharField(max_length=36, null=True, blank=True)  # noqa: DJ001
    last_import_message = models.CharField(max_length=1024, null=True, blank=True)  # noqa: DJ001
    last_imported_at = models.DateTimeField(null=True, blank=True)
    remove_status = models.CharField(max_length=16, null=True, blank=True)  # noqa: DJ001
    last_remove_job_id = models.CharField(max_length=36, null=True, blank=True)  # noqa: DJ001
    last_remove_message = models.CharField(max_length=1024, null=True, blank=True)  # noqa: DJ001
    last_removed_at = models.DateTimeField(null=True, blank=True)
    # What was last notified: "failed", "held" or "" for its runs, and whether its destination drifted.
    reported_run = models.CharField(max_length=16, blank=True)
    reported_drift = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = _Living()
    with_deleted = models.Manager["SecretSync"]()

    class Meta:
        ordering = ("name",)
        constraints = [
            models.UniqueConstraint(
                fields=("project", "name"), condition=Q(deleted_at__isnull=True), name="sync_name_once_a_project"
            ),
            models.CheckConstraint(
                condition=Q(connection__isnull=False) | Q(deleted_at__isnull=False), name="living_sync_has_connection"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project.slug}/{self.name}"


class SyncPolicy(models.Model):
    """Rules of a sync besides its config. `max_deletions` null: no guard; `max_concurrency` null: the default.
    `pace_percent` null: the vendor's documented limits of requests.

    `destination`: the members that the adapter declares (`Destination.Policy`).
    `pause_cause`: "removal" or "undo" if one of them paused the sync, "" if a person did.
    """

    AUDITED = (
        "unmanaged",
        "max_deletions",
        "include",
        "exclude",
        "tags",
        "recursive",
        "drift_check_minutes",
        "heal",
        "paused",
        "max_concurrency",
        "pace_percent",
        "destination",
        "after_writes",
        "while_held",
        "windows",
    )

    sync = models.OneToOneField(SecretSync, primary_key=True, on_delete=models.CASCADE, related_name="policy")
    unmanaged = models.CharField(max_length=32, default="overwrite-initially")
    max_deletions = models.PositiveIntegerField(null=True, blank=True, default=10)
    include = models.JSONField(default=list, blank=True)
    exclude = models.JSONField(default=list, blank=True)
    tags = models.JSONField(default=list, blank=True)
    recursive = models.BooleanField(default=False)
    drift_check_minutes = models.PositiveIntegerField(default=0)
    heal = models.BooleanField(default=False)
    paused = models.BooleanField(default=False)
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_by = models.CharField(max_length=255, blank=True)
    pause_reason = models.CharField(max_length=255, blank=True)
    pause_cause = models.CharField(max_length=16, blank=True)
    windows = models.JSONField(default=list, blank=True)
    max_concurrency = models.PositiveSmallIntegerField(null=True, blank=True)
    pace_percent = models.PositiveIntegerField(null=True, blank=True)
    destination = models.JSONField(default=dict, blank=True)
    after_writes = models.CharField(max_length=16, default=NO_ACTION)
    while_held = models.CharField(max_length=16, default=WHILE_HELD[0])

    def __str__(self) -> str:
        return f"policy of {self.sync_id}"


class SyncRun(models.Model):
    """One run: queued, running, or history. The database is the truth about it; the task queue is a hint."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    sync = models.ForeignKey(SecretSync, on_delete=models.CASCADE, related_name="runs")
    operation = models.CharField(max_length=16)
    trigger = models.CharField(max_length=16)
    actor_kind = models.CharField(max_length=16, blank=True)
    actor_id = models.CharField(max_length=36, blank=True)
    actor_name = models.CharField(max_length=255, blank=True)
    authors = models.JSONField(default=list, help_text="Of the changes that a held run carries: kind, id, name.")
    comment = models.CharField(max_length=1024, blank=True, help_text="Of the person who decided on a held run.")
    status = models.CharField(max_length=16, default=Status.PENDING)
    message = models.CharField(max_length=1024, null=True, blank=True)  # noqa: DJ001 - null on the wire
    options: models.Field[RunOptions, RunOptions] = RecordField(RunOptions, default=RunOptions)
    attempts = models.PositiveSmallIntegerField(default=0)
    counts = models.JSONField(default=dict)
    digest = models.CharField(max_length=64, blank=True)
    unchanged = models.JSONField(default=list, help_text="Names of keys that needed no write.")
    unmanaged = models.JSONField(default=list, help_text="Names of unmanaged keys at the destination.")
    location = models.CharField(max_length=512, blank=True)
    generation = models.PositiveBigIntegerField(default=0)
    source_rev = models.PositiveBigIntegerField(default=0)
    is_incomplete = models.BooleanField(default=False, help_text="Failed, but only because keys were blocked.")
    after: models.Field[ActionOutcome | None, ActionOutcome | None] = RecordField(ActionOutcome, null=True)
    reason: models.Field[RunReason, RunReason] = RecordField(RunReason, default=RunReason)
    cancelled_by = models.CharField(max_length=255, blank=True, help_text="Who cancelled the run; blank: nobody.")
    due_at = models.DateTimeField(null=True, blank=True)
    queued_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)
        indexes = [
            models.Index(fields=("due_at",), condition=Q(status__in=("pending", "running")), name="run_due"),
            models.Index(fields=("sync", "-created_at"), name="run_history"),
            models.Index(fields=("created_at",), name="run_by_time"),  # the dashboard counts those of a month
            models.Index(fields=("status", "sync"), name="run_by_status"),  # few are open, held or dismissed
        ]
        constraints = [
            models.UniqueConstraint(fields=("sync",), condition=Q(status="held"), name="one_held_run_a_sync"),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.id}"


class RunChange(models.Model):
    """The outcome of one key in one run, unless it was unchanged (then it is in `SyncRun.unchanged`)."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(SyncRun, on_delete=models.CASCADE, related_name="changes")
    key = models.CharField(max_length=1024)
    normalized_key = models.CharField(max_length=1024)
    source_key = models.CharField(max_length=512, blank=True)
    action = models.CharField(max_length=16)
    outcome = models.CharField(max_length=16, blank=True)
    reason = models.CharField(max_length=1024, blank=True)
    error_code = models.CharField(max_length=64, blank=True)
    error_message = models.CharField(max_length=1024, blank=True)
    version = models.PositiveIntegerField(default=0)
    ended_at = models.DateTimeField(null=True, blank=True)
    # The key before it was written, for undo, and its [value, comment] sealed.
    before: models.Field[PriorState | None, PriorState | None] = RecordField(PriorState, null=True)
    before_sealed = models.BinaryField(null=True)

    class Meta:
        ordering = ("id",)
        constraints = [models.UniqueConstraint(fields=("run", "normalized_key"), name="run_change_once_a_key")]

    def __str__(self) -> str:
        return f"{self.action} {self.key}"


class DriftCheck(models.Model):
    """The result of the last drift check. `changes` has keys and reasons, never values."""

    sync = models.OneToOneField(SecretSync, primary_key=True, on_delete=models.CASCADE, related_name="drift")
    status = models.CharField(max_length=16, default="unknown")
    complete = models.BooleanField(default=False)
    message = models.CharField(max_length=1024, blank=True)
    changes = models.JSONField(default=list)
    checked_at = models.DateTimeField(null=True)
    queued_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.status
