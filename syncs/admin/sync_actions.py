"""Actions on syncs: run, pause and resume, for one sync or for many after a confirmation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from config.access.roles import Right
from config.errors import ServiceError
from config.ui.base import ServiceAdmin, actor_of, any_project, reason_of
from syncs.history.status import statuses
from syncs.models import SecretSync, SyncRun
from syncs.services import syncs as services
from syncs.services import triggers

from .sync_lists import split_by_right
from .sync_page import destination_label, target_label

LISTED = 100  # syncs on the confirmation page of an action
TITLES = {"sync_now": _("Sync these now"), "pause": _("Pause these syncs"), "resume": _("Resume these syncs")}


class SyncActions(ServiceAdmin):
    """Actions of `SecretSyncAdmin`."""

    def get_actions(self, request: HttpRequest) -> Any:
        """Only actions that the person may perform."""
        actions = super().get_actions(request)
        if not any_project(actor_of(request), Right.RUN_SYNCS):
            return {}
        actions.pop("delete_selected", None)  # deleting needs a decision about the keys of each sync
        return actions

    @admin.action(description=_("Sync now..."))
    def sync_now(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return self._confirmed(request, queryset, "sync_now", lambda sync: self._queue(request, sync))

    @admin.action(description=_("Pause..."))
    def pause(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return self._confirmed(request, queryset, "pause", lambda sync: self.set_paused(request, sync, paused=True))

    @admin.action(description=_("Resume..."))
    def resume(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return self._confirmed(request, queryset, "resume", lambda sync: self.set_paused(request, sync, paused=False))

    def _confirmed(
        self, request: HttpRequest, queryset: Any, action: str, perform: Callable[[Any], Any]
    ) -> HttpResponse | None:
        """First the page that shows the effect on each sync; once confirmed, perform the action."""
        permitted, denied = split_by_right(request, queryset)
        if "confirmed" in request.POST:
            for sync in permitted:
                perform(sync)
            return None
        shown = permitted[:LISTED]
        known = statuses(shown)
        rows = [(sync, known[sync.pk], destination_label(sync), target_label(sync)) for sync in shown]
        context = {
            **self.admin_site.each_context(request),
            "title": TITLES[action],
            "opts": self.model._meta,
            "action": action,
            "rows": rows,
            "chosen": [sync.pk for sync in permitted],
            "more": max(len(permitted) - LISTED, 0),
            "denied": denied,
        }
        return TemplateResponse(request, "syncs/many.html", context)

    def set_paused(self, request: HttpRequest, sync: SecretSync, *, paused: bool) -> None:
        try:
            reason = reason_of(request) if paused else ""
            services.update_policy(actor_of(request), sync, {"paused": paused, "pause_reason": reason})
        except ServiceError as error:
            messages.error(request, f"{sync.name}: {error}")
        else:
            message = _("%s: automatic runs paused.") if paused else _("%s: automatic runs resumed.")
            messages.success(request, message % sync.name)

    def _queue(self, request: HttpRequest, sync: SecretSync) -> None:
        """One of many; the page of a single run shows it by itself."""
        if self.trigger(request, sync, "sync"):
            messages.success(request, _("%s: queued.") % sync.name)

    def trigger(
        self, request: HttpRequest, sync: SecretSync, operation: str, *, purge: bool = False, behavior: str = ""
    ) -> SyncRun | None:
        """The queued run; None, with a message, if the service refuses."""
        actor = actor_of(request)
        try:
            if operation == "remove":
                run = triggers.remove_secrets(actor, sync, purge=purge)
            elif operation == "import":
                run = triggers.import_secrets(actor, sync, behavior)
            else:
                run = triggers.trigger(actor, sync, operation)
        except ServiceError as error:
            messages.error(request, f"{sync.name}: {error}")
            return None
        if operation == "remove":
            text = _("%s: The sync is paused until you resume or sync it, so that nothing is written again.")
            messages.warning(request, text % sync.name)
        return run
