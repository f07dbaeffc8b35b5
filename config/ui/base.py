"""The base of every admin page: reads limited to what the person may see, writes through services alone.

A service refuses by raising; the page then shows the form again, with what was typed and what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db.models import DateTimeField, Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_protect
from unfold.admin import ModelAdmin

from config.access.addresses import client_ip
from config.access.models import User
from config.access.roles import Actor, Right, actor_of_user
from config.errors import Invalid, ServiceError
from config.ui.filters import kept_to_visible
from config.ui.markup import when
from config.ui.model_forms import place_of


def actor_of(request: HttpRequest) -> Actor:
    """Who is signed in; read once a request."""
    found: Actor | None = getattr(request, "_keyferry_actor", None)
    if found is None:
        assert isinstance(request.user, User)
        found = actor_of_user(request.user, client_ip(request))
        request._keyferry_actor = found  # type: ignore[attr-defined]
    return found


class ServiceForm(forms.ModelForm):  # type: ignore[type-arg]
    """A form whose saving a service does. `refusal` is what the service said to it."""

    request: ClassVar[HttpRequest]
    aliases: ClassVar[Mapping[str, str]] = {}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        refusal = getattr(self.request, "_keyferry_refusal", None)
        if isinstance(refusal, Invalid):
            for issue in refusal.issues:
                self.add_error(place_of(issue, self.fields, self.aliases), issue["message"])
        elif refusal is not None:
            self.add_error(None, str(refusal))
        return cleaned

    def validate_unique(self) -> None:
        """The services do, in their own words."""

    def _get_validation_exclusions(self) -> set[str]:
        """No constraint of the model is checked here, for the same reason."""
        return {field.name for field in self._meta.model._meta.fields}

    def save(self, commit: bool = True) -> Any:
        return self.instance

    def save_m2m(self) -> None:
        """Services save whole."""


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
        except ServiceError as refusal:
            request._keyferry_refusal = refusal  # type: ignore[attr-defined]
            return self._changeform_view(request, object_id, form_url, extra_context)  # type: ignore[attr-defined,no-any-return]


class ServiceAdmin(Stateless, ModelAdmin, _NoTransaction):  # type: ignore[misc]
    """`project_path` leads from the model to its project's id; "" for what belongs to none."""

    form = ServiceForm
    project_path: ClassVar[str] = ""
    see: ClassVar[Right] = Right.SEE
    edit: ClassVar[Right | None] = None
    adds: ClassVar[bool] = True
    deletes: ClassVar[bool] = True
    list_per_page = 50
    show_full_result_count = False
    warn_unsaved_form = True

    list_filter_sheet = True  # a list is as wide as the page; its filters slide in
    actor_of = staticmethod(actor_of)

    # -- what the person may -----------------------------------------------------------------------------------

    def get_list_display(self, request: HttpRequest) -> Any:
        return [_told(self.model, name) for name in super().get_list_display(request)]

    def get_list_filter(self, request: HttpRequest) -> Any:
        return [kept_to_visible(self.model, name) for name in super().get_list_filter(request)]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(request)
        projects = actor_of(request).projects
        if projects is None or not self.project_path:
            return found
        return found.filter(**{f"{self.project_path}__in": projects})

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

    # -- writes ------------------------------------------------------------------------------------------------

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        made = super().get_form(request, obj, change=change, **kwargs)
        return type(made.__name__, (made,), {"request": request})

    def told_fields(self, request: HttpRequest, obj: Any, form: Any, names: Sequence[str]) -> list[Any]:
        """Fields of the form that are not the model's; whoever may not change them reads what they hold."""
        if obj is None or self.has_change_permission(request, obj):
            return list(names)
        return [_stated(form.base_fields[name]) for name in names]

    def create(self, actor: Actor, form: Any) -> Model:
        """The new object, made by a service."""
        raise NotImplementedError

    def change(self, actor: Actor, obj: Any, form: Any) -> None:
        """Change `obj` (as stored) to what the form says, by a service."""
        raise NotImplementedError

    def remove(self, actor: Actor, obj: Any) -> None:
        """Delete by a service."""
        raise NotImplementedError

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        actor = actor_of(request)
        if change:
            self.change(actor, self.get_queryset(request).get(pk=obj.pk), form)
            return
        made = self.create(actor, form)
        obj.__dict__.update(made.__dict__)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Services save whole."""

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        return super().construct_change_message(request, form, [], add)  # inlines are read-only

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.remove(actor_of(request), obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for obj in queryset:
            self.remove(actor_of(request), obj)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        return self.refused_kindly(
            request, lambda: super(ServiceAdmin, self).delete_view(request, object_id, extra_context)
        )

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        view = super().changelist_view
        return self.refused_kindly(request, lambda: view(request, extra_context))

    def refused_kindly(self, request: HttpRequest, do: Callable[[], HttpResponse]) -> HttpResponse:
        """Where a service refuses, its words as a message, on the page that the person came from."""
        try:
            return do()
        except ServiceError as refusal:
            messages.error(request, str(refusal))
            return redirect(request.get_full_path() if request.method == "POST" else "..")

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What goes with them is the services' business, and nobody is refused for what he cannot delete apart."""
        to_delete, counts, _, protected = super().get_deleted_objects(objs, request)
        return to_delete, counts, set(), protected


class ReadOnlyAdmin(ServiceAdmin):
    """History: to be read, never written."""

    adds = deletes = False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        names = self.fields or [field.name for field in self.model._meta.fields]
        return [_told(self.model, name) for name in names]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_readonly_fields(request, obj)


def any_project(actor: Actor, right: Right) -> bool:
    """Whether the actor has the right in some project as its member."""
    return any(actor.may(right, project_id) for project_id in actor.roles)


def _told(model: Any, name: Any) -> Any:
    """A column or a field as admin pages name it; a moment is told as how long ago."""
    field = {each.name: each for each in model._meta.fields}.get(name)
    return _moment(name, str(field.verbose_name)) if isinstance(field, DateTimeField) else name


@cache  # a form's fields and its readonly fields are compared: they must be the same functions
def _moment(name: str, words: str) -> Callable[[Any], SafeString]:
    @admin.display(description=words, ordering=name)
    def moment(obj: Any) -> SafeString:
        return when(getattr(obj, name))

    return moment


def _stated(field: forms.Field) -> Callable[[Any], str]:
    """A field in words, for a page on which it cannot be changed."""
    held = field.initial
    chosen = held if isinstance(held, list) else [held]
    names = {str(value): str(label) for value, label in getattr(field, "choices", ())}
    if isinstance(held, bool):
        words = _("yes") if held else _("no")
    else:
        words = ", ".join(names.get(str(each), str(each)) for each in chosen if each not in (None, "")) or "-"

    @admin.display(description=str(field.label))
    def said(obj: Any) -> str:
        return words

    return said
