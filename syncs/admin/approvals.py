"""Held runs: the page of all that a person may decide on, and the decision."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from config.errors import ServiceError
from config.ui.base import ReadOnlyAdmin, actor_of
from syncs.services import approvals

from .sync_page import destination_label, target_label

LISTED = 100  # runs on the page
KEYS = 50  # deletes that it names of each


class Approvals(ReadOnlyAdmin):
    """Of `SyncRunAdmin`."""

    def get_urls(self) -> Any:
        view = self.admin_site.admin_view
        return [
            path("approvals/", view(self.approvals_view), name="syncs_syncrun_approvals"),
            path("<uuid:pk>/approve/", view(require_POST(self.approve_view)), name="syncs_syncrun_approve"),
            *super().get_urls(),
        ]

    def approvals_view(self, request: HttpRequest) -> HttpResponse:
        """The held runs that the person may decide on."""
        found = approvals.held_runs(actor_of(request)).select_related("sync__project")
        runs = list(found[: LISTED + 1])
        refused = approvals.why_not_approve(actor_of(request), runs)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Approvals"),
            "opts": self.model._meta,
            "rows": [
                {
                    "run": run,
                    "destination": destination_label(run.sync),
                    "target": target_label(run.sync),
                    "deletes": sorted(run.options.shown)[:KEYS],
                    "number": len(run.options.shown),
                    "authors": ", ".join(dict.fromkeys(name for _kind, _id, name in run.authors)),
                    "refusal": refused.get(run.pk, ""),
                }
                for run in runs[:LISTED]
            ],
            "more": len(runs) > LISTED,
            "here": request.path,
        }
        return TemplateResponse(request, "syncs/approvals.html", context)

    def approve_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Approve a held run, approve its writes only, or dismiss it."""
        run = self.get_object(request, str(pk))
        if run is None:
            return redirect("admin:syncs_syncrun_changelist")
        said = {"comment": request.POST.get("comment", ""), "digest": request.POST.get("digest", "")}
        try:
            if "dismiss" in request.POST:
                approvals.dismiss(actor_of(request), run, **said)
                messages.success(request, _("%s: dismissed. The keys are kept.") % run.sync.name)
            else:
                approvals.approve(actor_of(request), run, writes_only="writes_only" in request.POST, **said)
                messages.success(request, _("%s: approved.") % run.sync.name)
        except ServiceError as error:
            messages.error(request, f"{run.sync.name}: {error}")
        back = request.POST.get("back", "")
        is_ours = url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()})
        return redirect(back if is_ours else reverse("admin:syncs_syncrun_change", args=[run.pk]))
