"""A value in the grid: masked, revealed, edited in place; and adding a key."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from config.access.roles import Right
from config.errors import BadRequest
from syncs.admin.editor.grid import Cell, cell_at
from syncs.models import Environment
from syncs.services.folders import ensure_folder, ensure_folders
from syncs.services.secrets import set_in_folders, set_secrets
from syncs.source.queries import SecretQuery, secret_at
from syncs.source.validation import SecretInput

from .base import OpenFolder, fragment, guarded, open_folder, record_reveal, succeeded, typed


def _cell(opened: OpenFolder, request: HttpRequest) -> Cell:
    return cell_at(opened.project, opened.column, opened.path, request.POST.get("key", ""))


def _render(request: HttpRequest, opened: OpenFolder, cell: Cell, **more: Any) -> HttpResponse:
    return fragment(request, "cell", {"cell": cell, "opened": opened, **opened.rights, "focus": True, **more})


@guarded
def show(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """The cell with its value masked."""
    opened = open_folder(request, environment_id)
    return _render(request, opened, _cell(opened, request))


@guarded
def reveal(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    opened = open_folder(request, environment_id, Right.READ_VALUES)
    return _render(request, opened, _cell(opened, request), value=revealed(opened, request.POST.get("key", "")))


@guarded
def edit(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """The input for the value: empty, or with the stored value if the person requests it."""
    opened = open_folder(request, environment_id, Right.WRITE_SECRETS)
    cell = _cell(opened, request)
    loaded = bool(request.POST.get("loaded")) and cell.secret is not None
    value = revealed(opened, cell.key) if loaded else ""
    return fragment(request, "cell_edit", {"cell": cell, "opened": opened, "loaded": loaded, "value": value})


@guarded
def save(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """Save the submitted value. If the environment does not have the folder yet, create it."""
    opened = open_folder(request, environment_id, Right.WRITE_SECRETS)
    data, cell = request.POST, _cell(opened, request)
    value = typed(data.get("value", ""))
    if cell.secret and not value and not data.get("loaded"):
        raise BadRequest(
            _("Nothing was entered, so the stored value stays. To store an empty value, show it and clear it.")
        )
    with transaction.atomic():
        folder = ensure_folder(opened.actor, opened.environment, opened.path)
        if cell.secret and data.get("loaded"):
            value = with_line_ends_of(value, secret_at(folder, cell.key, SecretQuery()).value or "")
        seen = int(data["seen"]) if data.get("seen", "").isdecimal() else None
        set_secrets(opened.actor, folder, [SecretInput(cell.key, value, seen=seen)])
    opened = open_folder(request, environment_id)
    message = _("%(key)s saved in %(environment)s") % {"key": cell.key, "environment": opened.environment.name}
    return succeeded(_render(request, opened, _cell(opened, request)), message, **{"ed-feeds": True})


def revealed(opened: OpenFolder, key: str) -> str:
    """The value; recorded in the audit log. Raises NotFound."""
    found = secret_at(opened.require_folder(), key, SecretQuery())
    record_reveal(opened.actor, found.secret)
    return found.value or ""


def with_line_ends_of(value: str, before: str) -> str:
    """`value` with the line ends of `before`: text inputs only have LF, but a value with CR LF throughout keeps it."""
    windows = "\r\n" in before and "\n" not in before.replace("\r\n", "")
    return value.replace("\n", "\r\n") if windows else value


@guarded
def new(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """Add a key in one or more environments: in all of them or in none."""
    opened = open_folder(request, environment_id, Right.WRITE_SECRETS)
    environments = list(opened.project.environments.all())
    if "key" not in request.POST:
        return fragment(request, "new", {"opened": opened, "environments": environments, **opened.rights})
    data = request.POST
    chosen = [each for each in environments if str(each.pk) in data.getlist("environments")]
    if not chosen:
        raise BadRequest(_("Choose at least one environment."))
    key = data["key"].strip()
    secret = SecretInput(
        key,
        typed(data.get("value", "")),
        data.get("comment") or None,
        tags_typed(data.get("tags", "")) or None,
        skip_multiline_encoding=bool(data.get("multiline")) or None,
    )
    with transaction.atomic():
        targets = ensure_folders(opened.actor, [_with_project(each, opened) for each in chosen], opened.path)
        set_in_folders(opened.actor, [(folder, [secret]) for folder in targets], mode="create")
    return succeeded(HttpResponse(), _("%(key)s added") % {"key": key}, **{"ed-grid": True, "ed-feeds": True})


def _with_project(environment: Environment, opened: OpenFolder) -> Environment:
    environment.project = opened.project
    return environment


def tags_typed(text: str) -> list[str]:
    return [slug for slug in (part.strip() for part in text.replace(",", " ").split()) if slug]
