"""Syncs: forms from the destinations' schemas, and the buttons Plan, Sync now, Remove secrets."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from config.access.roles import Actor, Right
from config.errors import ServiceError
from config.ui.base import ServiceAdmin, ServiceForm, actor_of, any_project
from config.ui.markup import badge, when
from config.ui.model_forms import collected, form_fields
from connections.models import AppConnection
from connections.provider import providers
from connections.services import choices
from syncs.destination.base import Destination, destinations
from syncs.destination.catalogue import catalogue
from syncs.history.explain import why
from syncs.history.status import STATES, with_state
from syncs.models import Folder, SecretSync, SyncRun
from syncs.planning.builder import IMPORT_PRIORITIES, destination_class
from syncs.planning.preflight import checked_plan
from syncs.running.drift import check
from syncs.services import deletion, triggers
from syncs.services import syncs as services
from syncs.services.syncs import SyncInput
from syncs.source.selectors import find_sync

from .connect import is_for
from .labels import DRIFT, plan_shown, shown_counts
from .lists import DestinationFilter, DriftFilter, EnvironmentFilter, StateFilter, sorted_by_right
from .policy import PREFIX, changed_policy, policy_fields
from .sync_page import destination_label, spot, sync_page, told

CONFIG, OPTIONS = "destinationConfig", "syncOptions"
SHOWN = 100  # syncs that the preview of an action names


class _SyncForm(ServiceForm):
    found: type[Destination]
    aliases = {"connectionId": "connection", "environment": "folder", "secretPath": "folder"}

    class Meta:
        model = SecretSync
        fields = ("name", "description", "folder", "connection", "is_auto_sync_enabled")

    def given(self) -> SyncInput:
        data = self.cleaned_data
        folder: Folder = data["folder"]
        options = collected(OPTIONS, self.found.Options, data)
        return SyncInput(
            name=data["name"],
            description=data["description"] or "",
            connection_id=data["connection"].pk,
            environment=folder.environment.slug,
            secret_path=folder.path,
            is_auto_sync_enabled=data["is_auto_sync_enabled"],
            sync_options=options,
            destination_config=collected(CONFIG, self.found.Config, data),
        )


@admin.register(SecretSync)
class SecretSyncAdmin(ServiceAdmin):
    project_path = "project"
    see = Right.SEE_SYNCS
    edit = Right.EDIT_SYNCS
    list_display = ("name", "shown_state", "source", "shown_destination", "shown_drift", "arrived")
    list_filter = (
        StateFilter,
        DestinationFilter,
        EnvironmentFilter,
        "project",
        DriftFilter,
        "is_auto_sync_enabled",
    )
    search_fields = ("name", "description", "project__name", "connection__name", "last_sync_message", "location")
    search_help_text = _("Name, project, connection, place, message")
    actions = ("sync_now", "pause", "resume")
    actions_list = ("connect",)
    show_add_link = False  # the wizard is the way; its first page leads to the one-page form
    change_form_template = "syncs/sync_page.html"
    delete_confirmation_template = "syncs/delete.html"

    def get_queryset(self, request: HttpRequest) -> Any:
        found = super().get_queryset(request)
        return with_state(
            found.select_related("project", "folder__environment__project", "connection__project", "policy", "drift")
        )

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
        return is_for(request)

    # -- list --------------------------------------------------------------------------------------------------

    @display(description=_("Source"), ordering="project__name")
    def source(self, obj: SecretSync) -> str:
        if obj.folder is None:
            return format_html("{} <span class='kf-subtle'>{}</span>", obj.project.name, _("folder is gone"))
        where = f"{obj.folder.environment.slug} {obj.folder.path}"
        return format_html("{}<br><span class='kf-mono kf-subtle'>{}</span>", obj.project.name, where)

    @display(description=_("Destination"), ordering="location")
    def shown_destination(self, obj: SecretSync) -> str:
        return format_html(
            "{}<br><span class='kf-mono kf-subtle'>{}</span>",
            destination_label(obj),
            spot(obj),
        )

    @display(description=_("Status"), ordering="state")
    def shown_state(self, obj: Any) -> str:
        return badge(*STATES[obj.state])

    @display(description=_("Drift"), ordering="drift__status")
    def shown_drift(self, obj: SecretSync) -> str:
        drift = getattr(obj, "drift", None)
        shown = DRIFT.get(drift.status) if drift and drift.checked_at else None
        return badge(*shown) if shown else format_html('<span class="kf-subtle">{}</span>', _("not looked for"))

    @display(description=_("Last complete"), ordering="last_synced_at")
    def arrived(self, obj: SecretSync) -> str:
        return when(obj.last_synced_at, _("never"))

    # -- form --------------------------------------------------------------------------------------------------

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if "destination" not in request.GET:
            query = request.GET.copy()
            query["destination"] = next(iter(destinations)).slug
            return redirect(f"{request.path}?{query.urlencode()}")
        kinds = [(f"?destination={d.slug}", d.label, d.slug == request.GET["destination"]) for d in destinations]
        return super().add_view(request, form_url, {**(extra_context or {}), "kinds": kinds})

    def _destination(self, request: HttpRequest, obj: SecretSync | None) -> type[Destination]:
        slug = obj.destination if obj else request.GET.get("destination", "")
        return destinations.get(slug) or next(iter(destinations))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        found = self._destination(request, obj)
        shown: dict[str, Any] = {
            **form_fields(CONFIG, found.Config, obj.destination_config if obj else None, self._hints(request, obj)),
            **form_fields(OPTIONS, found.Options, obj.sync_options if obj else None),
            **(policy_fields(obj.policy) if obj else {}),
        }
        kwargs["form"] = type("SyncForm", (_SyncForm,), {**shown, "found": found})
        kwargs["fields"] = list(_SyncForm.Meta.fields)
        return super().get_form(request, obj, change=change, **kwargs)

    def _hints(self, request: HttpRequest, obj: SecretSync | None) -> dict[str, list[tuple[str, str]]]:
        """What each config field can be, as far as the vendor answers for the fields before it."""
        if obj is None or "settings" not in request.GET or not providers.get(obj.connection.app):
            return {}
        hints: dict[str, list[tuple[str, str]]] = {}
        for name in obj.destination_config:
            if name == "scope":
                continue
            try:
                found = choices(actor_of(request), obj.connection, name, obj.destination_config)
            except ServiceError:
                return hints  # a vendor that is away must not take the page with it
            hints[name] = [(choice.value, choice.label) for choice in found]
        return hints

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        found = self._destination(request, obj)
        form = self.get_form(request, obj)

        def of(prefix: str) -> list[Any]:
            names = [name for name in form.base_fields if name.startswith(f"{prefix}__")]
            return self.told_fields(request, obj, form, names)

        sections: list[Any] = [
            (None, {"fields": ["name", "description"]}),
            ("From", {"fields": ["folder", "is_auto_sync_enabled"]}),
            (f"To {found.label}", {"fields": ["connection", *of(CONFIG)], "description": found.capabilities.note}),
            ("Options", {"fields": of(OPTIONS)}),
        ]
        if obj:
            sections.append(("Policy", {"fields": of(PREFIX)}))
        return sections

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field: Any = super().formfield_for_foreignkey(db_field, request, **kwargs)
        actor = actor_of(request)
        mine = [project_id for project_id in actor.roles if actor.may(Right.EDIT_SYNCS, project_id)]
        if db_field.name == "folder" and field:
            found = Folder.objects.select_related("environment__project").filter(environment__project__in=mine)
            field.queryset = found.order_by("environment__project__name", "environment__position", "path")
            field.required = True
            field.label_from_instance = lambda folder: (
                f"{folder.environment.project.name} / {folder.environment.name} {folder.path}"
            )
        if db_field.name == "connection" and field:
            own = AppConnection.objects.select_related("project").filter(project__in=mine)
            field.queryset = own | AppConnection.objects.select_related("project").filter(project=None)
            field.label_from_instance = lambda one: (
                f"{one.name} ({one.project.name if one.project else 'organisation'})"
            )
        return field

    # -- writes ------------------------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        actor = actor_of(request)
        try:
            found = checked_plan(actor, find_sync(actor, str(obj.pk))).warnings
        except ServiceError as refusal:
            found = (str(refusal),)  # saved all the same: the vendor may only be away
        for warning in found:
            messages.warning(request, warning)

    def create(self, actor: Actor, form: Any) -> SecretSync:
        project = form.cleaned_data["folder"].environment.project
        return services.create_sync(actor, project, form.found.slug, form.given())

    def change(self, actor: Actor, obj: SecretSync, form: Any) -> None:
        changed = changed_policy(obj.policy, form.cleaned_data)
        if any(name in form.changed_data for name in form.fields if not name.startswith(PREFIX)):
            services.update_sync(actor, obj, form.given())
        if changed:
            services.update_policy(actor, self.model.objects.select_related("policy").get(pk=obj.pk), changed)

    def remove(self, actor: Actor, obj: SecretSync) -> None:
        deletion.delete_sync(actor, obj)

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: Any) -> HttpResponse:
        """On to the run that lists what stays."""
        answer = super().response_delete(request, obj_display, obj_id)
        run = SyncRun.objects.filter(sync=obj_id).first()
        return redirect("admin:syncs_syncrun_change", run.pk) if run else answer

    # -- many at once ------------------------------------------------------------------------------------------

    def get_actions(self, request: HttpRequest) -> Any:
        """Only what would not be refused."""
        found = super().get_actions(request)
        actor = actor_of(request)
        if not any_project(actor, Right.RUN_SYNCS):
            return {}
        found.pop("delete_selected", None)  # one sync at a time: what becomes of its keys is asked there
        return found

    @admin.action(description=_("Sync now..."))
    def sync_now(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return self._many(request, queryset, "sync_now", lambda sync: self._trigger(request, sync, "sync"))

    @admin.action(description=_("Pause..."))
    def pause(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return self._many(request, queryset, "pause", lambda sync: self._pause(request, sync, paused=True))

    @admin.action(description=_("Resume..."))
    def resume(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return self._many(request, queryset, "resume", lambda sync: self._pause(request, sync, paused=False))

    def _many(self, request: HttpRequest, queryset: Any, action: str, do: Any) -> HttpResponse | None:
        """First a page that shows what would be done to which; then it is done."""
        may, may_not = sorted_by_right(request, queryset)
        if "confirmed" in request.POST:
            for sync in may:
                do(sync)
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": {"sync_now": _("Sync these now"), "pause": _("Pause these"), "resume": _("Resume these")}[action],
            "opts": self.model._meta,
            "action": action,
            "rows": [(sync, *STATES[sync.state], destination_label(sync), spot(sync)) for sync in may[:SHOWN]],
            "chosen": [sync.pk for sync in may],
            "more": max(len(may) - SHOWN, 0),
            "may_not": may_not,
        }
        return TemplateResponse(request, "syncs/many.html", context)

    def _pause(self, request: HttpRequest, sync: SecretSync, *, paused: bool) -> None:
        try:
            services.update_policy(actor_of(request), sync, {"paused": paused})
        except ServiceError as refusal:
            messages.error(request, f"{sync.name}: {refusal}")
        else:
            said = _("%s: automatic runs are paused.") if paused else _("%s: automatic runs go on.")
            messages.success(request, said % sync.name)

    def _trigger(
        self, request: HttpRequest, sync: SecretSync, operation: str, *, purge: bool = False, behavior: str = ""
    ) -> Any:
        actor = actor_of(request)
        try:
            if operation == "remove":
                run = triggers.remove_secrets(actor, sync, purge=purge)
            elif operation == "import":
                run = triggers.import_secrets(actor, sync, behavior)
            else:
                run = triggers.trigger(actor, sync, operation)
        except ServiceError as refusal:
            messages.error(request, f"{sync.name}: {refusal}")
            return None
        messages.success(request, _("%s: queued.") % sync.name)
        return run

    # -- buttons -----------------------------------------------------------------------------------------------

    def get_urls(self) -> Any:
        view = self.admin_site.admin_view
        own = [
            path("destinations/", view(self.destinations_view), name="destinations"),
            path("<uuid:pk>/plan/", view(self.plan_view), name="syncs_secretsync_plan"),
            path("<uuid:pk>/plan/brief/", view(self.brief_view), name="syncs_secretsync_brief"),
            path("<uuid:pk>/why/", view(self.why_view), name="syncs_secretsync_why"),
            path("<uuid:pk>/pause/", view(require_POST(self.pause_view)), name="syncs_secretsync_pause"),
            path("<uuid:pk>/drift/", view(require_POST(self.drift_view)), name="syncs_secretsync_drift"),
            path("<uuid:pk>/run/<str:operation>/", view(require_POST(self.run_view)), name="syncs_secretsync_run"),
        ]
        return own + super().get_urls()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        sync = self.get_object(request, object_id)
        shown = dict(extra_context or {})
        if sync:
            settings = "settings" in request.GET or request.method == "POST"
            shown |= {"settings": settings, "title": sync.name, "subtitle": "", **sync_page(actor_of(request), sync)}
        return super().change_view(request, object_id, form_url, shown)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        sync = self.get_object(request, object_id)
        shown = dict(extra_context or {})
        if sync:
            shown |= {
                "owned": sync.managed.count(),
                "may_remove": actor_of(request).may(Right.REMOVE_SECRETS, sync.project_id),
                "title": _("Delete %s") % sync.name,
            }
        return super().delete_view(request, object_id, shown)

    def _runnable(self, request: HttpRequest, pk: Any) -> Any:
        """The sync where the person may run it; None, with a message, where not."""
        sync = self.get_object(request, str(pk))
        if sync is None or not actor_of(request).may(Right.RUN_SYNCS, sync.project_id):
            messages.error(request, _("There is no such sync, or you may not run it."))
            return None
        return sync

    def pause_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Pause, or let go on."""
        if (sync := self._runnable(request, pk)) is None:
            return redirect("admin:syncs_secretsync_changelist")
        self._pause(request, sync, paused="resume" not in request.POST)
        return redirect("admin:syncs_secretsync_change", sync.pk)

    def drift_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Look at the destination now."""
        if (sync := self._runnable(request, pk)) is None:
            return redirect("admin:syncs_secretsync_changelist")
        try:
            found = check(sync)
        except ServiceError as refusal:
            messages.error(request, str(refusal))
        else:
            messages.info(request, _("Looked at the destination: %s.") % str(DRIFT[found.status][0]).lower())
        return redirect("admin:syncs_secretsync_change", sync.pk)

    def why_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """The way of one key: which secret it is, through what it came, who wrote it when."""
        sync = self.get_object(request, str(pk))
        if sync is None:
            return redirect("admin:syncs_secretsync_changelist")
        key = request.GET.get("key", "").strip()
        context = {
            **self.admin_site.each_context(request),
            "title": _("Why is it there?"),
            "opts": self.model._meta,
            "sync": sync,
            "key": key,
            "destination_label": destination_label(sync),
            "spot": spot(sync),
        }
        if key:
            try:
                context["found"] = told(why(actor_of(request), sync, key))
            except ServiceError as refusal:
                context["problem"] = str(refusal)
        return TemplateResponse(request, "syncs/why.html", context)

    def brief_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """The plan as its counts, for a row of a list."""
        context: dict[str, Any] = {}
        sync = self.get_object(request, str(pk))
        if sync is None or not actor_of(request).may(Right.RUN_SYNCS, sync.project_id):
            context["problem"] = _("You may not plan it.")
        else:
            try:
                plan = checked_plan(actor_of(request), sync, "sync").plan
            except ServiceError as refusal:
                context["problem"] = str(refusal)
            else:
                context |= {"plan": plan, "counts": shown_counts(plan.counts)}
        return TemplateResponse(request, "syncs/brief.html", context)

    def destinations_view(self, request: HttpRequest) -> HttpResponse:
        """What each destination can do."""
        context = {**self.admin_site.each_context(request), "title": _("Destinations"), "known": catalogue()}
        return TemplateResponse(request, "syncs/destinations.html", context)

    def plan_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """What a run, or a removal, would do now."""
        sync = self.get_object(request, str(pk))
        if sync is None or not actor_of(request).may(Right.RUN_SYNCS, sync.project_id):
            messages.error(request, _("There is no such sync, or you may not plan it."))
            return redirect("admin:syncs_secretsync_changelist")
        asked = request.GET.get("operation", "")
        operation = asked if asked in ("remove", "import") else "sync"
        behavior = self._behavior(request.GET.get("behavior"))
        context = {
            **self.admin_site.each_context(request),
            "title": (_("Remove the secrets of %(sync)s") if operation == "remove" else _("Plan of %(sync)s"))
            % {"sync": sync.name},
            "opts": self.model._meta,
            "sync": sync,
            "operation": operation,
            "behavior": behavior,
            "note": (can := destination_class(sync.destination).capabilities).note,
            "keeps_versions": can.keeps_versions,
            "may_remove": actor_of(request).may(Right.REMOVE_SECRETS, sync.project_id),
            "back": reverse("admin:syncs_secretsync_change", args=[sync.pk]),
        }
        try:
            if operation == "import":
                triggers.require_import(destination_class(sync.destination))
            checked = checked_plan(actor_of(request), sync, operation, behavior=behavior)
        except ServiceError as refusal:
            context["problem"] = str(refusal)
        else:
            plan = checked.plan
            context |= {
                **plan_shown(plan),
                "warnings": () if operation == "remove" else checked.warnings,  # of what two syncs would write
                "estimate": checked.estimate if any(change.write for change in plan.changes) else None,
            }
        return TemplateResponse(request, "syncs/plan.html", context)

    @staticmethod
    def _behavior(given: str | None) -> str:
        return given if given in IMPORT_PRIORITIES else ""

    def run_view(self, request: HttpRequest, pk: Any, operation: str) -> HttpResponse:
        sync = self.get_object(request, str(pk))
        if sync is None or operation not in ("sync", "remove", "import"):
            return redirect("admin:syncs_secretsync_changelist")
        purge = operation == "remove" and "purge" in request.POST
        behavior = self._behavior(request.POST.get("behavior"))
        run = self._trigger(request, sync, operation, purge=purge, behavior=behavior)
        if run is None:
            return redirect("admin:syncs_secretsync_change", sync.pk)
        return redirect("admin:syncs_syncrun_change", run.pk)
