"""Bulk actions: delete, move, copy to other environments, tag. Each is applied to all selected keys or to none."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from config.access.roles import Right
from config.errors import BadRequest
from config.ui.impact import require_name
from syncs.models import Folder, Secret
from syncs.services.copies import copy_secrets
from syncs.services.folders import ensure_folders
from syncs.services.impact import impact_of_secret_deletion, impact_of_secret_move
from syncs.services.secrets import delete_secrets, move_secrets, set_secrets
from syncs.source.selectors import folders, secrets_by_keys
from syncs.source.tags import tags_at
from syncs.source.validation import SecretInput

from .base import OpenFolder, fragment, guarded, open_folder, succeeded, unconfirmed
from .cells import tags_typed

CHANGED = {"ed-grid": True, "ed-feeds": True, "ed-close": True}


def _chosen(request: HttpRequest, opened: OpenFolder) -> list[Secret]:
    """The selected keys that the environment has. Raises BadRequest if it has none of them."""
    found = secrets_by_keys(opened.require_folder(), request.POST.getlist("keys"))
    if not found:
        message = _("None of the selected keys has its own value in %(environment)s.")
        raise BadRequest(message % {"environment": opened.environment.name})
    return found


def _form(request: HttpRequest, opened: OpenFolder, action: str, chosen: list[Secret], **more: Any) -> HttpResponse:
    """The confirmation."""
    context = {"opened": opened, "action": action, "chosen": chosen, **more}
    return fragment(request, "bulk", context)


def _done(message: str) -> HttpResponse:
    return succeeded(HttpResponse(), message, **CHANGED)


@guarded
def delete(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    opened = open_folder(request, environment_id, Right.WRITE_SECRETS)
    chosen = _chosen(request, opened)
    found = impact_of_secret_deletion(opened.actor, opened.require_folder(), [each.key for each in chosen])
    if "confirmed" not in request.POST:
        name = opened.environment.slug if found.needs_name else ""
        return _form(request, opened, "delete", chosen, impact=found, typed_name=name)
    require_name(found, opened.environment.slug, request.POST)
    delete_secrets(opened.actor, opened.require_folder(), [each.key for each in chosen])
    return _done(ngettext("%(n)d key deleted", "%(n)d keys deleted", len(chosen)) % {"n": len(chosen)})


@guarded
def move(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    opened, data = open_folder(request, environment_id, Right.WRITE_SECRETS), request.POST
    chosen = _chosen(request, opened)
    rows = folders().filter(environment__project=opened.project)
    if "target" not in data:
        others = rows.exclude(pk=opened.require_folder().pk).order_by("environment__position", "path")
        return _form(request, opened, "move", chosen, folders=others)
    target = _folder(rows, data["target"])
    ids = [str(each.pk) for each in chosen]
    found = impact_of_secret_move(opened.actor, opened.require_folder(), target, ids)
    if question := unconfirmed(request, opened, found, opened.environment.slug, "bulk/move"):
        return question
    move_secrets(opened.actor, opened.require_folder(), target, ids, overwrite=bool(data.get("overwrite")))
    return _done(ngettext("%(n)d key moved", "%(n)d keys moved", len(chosen)) % {"n": len(chosen)})


def _folder(rows: Any, pk: str) -> Folder:
    found: Folder | None = next((each for each in rows if str(each.pk) == pk), None)
    if found is None:
        raise BadRequest(_("Choose a folder."))
    return found


@guarded
def copy(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """Copy to the same path in other environments."""
    opened, data = open_folder(request, environment_id, Right.WRITE_SECRETS), request.POST
    chosen = _chosen(request, opened)
    others = [each for each in opened.project.environments.all() if each.pk != opened.environment.pk]
    if "copying" not in data:
        return _form(request, opened, "copy", chosen, others=others)
    targets = [each for each in others if str(each.pk) in data.getlist("environments")]
    if not targets:
        raise BadRequest(_("Choose at least one environment."))
    for each in targets:
        each.project = opened.project
    with transaction.atomic():
        copies = ensure_folders(opened.actor, targets, opened.path)
        copy_secrets(opened.actor, chosen, copies, overwrite=bool(data.get("overwrite")))
    names = ", ".join(each.name for each in targets)
    return _done(_("Copied to %(names)s") % {"names": names})


@guarded
def tag(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    opened, data = open_folder(request, environment_id, Right.WRITE_SECRETS), request.POST
    chosen = _chosen(request, opened)
    if "add" not in data:
        return _form(request, opened, "tag", chosen)
    add, remove = set(tags_typed(data["add"])), set(tags_typed(data.get("remove", "")))
    current = tags_at(opened.require_folder())
    inputs = [SecretInput(each.key, tags=sorted((current.get(each.pk, set()) | add) - remove)) for each in chosen]
    set_secrets(opened.actor, opened.require_folder(), inputs, mode="update")
    return _done(_("Tags saved"))
