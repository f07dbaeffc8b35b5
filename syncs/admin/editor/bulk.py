"""Many keys at once: deleted, moved, copied to other environments, tagged. Each all or none."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from config.access.roles import Right
from config.errors import BadRequest
from syncs.models import Folder, Secret
from syncs.services.copies import copy_secrets
from syncs.services.folders import ensure_folders
from syncs.services.secrets import delete_secrets, move_secrets, set_secrets
from syncs.source.queries import tags_at
from syncs.source.references import referrers_of, referrers_said
from syncs.source.selectors import folders, secrets_by_keys
from syncs.source.validation import SecretInput

from .base import Spot, fragment, guarded, spot, told
from .cells import tags_typed

CHANGED = {"ed-grid": True, "ed-feeds": True, "ed-close": True}


def _chosen(request: HttpRequest, here: Spot) -> list[Secret]:
    """Those of the chosen keys that the environment has. Raises BadRequest where it has none."""
    found = secrets_by_keys(here.here(), request.POST.getlist("keys"))
    if not found:
        said = _("None of the chosen keys has a value of its own in %(environment)s.")
        raise BadRequest(said % {"environment": here.environment.name})
    return found


def _form(request: HttpRequest, here: Spot, what: str, chosen: list[Secret], **more: Any) -> HttpResponse:
    gone = {str(each.pk) for each in chosen}
    said = referrers_said(referrers_of(here.here(), [each.key for each in chosen]), gone) if what != "tag" else {}
    context = {"spot": here, "what": what, "chosen": chosen, "referrers": sorted(said.items()), **more}
    return fragment(request, "bulk", context)


def _done(words: str) -> HttpResponse:
    return told(HttpResponse(), words, **CHANGED)


@guarded
def delete(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    here = spot(request, environment_id, Right.WRITE_SECRETS)
    chosen = _chosen(request, here)
    if "sure" not in request.POST:
        return _form(request, here, "delete", chosen)
    delete_secrets(here.actor, here.here(), [each.key for each in chosen])
    return _done(ngettext("%(n)d key is deleted", "%(n)d keys are deleted", len(chosen)) % {"n": len(chosen)})


@guarded
def move(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    here, given = spot(request, environment_id, Right.WRITE_SECRETS), request.POST
    chosen = _chosen(request, here)
    rows = folders().filter(environment__project=here.project)
    if "target" not in given:
        others = rows.exclude(pk=here.here().pk).order_by("environment__position", "path")
        return _form(request, here, "move", chosen, folders=others)
    target = _folder(rows, given["target"])
    ids = [str(each.pk) for each in chosen]
    move_secrets(here.actor, here.here(), target, ids, overwrite=bool(given.get("overwrite")))
    return _done(ngettext("%(n)d key is moved", "%(n)d keys are moved", len(chosen)) % {"n": len(chosen)})


def _folder(rows: Any, pk: str) -> Folder:
    found: Folder | None = next((each for each in rows if str(each.pk) == pk), None)
    if found is None:
        raise BadRequest(_("Choose a folder."))
    return found


@guarded
def copy(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """To the same path of other environments."""
    here, given = spot(request, environment_id, Right.WRITE_SECRETS), request.POST
    chosen = _chosen(request, here)
    others = [each for each in here.project.environments.all() if each.pk != here.environment.pk]
    if "copying" not in given:
        return _form(request, here, "copy", chosen, others=others)
    targets = [each for each in others if str(each.pk) in given.getlist("environments")]
    if not targets:
        raise BadRequest(_("Choose at least one environment."))
    for each in targets:
        each.project = here.project
    with transaction.atomic():
        locations = ensure_folders(here.actor, targets, here.path)
        copy_secrets(here.actor, chosen, locations, overwrite=bool(given.get("overwrite")))
    names = ", ".join(each.name for each in targets)
    return _done(_("Copied to %(names)s") % {"names": names})


@guarded
def tag(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    here, given = spot(request, environment_id, Right.WRITE_SECRETS), request.POST
    chosen = _chosen(request, here)
    if "add" not in given:
        return _form(request, here, "tag", chosen)
    add, take = set(tags_typed(given["add"])), set(tags_typed(given.get("take", "")))
    held = tags_at(here.here())
    inputs = [SecretInput(each.key, tags=sorted((held.get(each.pk, set()) | add) - take)) for each in chosen]
    set_secrets(here.actor, here.here(), inputs, mode="update")
    return _done(_("Tags are saved"))
