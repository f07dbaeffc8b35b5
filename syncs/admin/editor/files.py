"""Files: pasted or dropped, compared before anything is stored; and exported."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from config.access import audit
from config.access.roles import Right
from config.errors import BadRequest, ServiceError
from syncs.models import Folder
from syncs.services.files import store_file
from syncs.services.folders import ensure_folder
from syncs.source.file_diff import compare
from syncs.source.formats import KINDS, parse, unwritable, written
from syncs.source.queries import Wish, secrets_of

from .base import Spot, address, fragment, guarded, spot, told, typed

SUFFIXES = {"dotenv": "env", "json": "json", "yaml": "yaml"}


@guarded
def bring(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """The form; with a text what it would change; with `digest` too, the storing of what was shown."""
    here, given = spot(request, environment_id, Right.WRITE_SECRETS), request.POST
    if "text" not in given:
        whole = bool(given.get("whole"))
        text = written(values_of(here, Wish()), "dotenv") if whole and here.folder else ""
        return fragment(request, "file", {"spot": here, "kinds": KINDS, "text": text, "whole": whole, **here.rights})
    parsed = parse(typed(given["text"]), given["kind"] if given.get("kind") in KINDS else "")
    overwrite, prune = given.get("existing") != "keep", bool(given.get("prune"))
    if not given.get("digest"):
        folder = here.folder or Folder(environment=here.environment, path=here.path)
        found = compare(folder, parsed, overwrite=overwrite, prune=prune)
        return fragment(request, "preview", {"spot": here, "found": found, "overwrite": overwrite})
    with transaction.atomic():  # the folder stays away too where the file is refused
        folder = ensure_folder(here.actor, here.environment, here.path)
        done = store_file(here.actor, folder, parsed, overwrite=overwrite, prune=prune, digest=given["digest"])
    count = sum(1 for each in done.differences if each.action in ("create", "update", "delete"))
    words = ngettext("%(n)d key has changed", "%(n)d keys have changed", count) % {"n": count}
    return told(HttpResponse(), words, **{"ed-grid": True, "ed-feeds": True, "ed-close": True})


@guarded
def export(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """The form; with a `kind`, the file."""
    here, given = spot(request, environment_id, Right.READ_VALUES), request.POST
    kind = given.get("kind", "")
    if kind not in KINDS:
        return fragment(request, "export", {"spot": here, "kinds": KINDS})
    whole = bool(given.get("whole"))
    try:
        values = values_of(here, Wish(expanded=whole, imports=whole))
        if odd := unwritable(values, kind):
            raise BadRequest(_("%(kind)s cannot hold the names %(names)s; take JSON.") % {"kind": kind, "names": odd})
    except ServiceError as refusal:
        messages.error(request, str(refusal))
        return redirect(address(here.environment, here.path))
    response = HttpResponse(written(values, kind), content_type="text/plain; charset=utf-8")
    name = "-".join([here.project.slug, here.environment.slug, *filter(None, here.path.split("/"))])
    response["Content-Disposition"] = f'attachment; filename="{name}.{SUFFIXES[kind]}"'
    return response


def values_of(here: Spot, wish: Wish) -> dict[str, str]:
    """By key, told to the audit log. With imports what they bring too: own ones win, then the last import."""
    here.actor.require(Right.READ_VALUES, here.project.pk)
    own, brought = secrets_of(here.here(), wish)
    found = {each.secret.key: each.value or "" for one in brought for each in one.secrets}
    found |= {each.secret.key: each.value or "" for each in own}
    audit.record(
        here.actor,
        "get-secrets",
        here.project.pk,
        environment=here.environment.slug,
        secretPath=here.path,
        numberOfSecrets=len(found),
        areValuesShown=True,
    )
    return dict(sorted(found.items()))
