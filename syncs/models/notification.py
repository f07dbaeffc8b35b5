"""Notification targets, and the messages sent to them."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from config.access.models import Project

from .sync import SecretSync


class NoticeState(models.TextChoices):
    FAILED = "failed"
    HELD = "held"
    DRIFTED = "drifted"
    RECOVERED = "recovered"


class NotificationTarget(models.Model):
    """Receives messages of a project: an apprise URL, or members of the project by e-mail (`recipients`).

    The URL contains tokens: it is sealed, and only its scheme is shown.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="notification_targets")
    name = models.CharField(max_length=64)
    scheme = models.CharField(max_length=32)
    url_sealed = models.BinaryField(null=True)
    recipients = models.CharField(max_length=16, blank=True)
    states = models.JSONField(default=list)
    is_enabled = models.BooleanField(default=True)
    last_sent_at = models.DateTimeField(null=True, blank=True)
    last_failed_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=255, blank=True, help_text="Since the last message that arrived.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name",)
        constraints = [models.UniqueConstraint(fields=("project", "name"), name="target_name_once_a_project")]

    def __str__(self) -> str:
        return self.name


class Notice(models.Model):
    """One message to one target about one change of a sync's state. It may name keys, but has no value."""

    id = models.BigAutoField(primary_key=True)
    target = models.ForeignKey(NotificationTarget, on_delete=models.CASCADE, related_name="notices")
    sync = models.ForeignKey(SecretSync, on_delete=models.CASCADE, related_name="notices")
    state = models.CharField(max_length=16, choices=NoticeState.choices)
    title = models.CharField(max_length=512)
    text = models.TextField()
    status = models.CharField(max_length=16, default="pending")  # pending, sent, failed
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=255, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    queued_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        indexes = [models.Index(fields=("due_at",), condition=Q(status="pending"), name="notice_due")]

    def __str__(self) -> str:
        return self.title
