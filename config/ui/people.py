"""Users, and the roles of users and identities in projects."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from config.access import services
from config.access.labels import ROLES, roles_of
from config.access.models import Membership, Role, User
from config.access.roles import Actor, Right
from config.errors import BadRequest
from config.ui.base import ServiceAdmin, Stateless, actor_of
from config.ui.markup import badge, when
from config.ui.sign_in import record_password_change

admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(Stateless, DjangoUserAdmin, ModelAdmin):  # type: ignore[misc,type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "roles", "is_superuser", "is_active", "last_sign_in")
    list_filter = ("is_active", "is_staff", "is_superuser")
    filter_horizontal = ()
    readonly_fields = ("last_sign_in", "created")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        (
            "Rights",
            {
                "fields": ("is_active", "is_staff", "is_superuser"),
                "description": "Staff can sign in to the admin; their roles in projects determine what they see. "
                "Superusers are instance admins: they create projects, but see values only in projects they belong to.",
            },
        ),
        ("Times", {"fields": ("last_sign_in", "created")}),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "usable_password", "password1", "password2", "is_staff", "is_superuser")}),
    )

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, str | list[str]]:
        """A new account can sign in to the admin."""
        return {"is_staff": "1", **super().get_changeform_initial_data(request)}

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("memberships__project")

    @display(description=_("In projects"))
    def roles(self, obj: User) -> str:
        return roles_of(obj)

    @display(description=_("Last signed in"), ordering="last_login")
    def last_sign_in(self, obj: User) -> str:
        return when(obj.last_login)

    @display(description=_("Created"))
    def created(self, obj: User) -> str:
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
        response = super().user_change_password(request, id, form_url)
        if user:
            record_password_change(actor_of(request), user.pk, before)
        return response


@admin.register(Membership)
class MembershipAdmin(ServiceAdmin):
    project_path = "project"
    see = Right.SEE
    edit = Right.MANAGE_MEMBERS
    list_display = ("member", "project", "role_badge")
    list_filter = ("project", "role")
    list_select_related = ("project", "user", "identity")
    search_fields = ("user__username", "identity__name", "project__name")
    fields = ("project", "user", "identity", "role")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, str | list[str]]:
        """The role with the fewest rights is preselected."""
        return {"role": Role.VIEWER, **super().get_changeform_initial_data(request)}

    @display(description=_("Member"), ordering="user__username")
    def member(self, obj: Membership) -> str:
        return str(obj.user or obj.identity)

    @display(description=_("Role"), ordering="role")
    def role_badge(self, obj: Membership) -> str:
        return badge(Role(obj.role).label, ROLES[Role(obj.role)])

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("project", "user", "identity") if obj else ()

    def create(self, actor: Actor, form: Any) -> Membership:
        data = form.cleaned_data
        member = data["user"] or data["identity"]
        if member is None or (data["user"] and data["identity"]):
            raise BadRequest("Choose either a user or an identity")
        created = services.set_role(actor, data["project"], member, data["role"])
        assert created
        return created

    def change(self, actor: Actor, obj: Membership, form: Any) -> None:
        member = obj.user or obj.identity
        assert member
        services.set_role(actor, obj.project, member, form.cleaned_data["role"])

    def remove(self, actor: Actor, obj: Membership) -> None:
        member = obj.user or obj.identity
        assert member
        services.set_role(actor, obj.project, member, None)
