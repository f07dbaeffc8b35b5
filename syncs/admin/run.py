"""Runs: the outcome of each key, decisions on held runs, undo and export."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import Case, When
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.decorators import display

from config.access.roles import Right
from config.errors import ServiceError
from config.ui.base import actor_of
from config.ui.markup import badge, took, when
from syncs.history.export import FORMATS
from syncs.history.outcomes import by_outcome, in_words, numbers_of, outcome_of, with_outcome
from syncs.history.run_reasons import cause_text, followers
from syncs.history.texts import active, next_try
from syncs.models import Status, SyncRun
from syncs.planning.preview import preview
from syncs.planning.undo import WRITES, require_undoable, undoable
from syncs.services import approvals, triggers
from syncs.services.cancellation import CANCELLABLE, cancel
from syncs.source.selectors import syncs

from .approvals import Approvals
from .labels import ACTIONS, AFTER_WRITES, OPERATIONS, OUTCOMES, RUNS, TRIGGERS, count_badges, plan_context, remedy_of

PAGE_SIZE = 100
URGENT = Case(
    When(outcome__in=("failed", "blocked"), then=0),
    When(outcome="", action="delete", then=1),
    When(outcome="", then=2),
    default=3,
)


def _title(run: SyncRun) -> str:
    return gettext("%(operation)s of %(sync)s") % {"operation": OPERATIONS[run.operation], "sync": run.sync.name}


@admin.register(SyncRun)
class SyncRunAdmin(Approvals):
    project_path = "sync__project_id"
    see = Right.SEE_SYNCS
    list_display = ("operation_and_trigger", "sync_name", "status_badge", "changes", "actor", "started", "duration")
    list_filter = ("status", "operation", "trigger", "sync__destination", "sync__project")
    list_select_related = ("sync__project",)
    search_fields = ("sync__name", "message", "actor_name")
    date_hierarchy = "created_at"
    fields = (
        "sync",
        "operation",
        "trigger",
        "actor_name",
        "attempts",
        "created_at",
        "started_at",
        "ended_at",
        "due_at",
    )
    actions = ("export_csv", "export_json")
    change_form_template = "syncs/run_page.html"

    def get_queryset(self, request: HttpRequest) -> Any:
        runs = super().get_queryset(request).select_related("sync__project")
        is_list = request.resolver_match and request.resolver_match.url_name == "syncs_syncrun_changelist"
        return runs.defer("unchanged", "unmanaged", "options") if is_list else runs

    @display(description=_("Run"), ordering="operation")
    def operation_and_trigger(self, obj: SyncRun) -> str:
        return f"{OPERATIONS[obj.operation]}, {TRIGGERS[obj.trigger]}"

    @display(description=_("Sync"), ordering="sync__name")
    def sync_name(self, obj: SyncRun) -> str:
        notes = [obj.sync.project.name, *([gettext("deleted")] if obj.sync.deleted_at else [])]
        return format_html("{}<br><span class='kf-subtle'>{}</span>", obj.sync.name, ", ".join(notes))

    @display(description=_("Status"), ordering="status")
    def status_badge(self, obj: SyncRun) -> str:
        return badge(*RUNS[obj.status])

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The runs of the page with the outcomes of their keys, in one query more."""
        found = super().get_changelist_instance(request)
        found.result_list = list(found.result_list)
        numbers = numbers_of(found.result_list)
        for run in found.result_list:
            run.keys_in_words = in_words(run, numbers[run.pk])
        return found

    @display(description=_("Keys"))
    def changes(self, obj: Any) -> str:
        return str(obj.keys_in_words)

    @display(description=_("By"), ordering="actor_name")
    def actor(self, obj: SyncRun) -> str:
        return obj.actor_name

    @display(description=_("Started"), ordering="created_at")
    def started(self, obj: SyncRun) -> str:
        return when(obj.started_at or obj.created_at)

    @display(description=_("Duration"))
    def duration(self, obj: SyncRun) -> str:
        return took(*active(obj))

    def get_urls(self) -> Any:
        return [
            path(
                "<uuid:pk>/cancel/",
                self.admin_site.admin_view(require_POST(self.cancel_view)),
                name="syncs_syncrun_cancel",
            ),
            path("<uuid:pk>/live/", self.admin_site.admin_view(self.live_view), name="syncs_syncrun_live"),
            path("<uuid:pk>/undo/", self.admin_site.admin_view(self.undo_view), name="syncs_syncrun_undo"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        run = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if run:
            context |= {
                "title": _title(run),
                "subtitle": "",
                **self._detail(request, run),
            }
        return super().change_view(request, object_id, form_url, context)

    def live_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """The changing part of the page; it reloads itself until the run has ended."""
        run = self.get_object(request, str(pk))
        if run is None:
            raise Http404
        return TemplateResponse(request, "syncs/run_live.html", self._detail(request, run))

    def _detail(self, request: HttpRequest, run: SyncRun) -> dict[str, Any]:
        actor = actor_of(request)
        numbers = numbers_of([run])[run.pk]
        outcomes = by_outcome(numbers)
        chosen = request.GET.get("outcome", "")
        search = request.GET.get("q", "").strip()
        rows = run.changes.defer("before", "before_sealed").order_by(URGENT, "id")
        if chosen in OUTCOMES:
            rows = rows.filter(with_outcome(run, chosen))
        if search:
            rows = rows.filter(key__icontains=search)
        page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
        planned = sum(run.counts.get(name, 0) for name in ("create", "update", "delete", "adopt"))
        written, failed = (
            min(sum(n for (outcome, action), n in numbers.items() if outcome == name and action in WRITES), planned)
            for name in ("applied", "failed")
        )
        may_run, held = actor.may(Right.RUN_SYNCS, run.sync.project_id), run.status == Status.HELD
        return {
            "run": run,
            "status_label": RUNS[run.status][0],
            "status_tone": RUNS[run.status][1],
            "operation": OPERATIONS[run.operation],
            "trigger": TRIGGERS[run.trigger],
            "page": page,
            "rows": [
                (row, ACTIONS[row.action], OUTCOMES[outcome_of(run, row)], remedy_of(row, run.sync)) for row in page
            ],
            "counts": count_badges(run.counts),
            "after_label": AFTER_WRITES[run.after.action] if run.after else "",
            "after_outcome": OUTCOMES[run.after.outcome] if run.after else None,
            "outcomes": [(name, OUTCOMES[name][0], number) for name, number in outcomes.items()],
            "numbers": in_words(run, numbers),
            "all_outcomes": sum(outcomes.values()),
            "chosen": chosen,
            "search": search,
            "planned": planned,
            "written": written,
            "applied_share": round(100 * written / planned) if planned else 0,
            "failed_share": round(100 * failed / planned) if planned else 0,
            "next_try": next_try(run),
            "active": active(run),
            "is_active": run.status in (Status.PENDING, Status.RUNNING),
            "held": held,
            "deletes": len(run.options.shown),
            "may_decide": may_run,
            "refusal": approvals.why_not_approve(actor, [run]).get(run.pk, "") if held and may_run else "",
            "causes": [(cause_text(cause), cause.run) for cause in run.reason.causes],
            "more_causes": run.reason.more,
            "followers": followers(run),
            "may_cancel": may_run and run.status in CANCELLABLE and not run.cancelled_by,
            "may_undo": may_run and not run.sync.deleted_at and run.pk in {each.pk for each in undoable(run.sync)},
            "unchanged": run.unchanged[:200],
            "unmanaged": run.unmanaged[:200],
        }

    def cancel_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Cancel a run that has not ended."""
        run = self.get_object(request, str(pk))
        if run is None:
            return redirect("admin:syncs_syncrun_changelist")
        try:
            run = cancel(actor_of(request), run)
        except ServiceError as error:
            messages.error(request, str(error))
        else:
            stopping = run.status == Status.RUNNING
            messages.warning(request, _("The run stops before its next request.") if stopping else str(run.message))
        return redirect("admin:syncs_syncrun_change", run.pk)

    def undo_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """The plan of undoing the run; a POST with the digest of that plan carries it out."""
        run = self.get_object(request, str(pk))
        actor = actor_of(request)
        if run is None or not actor.may(Right.RUN_SYNCS, run.sync.project_id):
            messages.error(request, _("This run does not exist, or you do not have permission to undo it."))
            return redirect("admin:syncs_syncrun_changelist")
        context = {
            **self.admin_site.each_context(request),
            "title": _("Undo a run of %(sync)s") % {"sync": run.sync.name},
            "opts": self.model._meta,
            "sync": run.sync,
            "operation": "undo",
            "run": run,
            "back": reverse("admin:syncs_syncrun_change", args=[run.pk]),
        }
        try:
            if request.method == "POST":
                undo = triggers.undo(actor, run, request.POST.get("digest", ""))
                return redirect("admin:syncs_syncrun_change", undo.pk)
            require_undoable(run)
            plan = preview(syncs().get(pk=run.sync_id), undone=run)
        except ServiceError as error:
            context["problem"] = str(error)
        else:
            context |= {
                **plan_context(plan),
                "may_undo": any(change.write or change.effects for change in plan.changes),
            }
        return TemplateResponse(request, "syncs/plan.html", context)

    @admin.action(description=_("Export as CSV"))
    def export_csv(self, request: HttpRequest, queryset: Any) -> StreamingHttpResponse:
        return self._exported(queryset, "csv")

    @admin.action(description=_("Export as JSON"))
    def export_json(self, request: HttpRequest, queryset: Any) -> StreamingHttpResponse:
        return self._exported(queryset, "json")

    def _exported(self, queryset: Any, name: str) -> StreamingHttpResponse:
        write, content_type = FORMATS[name]
        runs = queryset.select_related("sync").prefetch_related("changes").defer(None)
        response = StreamingHttpResponse(write(runs.iterator(chunk_size=20)), content_type=content_type)
        response["Content-Disposition"] = f'attachment; filename="runs.{name}"'
        return response
