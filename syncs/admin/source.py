"""Projects, environments, folders, secrets, imports, tags. Values are written, never shown."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from config.access import services as access
from config.access.labels import members_of
from config.access.models import Project
from config.access.roles import Actor, Right
from config.ui.base import ServiceAdmin, ServiceForm, actor_of
from syncs.models import Environment, Folder, Secret, SecretImport, SecretVersion, Tag
from syncs.services import folders, imports, secrets, tags
from syncs.services.defaults import update_defaults
from syncs.source.selectors import comment_of, defaults_of
from syncs.source.validation import SecretInput

from .editor.base import address
from .policy import PREFIX, changed_policy, policy_fields


class _ProjectForm(ServiceForm):
    aliases = {"projectName": "name"}

    class Meta:
        model = Project
        fields = ("name", "slug", "description", "has_delete_protection")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "slug" in self.fields:
            self.fields["slug"].required = False
            self.fields["slug"].help_text = "Blank: made from the name."


@admin.register(Project)
class ProjectAdmin(ServiceAdmin):
    """A new project has the environments Development, Staging and Production, and its maker as its admin."""

    form = _ProjectForm
    change_form_outer_after_template = "access/members.html"
    project_path = "pk"
    edit = Right.MANAGE_PROJECT
    list_display = ("name", "slug", "editor", "environments_count", "syncs_count", "created_at")
    search_fields = ("name", "slug", "description")

    def get_queryset(self, request: HttpRequest) -> Any:
        counted = super().get_queryset(request)
        return counted.annotate(
            environment_count=Count("environments", distinct=True),
            sync_count=Count("syncs", distinct=True, filter=Q(syncs__deleted_at=None)),
        )

    def project_id_of(self, obj: Any) -> Any:
        return obj.pk

    def has_add_permission(self, request: HttpRequest) -> bool:
        return actor_of(request).is_instance_admin

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        project = self.get_object(request, object_id)
        shown = dict(extra_context or {})
        if project:
            shown |= {
                "members": members_of(project),
                "may_manage_members": actor_of(request).may(Right.MANAGE_MEMBERS, project.pk),
            }
        return super().change_view(request, object_id, form_url, shown)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        fields = ["name", "slug", "description"]
        if obj:
            held = defaults_of(obj)
            overlaps = forms.BooleanField(
                required=False,
                initial=held.refuse_overlaps,
                label=_("Refuse overlaps"),
                help_text=_("Refuse a sync that would write keys which another sync writes."),
                widget=UnfoldBooleanSwitchWidget(),
            )
            shown = {**policy_fields(held.new_policy()), "refuse_overlaps": overlaps}
            kwargs["form"] = type("ProjectForm", (_ProjectForm,), shown)
            fields.append("has_delete_protection")
        kwargs["fields"] = fields
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ((None, {"fields": ("name", "slug", "description")}),)
        form = self.get_form(request, obj)
        policy = [*(name for name in form.base_fields if name.startswith(PREFIX)), "refuse_overlaps"]
        return (
            (None, {"fields": ("name", "slug", "description", "has_delete_protection")}),
            (
                "New syncs",
                {
                    "fields": self.told_fields(request, obj, form, policy),
                    "description": "The policy that they start with. Those that exist stay as they are.",
                },
            ),
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
        held = defaults_of(obj)
        policy, refuse = changed_policy(held.new_policy(), data), data["refuse_overlaps"]
        protected = data["has_delete_protection"]
        access.update_project(actor, obj, name=data["name"], description=data["description"], protected=protected)
        if policy or refuse != held.refuse_overlaps:
            update_defaults(actor, obj, policy, refuse)

    def remove(self, actor: Actor, obj: Project) -> None:
        access.delete_project(actor, obj)


@admin.register(Environment)
class EnvironmentAdmin(ServiceAdmin):
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
        folders.update_environment(actor, obj, name=data["name"], slug=data["slug"])

    def remove(self, actor: Actor, obj: Environment) -> None:
        folders.delete_environment(actor, obj)


class _FolderForm(ServiceForm):
    path = forms.CharField(widget=UnfoldAdminTextInputWidget(), help_text=_("Such as /services/api."))

    class Meta:
        model = Folder
        fields = ("environment",)


@admin.register(Folder)
class FolderAdmin(ServiceAdmin):
    project_path = "environment__project_id"
    edit = Right.WRITE_SECRETS
    list_display = ("path", "environment", "secrets_count", "fed")
    list_filter = ("environment__project", "environment")
    list_select_related = ("environment__project",)
    search_fields = ("path", "environment__slug", "environment__project__name")

    def get_queryset(self, request: HttpRequest) -> Any:
        found = super().get_queryset(request).select_related("environment__project")
        return found.annotate(secret_count=Count("secrets", distinct=True), sync_count=Count("syncs", distinct=True))

    @display(description=_("Secrets"))
    def secrets_count(self, obj: Any) -> str:
        """With the way to them."""
        return format_html(
            '<a class="underline" href="{}">{}</a>', address(obj.environment, obj.path), obj.secret_count
        )

    @display(description=_("Syncs it feeds"))
    def fed(self, obj: Any) -> int:
        return int(obj.sync_count)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = ServiceForm if obj else _FolderForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("environment", "path", "name") if obj else ("environment", "path")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("environment", "path") if obj else ()

    def create(self, actor: Actor, form: Any) -> Folder:
        data = form.cleaned_data
        return folders.ensure_folder(actor, data["environment"], data["path"])

    def change(self, actor: Actor, obj: Folder, form: Any) -> None:
        folders.move_folder(actor, obj, name=form.cleaned_data["name"])

    def remove(self, actor: Actor, obj: Folder) -> None:
        folders.delete_folder(actor, obj)


class _SecretForm(ServiceForm):
    value = forms.CharField(
        required=False,
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "autocomplete": "off", "spellcheck": "false"}),
        help_text=_("Other secrets can be referred to: ${KEY}, ${env.KEY}, ${env.folder.KEY}."),
    )
    empty = forms.BooleanField(
        required=False,
        label=_("Set to empty"),
        widget=UnfoldBooleanSwitchWidget(),
        help_text=_("Store an empty value."),
    )
    comment = forms.CharField(required=False, widget=UnfoldAdminTextInputWidget())
    tag_slugs = forms.CharField(
        required=False, label=_("Tags"), widget=UnfoldAdminTextInputWidget(), help_text=_("Slugs, separated by commas.")
    )
    aliases = {
        "secretKey": "key",
        "secretName": "key",
        "newSecretName": "key",
        "secretValue": "value",
        "secretComment": "comment",
        "slug": "tag_slugs",
    }

    class Meta:
        model = Secret
        fields = ("folder", "key", "skip_multiline_encoding")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.version and self.instance.folder_id:
            self.fields["comment"].initial = comment_of(self.instance)
            self.fields["tag_slugs"].initial = ", ".join(tag.slug for tag in self.instance.tags.all())
            self.fields["value"].help_text = f"Blank keeps what is stored. {self.fields['value'].help_text}"

    def given(self, key: str) -> SecretInput:
        data = self.cleaned_data
        value = "" if data["empty"] else data["value"] or None
        tags = [slug.strip() for slug in data["tag_slugs"].split(",") if slug.strip()]
        return SecretInput(
            key,
            value,
            data["comment"],
            tags,
            skip_multiline_encoding=data["skip_multiline_encoding"],
            new_key=data["key"] if data["key"] != key else None,
        )


class _Versions(TabularInline):  # type: ignore[misc]
    model = SecretVersion
    fields = ("version", "key", "actor_name", "actor_kind", "created_at")
    readonly_fields = fields
    extra = 0
    can_delete = False
    tab = True
    verbose_name_plural = "history"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True


@admin.register(Secret)
class SecretAdmin(ServiceAdmin):
    form = _SecretForm
    project_path = "folder__environment__project_id"
    edit = Right.WRITE_SECRETS
    list_display = ("key", "project", "environment", "path", "version", "tag_list", "updated_at")
    list_filter = ("folder__environment__project", "folder__environment", "tags")
    list_select_related = ("folder__environment__project",)
    search_fields = ("key", "folder__path", "folder__environment__slug")
    date_hierarchy = "updated_at"
    fields = ("folder", "key", "value", "empty", "comment", "tag_slugs", "skip_multiline_encoding")

    def get_queryset(self, request: HttpRequest) -> Any:
        found = super().get_queryset(request).select_related("folder__environment__project")
        return found.prefetch_related("tags").defer("value_sealed")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("folder",) if obj else ()

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return [_Versions] if obj else []

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field: Any = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "folder" and field:
            actor = actor_of(request)
            mine = [project_id for project_id in actor.roles if actor.may(Right.WRITE_SECRETS, project_id)]
            found = Folder.objects.select_related("environment__project").filter(environment__project__in=mine)
            field.queryset = found.order_by("environment__project__name", "environment__position", "path")
            field.label_from_instance = lambda folder: (
                f"{folder.environment.project.name} / {folder.environment.name} {folder.path}"
            )
        return field

    @display(description=_("Project"), ordering="folder__environment__project__name")
    def project(self, obj: Secret) -> str:
        return obj.folder.environment.project.name

    @display(description=_("Environment"), label=True, ordering="folder__environment__position")
    def environment(self, obj: Secret) -> str:
        return obj.folder.environment.slug

    @display(description=_("Folder"), ordering="folder__path")
    def path(self, obj: Secret) -> str:
        return obj.folder.path

    @display(description=_("Tags"))
    def tag_list(self, obj: Secret) -> str:
        return ", ".join(tag.slug for tag in obj.tags.all())

    def create(self, actor: Actor, form: Any) -> Secret:
        data = form.cleaned_data
        (made,) = secrets.set_secrets(actor, data["folder"], [form.given(data["key"])], mode="create")
        return made

    def change(self, actor: Actor, obj: Secret, form: Any) -> None:
        secrets.set_secrets(actor, obj.folder, [form.given(obj.key)], mode="update")

    def remove(self, actor: Actor, obj: Secret) -> None:
        secrets.delete_secrets(actor, obj.folder, [obj.key])


class _ImportForm(ServiceForm):
    aliases = {"name": "import_path"}

    class Meta:
        model = SecretImport
        fields = ("folder", "import_environment", "import_path", "position")


@admin.register(SecretImport)
class SecretImportAdmin(ServiceAdmin):
    form = _ImportForm
    project_path = "folder__environment__project_id"
    edit = Right.WRITE_SECRETS
    list_display = ("folder", "import_environment", "import_path", "position")
    list_filter = ("folder__environment__project",)
    list_select_related = ("folder__environment__project", "import_environment__project")
    search_fields = ("folder__path", "import_path")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        known = ("folder", "import_environment", "import_path")
        return (*known, "position") if obj else known

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("folder",) if obj else ()

    def create(self, actor: Actor, form: Any) -> SecretImport:
        data = form.cleaned_data
        return imports.add_import(actor, data["folder"], data["import_environment"], data["import_path"])

    def change(self, actor: Actor, obj: SecretImport, form: Any) -> None:
        data = form.cleaned_data
        imports.update_import(
            actor,
            obj,
            environment=data["import_environment"],
            path=data["import_path"],
            position=data["position"],
        )

    def remove(self, actor: Actor, obj: SecretImport) -> None:
        imports.delete_import(actor, obj)


@admin.register(Tag)
class TagAdmin(ServiceAdmin):
    """Tags are made by using them; here they are found and taken away."""

    project_path = "project"
    edit = Right.WRITE_SECRETS
    adds = False
    list_display = ("slug", "project", "used")
    list_filter = ("project",)
    list_select_related = ("project",)
    search_fields = ("slug",)
    fields = ("project", "slug", "color")
    readonly_fields = ("project", "slug")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(secret_count=Count("secrets"))

    @display(description=_("Secrets"))
    def used(self, obj: Any) -> int:
        return int(obj.secret_count)

    def change(self, actor: Actor, obj: Tag, form: Any) -> None:
        tags.update_tag(actor, obj, color=form.cleaned_data["color"])

    def remove(self, actor: Actor, obj: Tag) -> None:
        tags.delete_tag(actor, obj)
