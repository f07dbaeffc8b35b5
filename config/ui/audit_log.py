"""The audit log, and the check of its chain."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from config.access import audit
from config.access.models import AuditEvent
from config.access.roles import Right
from config.ui.audit_sentences import object_of, sentence
from config.ui.base import ReadOnlyAdmin, actor_of
from config.ui.markup import when

MAX_BROKEN = 20
RECENT = 200  # events whose objects can be chosen as a filter


class ObjectFilter(admin.SimpleListFilter):
    """By the object that events are about: one of recent events, or any, by its ID in the address."""

    title = _("object")
    parameter_name = "object"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        rows = model_admin.get_queryset(request)
        chosen = request.GET.get(self.parameter_name, "")
        recent = [*(audit.about(rows, chosen)[:1] if chosen else ()), *rows[:RECENT]]
        found: dict[str, str] = {}
        for row in recent:
            if about := object_of(row):
                found.setdefault(*about)
        if chosen:
            found.setdefault(chosen, chosen)
        return sorted(found.items(), key=lambda each: each[1].lower())

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        return audit.about(queryset, str(self.value())) if self.value() else queryset


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    project_path = "project"
    see = Right.MANAGE_MEMBERS
    list_display = ("what", "event", "actor_kind", "project", "time", "address", "sequence")
    list_display_links = ("sequence",)  # what happened has controls of its own
    list_filter = (ObjectFilter, "event", "actor_kind", "project")
    fields = ("what", "event", "actor_name", "actor_kind", "project", "at", "ip", "sequence", "hash", "previous_hash")
    list_select_related = ("project",)
    search_fields = ("event", "actor_name", "metadata")
    search_help_text = _("Event, person or machine, name or id in the details")
    date_hierarchy = "at"
    list_before_template = "access/chain.html"

    @display(description=_("What happened"))
    def what(self, obj: AuditEvent) -> str:
        """The event as a sentence; as JSON on request."""
        about = object_of(obj)
        only = (
            format_html(' <a class="kf-link" href="?object={}">{}</a>', about[0], _("Only this object"))
            if about
            else ""
        )
        return format_html(
            '{}<details class="kf-more"><summary>{}</summary><pre class="kf-mono kf-json">{}</pre>{}</details>',
            sentence(obj),
            _("Details"),
            json.dumps(obj.metadata, indent=1, ensure_ascii=False),
            only,
        )

    @display(description=_("Address"), ordering="ip")
    def address(self, obj: AuditEvent) -> str:
        return obj.ip or ""

    @display(description=_("When"), ordering="at")
    def time(self, obj: AuditEvent) -> str:
        return when(obj.at)

    def get_urls(self) -> Any:
        own = path("chain/", self.admin_site.admin_view(self.chain_view), name="access_auditevent_chain")
        return [own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        may = actor_of(request).is_instance_admin
        return super().changelist_view(request, {**(extra_context or {}), "may_verify": may})

    def chain_view(self, request: HttpRequest) -> HttpResponse:
        """Check of the chain; on request only, because it reads every event."""
        if not actor_of(request).is_instance_admin:
            raise Http404
        broken = list(islice(audit.broken_links(), MAX_BROKEN + 1))
        context = {"broken": broken[:MAX_BROKEN], "more": len(broken) > MAX_BROKEN}
        return TemplateResponse(request, "access/chain_status.html", {**context, "count": AuditEvent.objects.count()})
