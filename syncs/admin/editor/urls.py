"""The URLs of the editor, below `/admin/secrets/`."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import admin
from django.urls import path
from django.views.decorators.http import require_POST

from . import bulk, cells, details, files, folders, page
from .base import View

FOLDER_VIEWS: Sequence[tuple[str, View]] = (
    ("cell/show", cells.show),
    ("cell/reveal", cells.reveal),
    ("cell/edit", cells.edit),
    ("cell/save", cells.save),
    ("new", cells.new),
    ("details", details.show),
    ("details/save", details.save),
    ("details/version", details.version),
    ("details/restore", details.restore),
    ("bulk/delete", bulk.delete),
    ("bulk/move", bulk.move),
    ("bulk/copy", bulk.copy),
    ("bulk/tag", bulk.tag),
    ("file", files.import_file),
    ("export", files.export),
    ("folder/new", folders.new),
    ("folder/change", folders.change),
    ("folder/delete", folders.delete),
    ("imports", folders.imports),
    ("imports/new", folders.import_new),
    ("imports/move", folders.import_move),
    ("imports/delete", folders.import_delete),
    ("feeds", page.feeds),
    ("names", page.names),
)
"""Views about a folder, below the id of its environment. Each is a POST with `path` and its own parameters."""

admin_view = admin.site.admin_view
urlpatterns = [
    path("", admin_view(page.start), name="secrets"),
    *(path(f"in/<uuid:environment_id>/{name}/", admin_view(require_POST(view))) for name, view in FOLDER_VIEWS),
    path("<slug:project>/<slug:environment>/", admin_view(page.at), name="secrets_at"),
    path("<slug:project>/<slug:environment>/<path:path>/", admin_view(page.at), name="secrets_at"),
]
