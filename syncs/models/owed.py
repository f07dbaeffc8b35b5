"""What syncs still owe their destinations."""

from __future__ import annotations

from django.db import models

from .sync import SecretSync


class OwedAction(models.Model):
    """An action after writes that is still to be done: `keys` were changed at the location since it was last done.

    Stored in the transaction that records the first of them, deleted once the action has succeeded.
    """

    id = models.BigAutoField(primary_key=True)
    sync = models.ForeignKey(SecretSync, on_delete=models.CASCADE, related_name="owed")
    location = models.CharField(max_length=512)
    keys = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=("sync", "location"), name="one_owed_action_a_location")]

    def __str__(self) -> str:
        return self.location
