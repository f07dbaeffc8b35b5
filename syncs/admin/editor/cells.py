"""One value in the grid: shown masked, revealed, edited in place; and a new key."""

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
from syncs.source.queries import Wish, secret_at
from syncs.source.validation import SecretInput

from .base import Spot, fragment, guarded, record_shown, spot, told, typed


def _cell(here: Spot, request: HttpRequest) -> Cell:
    return cell_at(here.project, here.column, here.path, request.POST.get("key", ""))


def _shown(request: HttpRequest, here: Spot, cell: Cell, **more: Any) -> HttpResponse:
    return fragment(request, "cell", {"cell": cell, "spot": here, **here.rights, "focus": True, **more})


@guarded
def show(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """Masked again."""
    here = spot(request, environment_id)
    return _shown(request, here, _cell(here, request))


@guarded
def reveal(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    here = spot(request, environment_id, Right.READ_VALUES)
    return _shown(request, here, _cell(here, request), value=revealed(here, request.POST.get("key", "")))


@guarded
def edit(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """The value's field: empty, or with what is stored where the person asks to see that."""
    here = spot(request, environment_id, Right.WRITE_SECRETS)
    cell = _cell(here, request)
    loaded = bool(request.POST.get("loaded")) and cell.secret is not None
    value = revealed(here, cell.key) if loaded else ""
    return fragment(request, "cell_edit", {"cell": cell, "spot": here, "loaded": loaded, "value": value})


@guarded
def save(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """The value that was typed; in an environment without the folder, the folder is made with it."""
    here = spot(request, environment_id, Right.WRITE_SECRETS)
    given, cell = request.POST, _cell(here, request)
    value = typed(given.get("value", ""))
    if cell.secret and not value and not given.get("loaded"):
        raise BadRequest(_("Nothing was typed: the stored value stays. To store an empty one, show it and clear it."))
    with transaction.atomic():
        folder = ensure_folder(here.actor, here.environment, here.path)
        if cell.secret and given.get("loaded"):
            value = as_it_ended(value, secret_at(folder, cell.key, Wish()).value or "")
        seen = int(given["seen"]) if given.get("seen", "").isdecimal() else None
        set_secrets(here.actor, folder, [SecretInput(cell.key, value, seen=seen)])
    here = spot(request, environment_id)
    words = _("%(key)s is saved in %(environment)s") % {"key": cell.key, "environment": here.environment.name}
    return told(_shown(request, here, _cell(here, request)), words, **{"ed-feeds": True})


def revealed(here: Spot, key: str) -> str:
    """The value, told to the audit log. Raises NotFound."""
    shown = secret_at(here.here(), key, Wish())
    record_shown(here.actor, shown.secret)
    return shown.value or ""


def as_it_ended(value: str, before: str) -> str:
    """A text field knows one kind of line's end; a value that had the other throughout keeps it."""
    windows = "\r\n" in before and "\n" not in before.replace("\r\n", "")
    return value.replace("\n", "\r\n") if windows else value


@guarded
def new(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """A new key, in one environment or several at once, all or none."""
    here = spot(request, environment_id, Right.WRITE_SECRETS)
    environments = list(here.project.environments.all())
    if "key" not in request.POST:
        return fragment(request, "new", {"spot": here, "environments": environments, **here.rights})
    given = request.POST
    chosen = [each for each in environments if str(each.pk) in given.getlist("environments")]
    if not chosen:
        raise BadRequest(_("Choose at least one environment."))
    key = given["key"].strip()
    one = SecretInput(
        key,
        typed(given.get("value", "")),
        given.get("comment") or None,
        tags_typed(given.get("tags", "")) or None,
        skip_multiline_encoding=bool(given.get("multiline")) or None,
    )
    with transaction.atomic():
        locations = ensure_folders(here.actor, [_with_project(each, here) for each in chosen], here.path)
        set_in_folders(here.actor, [(folder, [one]) for folder in locations], mode="create")
    return told(HttpResponse(), _("%(key)s is added") % {"key": key}, **{"ed-grid": True, "ed-feeds": True})


def _with_project(environment: Environment, here: Spot) -> Environment:
    environment.project = here.project
    return environment


def tags_typed(text: str) -> list[str]:
    return [slug for slug in (part.strip() for part in text.replace(",", " ").split()) if slug]
