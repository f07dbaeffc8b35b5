"""Folders, made, renamed, moved and deleted; and what a folder imports, in its order."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from config.access.roles import Right
from config.errors import BadRequest
from syncs.admin.editor.grid import below, fed_by, refers_below
from syncs.models import Folder
from syncs.services.folders import delete_folder, ensure_folder, move_folder
from syncs.services.imports import add_import, delete_import, update_import
from syncs.source.paths import folder_name
from syncs.source.selectors import folders, import_of

from .base import Spot, address, fragment, guarded, spot, told
from .page import imports_of


def _goes(url: str) -> HttpResponse:
    """The page there, loaded whole."""
    response = HttpResponse()
    response["HX-Redirect"] = url
    return response


@guarded
def new(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """A folder below the one shown."""
    here = spot(request, environment_id, Right.WRITE_SECRETS)
    if "name" not in request.POST:
        return fragment(request, "folder_new", {"spot": here})
    path = f"{here.path.rstrip('/')}/{folder_name(request.POST['name'].strip())}"
    if folders().filter(environment=here.environment, path=path).exists():
        raise BadRequest(_("There is a folder %(path)s already.") % {"path": path})
    ensure_folder(here.actor, here.environment, path)
    return _goes(address(here.environment, path))


@guarded
def change(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """Another name or another place; what refers to the folder is named first."""
    here, given = spot(request, environment_id, Right.WRITE_SECRETS), request.POST
    folder = here.here()
    others = folders().filter(environment=here.environment).order_by("path")
    if "name" not in given:
        around = below(folder)
        locations = [each for each in others if not f"{each.path}/".startswith(f"{folder.path}/")]
        context = {
            "spot": here,
            "folder": folder,
            "folders": locations,
            "around": around,
            "broken": refers_below(folder),
        }
        return fragment(request, "folder_change", context)
    parent = next((each for each in others if str(each.pk) == given.get("parent")), None)
    moved = move_folder(here.actor, folder, name=given["name"].strip(), parent=parent)
    return _goes(address(here.environment, moved.path))


@guarded
def delete(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    here = spot(request, environment_id, Right.WRITE_SECRETS)
    folder = here.here()
    if request.POST.get("sure", "").strip() != folder.name:
        raise BadRequest(_("Type the folder's name, %(name)s, to delete it.") % {"name": folder.name})
    delete_folder(here.actor, folder)
    return _goes(address(here.environment, folder.path.rpartition("/")[0]))


# -- imports ---------------------------------------------------------------------------------------------------


def _strip(request: HttpRequest, here: Spot) -> HttpResponse:
    return fragment(request, "imports", {"spot": here, **here.rights, **imports_of(here)})


@guarded
def import_new(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    here = spot(request, environment_id, Right.WRITE_SECRETS)
    rows = folders().filter(environment__project=here.project).order_by("environment__position", "path")
    if "source" not in request.POST:
        return fragment(request, "import_new", {"spot": here, "folders": rows.exclude(pk=here.here().pk)})
    source: Folder | None = next((each for each in rows if str(each.pk) == request.POST["source"]), None)
    if source is None:
        raise BadRequest(_("Choose a folder."))
    add_import(here.actor, here.here(), source.environment, source.path)
    return told(HttpResponse(), _("It is imported"), **{"ed-imports": True, "ed-grid": True, "ed-feeds": True})


@guarded
def imports(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    return _strip(request, spot(request, environment_id))


@guarded
def import_move(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """To another position, from 1."""
    here = spot(request, environment_id, Right.WRITE_SECRETS)
    row = import_of(here.here(), _id(request))
    position = request.POST.get("position", "")
    if not position.isdecimal() or len(position) > 8:
        raise BadRequest(_("There is no such position."))
    update_import(here.actor, row, position=int(position))
    words = _("%(path)s is now number %(position)s") % {"path": row.import_path, "position": position}
    return told(_strip(request, here), words, **{"ed-grid": True, "ed-feeds": True})


@guarded
def import_delete(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    here = spot(request, environment_id, Right.WRITE_SECRETS)
    row = import_of(here.here(), _id(request))
    if "sure" not in request.POST:
        feeds = fed_by(here.here()) if here.rights["may_see_syncs"] else []
        return fragment(request, "import_delete", {"spot": here, "row": row, "feeds": feeds})
    delete_import(here.actor, row)
    words = _("%(path)s is no longer imported") % {"path": row.import_path}
    return told(HttpResponse(), words, **{"ed-imports": True, "ed-grid": True, "ed-feeds": True})


def _id(request: HttpRequest) -> UUID:
    try:
        return UUID(request.POST.get("import", ""))
    except ValueError:
        raise BadRequest(_("There is no such import.")) from None
