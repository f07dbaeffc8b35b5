"""The installation: pausing it, rate limits, keysets."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from config.access import services
from config.access.models import DataKeyset, Instance, RequestWindow
from config.errors import ServiceError
from config.ui.base import ReadOnlyAdmin, actor_of, page_before, reason_of


@admin.register(RequestWindow)
class RequestWindowAdmin(ReadOnlyAdmin):
    list_display = ("who", "count")
    search_fields = ("who",)


@admin.register(Instance)
class InstanceAdmin(ReadOnlyAdmin):
    list_display = ("id", "keyset_fingerprint", "paused_at", "paused_by", "pause_reason")
    search_fields = ("id",)
    actions = ("pause", "resume")

    def get_urls(self) -> Any:
        view = self.admin_site.admin_view(require_POST(self.pause_view))
        return [path("pause/", view, name="access_instance_pause"), *super().get_urls()]

    def pause_view(self, request: HttpRequest) -> HttpResponse:
        """Pause all syncs, or resume them."""
        try:
            self._pause(request, paused="resume" not in request.POST)
        except ServiceError as error:
            messages.error(request, str(error))
        return redirect(page_before(request) or "admin:index")

    @admin.action(description=_("Pause all syncs now"))
    def pause(self, request: HttpRequest, queryset: Any) -> None:
        self._pause(request, paused=True)

    @admin.action(description=_("Resume all syncs"))
    def resume(self, request: HttpRequest, queryset: Any) -> None:
        self._pause(request, paused=False)

    def _pause(self, request: HttpRequest, *, paused: bool) -> None:
        services.pause_everything(actor_of(request), paused=paused, reason=reason_of(request))
        if paused:
            messages.warning(request, _("All syncs paused."))
        else:
            messages.success(request, _("All syncs resumed."))


@admin.register(DataKeyset)
class DataKeysetAdmin(ReadOnlyAdmin):
    """Which keysets exist; the wrapped keys are never shown."""

    list_display = ("id", "project")
    list_select_related = ("project",)
    search_fields = ("id", "project__name")
    fields = ("id", "project")
