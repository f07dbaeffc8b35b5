"""The audit log, and the check of its chain."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from config.access import audit
from config.access.models import AuditEvent
from config.access.roles import Right
from config.ui.base import ReadOnlyAdmin, actor_of
from config.ui.markup import when

MAX_BROKEN = 20
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    project_path = "project"
    see = Right.MANAGE_MEMBERS
    list_display = ("event", "actor", "project", "details", "time", "address", "sequence")
    list_filter = ("event", "actor_kind", "project")
    list_select_related = ("project",)
    search_fields = ("event", "actor_name", "metadata")
    search_help_text = _("Event, person or machine, name or id in the details")
    date_hierarchy = "at"
    list_before_template = "access/chain.html"

    @display(description=_("Actor"), ordering="actor_name")
    def actor(self, obj: AuditEvent) -> str:
        return format_html("{}<br><span class='kf-subtle'>{}</span>", obj.actor_name, obj.actor_kind)

    @display(description=_("Details"))
    def details(self, obj: AuditEvent) -> str:
        return format_html("<span class='kf-clamp' style='max-width: 24rem'>{}</span>", _summary(obj.metadata))

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


def _summary(metadata: dict[str, Any]) -> str:
    """The details of an event as text, names first, without ids."""
    texts = {name: text for name, value in metadata.items() if name != "project" and (text := _plain(value))}
    first = [texts.pop(name) for name in ("name", "key") if name in texts]
    return "; ".join([*first, *(f"{name}: {text}" for name, text in texts.items())])


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(filter(None, map(_plain, value)))
    if isinstance(value, dict):
        return _plain(next((value[name] for name in ("secretKey", "name", "key") if name in value), ""))
    text = "" if value is None else str(value)
    return "" if ID.fullmatch(text) else text
