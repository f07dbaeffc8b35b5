"""Filters of the list of syncs, and the selected syncs by permission."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from config.access.roles import Right
from config.ui.base import actor_of
from syncs.destination.base import destinations
from syncs.history.states import visible
from syncs.models import SecretSync, SyncState

from .labels import DRIFT


class StateFilter(admin.SimpleListFilter):
    title = _("status")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return SyncState.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(state=self.value()) if self.value() in SyncState.values else queryset


class DriftFilter(admin.SimpleListFilter):
    title = _("drift")
    parameter_name = "drift"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [*((status, label) for status, (label, _tone) in DRIFT.items()), ("never", _("Never checked"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "never":
            return queryset.filter(drift=None)
        return queryset.filter(drift__status=self.value()) if self.value() in DRIFT else queryset


def _used(request: HttpRequest) -> list[tuple[str, str | None]]:
    """The destinations with the environments of their sources; one query for both filters."""
    found: list[tuple[str, str | None]] | None = getattr(request, "_keyferry_used", None)
    if found is None:
        rows = SecretSync.objects.filter(visible(actor_of(request))).order_by()
        found = list(rows.values_list("destination", "folder__environment__slug").distinct())
        request._keyferry_used = found  # type: ignore[attr-defined]
    return found


class DestinationFilter(admin.SimpleListFilter):
    title = _("destination")
    parameter_name = "destination"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        for slug in sorted({destination for destination, _environment in _used(request)}):
            found = destinations.get(slug)
            yield slug, found.label if found else slug

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(destination=self.value()) if self.value() else queryset


class EnvironmentFilter(admin.SimpleListFilter):
    """By the slug of the environment, across projects."""

    title = _("environment")
    parameter_name = "environment"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterator[tuple[str, Any]]:
        return ((slug, slug) for slug in sorted({slug for _destination, slug in _used(request) if slug}))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(folder__environment__slug=self.value()) if self.value() else queryset


def split_by_right(request: HttpRequest, selected: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    """Of the selected syncs those that the person may run, and the others."""
    actor = actor_of(request)
    permitted: list[Any] = []
    denied: list[Any] = []
    for sync in selected:
        (permitted if actor.may(Right.RUN_SYNCS, sync.project_id) else denied).append(sync)
    return permitted, denied
