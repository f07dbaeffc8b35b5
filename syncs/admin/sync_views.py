"""Pages of a sync besides list and form: plan, why, drift check, and the buttons that start runs or pause."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from config.access.roles import Right
from config.errors import ServiceError
from config.ui.base import actor_of
from syncs.destination.catalogue import catalogue
from syncs.history.explain import why
from syncs.models import SecretSync
from syncs.planning.opening import IMPORT_PRIORITIES, destination_class
from syncs.planning.preflight import checked_plan
from syncs.running.drift import check
from syncs.services import triggers
from syncs.services.drift import CHOICES, accept, heal

from .connect.duplicate import draft_of_copy
from .kept import KeptKeysView
from .labels import DRIFT, count_badges, plan_context
from .sync_actions import SyncActions
from .sync_page import destination_label, sync_page, target_label, with_moments


class SyncViews(KeptKeysView, SyncActions):
    """Further pages of `SecretSyncAdmin`."""

    def get_urls(self) -> Any:
        view = self.admin_site.admin_view
        own = [
            path("destinations/", view(self.destinations_view), name="destinations"),
            path("<uuid:pk>/plan/", view(self.plan_view), name="syncs_secretsync_plan"),
            path("<uuid:pk>/plan/brief/", view(self.brief_view), name="syncs_secretsync_brief"),
            path("<uuid:pk>/why/", view(self.why_view), name="syncs_secretsync_why"),
            path("<uuid:pk>/pause/", view(require_POST(self.pause_view)), name="syncs_secretsync_pause"),
            path("<uuid:pk>/drift/", view(require_POST(self.drift_view)), name="syncs_secretsync_drift"),
            path("<uuid:pk>/duplicate/", view(require_POST(self.duplicate_view)), name="syncs_secretsync_duplicate"),
            path("<uuid:pk>/run/<str:operation>/", view(require_POST(self.run_view)), name="syncs_secretsync_run"),
        ]
        return own + super().get_urls()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        sync = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if sync:
            settings = "settings" in request.GET or request.method == "POST"
            context |= {"settings": settings, "title": sync.name, "subtitle": "", **sync_page(actor_of(request), sync)}
        return super().change_view(request, object_id, form_url, context)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        sync = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if sync:
            context |= {
                "owned": sync.managed.count(),
                "may_remove": actor_of(request).may(Right.REMOVE_SECRETS, sync.project_id),
                "title": _("Delete %s") % sync.name,
            }
        return super().delete_view(request, object_id, context)

    def _runnable(self, request: HttpRequest, pk: Any) -> Any:
        """The sync if the person may run it; else None, with a message."""
        sync = self.get_object(request, str(pk))
        if sync is None or not actor_of(request).may(Right.RUN_SYNCS, sync.project_id):
            messages.error(request, _("This sync does not exist, or you do not have permission to run it."))
            return None
        return sync

    def duplicate_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Open the wizard with a copy for another environment; nothing is stored before its plan is confirmed."""
        sync = self.get_object(request, str(pk))
        if sync is None or not actor_of(request).may(Right.EDIT_SYNCS, sync.project_id):
            messages.error(request, _("This sync does not exist, or you do not have permission to copy it."))
            return redirect("admin:syncs_secretsync_changelist")
        draft = draft_of_copy(actor_of(request), sync)
        return redirect("admin:syncs_syncdraft_step", draft.pk, "source")

    def pause_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Pause, or resume."""
        if (sync := self._runnable(request, pk)) is None:
            return redirect("admin:syncs_secretsync_changelist")
        self.set_paused(request, sync, paused="resume" not in request.POST)
        return redirect("admin:syncs_secretsync_change", sync.pk)

    def drift_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Heal or accept what the last check found; without a decision, check again."""
        if (sync := self._runnable(request, pk)) is None:
            return redirect("admin:syncs_secretsync_changelist")
        actor, decision = actor_of(request), request.POST.get("decision", "")
        try:
            if decision == "heal":
                return redirect("admin:syncs_syncrun_change", heal(actor, sync).pk)
            if decision in CHOICES:
                accept(actor, sync, decision)
            else:
                found = check(sync)
                messages.info(request, _("Drift check: %s.") % str(DRIFT[found.status][0]).lower())
        except ServiceError as error:
            messages.error(request, str(error))
        return redirect("admin:syncs_secretsync_change", sync.pk)

    def why_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """How a key got to the destination: its secret, references and imports, and the run that wrote it."""
        sync = self.get_object(request, str(pk))
        if sync is None:
            return redirect("admin:syncs_secretsync_changelist")
        key = request.GET.get("key", "").strip()
        context = {
            **self.admin_site.each_context(request),
            "title": _("Why is this key there?"),
            "opts": self.model._meta,
            "sync": sync,
            "key": key,
            "destination_label": destination_label(sync),
            "target": target_label(sync),
        }
        if key:
            try:
                context["explanation"] = with_moments(why(actor_of(request), sync, key))
            except ServiceError as error:
                context["problem"] = str(error)
        return TemplateResponse(request, "syncs/why.html", context)

    def brief_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """The counts of a plan, for a row of a list."""
        context: dict[str, Any] = {}
        sync = self.get_object(request, str(pk))
        if sync is None or not actor_of(request).may(Right.RUN_SYNCS, sync.project_id):
            context["problem"] = _("You do not have permission to plan it.")
        else:
            try:
                plan = checked_plan(actor_of(request), sync, "sync").plan
            except ServiceError as error:
                context["problem"] = str(error)
            else:
                context |= {"plan": plan, "counts": count_badges(plan.counts)}
        return TemplateResponse(request, "syncs/brief.html", context)

    def destinations_view(self, request: HttpRequest) -> HttpResponse:
        """The destinations and their capabilities."""
        context = {**self.admin_site.each_context(request), "title": _("Destinations"), "known": catalogue()}
        return TemplateResponse(request, "syncs/destinations.html", context)

    def plan_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """The plan of a run, an import or a removal as of now."""
        if (sync := self._runnable(request, pk)) is None:
            return redirect("admin:syncs_secretsync_changelist")
        requested = request.GET.get("operation", "")
        operation = requested if requested in ("remove", "import") else "sync"
        behavior = _behavior(request.GET.get("behavior"))
        title = _("Remove the secrets of %(sync)s") if operation == "remove" else _("Plan of %(sync)s")
        capabilities = destination_class(sync.destination).capabilities
        context = {
            **self.admin_site.each_context(request),
            "title": title % {"sync": sync.name},
            "opts": self.model._meta,
            "sync": sync,
            "operation": operation,
            "behavior": behavior,
            "note": capabilities.note,
            "keeps_versions": capabilities.keeps_versions,
            "may_remove": actor_of(request).may(Right.REMOVE_SECRETS, sync.project_id),
            "back": reverse("admin:syncs_secretsync_change", args=[sync.pk]),
        }
        try:
            context |= self._checked_plan(request, sync, operation, behavior)
        except ServiceError as error:
            context["problem"] = str(error)
        return TemplateResponse(request, "syncs/plan.html", context)

    def _checked_plan(self, request: HttpRequest, sync: SecretSync, operation: str, behavior: str) -> dict[str, Any]:
        """Raises ServiceError."""
        if operation == "import":
            triggers.require_import(destination_class(sync.destination))
        checked = checked_plan(actor_of(request), sync, operation, behavior=behavior)
        return {
            **plan_context(checked.plan),
            "warnings": () if operation == "remove" else checked.warnings,  # they are about what two syncs write
            "estimate": checked.estimate if any(change.write for change in checked.plan.changes) else None,
        }

    def run_view(self, request: HttpRequest, pk: Any, operation: str) -> HttpResponse:
        """Start a run, an import or a removal."""
        sync = self.get_object(request, str(pk))
        if sync is None or operation not in ("sync", "remove", "import"):
            return redirect("admin:syncs_secretsync_changelist")
        purge = operation == "remove" and "purge" in request.POST
        behavior = _behavior(request.POST.get("behavior"))
        run = self.trigger(request, sync, operation, purge=purge, behavior=behavior)
        if run is None:
            return redirect("admin:syncs_secretsync_change", sync.pk)
        return redirect("admin:syncs_syncrun_change", run.pk)


def _behavior(requested: str | None) -> str:
    return requested if requested in IMPORT_PRIORITIES else ""
