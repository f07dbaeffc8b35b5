"""People and machines: users, identities, their roles, and what they did."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from config.access import audit, identities, services
from config.access.labels import ROLES, roles_of
from config.access.models import (
    AccessToken,
    AuditEvent,
    ClientSecret,
    DataKeyset,
    Identity,
    Instance,
    Membership,
    Project,
    RequestWindow,
    Role,
    User,
)
from config.access.roles import Actor, Right
from config.errors import BadRequest, ServiceError
from config.ui.base import ReadOnlyAdmin, ServiceAdmin, ServiceForm, Stateless, actor_of
from config.ui.markup import badge, when
from config.ui.sign_in import tell_changed_password

admin.site.unregister(Group)
BROKEN_SHOWN = 20
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@admin.register(User)
class UserAdmin(Stateless, DjangoUserAdmin, ModelAdmin):  # type: ignore[misc,type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "roles", "is_superuser", "is_active", "seen")
    list_filter = ("is_active", "is_staff", "is_superuser")
    filter_horizontal = ()
    readonly_fields = ("seen", "joined")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        (
            "Rights",
            {
                "fields": ("is_active", "is_staff", "is_superuser"),
                "description": "Staff may sign in here; what they see comes from their roles in projects. "
                "A superuser is an instance admin: he makes projects and sees no value of one he is no member of.",
            },
        ),
        ("Times", {"fields": ("seen", "joined")}),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "usable_password", "password1", "password2", "is_staff", "is_superuser")}),
    )

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, str | list[str]]:
        """Whoever is given an account shall be able to sign in with it."""
        return {"is_staff": "1", **super().get_changeform_initial_data(request)}

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("memberships__project")

    @display(description=_("In projects"))
    def roles(self, obj: User) -> str:
        return roles_of(obj)

    @display(description=_("Last signed in"), ordering="last_login")
    def seen(self, obj: User) -> str:
        return when(obj.last_login)

    @display(description=_("Made"))
    def joined(self, obj: User) -> str:
        return when(obj.date_joined)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        services.save_user(actor_of(request), obj, form.changed_data)

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        services.delete_user(actor_of(request), obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for user in queryset:
            services.delete_user(actor_of(request), user)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:
        user = self.get_object(request, unquote(id))
        before = user.password if user else ""
        answer = super().user_change_password(request, id, form_url)
        if user:
            tell_changed_password(actor_of(request), user.pk, before)
        return answer


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
        Project.objects.all(), required=False, widget=UnfoldAdminSelectWidget(), help_text=_("Blank: of the instance.")
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
        help_text=_("Addresses or ranges that logins may come from, with commas."),
    )
    token_addresses = forms.CharField(
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("Addresses or ranges that tokens may be used from, with commas."),
    )

    class Meta:
        model = Identity
        fields = ("name", *(field for field in identities.SETTINGS.values() if not field.endswith("_ips")))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        shown = {
            "login_addresses": self.instance.client_secret_trusted_ips,
            "token_addresses": self.instance.access_token_trusted_ips,
        }
        for name, ranges in shown.items():
            if name in self.fields:
                self.fields[name].initial = ", ".join(each["ipAddress"] for each in ranges)


def _ranges(text: str) -> list[dict[str, str]]:
    return [{"ipAddress": part.strip()} for part in text.split(",") if part.strip()]


@admin.register(Identity)
class IdentityAdmin(ServiceAdmin):
    """Its client secret is shown once, on the page that answers its making, and is kept nowhere."""

    edit = Right.MANAGE_MEMBERS
    list_display = ("name", "shown_role", "roles", "client_id", "made")
    list_filter = ("role",)
    search_fields = ("name", "client_id")
    actions = ("new_client_secret", "unlock")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("memberships__project")

    @display(description=_("In the instance"), ordering="role")
    def shown_role(self, obj: Identity) -> str:
        return badge(Role(obj.role).label, ROLES[Role(obj.role)]) if obj.role else "-"

    @display(description=_("In projects"))
    def roles(self, obj: Identity) -> str:
        return roles_of(obj)

    @display(description=_("Made"), ordering="created_at")
    def made(self, obj: Identity) -> str:
        return when(obj.created_at)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = IdentityChangeForm if obj else IdentityForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ((None, {"fields": ("name", "project", "role")}),)
        return (
            (None, {"fields": ("name", "client_id", "role", "made")}),
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
                    "description": "Times in seconds; 0 is no limit.",
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
        return ("client_id", "role", "made", "locked_until") if obj else ()

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return [ClientSecrets] if obj else []

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            self.change(actor_of(request), Identity.objects.get(pk=obj.pk), form)
            return
        data = form.cleaned_data
        made = identities.create_identity(
            actor_of(request), data["name"], role=data["role"], project=data.get("project") or None
        )
        obj.__dict__.update(made.identity.__dict__)
        request._keyferry_secret = made.client_secret  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> HttpResponse:
        secret: str = request._keyferry_secret  # type: ignore[attr-defined]
        return self._shown_once(request, [(obj, secret)])

    def _shown_once(self, request: HttpRequest, made: list[tuple[Identity, str]]) -> HttpResponse:
        """The answer itself, never a message: those wait in a cookie or a session until they are shown."""
        context = {
            **self.admin_site.each_context(request),
            "title": _("Copy it now: it is shown this once"),
            "opts": self.model._meta,
            "made": made,
        }
        return TemplateResponse(request, "access/secret_once.html", context)

    def change(self, actor: Actor, obj: Identity, form: Any) -> None:
        data = form.cleaned_data
        given = {name: data[field] for name, field in identities.SETTINGS.items() if field in data}
        given["accessTokenTrustedIps"] = _ranges(data["token_addresses"])
        given["clientSecretTrustedIps"] = _ranges(data["login_addresses"])
        identities.update_identity(actor, obj, name=data["name"])
        if obj.has_universal_auth:
            identities.update_universal_auth(actor, obj, given)

    @admin.action(description=_("Unlock after failed logins"))
    def unlock(self, request: HttpRequest, queryset: Any) -> None:
        for identity in queryset:
            identities.unlock(actor_of(request), identity)

    def remove(self, actor: Actor, obj: Identity) -> None:
        identities.delete_identity(actor, obj)

    @admin.action(description=_("Make another client secret"))
    def new_client_secret(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        actor = actor_of(request)
        return self._shown_once(
            request,
            [
                (identity, identities.create_client_secret(actor, identity, "made in the admin")[1])
                for identity in queryset
            ],
        )


@admin.register(Membership)
class MembershipAdmin(ServiceAdmin):
    project_path = "project"
    see = Right.SEE
    edit = Right.MANAGE_MEMBERS
    list_display = ("who", "project", "shown_role")
    list_filter = ("project", "role")
    list_select_related = ("project", "user", "identity")
    search_fields = ("user__username", "identity__name", "project__name")
    fields = ("project", "user", "identity", "role")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, str | list[str]]:
        """The least, unless somebody chooses more."""
        return {"role": Role.VIEWER, **super().get_changeform_initial_data(request)}

    @display(description=_("Who"), ordering="user__username")
    def who(self, obj: Membership) -> str:
        return str(obj.user or obj.identity)

    @display(description=_("Role"), ordering="role")
    def shown_role(self, obj: Membership) -> str:
        return badge(Role(obj.role).label, ROLES[Role(obj.role)])

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("project", "user", "identity") if obj else ()

    def create(self, actor: Actor, form: Any) -> Membership:
        data = form.cleaned_data
        member = data["user"] or data["identity"]
        if member is None or (data["user"] and data["identity"]):
            raise BadRequest("Choose a user or an identity")
        made = services.set_role(actor, data["project"], member, data["role"])
        assert made
        return made

    def change(self, actor: Actor, obj: Membership, form: Any) -> None:
        member = obj.user or obj.identity
        assert member
        services.set_role(actor, obj.project, member, form.cleaned_data["role"])

    def remove(self, actor: Actor, obj: Membership) -> None:
        member = obj.user or obj.identity
        assert member
        services.set_role(actor, obj.project, member, None)


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

    @admin.action(description=_("Revoke, with every token given for it"))
    def revoke(self, request: HttpRequest, queryset: Any) -> None:
        for row in queryset:
            identities.revoke_client_secret(actor_of(request), row)


@admin.register(RequestWindow)
class RequestWindowAdmin(ReadOnlyAdmin):
    list_display = ("who", "count")
    search_fields = ("who",)


@admin.register(Instance)
class InstanceAdmin(ReadOnlyAdmin):
    list_display = ("id", "keyset_fingerprint", "paused_at", "paused_by")
    search_fields = ("id",)
    actions = ("pause", "resume")

    def get_urls(self) -> Any:
        view = self.admin_site.admin_view(require_POST(self.pause_view))
        return [path("pause/", view, name="access_instance_pause"), *super().get_urls()]

    def pause_view(self, request: HttpRequest) -> HttpResponse:
        """Stop everything, or let it go on."""
        try:
            self._pause(request, paused="resume" not in request.POST)
        except ServiceError as refusal:
            messages.error(request, str(refusal))
        return redirect("admin:index")

    @admin.action(description=_("Stop everything now"))
    def pause(self, request: HttpRequest, queryset: Any) -> None:
        self._pause(request, paused=True)

    @admin.action(description=_("Resume everything"))
    def resume(self, request: HttpRequest, queryset: Any) -> None:
        self._pause(request, paused=False)

    def _pause(self, request: HttpRequest, *, paused: bool) -> None:
        services.pause_everything(actor_of(request), paused=paused)
        if paused:
            messages.warning(request, _("Everything is paused."))
        else:
            messages.success(request, _("Everything goes on."))


@admin.register(DataKeyset)
class DataKeysetAdmin(ReadOnlyAdmin):
    """Whose keysets there are; the wrapped keys themselves are nobody's business."""

    list_display = ("id", "project")
    list_select_related = ("project",)
    search_fields = ("id", "project__name")
    fields = ("id", "project")


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    project_path = "project"
    see = Right.MANAGE_MEMBERS
    list_display = ("event", "who", "project", "what", "shown_at", "address", "sequence")
    list_filter = ("event", "actor_kind", "project")
    list_select_related = ("project",)
    search_fields = ("event", "actor_name", "metadata")
    search_help_text = _("Event, person or machine, name or id in its details")
    date_hierarchy = "at"
    list_before_template = "access/chain.html"

    @display(description=_("Who"), ordering="actor_name")
    def who(self, obj: AuditEvent) -> str:
        return format_html("{}<br><span class='kf-subtle'>{}</span>", obj.actor_name, obj.actor_kind)

    @display(description=_("Of what"))
    def what(self, obj: AuditEvent) -> str:
        return format_html("<span class='kf-clamp' style='max-width: 24rem'>{}</span>", _in_words(obj.metadata))

    @display(description=_("Address"), ordering="ip")
    def address(self, obj: AuditEvent) -> str:
        return obj.ip or ""

    @display(description=_("When"), ordering="at")
    def shown_at(self, obj: AuditEvent) -> str:
        return when(obj.at)

    def get_urls(self) -> Any:
        own = path("chain/", self.admin_site.admin_view(self.chain_view), name="access_auditevent_chain")
        return [own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        may = actor_of(request).is_instance_admin
        return super().changelist_view(request, {**(extra_context or {}), "may_verify": may})

    def chain_view(self, request: HttpRequest) -> HttpResponse:
        """Whether the log is whole: every event is read, so it is asked for, not shown unasked."""
        if not actor_of(request).is_instance_admin:
            raise Http404
        broken = list(islice(audit.broken_links(), BROKEN_SHOWN + 1))
        context = {"broken": broken[:BROKEN_SHOWN], "more": len(broken) > BROKEN_SHOWN}
        return TemplateResponse(request, "access/chain_status.html", {**context, "count": AuditEvent.objects.count()})


def _in_words(metadata: dict[str, Any]) -> str:
    """What an event was about, names first; ids are left to its own page."""
    said = {name: text for name, value in metadata.items() if name != "project" and (text := _plain(value))}
    first = [said.pop(name) for name in ("name", "key") if name in said]
    return "; ".join([*first, *(f"{name}: {text}" for name, text in said.items())])


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(filter(None, map(_plain, value)))
    if isinstance(value, dict):
        return _plain(next((value[name] for name in ("secretKey", "name", "key") if name in value), ""))
    text = "" if value is None else str(value)
    return "" if ID.fullmatch(text) else text
