"""Forms of syncs, generated from the schemas of the destinations. Services save what they hold."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from config.access.roles import Actor, Right
from config.errors import ServiceError
from config.ui.base import ServiceAdmin, ServiceForm, actor_of
from config.ui.model_forms import JOINT, collected, form_fields
from connections.models import AppConnection
from connections.provider import providers
from connections.services import choices
from syncs.destination.base import Destination
from syncs.models import Folder, SecretSync, SyncRun
from syncs.planning.opening import destination_class
from syncs.services import deletion
from syncs.services.syncs import SyncInput

from .policy import PREFIX, changed_policy, policy_fields
from .sync_change import EDIT, plan_page, planned_change, save_or_plan

CONFIG, OPTIONS = "destinationConfig", "syncOptions"


class SyncForm(ServiceForm):
    """Base of the forms; the subclass of a request has the fields of one destination."""

    destination_class: type[Destination]
    aliases = {"connectionId": "connection", "environment": "folder", "secretPath": "folder"}

    class Meta:
        model = SecretSync
        fields = ("name", "description", "folder", "connection", "is_auto_sync_enabled")

    def is_valid(self) -> bool:
        """Not while the person goes back to the settings from the plan of a change."""
        return super().is_valid() and EDIT not in self.request.POST

    def changes(self) -> SyncInput:
        """What the form changes of the sync: switching auto-sync on, even if it is on, would end a pause."""
        data, changed = self.cleaned_data, set(self.changed_data)
        folder: Folder | None = data["folder"] if "folder" in changed else None

        def of(prefix: str, shape: Any) -> Any:
            is_changed = any(name.startswith(f"{prefix}{JOINT}") for name in changed)
            return collected(prefix, shape, data) if is_changed else None

        return SyncInput(
            name=data["name"] if "name" in changed else None,
            description=(data["description"] or "") if "description" in changed else None,
            connection_id=data["connection"].pk if "connection" in changed else None,
            environment=folder.environment.slug if folder else None,
            secret_path=folder.path if folder else None,
            is_auto_sync_enabled=data["is_auto_sync_enabled"] if "is_auto_sync_enabled" in changed else None,
            sync_options=of(OPTIONS, self.destination_class.Options),
            destination_config=of(CONFIG, self.destination_class.Config),
        )


class SyncForms(ServiceAdmin):
    """The settings of a sync; a new one is created by the wizard."""

    adds = False

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return redirect("admin:syncs_syncdraft_changelist")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        destination = destination_class(obj.destination)
        attributes: dict[str, Any] = {
            "destination_class": destination,
            **form_fields(CONFIG, destination.Config, obj.destination_config, self._suggestions(request, obj)),
            **form_fields(OPTIONS, destination.Options, obj.sync_options),
            **policy_fields(obj.policy, destination),
        }
        kwargs["form"] = type("SyncForm", (SyncForm,), attributes)
        kwargs["fields"] = list(SyncForm.Meta.fields)
        return super().get_form(request, obj, change=change, **kwargs)

    def _suggestions(self, request: HttpRequest, obj: SecretSync) -> dict[str, list[tuple[str, str]]]:
        """Possible values of each config field, as far as the vendor lists them for the fields before it."""
        if "settings" not in request.GET or not providers.get(obj.connection.app):
            return {}
        found: dict[str, list[tuple[str, str]]] = {}
        for name in obj.destination_config:
            if name == "scope":
                continue
            try:
                listed = choices(actor_of(request), obj.connection, name, obj.destination_config)
            except ServiceError:
                return found  # the page must open even if the vendor is down
            found[name] = [(choice.value, choice.label) for choice in listed]
        return found

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        form = self.get_form(request, obj)

        def section(prefix: str) -> list[Any]:
            names = [name for name in form.base_fields if name.startswith(f"{prefix}{JOINT}")]
            return self.fields_or_texts(request, obj, form, names)

        destination = destination_class(obj.destination)
        to = {"fields": ["connection", *section(CONFIG)], "description": destination.capabilities.note}
        return [
            (None, {"fields": ["name", "description"]}),
            ("From", {"fields": ["folder", "is_auto_sync_enabled"]}),
            (f"To {destination.label}", to),
            ("Options", {"fields": section(OPTIONS)}),
            ("Policy", {"fields": section(PREFIX)}),
        ]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field: Any = super().formfield_for_foreignkey(db_field, request, **kwargs)
        actor = actor_of(request)
        editable = [project_id for project_id in actor.roles if actor.may(Right.EDIT_SYNCS, project_id)]
        if db_field.name == "folder" and field:
            rows = Folder.objects.select_related("environment__project").filter(environment__project__in=editable)
            field.queryset = rows.order_by("environment__project__name", "environment__position", "path")
            field.required = True
            field.label_from_instance = lambda folder: (
                f"{folder.environment.project.name} / {folder.environment.name} {folder.path}"
            )
        if db_field.name == "connection" and field:
            connections = AppConnection.objects.select_related("project")
            field.queryset = connections.filter(project__in=editable) | connections.filter(project=None)
            field.label_from_instance = lambda connection: (
                f"{connection.name} ({connection.project.name if connection.project else 'organisation'})"
            )
        return field

    def change(self, actor: Actor, obj: SecretSync, form: Any) -> None:
        """Store the change if it writes nothing, or if its plan was shown and applied; else plan it."""
        request, data = form.request, form.changes()
        policy = changed_policy(obj.policy, form.cleaned_data, form.destination_class)
        request._keyferry_change = save_or_plan(actor, obj, data, policy, request.POST)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return super().log_change(request, obj, message) if not planned_change(request) else None

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        if change := planned_change(request):
            sync = self.get_queryset(request).get(pk=obj.pk)
            return plan_page(request, self.admin_site.each_context(request), sync, change)
        return super().response_change(request, obj)

    def remove(self, actor: Actor, obj: SecretSync) -> None:
        deletion.delete_sync(actor, obj)

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: Any) -> HttpResponse:
        """Redirect to the run that lists the keys that stay at the destination."""
        response = super().response_delete(request, obj_display, obj_id)
        run = SyncRun.objects.filter(sync=obj_id).first()
        return redirect("admin:syncs_syncrun_change", run.pk) if run else response
