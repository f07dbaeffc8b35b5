"""The rows of the installation itself: its identity, and the keysets that encrypt its data.

They belong to the app `access` (tables and migrations), but are defined in a lower layer: encryption needs them, and
access needs encryption.
"""

from __future__ import annotations

import uuid

from django.db import models


class Instance(models.Model):
    """This installation: one row. Its id is the `orgId` of the modelled API."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    keyset_fingerprint = models.CharField(max_length=64, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_by = models.CharField(max_length=255, blank=True)
    pause_reason = models.CharField(max_length=255, blank=True)
    # The end of the audit log: number of events, hash of the last one, and a keyed MAC of both.
    audit_count = models.PositiveBigIntegerField(default=0)
    audit_head = models.CharField(max_length=64, blank=True)
    audit_seal = models.CharField(max_length=128, blank=True)

    class Meta:
        app_label = "access"

    def __str__(self) -> str:
        return str(self.id)


class DataKeyset(models.Model):
    """The keysets of a project (`project` null: of the instance), wrapped by the root keyset."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.OneToOneField("access.Project", null=True, on_delete=models.CASCADE, related_name="keyset")
    wrapped_aead = models.BinaryField()
    wrapped_mac = models.BinaryField()

    class Meta:
        app_label = "access"

    def __str__(self) -> str:
        return f"keyset {self.id}"
