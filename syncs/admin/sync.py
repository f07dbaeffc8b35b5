"""The admin of syncs: the list here; form, actions and further pages in modules of their own."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from config.access.roles import Right
from config.ui.markup import badge, when
from syncs.history.states import with_state
from syncs.history.status import statuses
from syncs.models import SecretSync

from .connect import may_connect
from .labels import DRIFT
from .sync_form import SyncForms
from .sync_lists import DestinationFilter, DriftFilter, EnvironmentFilter, StateFilter
from .sync_page import destination_label, target_label
from .sync_views import SyncViews


@admin.register(SecretSync)
class SecretSyncAdmin(SyncForms, SyncViews):
    project_path = "project"
    see = Right.SEE_SYNCS
    edit = Right.EDIT_SYNCS
    list_display = ("name", "state_badge", "source", "target", "drift_badge", "last_complete")
    list_filter = (
        StateFilter,
        DestinationFilter,
        EnvironmentFilter,
        "project",
        DriftFilter,
        "is_auto_sync_enabled",
    )
    search_fields = ("name", "description", "project__name", "connection__name", "last_sync_message", "location")
    search_help_text = _("Name, project, connection, target, message")
    actions = ("sync_now", "pause", "resume")
    actions_list = ("connect",)
    show_add_link = False  # the wizard creates syncs
    change_form_template = "syncs/sync_page.html"
    delete_confirmation_template = "syncs/delete.html"

    def get_queryset(self, request: HttpRequest) -> Any:
        related = ("project", "folder__environment__project", "connection__project", "policy", "drift")
        return with_state(super().get_queryset(request).select_related(*related))

    @action(
        description=_("Connect and sync"),
        url_path="connect",
        permissions=["connect"],
        icon="add_link",
        variant=ActionVariant.PRIMARY,
    )
    def connect(self, request: HttpRequest) -> HttpResponse:
        return redirect("admin:syncs_syncdraft_changelist")

    def has_connect_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return may_connect(request)

    @display(description=_("Source"), ordering="project__name")
    def source(self, obj: SecretSync) -> str:
        if obj.folder is None:
            return format_html("{} <span class='kf-subtle'>{}</span>", obj.project.name, _("folder deleted"))
        path = f"{obj.folder.environment.slug} {obj.folder.path}"
        return format_html("{}<br><span class='kf-mono kf-subtle'>{}</span>", obj.project.name, path)

    @display(description=_("Destination"), ordering="location")
    def target(self, obj: SecretSync) -> str:
        labels = destination_label(obj), target_label(obj)
        return format_html("{}<br><span class='kf-mono kf-subtle'>{}</span>", *labels)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The rows of the page with their statuses, in a fixed number of queries."""
        found = super().get_changelist_instance(request)
        rows = list(found.result_list)
        known = statuses(rows)
        for row in rows:
            row.status = known.get(row.pk)
        found.result_list = rows
        return found

    @display(description=_("Status"), ordering="state")
    def state_badge(self, obj: Any) -> str:
        if obj.status is None:
            return ""
        why = obj.status.reasons[0] if obj.status.reasons else ""
        return format_html('<span title="{}">{}</span>', why, badge(obj.status.label, obj.status.tone))

    @display(description=_("Drift"), ordering="drift__status")
    def drift_badge(self, obj: SecretSync) -> str:
        drift = getattr(obj, "drift", None)
        label = DRIFT.get(drift.status) if drift and drift.checked_at else None
        return badge(*label) if label else format_html('<span class="kf-subtle">{}</span>', _("not checked"))

    @display(description=_("Last complete"), ordering="last_synced_at")
    def last_complete(self, obj: SecretSync) -> str:
        return when(obj.last_synced_at, _("never"))
