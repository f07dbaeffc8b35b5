"""Secrets with their versions, imports and tags. Values can be written here, and are never shown."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from config.access.roles import Actor, Right
from config.ui.base import ServiceAdmin, ServiceForm, actor_of
from syncs.models import Folder, Secret, SecretImport, SecretVersion, Tag
from syncs.services import imports, secrets, tags
from syncs.services.impact import impact_of_secret_rename
from syncs.source.selectors import comment_of
from syncs.source.validation import SecretInput

from .renames import ConfirmsRenames


class _SecretForm(ServiceForm):
    value = forms.CharField(
        required=False,
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "autocomplete": "off", "spellcheck": "false"}),
        help_text=_("References to other secrets: ${KEY}, ${env.KEY}, ${env.folder.KEY}."),
    )
    empty = forms.BooleanField(
        required=False,
        label=_("Set to empty"),
        widget=UnfoldBooleanSwitchWidget(),
        help_text=_("Store an empty value."),
    )
    comment = forms.CharField(required=False, widget=UnfoldAdminTextInputWidget())
    tag_slugs = forms.CharField(
        required=False, label=_("Tags"), widget=UnfoldAdminTextInputWidget(), help_text=_("Slugs separated by commas.")
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
            self.fields["value"].help_text = f"Leave blank to keep the stored value. {self.fields['value'].help_text}"

    def secret_input(self, key: str) -> SecretInput:
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
class SecretAdmin(ConfirmsRenames):
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
        rows = super().get_queryset(request).select_related("folder__environment__project")
        return rows.prefetch_related("tags").defer("value_sealed")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("folder",) if obj else ()

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return [_Versions] if obj else []

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field: Any = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "folder" and field:
            actor = actor_of(request)
            writable = [project_id for project_id in actor.roles if actor.may(Right.WRITE_SECRETS, project_id)]
            rows = Folder.objects.select_related("environment__project").filter(environment__project__in=writable)
            field.queryset = rows.order_by("environment__project__name", "environment__position", "path")
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
        (created,) = secrets.set_secrets(actor, data["folder"], [form.secret_input(data["key"])], mode="create")
        return created

    def change(self, actor: Actor, obj: Secret, form: Any) -> None:
        key = form.cleaned_data["key"]
        self.confirm(form, impact_of_secret_rename(actor, obj.folder, obj.key, key), key)
        secrets.set_secrets(actor, obj.folder, [form.secret_input(obj.key)], mode="update")

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
        fields = ("folder", "import_environment", "import_path")
        return (*fields, "position") if obj else fields

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
    """Tags are created by using them; here they can be found, coloured and deleted."""

    project_path = "project"
    edit = Right.WRITE_SECRETS
    adds = False
    list_display = ("slug", "project", "secrets_count")
    list_filter = ("project",)
    list_select_related = ("project",)
    search_fields = ("slug",)
    fields = ("project", "slug", "color")
    readonly_fields = ("project", "slug")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(secret_count=Count("secrets"))

    @display(description=_("Secrets"))
    def secrets_count(self, obj: Any) -> int:
        return int(obj.secret_count)

    def change(self, actor: Actor, obj: Tag, form: Any) -> None:
        tags.update_tag(actor, obj, color=form.cleaned_data["color"])

    def remove(self, actor: Actor, obj: Tag) -> None:
        tags.delete_tag(actor, obj)
