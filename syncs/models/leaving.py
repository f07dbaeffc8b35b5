"""Locations that syncs have left, and whose keys are still to be removed there."""

from __future__ import annotations

from django.db import models

from .sync import SecretSync


class FormerLocation(models.Model):
    """Stored with the change of the target, deleted once the sync owns no key there or has returned.

    The rows of the ledger stay the sync's until then. `due_at`: when its next run is due; the end of a run at the new
    location is another reason for one.
    """

    id = models.BigAutoField(primary_key=True)
    sync = models.ForeignKey(SecretSync, on_delete=models.CASCADE, related_name="former_locations")
    location = models.CharField(max_length=512)
    actor_kind = models.CharField(max_length=16, blank=True)
    actor_id = models.CharField(max_length=36, blank=True)
    actor_name = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=("sync", "location"), name="one_former_location_a_sync")]

    def __str__(self) -> str:
        return self.location
