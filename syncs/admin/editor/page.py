"""The page itself: the tree of an environment, the grid of a folder, and what lies around it."""

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
    Asked,
    Cell,
    Column,
    Grid,
    Row,
    fed_by,
    grid_at,
    imports_with_counts,
    names_from,
    tree_of,
)
from syncs.models import Folder, Status
from syncs.source.paths import normal_path
from syncs.source.queries import named_project
from syncs.source.selectors import projects_seen_by

from .base import Spot, address, fragment, guarded, spot

STATUS_COLORS = {
    Status.PENDING: "info",
    Status.RUNNING: "info",
    Status.SUCCEEDED: "success",
    Status.FAILED: "danger",
    Status.HELD: "warning",
}


@guarded
def start(request: HttpRequest) -> HttpResponse:
    """To a project: the one asked for, else the first that the person has a role in."""
    actor = actor_of(request)
    projects = [each for each in projects_seen_by(actor) if each.environments.all()]
    asked = request.GET.get("project")
    mine = [each for each in projects if str(each.pk) == asked or each.slug == asked]
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
    found = named_project(actor, {"slug": project})
    try:
        path = normal_path(path)
    except ServiceError:
        raise Http404("No folder has such a name") from None
    asked = _asked(request)
    grid = grid_at(found, path, asked)
    chosen = next((each for each in grid.columns if each.environment.slug == environment), None)
    if chosen is None or not any(each.folder for each in grid.columns):
        raise Http404(f"There is no folder {path} in {environment}")
    here = Spot(actor, chosen.environment, path, chosen.folder)
    context = {**here.rights, "spot": here, "asked": asked, **_rows(here, grid, asked)}
    if request.headers.get("HX-Target") == "ed-grid":
        response = fragment(request, "grid", context)
        response["HX-Replace-Url"] = f"{context['base']}?{context['this']}".rstrip("?")
        return response
    return fragment(request, "page", {**context, **_around(request, here, list(grid.columns), found)})


def _asked(request: HttpRequest) -> Asked:
    given = request.GET
    page = given.get("page", "1")
    return Asked(
        words=given.get("q", "")[:200],
        tag=given.get("tag", "")[:64],
        gaps=bool(given.get("gaps")),
        page=int(page) if page.isdecimal() and len(page) < 9 else 1,
    )


def _rows(here: Spot, grid: Grid, asked: Asked) -> dict[str, Any]:
    """Each row with the cell whose comment and tags stand by its name: this environment's, else the first there is."""

    def main(row: Row) -> Cell:
        own = [cell for cell in row.cells if cell.column.environment.pk == here.environment.pk]
        return next((cell for cell in (*own, *row.cells) if cell.secret), row.cells[0])

    def page(number: int) -> str:
        on = str(number) if number > 1 else ""
        kept = {"q": asked.words, "tag": asked.tag, "gaps": "1" if asked.gaps else "", "page": on}
        return urlencode({name: value for name, value in kept.items() if value}) if 1 <= number <= grid.pages else ""

    return {
        "grid": grid,
        "rows": [(row, main(row)) for row in grid.rows],
        "base": address(here.environment, here.path),
        "this": page(grid.page),
        "previous": page(grid.page - 1),
        "has_previous": grid.page > 1,
        "next": page(grid.page + 1),
    }


def _around(request: HttpRequest, here: Spot, columns: list[Column], project: Project) -> dict[str, Any]:
    parts = [part for part in here.path.split("/") if part]
    crumbs = [(part, address(here.environment, "/".join(parts[: end + 1]))) for end, part in enumerate(parts)]
    projects = []
    for each in projects_seen_by(here.actor):
        if environments := list(each.environments.all()):
            environments[0].project = each
            projects.append((each, address(environments[0], "/")))
    return {
        **admin.site.each_context(request),
        "title": _("Secrets of %(project)s") % {"project": project.name},
        "is_fullwidth": "1",
        "projects": projects,
        "tabs": [(each, address(each.environment, here.path)) for each in columns],
        "root": address(here.environment, "/"),
        "crumbs": crumbs,
        "tree": [(branch, address(here.environment, branch.path)) for branch in tree_of(here.environment, here.path)],
        "tags": list(project.tags.all()),
        **feeds_of(here),
        **imports_of(here),
    }


def feeds_of(here: Spot) -> dict[str, Any]:
    """The syncs that the folder feeds, for their strip; it looks again while one is on its way."""
    feeds = fed_by(here.folder) if here.folder and here.rights["may_see_syncs"] else []
    return {
        "feeds": [
            (each, STATUS_COLORS.get(Status(each.sync.sync_status), "default") if each.sync.sync_status else "")
            for each in feeds
        ],
        "going": any(each.sync.sync_status in (Status.PENDING, Status.RUNNING) for each in feeds),
    }


def imports_of(here: Spot) -> dict[str, Any]:
    rows = imports_with_counts(here.folder) if here.folder else []
    for row, _count in rows:
        row.import_environment.project = here.project
    return {"imports": [(row, count, address(row.import_environment, row.import_path)) for row, count in rows]}


@guarded
def feeds(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    here = spot(request, environment_id)
    return fragment(request, "feeds", {"spot": here, **here.rights, **feeds_of(here)})


@guarded
def names(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """What a reference in the folder may name; whole, so that nothing of a value is sent to look it up."""
    here = spot(request, environment_id, Right.WRITE_SECRETS)
    folder = here.folder or Folder(environment=here.environment, path=here.path)
    return JsonResponse({"names": names_from(folder)})
