"""Connections: forms generated from the schemas of the providers; credentials are write-only."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST
from unfold.decorators import display

from config.access.models import Project
from config.access.roles import Actor, Right
from config.errors import ServiceError
from config.ui.base import ServiceAdmin, ServiceForm, actor_of, any_project, reason_of
from config.ui.markup import badge, link, when
from config.ui.model_forms import collected, form_fields
from connections import services
from connections.credentials import provider_of, shown_credentials
from connections.models import AppConnection
from connections.provider import providers
from connections.selectors import label_of

PREFIX = "credentials"


def kinds() -> list[tuple[str, str]]:
    """All sign-in methods of all providers, as (value, label)."""
    return [
        (f"{provider.slug}/{method}", f"{provider.label}, {method}")
        for provider in providers
        for method in provider.methods
    ]


@admin.register(AppConnection)
class AppConnectionAdmin(ServiceAdmin):
    project_path = "project"
    see = Right.SEE_CONNECTIONS
    edit = Right.MANAGE_CONNECTIONS
    list_display = ("name", "login", "scope", "status", "checked", "syncs")
    list_filter = ("app", "project")
    list_select_related = ("project",)
    search_fields = ("name", "description")
    actions = ("check_now", "pause", "resume")

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = AppConnection.objects.select_related("project").annotate(used_by=Count("syncs"))
        projects = actor_of(request).projects
        if projects is None:
            return rows
        return rows.filter(project__in=projects) | rows.filter(project=None)

    def may(self, request: HttpRequest, right: Right | None, obj: Any) -> bool:
        actor = actor_of(request)
        if obj is not None and obj.project_id is None:
            return actor.is_instance_admin or (right is self.see and actor.may_anywhere(self.see))
        if obj is None and right is self.edit:
            return actor.is_instance_admin or any_project(actor, Right.MANAGE_CONNECTIONS)
        return super().may(request, right, obj)

    @display(description=_("Login"), ordering="app")
    def login(self, obj: AppConnection) -> str:
        return format_html("{}<br><span class='kf-subtle'>{}</span>", label_of(obj.app), obj.method)

    @display(description=_("For"), ordering="project__name")
    def scope(self, obj: AppConnection) -> str:
        return obj.project.name if obj.project else str(_("the whole organisation"))

    @display(description=_("Status"))
    def status(self, obj: AppConnection) -> str:
        return badge(*status_of(obj))

    @display(description=_("Checked"), ordering="checked_at")
    def checked(self, obj: AppConnection) -> str:
        return when(obj.checked_at)

    @display(description=_("Used by"), ordering="used_by")
    def syncs(self, obj: Any) -> str:
        text: str = ngettext("%d sync", "%d syncs", obj.used_by) % obj.used_by
        if not obj.used_by:
            return text
        return link(f"{reverse('admin:syncs_secretsync_changelist')}?connection__id__exact={obj.pk}", text)

    def get_actions(self, request: HttpRequest) -> Any:
        """Only actions that the person may perform."""
        actions = super().get_actions(request)
        if not self.may(request, self.edit, None):
            actions = {name: each for name, each in actions.items() if name == "check_now"}
        return actions if actor_of(request).may_anywhere(Right.USE_CONNECTIONS) else {}

    # -- one connection ----------------------------------------------------------------------------------------

    def get_urls(self) -> Any:
        view = self.admin_site.admin_view
        return [
            path("<uuid:pk>/check/", view(require_POST(self.check_view)), name="connections_appconnection_check"),
            path("<uuid:pk>/pause/", view(require_POST(self.pause_view)), name="connections_appconnection_pause"),
            *super().get_urls(),
        ]

    def check_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        if (connection := self.get_object(request, str(pk))) is None:
            return redirect("admin:connections_appconnection_changelist")
        self._check(request, connection)
        return redirect("admin:connections_appconnection_change", connection.pk)

    def pause_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Pause, or resume."""
        if (connection := self.get_object(request, str(pk))) is None:
            return redirect("admin:connections_appconnection_changelist")
        self._pause(request, connection, paused="resume" not in request.POST)
        return redirect("admin:connections_appconnection_change", connection.pk)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        connection = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if connection:
            label, tone = status_of(connection)
            context |= {
                "connection": connection,
                "provider_label": label_of(connection.app),
                "state_label": label,
                "state_tone": tone,
                "may_check": self._may_use(request, connection),
                "may_manage": self.may(request, self.edit, connection),
                "title": connection.name,
                "subtitle": "",
            }
        return super().change_view(request, object_id, form_url, context)

    def _may_use(self, request: HttpRequest, connection: AppConnection) -> bool:
        actor = actor_of(request)
        if connection.project_id:
            return actor.may(Right.USE_CONNECTIONS, connection.project_id)
        return actor.may_anywhere(Right.USE_CONNECTIONS)

    def _check(self, request: HttpRequest, connection: AppConnection) -> None:
        try:
            rights = services.check_connection(actor_of(request), connection)
            messages.success(request, _("%s: credentials accepted by the vendor.") % connection.name)
            if rights.missing:
                texts = {"name": connection.name, "rights": ", ".join(rights.missing)}
                messages.warning(request, _("%(name)s: missing rights: %(rights)s") % texts)
        except ServiceError as error:
            messages.error(request, f"{connection.name}: {error}")

    def _pause(self, request: HttpRequest, connection: AppConnection, *, paused: bool) -> None:
        try:
            services.pause_connection(actor_of(request), connection, paused=paused, reason=reason_of(request))
        except ServiceError as error:
            messages.error(request, f"{connection.name}: {error}")
            return
        if paused:
            messages.warning(request, _("%s paused.") % connection.name)
        else:
            messages.success(request, _("%s resumed.") % connection.name)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if "kind" not in request.GET:
            query = request.GET.copy()
            query["kind"] = kinds()[0][0]
            return redirect(f"{request.path}?{query.urlencode()}")
        links = [(f"?kind={value}", label, value == request.GET["kind"]) for value, label in kinds()]
        return super().add_view(request, form_url, {**(extra_context or {}), "kinds": links})

    change_form_template = "connections/page.html"

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        app, _, method = (f"{obj.app}/{obj.method}" if obj else request.GET.get("kind", "")).partition("/")
        provider = providers.get(app)
        schema = provider.methods.get(method) if provider else None
        fields: dict[str, forms.Field] = {}
        if schema:
            stored = shown_credentials(obj) if obj else provider_of(app).generated(method) or None
            fields = form_fields(PREFIX, schema, stored)
        kwargs["form"] = type("ConnectionForm", (_ConnectionForm,), {**fields, "app": app, "method": method})
        kwargs["fields"] = self._own_fields(obj)
        return super().get_form(request, obj, change=change, **kwargs)

    def _own_fields(self, obj: Any) -> list[str]:
        return ["name", "description"] if obj else ["name", "description", "project"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj and not self.has_change_permission(request, obj):
            return [(None, {"fields": self._own_fields(obj)})]  # credentials are never shown
        form = self.get_form(request, obj)
        credentials = [name for name in form.base_fields if name.startswith(PREFIX)]
        app = obj.app if obj else request.GET.get("kind", "").partition("/")[0]
        provider = providers.get(app)
        label = f"Sign in at {provider.label}" if provider else "Credentials"
        help_text = "They are verified with the vendor before they are stored, and never shown again."
        if provider and provider.docs_url:
            help_text += f" See {provider.docs_url}"
        return [
            (None, {"fields": self._own_fields(obj)}),
            (label, {"fields": credentials, "description": help_text}),
        ]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "project":
            actor = actor_of(request)
            managed = [project_id for project_id in actor.roles if actor.may(Right.MANAGE_CONNECTIONS, project_id)]
            kwargs["queryset"] = Project.objects.filter(pk__in=managed)
            kwargs["help_text"] = "Leave blank for the whole organisation (instance admins only)."
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def create(self, actor: Actor, form: Any) -> AppConnection:
        data = form.cleaned_data
        return services.create_connection(
            actor,
            form.app,
            name=data["name"],
            method=form.method,
            credentials=form.credentials(),
            description=data["description"],
            project=data["project"],
        )

    def change(self, actor: Actor, obj: AppConnection, form: Any) -> None:
        data = form.cleaned_data
        credentials = form.credentials()
        services.update_connection(
            actor, obj, name=data["name"], description=data["description"] or "", credentials=credentials or None
        )

    def remove(self, actor: Actor, obj: AppConnection) -> None:
        services.delete_connection(actor, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        to_delete, counts, permissions, _ = super().get_deleted_objects(objs, request)
        return to_delete, counts, permissions, []  # the service refuses with a message that says what to do

    @admin.action(description=_("Check with the vendor now"))
    def check_now(self, request: HttpRequest, queryset: Any) -> None:
        for connection in queryset:
            self._check(request, connection)

    @admin.action(description=_("Pause all syncs using these"))
    def pause(self, request: HttpRequest, queryset: Any) -> None:
        for connection in queryset:
            self._pause(request, connection, paused=True)

    @admin.action(description=_("Resume all syncs using these"))
    def resume(self, request: HttpRequest, queryset: Any) -> None:
        for connection in queryset:
            self._pause(request, connection, paused=False)


def status_of(connection: AppConnection) -> tuple[Any, str]:
    """Status label and tone."""
    if connection.paused_at:
        return _("Paused"), "warn"
    if connection.check_problem:
        return _("Rejected"), "bad"
    return (_("Accepted"), "good") if connection.checked_at else (_("Not checked"), "calm")


class _ConnectionForm(ServiceForm):
    app = method = ""

    class Meta:
        model = AppConnection
        fields: tuple[str, ...] = ()

    def credentials(self) -> dict[str, Any]:
        """The submitted credentials; {} if none were entered."""
        provider = providers.get(self.app)
        schema = provider.methods.get(self.method) if provider else None
        values = collected(PREFIX, schema, self.cleaned_data) if schema else {}
        return values if any(values.values()) or self.instance._state.adding else {}
