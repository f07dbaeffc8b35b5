"""Forms of syncs, generated from the schemas of the destinations. Services save what they hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from config.access.roles import Actor, Right
from config.errors import ServiceError
from config.ui.base import ServiceAdmin, ServiceForm, actor_of
from config.ui.model_forms import collected, form_fields
from connections.models import AppConnection
from connections.provider import providers
from connections.services import choices
from syncs.destination.base import Destination, destinations
from syncs.models import Folder, SecretSync, SyncRun
from syncs.planning.preflight import checked_plan
from syncs.services import deletion
from syncs.services import syncs as services
from syncs.services.syncs import SyncInput
from syncs.source.selectors import find_sync

from .policy import PREFIX, changed_policy, policy_fields

CONFIG, OPTIONS = "destinationConfig", "syncOptions"


class SyncForm(ServiceForm):
    """Base of the forms; the subclass of a request has the fields of one destination."""

    destination_class: type[Destination]
    aliases = {"connectionId": "connection", "environment": "folder", "secretPath": "folder"}

    class Meta:
        model = SecretSync
        fields = ("name", "description", "folder", "connection", "is_auto_sync_enabled")

    def sync_input(self) -> SyncInput:
        data = self.cleaned_data
        folder: Folder = data["folder"]
        return SyncInput(
            name=data["name"],
            description=data["description"] or "",
            connection_id=data["connection"].pk,
            environment=folder.environment.slug,
            secret_path=folder.path,
            is_auto_sync_enabled=data["is_auto_sync_enabled"],
            sync_options=collected(OPTIONS, self.destination_class.Options, data),
            destination_config=collected(CONFIG, self.destination_class.Config, data),
        )


class SyncForms(ServiceAdmin):
    """Add and change pages of `SecretSyncAdmin`."""

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
        destination = self._destination(request, obj)
        config = obj.destination_config if obj else None
        attributes: dict[str, Any] = {
            "destination_class": destination,
            **form_fields(CONFIG, destination.Config, config, self._suggestions(request, obj)),
            **form_fields(OPTIONS, destination.Options, obj.sync_options if obj else None),
            **(policy_fields(obj.policy, destination) if obj else {}),
        }
        kwargs["form"] = type("SyncForm", (SyncForm,), attributes)
        kwargs["fields"] = list(SyncForm.Meta.fields)
        return super().get_form(request, obj, change=change, **kwargs)

    def _suggestions(self, request: HttpRequest, obj: SecretSync | None) -> dict[str, list[tuple[str, str]]]:
        """Possible values of each config field, as far as the vendor lists them for the fields before it."""
        if obj is None or "settings" not in request.GET or not providers.get(obj.connection.app):
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
        destination = self._destination(request, obj)
        form = self.get_form(request, obj)

        def section(prefix: str) -> list[Any]:
            names = [name for name in form.base_fields if name.startswith(f"{prefix}__")]
            return self.fields_or_texts(request, obj, form, names)

        note = destination.capabilities.note
        sections: list[Any] = [
            (None, {"fields": ["name", "description"]}),
            ("From", {"fields": ["folder", "is_auto_sync_enabled"]}),
            (f"To {destination.label}", {"fields": ["connection", *section(CONFIG)], "description": note}),
            ("Options", {"fields": section(OPTIONS)}),
        ]
        if obj:
            sections.append(("Policy", {"fields": section(PREFIX)}))
        return sections

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

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        actor = actor_of(request)
        try:
            warnings = checked_plan(actor, find_sync(actor, str(obj.pk))).warnings
        except ServiceError as error:
            warnings = (str(error),)  # it is saved; the vendor may only be down
        for warning in warnings:
            messages.warning(request, warning)

    def create(self, actor: Actor, form: Any) -> SecretSync:
        project = form.cleaned_data["folder"].environment.project
        return services.create_sync(actor, project, form.destination_class.slug, form.sync_input())

    def change(self, actor: Actor, obj: SecretSync, form: Any) -> None:
        policy = changed_policy(obj.policy, form.cleaned_data, form.destination_class)
        if any(name in form.changed_data for name in form.fields if not name.startswith(PREFIX)):
            changes = form.sync_input()
            if "is_auto_sync_enabled" not in form.changed_data:  # switching it on would resume the sync after a removal
                changes = replace(changes, is_auto_sync_enabled=None)
            services.update_sync(actor, obj, changes)
        if policy:
            services.update_policy(actor, self.model.objects.select_related("policy").get(pk=obj.pk), policy)

    def remove(self, actor: Actor, obj: SecretSync) -> None:
        deletion.delete_sync(actor, obj)

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: Any) -> HttpResponse:
        """Redirect to the run that lists the keys that stay at the destination."""
        response = super().response_delete(request, obj_display, obj_id)
        run = SyncRun.objects.filter(sync=obj_id).first()
        return redirect("admin:syncs_syncrun_change", run.pk) if run else response
