"""The states of a sync: one word for programs and one label for people, wherever a status is shown."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class SyncState(models.TextChoices):
    """The most urgent first: of all that hold for a sync, the first is its state."""

    PAUSED = "paused", _("Paused")
    SOURCE_MISSING = "sourceMissing", _("Source missing")
    HELD = "held", _("Held for approval")
    FAILING = "failing", _("Failing")
    DRIFTED = "drifted", _("Drifted")
    INCOMPLETE = "incomplete", _("Incomplete")
    KEPT = "kept", _("Kept on request")
    RETRYING = "retrying", _("Retrying")
    PENDING = "pending", _("Changes waiting")
    RUNNING = "running", _("Running")
    NEVER_RAN = "neverRan", _("Never ran")
    UP_TO_DATE = "upToDate", _("Up to date")
