"""Stored vendor logins."""

from __future__ import annotations

import uuid

from django.db import models

from config.access.models import Project


class AppConnection(models.Model):
    """A login at a vendor, organisation-wide (`project` null) or of one project.

    The credentials are encrypted, and read by `connections.credentials` only. So is the session that some are
    exchanged for (`connections.sessions`).
    `credentials_hash` is keyed and changes exactly when the credentials do.
    """

    AUDITED = ("name", "description")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=64)
    description = models.CharField(max_length=256, null=True, blank=True)  # noqa: DJ001 - null on the wire
    app = models.CharField(max_length=64)
    method = models.CharField(max_length=64)
    version = models.PositiveIntegerField(default=1)
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.CASCADE, related_name="connections")
    credentials_sealed = models.BinaryField()
    credentials_hash = models.CharField(max_length=128)
    retry_at = models.DateTimeField(null=True, blank=True, help_text="The vendor asked us to wait until then.")
    login_refused_at = models.DateTimeField(
        null=True, blank=True, help_text="Since then the vendor refuses the login; blank: it does not."
    )
    next_slot_at = models.DateTimeField(null=True, blank=True, help_text="The next request of a paced vendor.")
    quota_slot_at = models.DateTimeField(null=True, blank=True, help_text="The last request of the vendor's quota.")
    quota_used = models.FloatField(default=0.0, help_text="Requests of the quota that were reserved until then.")
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_by = models.CharField(max_length=255, blank=True)
    pause_reason = models.CharField(max_length=255, blank=True)
    session_sealed = models.BinaryField(null=True, editable=False)
    session_renew_at = models.DateTimeField(null=True, blank=True, help_text="When the next sign-in is due.")
    session_claimed_until = models.DateTimeField(null=True, blank=True, help_text="Until then one run signs in.")
    checked_at = models.DateTimeField(null=True, blank=True)
    check_problem = models.CharField(
        max_length=1024, blank=True, help_text="What the last check found wrong, or blank."
    )
    missing_rights = models.JSONField(
        default=list, blank=True, help_text="Rights that the last check found to be missing."
    )
    excess_rights = models.JSONField(
        default=list, blank=True, help_text="Rights that the last check found and no sync needs."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name",)
        constraints = [
            models.UniqueConstraint(fields=("project", "name"), name="connection_name_once_a_project"),
            models.UniqueConstraint(
                fields=("name",), condition=models.Q(project__isnull=True), name="connection_name_once_an_organisation"
            ),
        ]

    def __str__(self) -> str:
        return self.name
