"""Machine identities with their client secrets and access tokens."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from config.access import identities
from config.access.labels import ROLES, roles_of
from config.access.models import AccessToken, ClientSecret, Identity, Project, Role
from config.access.roles import Actor, Right
from config.ui.base import ReadOnlyAdmin, ServiceAdmin, ServiceForm, actor_of
from config.ui.markup import badge, when


class ClientSecrets(TabularInline):  # type: ignore[misc]
    model = ClientSecret
    fields = readonly_fields = (
        "prefix",
        "description",
        "num_uses",
        "num_uses_limit",
        "ttl",
        "is_revoked",
        "created_at",
    )
    extra = 0
    can_delete = False
    tab = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return actor_of(request).is_instance_admin

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class IdentityForm(ServiceForm):
    project = forms.ModelChoiceField(
        Project.objects.all(),
        required=False,
        widget=UnfoldAdminSelectWidget(),
        help_text=_("Blank: of the whole instance."),
    )
    role = forms.ChoiceField(choices=Role.choices, initial=Role.VIEWER, widget=UnfoldAdminSelectWidget())

    class Meta:
        model = Identity
        fields = ("name",)


class IdentityChangeForm(ServiceForm):
    aliases = {
        **identities.SETTINGS,
        "accessTokenTrustedIps__0": "token_addresses",
        "accessTokenTrustedIps": "token_addresses",
        "clientSecretTrustedIps": "login_addresses",
    }
    login_addresses = forms.CharField(
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("Addresses or ranges from which logins are allowed, separated by commas."),
    )
    token_addresses = forms.CharField(
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("Addresses or ranges from which tokens can be used, separated by commas."),
    )

    class Meta:
        model = Identity
        fields = ("name", *(field for field in identities.SETTINGS.values() if not field.endswith("_ips")))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        addresses = {
            "login_addresses": self.instance.client_secret_trusted_ips,
            "token_addresses": self.instance.access_token_trusted_ips,
        }
        for name, ranges in addresses.items():
            if name in self.fields:
                self.fields[name].initial = ", ".join(each["ipAddress"] for each in ranges)


def _ranges(text: str) -> list[dict[str, str]]:
    return [{"ipAddress": part.strip()} for part in text.split(",") if part.strip()]


@admin.register(Identity)
class IdentityAdmin(ServiceAdmin):
    """A client secret is shown once, in the response to its creation, and only its hash is stored."""

    edit = Right.MANAGE_MEMBERS
    list_display = ("name", "role_badge", "roles", "client_id", "created")
    list_filter = ("role",)
    search_fields = ("name", "client_id")
    actions = ("new_client_secret", "unlock")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("memberships__project")

    @display(description=_("In the instance"), ordering="role")
    def role_badge(self, obj: Identity) -> str:
        return badge(Role(obj.role).label, ROLES[Role(obj.role)]) if obj.role else "-"

    @display(description=_("In projects"))
    def roles(self, obj: Identity) -> str:
        return roles_of(obj)

    @display(description=_("Created"), ordering="created_at")
    def created(self, obj: Identity) -> str:
        return when(obj.created_at)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = IdentityChangeForm if obj else IdentityForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ((None, {"fields": ("name", "project", "role")}),)
        return (
            (None, {"fields": ("name", "client_id", "role", "created")}),
            (
                "Tokens",
                {
                    "fields": (
                        "access_token_ttl",
                        "access_token_max_ttl",
                        "access_token_num_uses_limit",
                        "access_token_period",
                        "token_addresses",
                    ),
                    "description": "Times in seconds; 0 means no limit.",
                },
            ),
            (
                "Logins",
                {
                    "fields": (
                        "login_addresses",
                        "lockout_enabled",
                        "lockout_threshold",
                        "lockout_duration",
                        "lockout_counter_reset",
                        "locked_until",
                    ),
                },
            ),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("client_id", "role", "created", "locked_until") if obj else ()

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return [ClientSecrets] if obj else []

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            self.change(actor_of(request), Identity.objects.get(pk=obj.pk), form)
            return
        data = form.cleaned_data
        created = identities.create_identity(
            actor_of(request), data["name"], role=data["role"], project=data.get("project") or None
        )
        obj.__dict__.update(created.identity.__dict__)
        request._keyferry_secret = created.client_secret  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> HttpResponse:
        secret: str = request._keyferry_secret  # type: ignore[attr-defined]
        return self._show_once(request, [(obj, secret)])

    def _show_once(self, request: HttpRequest, secrets: list[tuple[Identity, str]]) -> HttpResponse:
        """The response itself and never a message, because messages are stored in a cookie or session until shown."""
        context = {
            **self.admin_site.each_context(request),
            "title": _("Copy it now: it is shown only once"),
            "opts": self.model._meta,
            "secrets": secrets,
        }
        return TemplateResponse(request, "access/secret_once.html", context)

    def change(self, actor: Actor, obj: Identity, form: Any) -> None:
        data = form.cleaned_data
        values = {name: data[field] for name, field in identities.SETTINGS.items() if field in data}
        values["accessTokenTrustedIps"] = _ranges(data["token_addresses"])
        values["clientSecretTrustedIps"] = _ranges(data["login_addresses"])
        identities.update_identity(actor, obj, name=data["name"])
        if obj.has_universal_auth:
            identities.update_universal_auth(actor, obj, values)

    @admin.action(description=_("Unlock after failed logins"))
    def unlock(self, request: HttpRequest, queryset: Any) -> None:
        for identity in queryset:
            identities.unlock(actor_of(request), identity)

    def remove(self, actor: Actor, obj: Identity) -> None:
        identities.delete_identity(actor, obj)

    @admin.action(description=_("Create another client secret"))
    def new_client_secret(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        actor = actor_of(request)
        return self._show_once(
            request,
            [
                (identity, identities.create_client_secret(actor, identity, "created in the admin")[1])
                for identity in queryset
            ],
        )


@admin.register(AccessToken)
class AccessTokenAdmin(ReadOnlyAdmin):
    list_display = ("identity", "created_at", "last_renewed_at", "num_uses", "is_revoked")
    list_filter = ("is_revoked",)
    list_select_related = ("identity",)
    search_fields = ("identity__name",)


@admin.register(ClientSecret)
class ClientSecretAdmin(ReadOnlyAdmin):
    list_display = ("prefix", "identity", "description", "num_uses", "is_revoked", "created_at")
    list_filter = ("is_revoked",)
    list_select_related = ("identity",)
    search_fields = ("prefix", "description", "identity__name")
    fields = ("identity", "prefix", "description", "ttl", "num_uses", "num_uses_limit", "is_revoked", "created_at")
    actions = ("revoke",)

    @admin.action(description=_("Revoke, with all tokens issued for it"))
    def revoke(self, request: HttpRequest, queryset: Any) -> None:
        for row in queryset:
            identities.revoke_client_secret(actor_of(request), row)
