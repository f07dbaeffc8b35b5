"""E-mail of this installation."""

from __future__ import annotations

from django.conf import settings


def is_configured() -> bool:
    """Whether there is a mail server to send with, or a backend that needs none, such as one that writes files."""
    return bool(settings.EMAIL_HOST) or not settings.EMAIL_BACKEND.endswith("smtp.EmailBackend")
