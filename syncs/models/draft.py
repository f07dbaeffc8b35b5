"""A sync that is being created, between the steps of the wizard."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from .records import DraftStep, DraftSteps, RecordField
from .sync import SecretSync


class SyncDraft(models.Model):
    """The choices of one person so far; one row for each time the wizard is started, so that two tabs do not mix.

    `steps` maps a step to its fields as they were typed, never a credential: a connection created on the way is stored
    like any other, and referred to. `sync` is set once the draft has become one; the draft then refers to its run.
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
