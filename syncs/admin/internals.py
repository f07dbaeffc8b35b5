"""Internal records, read-only: versions of secrets, keys of runs, the ledger, initial sets, owed actions, drift
checks, leases.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from config.access.roles import Right
from config.ui.base import ReadOnlyAdmin
from config.ui.markup import badge, link, when
from syncs.engine.plan import State
from syncs.models import (
    DriftCheck,
    FormerLocation,
    InitialSet,
    Lease,
    ManagedSecret,
    OwedAction,
    RunChange,
    SecretReference,
    SecretVersion,
)

from .sync_page import destination_label, target_label

LEDGER: dict[str, tuple[Any, str]] = {
    State.OWNED: (_("owned"), "good"),
    State.CLAIM: (_("being written"), "warn"),
    State.MISSING: (_("missing"), "calm"),
}


@admin.register(SecretVersion)
class SecretVersionAdmin(ReadOnlyAdmin):
    project_path = "secret__folder__environment__project_id"
    list_display = ("key", "version", "actor_name", "actor_kind", "created_at")
    list_filter = ("actor_kind", "secret__folder__environment__project")
    search_fields = ("key", "actor_name")
    date_hierarchy = "created_at"
    fields = ("secret", "version", "key", "actor_name", "actor_kind", "created_at")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("value_sealed", "comment_sealed")


@admin.register(SecretReference)
class SecretReferenceAdmin(ReadOnlyAdmin):
    """References between secrets."""

    project_path = "secret__folder__environment__project_id"
    list_display = ("secret", "environment", "path", "key")
    list_select_related = ("secret",)
    search_fields = ("secret__key", "environment", "path", "key")


@admin.register(RunChange)
class RunChangeAdmin(ReadOnlyAdmin):
    project_path = "run__sync__project_id"
    see = Right.SEE_SYNCS
    list_display = ("key", "action", "outcome", "error_code", "run", "ended_at")
    list_filter = ("action", "outcome", "error_code", "run__sync__project")
    list_select_related = ("run__sync",)
    search_fields = ("key", "source_key", "reason", "error_message")


@admin.register(ManagedSecret)
class ManagedSecretAdmin(ReadOnlyAdmin):
    """The ledger: which sync owns which key of which location."""

    project_path = "sync__project_id"
    see = Right.SEE_SYNCS
    list_display = ("key", "sync_name", "target", "state_badge", "written", "explanation")
    list_filter = ("state", "destination", "sync__project")
    list_select_related = ("sync__project",)
    search_fields = ("key", "location", "sync__name")
    fields = ("key", "location", "sync", "destination", "destination_config", "state", "written_at", "run")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("value_sealed", "value_mac", "rest_mac")

    @display(description=_("State"), ordering="state")
    def state_badge(self, obj: ManagedSecret) -> str:
        return badge(*(LEDGER[obj.state] if obj.sync_id else (_("kept"), "calm")))

    @display(description=_("Sync"), ordering="sync__name")
    def sync_name(self, obj: ManagedSecret) -> str:
        return str(obj.sync or _("none: kept on request"))

    @display(description=_("Written"), ordering="written_at")
    def written(self, obj: ManagedSecret) -> str:
        return when(obj.written_at)

    @display(description=_("Target"), ordering="location")
    def target(self, obj: ManagedSecret) -> str:
        labels = destination_label(obj), target_label(obj)
        return format_html("{}<br><span class='kf-mono kf-subtle'>{}</span>", *labels)

    @display(description=_("Why"))
    def explanation(self, obj: ManagedSecret) -> str:
        if obj.sync_id is None:
            return ""
        url = f"{reverse('admin:syncs_secretsync_why', args=[obj.sync_id])}?{urlencode({'key': obj.key})}"
        return link(url, _("Why is this key there?"))


@admin.register(InitialSet)
class InitialSetAdmin(ReadOnlyAdmin):
    """The keys that a sync found at a location in its first run."""

    project_path = "sync__project_id"
    see = Right.SEE_SYNCS
    list_display = ("sync", "location")
    list_select_related = ("sync__project",)
    search_fields = ("location", "sync__name")


@admin.register(FormerLocation)
class FormerLocationAdmin(ReadOnlyAdmin):
    """Locations that syncs have left, and whose keys are still to be removed there."""

    project_path = "sync__project_id"
    see = Right.SEE_SYNCS
    list_display = ("sync", "location", "due_at")
    list_select_related = ("sync__project",)
    search_fields = ("location", "sync__name")


@admin.register(OwedAction)
class OwedActionAdmin(ReadOnlyAdmin):
    """Actions after writes, such as deployments, that are still to be done."""

    project_path = "sync__project_id"
    see = Right.SEE_SYNCS
    list_display = ("sync", "location")
    list_select_related = ("sync__project",)
    search_fields = ("location", "sync__name")


@admin.register(DriftCheck)
class DriftCheckAdmin(ReadOnlyAdmin):
    """Result of the last drift check of each sync."""

    project_path = "sync__project_id"
    see = Right.SEE_SYNCS
    list_display = ("sync", "status", "complete", "checked_at", "message")
    list_filter = ("status", "sync__project")
    list_select_related = ("sync__project",)
    search_fields = ("sync__name",)
    fields = ("sync", "status", "complete", "checked_at", "message", "changes")


@admin.register(Lease)
class LeaseAdmin(ReadOnlyAdmin):
    """Which worker writes to a location now. For instance admins only, because locations are shared by projects."""

    list_display = ("location", "holder", "fence", "expires_at")
    search_fields = ("location",)
