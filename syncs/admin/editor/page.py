"""The page itself: the folder tree of an environment, the grid of a folder, its syncs and its imports."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from config.access.models import Project
from config.access.roles import Right
from config.errors import ServiceError
from config.ui.base import actor_of
from syncs.admin.editor.grid import (
    Cell,
    Column,
    Filters,
    Grid,
    Row,
    grid_at,
    imports_with_counts,
    names_from,
    reached_by,
    tree_of,
)
from syncs.history.status import statuses
from syncs.models import Folder
from syncs.source.paths import normal_path
from syncs.source.queries import project_by_id_or_slug
from syncs.source.selectors import projects_seen_by

from .base import OpenFolder, address, fragment, guarded, open_folder

COLORS = {"good": "success", "bad": "danger", "warn": "warning", "busy": "info"}
"""Tones of statuses as the editor names them."""


@guarded
def start(request: HttpRequest) -> HttpResponse:
    """Redirect to a project: the requested one, else the first in which the person has a role."""
    actor = actor_of(request)
    projects = [each for each in projects_seen_by(actor) if each.environments.all()]
    requested = request.GET.get("project")
    mine = [each for each in projects if str(each.pk) == requested or each.slug == requested]
    mine = mine or [each for each in projects if actor.role_in(each.pk)] or projects
    if not mine:
        context = {**admin.site.each_context(request), "title": _("Secrets"), "may_add": actor.is_instance_admin}
        return fragment(request, "nothing", context)
    environment = mine[0].environments.all()[0]
    environment.project = mine[0]
    return redirect(address(environment, "/"))


@guarded
def at(request: HttpRequest, project: str, environment: str, path: str = "") -> HttpResponse:
    actor = actor_of(request)
    found = project_by_id_or_slug(actor, {"slug": project})
    try:
        path = normal_path(path)
    except ServiceError:
        raise Http404("Not a valid path of a folder") from None
    filters = _filters(request)
    grid = grid_at(found, path, filters)
    chosen = next((each for each in grid.columns if each.environment.slug == environment), None)
    if chosen is None or not any(each.folder for each in grid.columns):
        raise Http404(f"There is no folder {path} in {environment}")
    opened = OpenFolder(actor, chosen.environment, path, chosen.folder)
    context = {**opened.rights, "opened": opened, "filters": filters, **_rows(opened, grid, filters)}
    if request.headers.get("HX-Target") == "ed-grid":
        response = fragment(request, "grid", context)
        response["HX-Replace-Url"] = f"{context['base']}?{context['this']}".rstrip("?")
        return response
    return fragment(request, "page", {**context, **_surroundings(request, opened, list(grid.columns), found)})


def _filters(request: HttpRequest) -> Filters:
    data = request.GET
    page = data.get("page", "1")
    return Filters(
        text=data.get("q", "")[:200],
        tag=data.get("tag", "")[:64],
        gaps=bool(data.get("gaps")),
        page=int(page) if page.isdecimal() and len(page) < 9 else 1,
    )


def _rows(opened: OpenFolder, grid: Grid, filters: Filters) -> dict[str, Any]:
    """Each row with the cell whose comment and tags are shown: that of this environment, else the first that is set."""

    def main(row: Row) -> Cell:
        own = [cell for cell in row.cells if cell.column.environment.pk == opened.environment.pk]
        return next((cell for cell in (*own, *row.cells) if cell.secret), row.cells[0])

    def page(number: int) -> str:
        number_text = str(number) if number > 1 else ""
        query = {"q": filters.text, "tag": filters.tag, "gaps": "1" if filters.gaps else "", "page": number_text}
        return urlencode({name: value for name, value in query.items() if value}) if 1 <= number <= grid.pages else ""

    return {
        "grid": grid,
        "rows": [(row, main(row)) for row in grid.rows],
        "base": address(opened.environment, opened.path),
        "this": page(grid.page),
        "previous": page(grid.page - 1),
        "has_previous": grid.page > 1,
        "next": page(grid.page + 1),
    }


def _surroundings(request: HttpRequest, opened: OpenFolder, columns: list[Column], project: Project) -> dict[str, Any]:
    parts = [part for part in opened.path.split("/") if part]
    crumbs = [(part, address(opened.environment, "/".join(parts[: end + 1]))) for end, part in enumerate(parts)]
    projects = []
    for each in projects_seen_by(opened.actor):
        if environments := list(each.environments.all()):
            environments[0].project = each
            projects.append((each, address(environments[0], "/")))
    return {
        **admin.site.each_context(request),
        "title": _("Secrets of %(project)s") % {"project": project.name},
        "is_fullwidth": "1",
        "projects": projects,
        "tabs": [(each, address(each.environment, opened.path)) for each in columns],
        "root": address(opened.environment, "/"),
        "crumbs": crumbs,
        "tree": [
            (branch, address(opened.environment, branch.path)) for branch in tree_of(opened.environment, opened.path)
        ],
        "tags": list(project.tags.all()),
        **feeds_of(opened),
        **imports_of(opened),
    }


def feeds_of(opened: OpenFolder) -> dict[str, Any]:
    """The syncs of the folder. The page refreshes the list while one of them is running."""
    feeds = reached_by(opened.folder) if opened.folder and opened.rights["may_see_syncs"] else []
    known = statuses([each.sync for each in feeds])
    shown = [(each, known[each.sync.pk]) for each in feeds if each.sync.pk in known]
    return {
        "feeds": [(each, status, COLORS.get(status.tone, "none")) for each, status in shown],
        "is_running": any(status.tone == "busy" and status.run_id for _each, status in shown),
    }


def imports_of(opened: OpenFolder) -> dict[str, Any]:
    rows = imports_with_counts(opened.folder) if opened.folder else []
    for row, _count in rows:
        row.import_environment.project = opened.project
    return {"imports": [(row, count, address(row.import_environment, row.import_path)) for row, count in rows]}


@guarded
def feeds(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    opened = open_folder(request, environment_id)
    return fragment(request, "feeds", {"opened": opened, **opened.rights, **feeds_of(opened)})


@guarded
def names(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """All names that a reference in the folder can use: the complete list, so that no part of a value is ever sent."""
    opened = open_folder(request, environment_id, Right.WRITE_SECRETS)
    folder = opened.folder or Folder(environment=opened.environment, path=opened.path)
    return JsonResponse({"names": names_from(folder)})
