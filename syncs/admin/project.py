"""Projects, environments and folders."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from config.access import services as access
from config.access.labels import members_of
from config.access.models import Project
from config.access.roles import Actor, Right
from config.ui.base import ServiceAdmin, ServiceForm, actor_of
from syncs.models import Environment, Folder
from syncs.services import folders
from syncs.services.defaults import update_defaults
from syncs.services.impact import impact_of_environment_rename, impact_of_folder_move
from syncs.source.selectors import defaults_of

from .editor.base import address
from .policy import PREFIX, changed_policy, policy_fields
from .renames import ConfirmsRenames


class _ProjectForm(ServiceForm):
    aliases = {"projectName": "name"}

    class Meta:
        model = Project
        fields = ("name", "slug", "description", "has_delete_protection")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "slug" in self.fields:
            self.fields["slug"].required = False
            self.fields["slug"].help_text = "Leave blank to generate it from the name."


@admin.register(Project)
class ProjectAdmin(ServiceAdmin):
    """A new project has the environments Development, Staging and Production, and its creator as admin."""

    form = _ProjectForm
    change_form_outer_after_template = "access/members.html"
    project_path = "pk"
    edit = Right.MANAGE_PROJECT
    list_display = ("name", "slug", "editor", "environments_count", "syncs_count", "created_at")
    search_fields = ("name", "slug", "description")

    def get_queryset(self, request: HttpRequest) -> Any:
        return (
            super()
            .get_queryset(request)
            .annotate(
                environment_count=Count("environments", distinct=True),
                sync_count=Count("syncs", distinct=True, filter=Q(syncs__deleted_at=None)),
            )
        )

    def project_id_of(self, obj: Any) -> Any:
        return obj.pk

    def has_add_permission(self, request: HttpRequest) -> bool:
        return actor_of(request).is_instance_admin

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        project = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if project:
            context |= {
                "members": members_of(project),
                "may_manage_members": actor_of(request).may(Right.MANAGE_MEMBERS, project.pk),
            }
        return super().change_view(request, object_id, form_url, context)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        fields = ["name", "slug", "description"]
        if obj:
            defaults = defaults_of(obj)
            overlaps = forms.BooleanField(
                required=False,
                initial=defaults.refuse_overlaps,
                label=_("Refuse overlaps"),
                help_text=_("Refuse syncs that would write the same keys as another sync."),
                widget=UnfoldBooleanSwitchWidget(),
            )
            approver = forms.BooleanField(
                required=False,
                initial=defaults.other_approver,
                label=_("Somebody else approves"),
                help_text=_("A held run is approved by a person who did not make its changes; never by a machine."),
                widget=UnfoldBooleanSwitchWidget(),
            )
            rules = {"refuse_overlaps": overlaps, "other_approver": approver}
            attributes = {**policy_fields(defaults.new_policy()), **rules}
            kwargs["form"] = type("ProjectForm", (_ProjectForm,), attributes)
            fields.append("has_delete_protection")
        kwargs["fields"] = fields
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ((None, {"fields": ("name", "slug", "description")}),)
        form = self.get_form(request, obj)
        policy = [name for name in form.base_fields if name.startswith(PREFIX)]
        return (
            (None, {"fields": ("name", "slug", "description", "has_delete_protection")}),
            (
                "New syncs",
                {
                    "fields": self.fields_or_texts(request, obj, form, policy),
                    "description": "The policy of new syncs. Existing syncs do not change.",
                },
            ),
            ("All syncs", {"fields": self.fields_or_texts(request, obj, form, ["refuse_overlaps", "other_approver"])}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("slug",) if obj else ()

    @display(description=_("Secrets"))
    def editor(self, obj: Any) -> str:
        return format_html('<a class="underline" href="{}?project={}">Open</a>', reverse("secrets"), obj.slug)

    @display(description=_("Environments"))
    def environments_count(self, obj: Any) -> int:
        return int(obj.environment_count)

    @display(description=_("Syncs"))
    def syncs_count(self, obj: Any) -> int:
        return int(obj.sync_count)

    def create(self, actor: Actor, form: Any) -> Project:
        data = form.cleaned_data
        return folders.create_project(actor, data["name"], slug=data["slug"], description=data["description"])

    def change(self, actor: Actor, obj: Project, form: Any) -> None:
        data = form.cleaned_data
        defaults = defaults_of(obj)
        policy = changed_policy(defaults.new_policy(), data)
        rules = {name: data[name] for name in ("refuse_overlaps", "other_approver")}
        changed = {name: value for name, value in rules.items() if value != getattr(defaults, name)}
        protected = data["has_delete_protection"]
        access.update_project(actor, obj, name=data["name"], description=data["description"], protected=protected)
        if policy or changed:
            update_defaults(actor, obj, policy, **changed)

    def remove(self, actor: Actor, obj: Project) -> None:
        access.delete_project(actor, obj)


@admin.register(Environment)
class EnvironmentAdmin(ConfirmsRenames):
    project_path = "project"
    edit = Right.MANAGE_ENVIRONMENTS
    list_display = ("name", "slug", "project", "position")
    list_filter = ("project",)
    list_select_related = ("project",)
    search_fields = ("name", "slug", "project__name")
    fields = ("project", "name", "slug")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("project",) if obj else ()

    def create(self, actor: Actor, form: Any) -> Environment:
        data = form.cleaned_data
        return folders.create_environment(actor, data["project"], data["name"], data["slug"])

    def change(self, actor: Actor, obj: Environment, form: Any) -> None:
        data = form.cleaned_data
        self.confirm(form, impact_of_environment_rename(actor, obj, data["slug"]), data["slug"])
        folders.update_environment(actor, obj, name=data["name"], slug=data["slug"])

    def remove(self, actor: Actor, obj: Environment) -> None:
        folders.delete_environment(actor, obj)


class _FolderForm(ServiceForm):
    path = forms.CharField(widget=UnfoldAdminTextInputWidget(), help_text=_("For example /services/api."))

    class Meta:
        model = Folder
        fields = ("environment",)


@admin.register(Folder)
class FolderAdmin(ConfirmsRenames):
    project_path = "environment__project_id"
    edit = Right.WRITE_SECRETS
    list_display = ("path", "environment", "secrets_count", "syncs_count")
    list_filter = ("environment__project", "environment")
    list_select_related = ("environment__project",)
    search_fields = ("path", "environment__slug", "environment__project__name")
    fields = ("environment", "path", "name")

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request).select_related("environment__project")
        return rows.annotate(secret_count=Count("secrets", distinct=True), sync_count=Count("syncs", distinct=True))

    @display(description=_("Secrets"))
    def secrets_count(self, obj: Any) -> str:
        """The number, as a link to the secrets."""
        return format_html(
            '<a class="underline" href="{}">{}</a>', address(obj.environment, obj.path), obj.secret_count
        )

    @display(description=_("Syncs"))
    def syncs_count(self, obj: Any) -> int:
        return int(obj.sync_count)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = ServiceForm if obj else _FolderForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return super().get_fields(request, obj) if obj else ("environment", "path")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("environment", "path") if obj else ()

    def create(self, actor: Actor, form: Any) -> Folder:
        data = form.cleaned_data
        return folders.ensure_folder(actor, data["environment"], data["path"])

    def change(self, actor: Actor, obj: Folder, form: Any) -> None:
        name = form.cleaned_data["name"]
        self.confirm(form, impact_of_folder_move(actor, obj, name=name), name)
        folders.move_folder(actor, obj, name=name)

    def remove(self, actor: Actor, obj: Folder) -> None:
        folders.delete_folder(actor, obj)
