"""Syncs: forms from the destinations' schemas, and the buttons Plan, Sync now, Remove secrets."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.views.decorators.http import require_POST
from unfold.decorators import action, display

from config.access.roles import Actor, Right
from config.admin import ReadOnlyAdmin, ServiceAdmin, ServiceForm, actor_of
from config.errors import ServiceError
from config.forms import collected, form_fields
from connections.models import AppConnection
from connections.provider import providers
from connections.services import choices
from syncs.destination import Destination, destinations
from syncs.engine.types import Action
from syncs.models import Folder, ManagedSecret, SecretSync, Status
from syncs.planning import destination_class
from syncs.preflight import checked_plan
from syncs.selectors import find_sync
from syncs.services import syncs as services
from syncs.services.syncs import SyncInput

from .connect import is_for
from .policy import PREFIX, changed_policy, policy_fields

CONFIG, OPTIONS = "destinationConfig", "syncOptions"
STATUS_LABELS = {
    Status.PENDING: "info",
    Status.RUNNING: "info",
    Status.SUCCEEDED: "success",
    Status.FAILED: "danger",
    Status.HELD: "warning",
    "never ran": "default",
}
ACTION_COLORS = {
    Action.CREATE: "success",
    Action.ADOPT: "warning",
    Action.UPDATE: "info",
    Action.DELETE: "danger",
    Action.BLOCKED: "danger",
    Action.KEEP: "default",
    Action.UNCHANGED: "default",
}


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
    list_display = (
        "name",
        "project",
        "source",
        "shown_destination",
        "status",
        "last_synced_at",
        "is_auto_sync_enabled",
    )
    list_filter = ("sync_status", "destination", "project", "is_auto_sync_enabled", "connection")
    list_select_related = ("project", "folder__environment", "connection", "policy")
    search_fields = ("name", "description", "project__name", "connection__name", "last_sync_message")
    actions = ("sync_now",)
    actions_list = ("connect",)
    change_form_outer_before_template = "syncs/sync_summary.html"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("project", "folder__environment", "connection", "policy")

    @action(description="Connect and sync", url_path="connect", permissions=["connect"], icon="add_link")
    def connect(self, request: HttpRequest) -> HttpResponse:
        return redirect("admin:syncs_syncdraft_changelist")

    def has_connect_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return is_for(request)

    # -- list --------------------------------------------------------------------------------------------------

    @display(description="Source")
    def source(self, obj: SecretSync) -> str:
        return f"{obj.folder.environment.slug} {obj.folder.path}" if obj.folder else "gone"

    @display(description="Destination")
    def shown_destination(self, obj: SecretSync) -> str:
        found = destinations.get(obj.destination)
        spot = " / ".join(str(value) for name, value in obj.destination_config.items() if name != "scope")
        return f"{found.label if found else obj.destination}: {spot}"

    @display(description="Status", label=STATUS_LABELS, ordering="sync_status")
    def status(self, obj: SecretSync) -> str:
        return obj.sync_status or "never ran"

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
        if obj is None or request.method != "GET" or not providers.get(obj.connection.app):
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
        names = list(self.get_form(request, obj).base_fields)

        def of(prefix: str) -> list[str]:
            return [name for name in names if name.startswith(f"{prefix}__")]

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
        services.delete_sync(actor, obj)

    @admin.action(description="Sync now")
    def sync_now(self, request: HttpRequest, queryset: Any) -> None:
        for sync in queryset:
            self._trigger(request, sync, "sync")

    def _trigger(self, request: HttpRequest, sync: SecretSync, operation: str, *, purge: bool = False) -> Any:
        actor = actor_of(request)
        try:
            if operation == "remove":
                run = services.remove_secrets(actor, sync, purge=purge)
            else:
                run = services.trigger(actor, sync, operation)
        except ServiceError as refusal:
            messages.error(request, f"{sync.name}: {refusal}")
            return None
        messages.success(request, f"{sync.name}: queued.")
        return run

    # -- buttons -----------------------------------------------------------------------------------------------

    def get_urls(self) -> Any:
        view = self.admin_site.admin_view
        own = [
            path("<uuid:pk>/plan/", view(self.plan_view), name="syncs_secretsync_plan"),
            path("<uuid:pk>/run/<str:operation>/", view(require_POST(self.run_view)), name="syncs_secretsync_run"),
        ]
        return own + super().get_urls()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        sync = self.get_object(request, object_id)
        shown = dict(extra_context or {})
        if sync:
            actor = actor_of(request)
            found = destinations.get(sync.destination)
            shown |= {
                "sync": sync,
                "status": sync.sync_status or "never ran",
                "status_color": STATUS_LABELS.get(sync.sync_status or "never ran", "default"),
                "note": found.capabilities.note if found else "",
                "may_run": actor.may(Right.RUN_SYNCS, sync.project_id),
                "may_remove": actor.may(Right.REMOVE_SECRETS, sync.project_id),
                "runs": sync.runs.defer("unchanged", "unmanaged", "options")[:10],
                "colors": STATUS_LABELS,
            }
        return super().change_view(request, object_id, form_url, shown)

    def plan_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """What a run, or a removal, would do now."""
        sync = self.get_object(request, str(pk))
        if sync is None or not actor_of(request).may(Right.RUN_SYNCS, sync.project_id):
            messages.error(request, "There is no such sync, or you may not plan it.")
            return redirect("admin:syncs_secretsync_changelist")
        operation = "remove" if request.GET.get("operation") == "remove" else "sync"
        context = {
            **self.admin_site.each_context(request),
            "title": f"Plan of {sync.name}",
            "opts": self.model._meta,
            "sync": sync,
            "operation": operation,
            "note": (can := destination_class(sync.destination).capabilities).note,
            "keeps_versions": can.keeps_versions,
            "may_remove": actor_of(request).may(Right.REMOVE_SECRETS, sync.project_id),
            "back": reverse("admin:syncs_secretsync_change", args=[sync.pk]),
        }
        try:
            checked = checked_plan(actor_of(request), sync, operation)
        except ServiceError as refusal:
            context["problem"] = str(refusal)
        else:
            plan = checked.plan
            context |= {
                "plan": plan,
                "warnings": checked.warnings,
                "estimate": checked.estimate if any(change.write for change in plan.changes) else None,
                "counts": [(name, count, ACTION_COLORS[Action(name)]) for name, count in plan.counts.items() if count],
                "changes": [(change, ACTION_COLORS[change.action]) for change in plan.changes],
            }
        return TemplateResponse(request, "syncs/plan.html", context)

    def run_view(self, request: HttpRequest, pk: Any, operation: str) -> HttpResponse:
        sync = self.get_object(request, str(pk))
        if sync is None or operation not in ("sync", "remove"):
            return redirect("admin:syncs_secretsync_changelist")
        purge = operation == "remove" and "purge" in request.POST
        run = self._trigger(request, sync, operation, purge=purge)
        if run is None:
            return redirect("admin:syncs_secretsync_change", sync.pk)
        return redirect("admin:syncs_syncrun_change", run.pk)


@admin.register(ManagedSecret)
class ManagedSecretAdmin(ReadOnlyAdmin):
    """The ledger: which key of which place belongs to which sync."""

    project_path = "sync__project_id"
    see = Right.SEE_SYNCS
    list_display = ("key", "place", "sync", "shown_state", "written_at")
    list_filter = ("state", "destination", "sync__project")
    list_select_related = ("sync__project",)
    search_fields = ("key", "place", "sync__name")
    fields = ("key", "place", "sync", "destination", "destination_config", "state", "written_at", "run")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("value_sealed", "value_mac", "rest_mac")

    @display(description="State", label={"owned": "success", "claim": "warning", "missing": "danger"})
    def shown_state(self, obj: ManagedSecret) -> str:
        return obj.state
