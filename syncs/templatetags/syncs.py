"""`{% load syncs %}`: syncs on pages of lower layers."""

from __future__ import annotations

from typing import Any

from django import template

from syncs.history.states import visible
from syncs.history.status import statuses
from syncs.history.texts import without_link
from syncs.models import SecretSync

register = template.Library()
MAX_ROWS = 50


register.filter("without_link", without_link)


@register.inclusion_tag("syncs/through.html", takes_context=True)
def syncs_through(context: template.Context, connection: Any) -> dict[str, Any]:
    """The syncs that use a connection, as far as the person may see them."""
    from config.ui.base import actor_of  # tag libraries are loaded while the admin is being imported

    rows = SecretSync.objects.filter(visible(actor_of(context["request"])), connection=connection)
    found = list(rows.select_related("project")[:MAX_ROWS])
    status = statuses(found)
    return {
        "rows": [(sync, status[sync.pk]) for sync in found if sync.pk in status],
        "more": max(rows.count() - MAX_ROWS, 0),
        "connection": connection,
    }
