"""Base of all admin pages: they show only what the person may see, and write through services only.

A service refuses by raising; the page then shows the form again, with the input and the problems.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.csrf import csrf_protect
from unfold.admin import ModelAdmin

from config.access.addresses import client_ip
from config.access.models import User
from config.access.roles import Actor, Right, actor_of_user
from config.errors import Invalid, ServiceError
from config.ui import impact
from config.ui.columns import column_of, value_as_text
from config.ui.filters import visible_only
from config.ui.model_forms import field_of


def actor_of(request: HttpRequest) -> Actor:
    """The signed-in person; read once per request."""
    found: Actor | None = getattr(request, "_keyferry_actor", None)
    if found is None:
        assert isinstance(request.user, User)
        found = actor_of_user(request.user, client_ip(request))
        request._keyferry_actor = found  # type: ignore[attr-defined]
    return found


def reason_of(request: HttpRequest) -> str:
    """The reason that a person typed for a pause, or ""."""
    return request.POST.get("reason", "").strip()[:255]


def page_before(request: HttpRequest) -> str:
    """The page of this site that a form names as `next`, or ""."""
    page = request.POST.get("next", "")
    return page if url_has_allowed_host_and_scheme(page, allowed_hosts=None) else ""


class ServiceForm(forms.ModelForm):  # type: ignore[type-arg]
    """A form that a service saves. If the service has refused its data, the form shows the problems."""

    request: ClassVar[HttpRequest]
    aliases: ClassVar[Mapping[str, str]] = {}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        error = getattr(self.request, "_keyferry_error", None)
        if isinstance(error, Invalid):
            for issue in error.issues:
                self.add_error(field_of(issue, self.fields, self.aliases), issue["message"])
        elif error is not None:
            self.add_error(None, str(error))
        return cleaned

    def validate_unique(self) -> None:
        """Left to the services, which report it with their own messages."""

    def _get_validation_exclusions(self) -> set[str]:
        """All fields: constraints of the model are left to the services, too."""
        return {field.name for field in self._meta.model._meta.fields}

    def save(self, commit: bool = True) -> Any:
        return self.instance

    def save_m2m(self) -> None:
        """Services save related rows, too."""


class Stateless:
    """One instance of an admin class serves all requests of a process, so nothing of a request may be stored on it."""

    @property
    def request(self) -> HttpRequest:
        """The theme stores the last request here, for the media of filter forms; none of our filters has any."""
        raise AttributeError("request")

    @request.setter
    def request(self, request: HttpRequest) -> None:
        pass


class _NoTransaction(admin.ModelAdmin):  # type: ignore[type-arg]
    """Services open their own transactions. None is open while a request to a vendor is under way."""

    @method_decorator(csrf_protect)
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return self._changeform_view(request, object_id, form_url, extra_context)  # type: ignore[attr-defined,no-any-return]
        except ServiceError as error:
            request._keyferry_error = error  # type: ignore[attr-defined]
            return self._changeform_view(request, object_id, form_url, extra_context)  # type: ignore[attr-defined,no-any-return]


class ServiceAdmin(Stateless, ModelAdmin, _NoTransaction):  # type: ignore[misc]
    """`project_path` is the lookup from the model to the id of its project; "" for models without a project."""

    form = ServiceForm
    project_path: ClassVar[str] = ""
    see: ClassVar[Right] = Right.SEE
    edit: ClassVar[Right | None] = None
    adds: ClassVar[bool] = True
    deletes: ClassVar[bool] = True
    list_per_page = 50
    show_full_result_count = False
    warn_unsaved_form = True

    list_filter_sheet = True  # filters open in a sheet, so that the list has the full width
    actor_of = staticmethod(actor_of)

    # -- permissions -------------------------------------------------------------------------------------------

    def get_list_display(self, request: HttpRequest) -> Any:
        return [column_of(self.model, name) for name in super().get_list_display(request)]

    def get_list_filter(self, request: HttpRequest) -> Any:
        return [visible_only(self.model, name) for name in super().get_list_filter(request)]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        projects = actor_of(request).projects
        if projects is None or not self.project_path:
            return rows
        return rows.filter(**{f"{self.project_path}__in": projects})

    def project_id_of(self, obj: Model) -> UUID | None:
        value: Any = obj
        for part in self.project_path.split("__"):
            value = getattr(value, part, None)
        found: UUID | None = value.pk if isinstance(value, Model) else value
        return found

    def may(self, request: HttpRequest, right: Right | None, obj: Model | None) -> bool:
        actor = actor_of(request)
        if right is None:
            return False
        if not self.project_path:
            return actor.is_instance_admin
        if obj is None or (project_id := self.project_id_of(obj)) is None:
            return actor.may_anywhere(right) if right is self.see else any_project(actor, right)
        return actor.may(right, project_id)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(request.user.is_active and request.user.is_staff) and self.may(request, self.see, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.adds and self.may(request, self.edit, None)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.edit is not None and self.may(request, self.edit, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.deletes and self.may(request, self.edit, obj)

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        if impact.is_registered(self.model):
            actions.pop("delete_selected", None)  # its page does not show what each deletion means
        return actions

    # -- writes ------------------------------------------------------------------------------------------------

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), {"request": request})

    def fields_or_texts(self, request: HttpRequest, obj: Any, form: Any, names: Sequence[str]) -> list[Any]:
        """Form fields that are not model fields; if the person may not change them, their values as text."""
        if obj is None or self.has_change_permission(request, obj):
            return list(names)
        return [value_as_text(form.base_fields[name]) for name in names]

    def create(self, actor: Actor, form: Any) -> Model:
        """Create the object by a service, and return it."""
        raise NotImplementedError

    def change(self, actor: Actor, obj: Any, form: Any) -> None:
        """Change the stored `obj` to the values of the form, by a service."""
        raise NotImplementedError

    def remove(self, actor: Actor, obj: Any) -> None:
        """Delete by a service."""
        raise NotImplementedError

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        actor = actor_of(request)
        if change:
            self.change(actor, self.get_queryset(request).get(pk=obj.pk), form)
            return
        created = self.create(actor, form)
        obj.__dict__.update(created.__dict__)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Services save related rows, too."""

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        return super().construct_change_message(request, form, [], add)  # inlines are read-only

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.remove(actor_of(request), obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for obj in queryset:
            self.remove(actor_of(request), obj)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        view = super().delete_view

        def shown() -> HttpResponse:
            obj = self.get_object(request, object_id)
            may = obj is not None and self.has_delete_permission(request, obj)
            context = impact.confirmed(actor_of(request), obj, request.POST) if obj and may else {}
            return view(request, object_id, {**context, **(extra_context or {})})

        return self.with_error_message(request, shown)

    def render_delete_form(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        if context.get("impact") and not self.delete_confirmation_template:
            return TemplateResponse(request, "keyferry/delete.html", {**context, "media": self.media})
        response: HttpResponse = super().render_delete_form(request, context)
        return response

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        view = super().changelist_view
        return self.with_error_message(request, lambda: view(request, extra_context))

    def with_error_message(self, request: HttpRequest, view: Callable[[], HttpResponse]) -> HttpResponse:
        """The response of `view`; if a service refuses, its message on the page that the person came from."""
        try:
            return view()
        except ServiceError as error:
            messages.error(request, str(error))
            return redirect(request.get_full_path() if request.method == "POST" else "..")

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Services delete related rows, so permissions on those are not checked."""
        to_delete, counts, _, protected = super().get_deleted_objects(objs, request)
        return to_delete, counts, set(), protected


class ReadOnlyAdmin(ServiceAdmin):
    """Records that can only be viewed."""

    adds = deletes = False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        names = self.fields or [field.name for field in self.model._meta.fields]
        return [column_of(self.model, name) for name in names]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_readonly_fields(request, obj)


def any_project(actor: Actor, right: Right) -> bool:
    """Whether the actor has the right in any project, as its member."""
    return any(actor.may(right, project_id) for project_id in actor.roles)
