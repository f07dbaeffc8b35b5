"""Create, rename, move and delete folders; and manage the imports of a folder, in their order."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from config.access.roles import Right
from config.errors import BadRequest
from syncs.admin.editor.grid import below, reached_by
from syncs.engine.addresses import child_path, is_within
from syncs.models import Folder
from syncs.services.folders import delete_folder, ensure_folder, move_folder
from syncs.services.impact import impact_of_folder_deletion, impact_of_folder_move
from syncs.services.imports import add_import, delete_import, update_import
from syncs.source.paths import folder_name
from syncs.source.selectors import folders, import_of

from .base import OpenFolder, address, fragment, guarded, open_folder, succeeded, unconfirmed
from .page import imports_of


def _redirect(url: str) -> HttpResponse:
    """Load another page of the editor in full."""
    response = HttpResponse()
    response["HX-Redirect"] = url
    return response


@guarded
def new(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """Create a folder below this one."""
    opened = open_folder(request, environment_id, Right.WRITE_SECRETS)
    if "name" not in request.POST:
        return fragment(request, "folder_new", {"opened": opened})
    path = child_path(opened.path, folder_name(request.POST["name"].strip()))
    if folders().filter(environment=opened.environment, path=path).exists():
        raise BadRequest(_("A folder %(path)s already exists.") % {"path": path})
    ensure_folder(opened.actor, opened.environment, path)
    return _redirect(address(opened.environment, path))


@guarded
def change(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """Rename or move a folder, after a confirmation where that concerns keys or references."""
    opened, data = open_folder(request, environment_id, Right.WRITE_SECRETS), request.POST
    folder = opened.require_folder()
    others = folders().filter(environment=opened.environment).order_by("path")
    if "name" not in data:
        parents = [each for each in others if not is_within(each.path, folder.path)]
        context = {
            "opened": opened,
            "folder": folder,
            "parents": parents,
            "contents": below(folder),
            "impact": impact_of_folder_deletion(opened.actor, folder),
        }
        return fragment(request, "folder_change", context)
    parent, name = next((each for each in others if str(each.pk) == data.get("parent")), None), data["name"].strip()
    found = impact_of_folder_move(opened.actor, folder, name=name, parent=parent)
    if question := unconfirmed(request, opened, found, name, "folder/change"):
        return question
    moved = move_folder(opened.actor, folder, name=name, parent=parent)
    return _redirect(address(opened.environment, moved.path))


@guarded
def delete(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    opened = open_folder(request, environment_id, Right.WRITE_SECRETS)
    folder = opened.require_folder()
    if request.POST.get("confirmation", "").strip() != folder.name:
        raise BadRequest(_("Type the folder's name, %(name)s, to delete it.") % {"name": folder.name})
    delete_folder(opened.actor, folder)
    return _redirect(address(opened.environment, folder.path.rpartition("/")[0]))


# -- imports ---------------------------------------------------------------------------------------------------


def _strip(request: HttpRequest, opened: OpenFolder) -> HttpResponse:
    return fragment(request, "imports", {"opened": opened, **opened.rights, **imports_of(opened)})


@guarded
def import_new(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    opened = open_folder(request, environment_id, Right.WRITE_SECRETS)
    rows = folders().filter(environment__project=opened.project).order_by("environment__position", "path")
    if "source" not in request.POST:
        return fragment(
            request, "import_new", {"opened": opened, "folders": rows.exclude(pk=opened.require_folder().pk)}
        )
    source: Folder | None = next((each for each in rows if str(each.pk) == request.POST["source"]), None)
    if source is None:
        raise BadRequest(_("Choose a folder."))
    add_import(opened.actor, opened.require_folder(), source.environment, source.path)
    return succeeded(HttpResponse(), _("Import added"), **{"ed-imports": True, "ed-grid": True, "ed-feeds": True})


@guarded
def imports(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    return _strip(request, open_folder(request, environment_id))


@guarded
def import_move(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """Move an import to another position, counted from 1."""
    opened = open_folder(request, environment_id, Right.WRITE_SECRETS)
    row = import_of(opened.require_folder(), _id(request))
    position = request.POST.get("position", "")
    if not position.isdecimal() or len(position) > 8:
        raise BadRequest(_("This position does not exist."))
    update_import(opened.actor, row, position=int(position))
    message = _("%(path)s moved to position %(position)s") % {"path": row.import_path, "position": position}
    return succeeded(_strip(request, opened), message, **{"ed-grid": True, "ed-feeds": True})


@guarded
def import_delete(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    opened = open_folder(request, environment_id, Right.WRITE_SECRETS)
    row = import_of(opened.require_folder(), _id(request))
    if "confirmed" not in request.POST:
        feeds = reached_by(opened.require_folder()) if opened.rights["may_see_syncs"] else []
        return fragment(request, "import_delete", {"opened": opened, "row": row, "feeds": feeds})
    delete_import(opened.actor, row)
    message = _("%(path)s is no longer imported") % {"path": row.import_path}
    return succeeded(HttpResponse(), message, **{"ed-imports": True, "ed-grid": True, "ed-feeds": True})


def _id(request: HttpRequest) -> UUID:
    try:
        return UUID(request.POST.get("import", ""))
    except ValueError:
        raise BadRequest(_("This import does not exist.")) from None
