"""What every page of the admin may show, besides what its view gives it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from django.http import HttpRequest

from config.access.models import Instance, User
from config.access.roles import actor_of_user


def all_paused(request: HttpRequest) -> dict[str, Callable[[], dict[str, Any] | None]]:
    """`all_paused`: the pause of all syncs, and whether this person may end it; None if there is none or for nobody.

    A function, so that only pages that show it query the database, once.
    """
    return {"all_paused": cache(partial(_all_paused, request))}


def _all_paused(request: HttpRequest) -> dict[str, Any] | None:
    if not isinstance(request.user, User):
        return None
    paused = Instance.objects.filter(paused_at__isnull=False).first()
    if paused is None:
        return None
    return {
        "at": paused.paused_at,
        "by": paused.paused_by,
        "reason": paused.pause_reason,
        "may_resume": actor_of_user(request.user).is_instance_admin,
    }
