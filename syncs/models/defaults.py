"""What a project decides about its syncs."""

from __future__ import annotations

from typing import Any

from django.db import models

from config.access.models import Project

from .sync import SyncPolicy


class SyncDefaults(models.Model):
    """Settings of a project for its syncs. `policy`: the members that were set for new ones, by field name."""

    AUDITED = ("policy", "refuse_overlaps", "other_approver")

    project = models.OneToOneField(Project, primary_key=True, on_delete=models.CASCADE, related_name="sync_defaults")
    policy = models.JSONField(default=dict)
    refuse_overlaps = models.BooleanField(default=False)
    other_approver = models.BooleanField(default=False, help_text="Who wrote a change may not approve its held run.")

    def __str__(self) -> str:
        return f"defaults of {self.project_id}"

    def new_policy(self, **members: Any) -> SyncPolicy:
        """The policy of a new sync, with the given members; not stored."""
        return SyncPolicy(**{**self.policy, **members})
