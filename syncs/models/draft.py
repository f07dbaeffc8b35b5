"""A sync that somebody is about to make, between the steps of the wizard."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from .records import DraftStep, DraftSteps, RecordField
from .sync import SecretSync


class SyncDraft(models.Model):
    """What one person has chosen and typed so far, a row a start, so that two tabs do not mix.

    `steps` maps a step to its fields as they were typed, never a credential: a connection made on the way is stored as
    any other, and named here. `sync` is there when the draft has become one; the draft then leads to its run.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    destination = models.CharField(max_length=64)
    steps: models.Field[dict[str, DraftStep], dict[str, DraftStep]] = RecordField(DraftSteps, default=dict)
    done = models.JSONField(default=list, help_text="The steps that have been passed.")
    sync = models.ForeignKey(SecretSync, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    run = models.UUIDField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("-updated_at",)

    def __str__(self) -> str:
        return f"draft to {self.destination}"

    def step(self, name: str) -> DraftStep:
        """What the draft holds of a step; an empty one before it was visited."""
        return self.steps.get(name) or DraftStep()
