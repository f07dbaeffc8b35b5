"""The addresses of the editor, below `/admin/secrets/`."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import admin
from django.urls import path
from django.views.decorators.http import require_POST

from . import bulk, cells, details, files, folders, page
from .base import View

PLACED: Sequence[tuple[str, View]] = (
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
    ("file", files.bring),
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
"""Below the id of an environment; each is posted, with `path` and what it needs."""

seen = admin.site.admin_view
urlpatterns = [
    path("", seen(page.start), name="secrets"),
    *(path(f"in/<uuid:environment_id>/{where}/", seen(require_POST(view))) for where, view in PLACED),
    path("<slug:project>/<slug:environment>/", seen(page.at), name="secrets_at"),
    path("<slug:project>/<slug:environment>/<path:path>/", seen(page.at), name="secrets_at"),
]
