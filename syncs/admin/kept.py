"""The keys of a sync that are kept on request: deleted after all once their plan was shown, or forgotten."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from config.access.roles import Right
from config.errors import ServiceError
from config.ui.base import ServiceAdmin, actor_of
from syncs.models import SecretSync
from syncs.planning.kept import DISMISSED, OFFERED, kept_keys
from syncs.services.kept import delete_kept, forget_kept, plan_of_delete

from .labels import plan_context

WHY: dict[str, tuple[Any, str]] = {
    DISMISSED: (_("deletion dismissed"), "calm"),
    OFFERED: (_("left by the first run"), "warn"),
}


class KeptKeysView(ServiceAdmin):
    """A page of `SecretSyncAdmin`."""

    def get_urls(self) -> Any:
        view = self.admin_site.admin_view(self.kept_view)
        return [path("<uuid:pk>/kept/", view, name="syncs_secretsync_kept"), *super().get_urls()]

    def kept_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        sync = self.get_object(request, str(pk))
        if sync is None:
            return redirect("admin:syncs_secretsync_changelist")
        context = {
            **self.admin_site.each_context(request),
            "title": _("Keys kept on request by %s") % sync.name,
            "opts": self.model._meta,
            "sync": sync,
            "may_run": actor_of(request).may(Right.RUN_SYNCS, sync.project_id),
        }
        if request.method == "POST":
            try:
                if (answer := self._decided(request, sync, context)) is not None:
                    return answer
            except ServiceError as error:
                messages.error(request, str(error))
        context["rows"] = [(each, *WHY[each.why]) for each in kept_keys(sync)]
        return TemplateResponse(request, "syncs/kept.html", context)

    def _decided(self, request: HttpRequest, sync: SecretSync, context: dict[str, Any]) -> HttpResponse | None:
        """Raises ServiceError."""
        actor, keys = actor_of(request), request.POST.getlist("key")
        if not keys:
            messages.warning(request, _("Choose at least one key."))
            return None
        if "forget" in request.POST:
            count = len(forget_kept(actor, sync, keys))
            forgotten = ngettext("%d key was forgotten; it stays.", "%d keys were forgotten; they stay.", count)
            messages.success(request, forgotten % count)
            return redirect("admin:syncs_secretsync_kept", sync.pk)
        if digest := request.POST.get("digest"):
            run = delete_kept(actor, sync, keys, digest=digest)
            return redirect("admin:syncs_syncrun_change", run.pk)
        context |= {"keys": keys, **plan_context(plan_of_delete(actor, sync, keys))}
        return TemplateResponse(request, "syncs/kept_plan.html", context)
