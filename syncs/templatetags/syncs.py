"""`{% load syncs %}`: syncs on pages of lower layers."""

from __future__ import annotations

from typing import Any

from django import template

from syncs.history.status import STATES, visible, with_state
from syncs.models import SecretSync
from syncs.services.approvals import DECIDE_AT

register = template.Library()
MAX_ROWS = 50


@register.filter
def without_link(message: str | None) -> str:
    """The message of a held run without its last sentence, a link to the page of the run."""
    return (message or "").partition(DECIDE_AT)[0]


@register.inclusion_tag("syncs/through.html", takes_context=True)
def syncs_through(context: template.Context, connection: Any) -> dict[str, Any]:
    """The syncs that use a connection, as far as the person may see them."""
    from config.ui.base import actor_of  # tag libraries are loaded while the admin is being imported

    rows = SecretSync.objects.filter(visible(actor_of(context["request"])), connection=connection)
    found = with_state(rows.select_related("project", "policy"))
    return {
        "rows": [(sync, *STATES[sync.state]) for sync in found[:MAX_ROWS]],
        "more": max(rows.count() - MAX_ROWS, 0),
        "connection": connection,
    }
