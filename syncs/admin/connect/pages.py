"""The wizard "Connect and sync": one page per step, a draft in the database, all writes by services.

It knows no destination: each step requests what the schemas of provider and destination declare.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters

from config.access.roles import Right
from config.errors import BadRequest, NotFound, ServiceError
from config.ui.base import ServiceAdmin, actor_of
from syncs.models import SyncDraft
from syncs.services import sync_drafts

from .connection import ConnectionStep
from .options import OptionsStep
from .plan import PlanStep
from .progress import progress
from .source import SourceStep
from .step import Step, route_of, tiles
from .target import TargetStep

STEPS: dict[str, type[Step]] = {
    step.slug: step for step in (ConnectionStep, SourceStep, TargetStep, OptionsStep, PlanStep)
}


def may_connect(request: HttpRequest) -> bool:
    """Whether the person may complete the wizard; otherwise it is not linked anywhere."""
    signed_in = bool(request.user.is_active and getattr(request.user, "is_staff", False))
    return signed_in and sync_drafts.may_connect(actor_of(request))


@admin.register(SyncDraft)
class SyncDraftAdmin(ServiceAdmin):
    """Its list is the first page of the wizard. Only the person who started a draft can see it."""

    search_fields = ("destination",)
    adds = deletes = False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_connect(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).filter(user_id=str(actor_of(request).id))

    def get_urls(self) -> Any:
        view = self.admin_site.admin_view
        return [
            path("", view(self.start_view), name="syncs_syncdraft_changelist"),
            path("<uuid:pk>/change/", view(self.resume_view), name="syncs_syncdraft_change"),
            path("<uuid:pk>/run/", view(self.progress_view), name="syncs_syncdraft_run"),
            path("<uuid:pk>/<slug:step>/", view(self.step_view), name="syncs_syncdraft_step"),
        ]

    # -- pages -------------------------------------------------------------------------------------------------

    def start_view(self, request: HttpRequest) -> HttpResponse:
        """The destinations to choose from, and unfinished drafts."""
        self._require(request)
        actor = actor_of(request)
        if request.method == "POST" and "discard" in request.POST:
            sync_drafts.discard(self._draft(request, request.POST["discard"]))
            return redirect("admin:syncs_syncdraft_changelist")
        if request.method == "POST":
            try:
                draft = sync_drafts.start_draft(actor, request.POST.get("destination", ""))
            except BadRequest as error:
                messages.error(request, str(error))
                return redirect("admin:syncs_syncdraft_changelist")
            return redirect(self._url(draft, next(iter(STEPS))))
        query = request.GET.get("q", "")
        context = {"tiles": tiles(actor, query), "q": query, "drafts": self._unfinished(request)}
        return self._page(request, "destination", context, None)

    def resume_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        draft = self._draft(request, pk)
        return redirect(self._url(draft, self._reached(draft)))

    @method_decorator(sensitive_post_parameters())
    def step_view(self, request: HttpRequest, pk: UUID, step: str) -> HttpResponse:
        draft = self._draft(request, pk)
        if draft.sync_id:
            return redirect("admin:syncs_syncdraft_run", draft.pk)
        if step == "destination":
            return self._change_destination(request, draft)
        if step not in STEPS:
            raise Http404
        names = list(STEPS)
        reached = self._reached(draft)
        if names.index(step) > names.index(reached):
            return redirect(self._url(draft, reached))
        page = STEPS[step](request, actor_of(request), draft)
        try:
            return self._submit(request, page) if request.method == "POST" else self._render(request, page)
        except ServiceError as error:
            if isinstance(error, NotFound) and request.method == "POST":
                raise Http404 from None
            messages.error(request, str(error))  # a choice of an earlier step was deleted or is no longer permitted
            return redirect(self._url(draft, names[0]))

    def _change_destination(self, request: HttpRequest, draft: SyncDraft) -> HttpResponse:
        if request.method == "POST":
            try:
                sync_drafts.change_destination(draft, request.POST.get("destination", ""))
            except BadRequest:
                raise Http404 from None
            return redirect(self._url(draft, next(iter(STEPS))))
        query = request.GET.get("q", "")
        return self._page(request, "destination", {"tiles": tiles(actor_of(request), query), "q": query}, draft)

    def _submit(self, request: HttpRequest, step: Step) -> HttpResponse:
        if step.is_live():
            return self._render(request, step)
        if "back" in request.POST:
            sync_drafts.keep_step(step.draft, step.slug, step.typed())
            return redirect(self._before(step))
        try:
            result = step.submit()
        except NotFound:
            raise
        except ServiceError as error:
            step.show_error(error)
            return self._render(request, step)
        if result is None:  # the page did something on the way, such as creating a project, and is shown again
            return redirect(self._url(step.draft, step.slug))
        sync_drafts.keep_step(step.draft, step.slug, step.typed(), result)
        return redirect(self._after(step))

    def _render(self, request: HttpRequest, step: Step) -> HttpResponse:
        return self._page(request, step.slug, {**step.context(), "step": step, "back": self._before(step)}, step.draft)

    def progress_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Progress of the first run, key by key."""
        draft = self._draft(request, pk)
        if draft.sync is None:
            return redirect(self._url(draft, self._reached(draft)))
        if not actor_of(request).may(Right.SEE_SYNCS, draft.sync.project_id):
            raise Http404
        return self._page(request, "run", progress(draft), draft)

    # -- shared ------------------------------------------------------------------------------------------------

    def _page(self, request: HttpRequest, name: str, extra: dict[str, Any], draft: SyncDraft | None) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Connect and sync"),
            "opts": None,
            "draft": draft,
            "stages": self._stages(draft, name),
            "route": route_of(draft),
            **extra,
        }
        return TemplateResponse(request, f"syncs/connect/{name}.html", context)

    def _stages(self, draft: SyncDraft | None, current: str) -> list[dict[str, Any]]:
        """The list of steps at the top: current, completed and reachable ones."""
        titles = {"destination": gettext_lazy("Destination"), **{name: step.title for name, step in STEPS.items()}}
        titles["run"] = gettext_lazy("Run")
        ended = bool(draft and draft.sync_id)
        done = {"destination", *(draft.done if draft else ())} if draft else set()
        reached = self._reached(draft) if draft else "destination"
        return [
            {
                "title": title,
                "current": name == current,
                "done": (ended or name in done) and name != current,
                "link": self._url(draft, name)
                if draft and not ended and (name in done or name == reached) and name not in (current, "run")
                else "",
            }
            for name, title in titles.items()
        ]

    def _reached(self, draft: SyncDraft) -> str:
        """The first step that is not completed."""
        return next((name for name in STEPS if name not in draft.done), list(STEPS)[-1])

    def _before(self, step: Step) -> str:
        names = ["destination", *STEPS]
        return self._url(step.draft, names[names.index(step.slug) - 1])

    def _after(self, step: Step) -> str:
        names = list(STEPS)
        position = names.index(step.slug) + 1
        if position == len(names):
            return reverse("admin:syncs_syncdraft_run", args=[step.draft.pk])
        return self._url(step.draft, names[position])

    def _url(self, draft: SyncDraft, step: str) -> str:
        return reverse("admin:syncs_syncdraft_step", args=[draft.pk, step])

    def _require(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _draft(self, request: HttpRequest, pk: UUID | str) -> SyncDraft:
        self._require(request)
        try:
            return sync_drafts.draft_of(actor_of(request), UUID(str(pk)))
        except (NotFound, ValueError):
            raise Http404 from None

    def _unfinished(self, request: HttpRequest) -> list[dict[str, Any]]:
        return [
            {"draft": draft, "route": route_of(draft), "url": self._url(draft, self._reached(draft))}
            for draft in sync_drafts.open_drafts(actor_of(request))
        ]
