"""Filters of lists that show only what the person may see."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from config.access.models import Project
from config.access.roles import Actor


class OfVisible(admin.RelatedFieldListFilter):
    """By a related row, only of projects that the person may see."""

    project_path = "pk"

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        actor: Actor = model_admin.actor_of(request)
        limit = {} if actor.projects is None else {f"{self.project_path}__in": actor.projects}
        ordering = self.field_admin_ordering(field, request, model_admin)
        return field.get_choices(include_blank=False, ordering=ordering, limit_choices_to=limit)


def visible_only(model: Any, name: Any) -> Any:
    """The entry of `list_filter`, or a replacement that shows no names of other projects."""
    if not isinstance(name, str):
        return name
    for part in name.split("__"):
        field = model._meta.get_field(part)
        model = field.related_model
    if model is None:
        return name
    if model is Project:
        return (name, OfVisible)
    if any(field.name == "project" for field in model._meta.get_fields()):
        return (name, type("OfVisibleProjects", (OfVisible,), {"project_path": "project_id"}))
    return name
