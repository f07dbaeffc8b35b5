"""`{% load syncs %}`: what pages of the apps below show of syncs."""

from __future__ import annotations

from typing import Any

from django import template

from syncs.history.status import STATES, visible, with_state
from syncs.models import SecretSync

register = template.Library()
MOST = 50


@register.inclusion_tag("syncs/through.html", takes_context=True)
def syncs_through(context: template.Context, connection: Any) -> dict[str, Any]:
    """The syncs that a connection serves, as far as the person sees them."""
    from config.ui.base import actor_of  # libraries are loaded while the admin is being imported

    seen = SecretSync.objects.filter(visible(actor_of(context["request"])), connection=connection)
    found = with_state(seen.select_related("project", "policy"))
    return {
        "rows": [(sync, *STATES[sync.state]) for sync in found[:MOST]],
        "more": max(seen.count() - MOST, 0),
        "connection": connection,
    }
