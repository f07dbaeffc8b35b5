"""Importing a file, with a comparison before anything is stored; and exporting a folder as a file."""

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
from syncs.source.queries import SecretQuery, secrets_of

from .base import OpenFolder, address, fragment, guarded, open_folder, succeeded, typed

SUFFIXES = {"dotenv": "env", "json": "json", "yaml": "yaml"}


@guarded
def import_file(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """The form; with a `text`, a preview of its changes; with a `digest` as well, store the changes that were shown."""
    opened, data = open_folder(request, environment_id, Right.WRITE_SECRETS), request.POST
    if "text" not in data:
        whole = bool(data.get("whole"))
        text = written(values_of(opened, SecretQuery()), "dotenv") if whole and opened.folder else ""
        return fragment(
            request, "file", {"opened": opened, "kinds": KINDS, "text": text, "whole": whole, **opened.rights}
        )
    parsed = parse(typed(data["text"]), data["kind"] if data.get("kind") in KINDS else "")
    overwrite, prune = data.get("existing") != "keep", bool(data.get("prune"))
    if not data.get("digest"):
        folder = opened.folder or Folder(environment=opened.environment, path=opened.path)
        found = compare(folder, parsed, overwrite=overwrite, prune=prune)
        return fragment(request, "preview", {"opened": opened, "found": found, "overwrite": overwrite})
    with transaction.atomic():  # a rejected file must not leave a new folder behind
        folder = ensure_folder(opened.actor, opened.environment, opened.path)
        done = store_file(opened.actor, folder, parsed, overwrite=overwrite, prune=prune, digest=data["digest"])
    count = sum(1 for each in done.differences if each.action in ("create", "update", "delete"))
    message = ngettext("%(n)d key changed", "%(n)d keys changed", count) % {"n": count}
    return succeeded(HttpResponse(), message, **{"ed-grid": True, "ed-feeds": True, "ed-close": True})


@guarded
def export(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """The form; with a `kind`, the file to download."""
    opened, data = open_folder(request, environment_id, Right.READ_VALUES), request.POST
    kind = data.get("kind", "")
    if kind not in KINDS:
        return fragment(request, "export", {"opened": opened, "kinds": KINDS})
    whole = bool(data.get("whole"))
    try:
        values = values_of(opened, SecretQuery(expanded=whole, imports=whole))
        if odd := unwritable(values, kind):
            raise BadRequest(
                _("%(kind)s does not support the names %(names)s; use JSON.") % {"kind": kind, "names": odd}
            )
    except ServiceError as refusal:
        messages.error(request, str(refusal))
        return redirect(address(opened.environment, opened.path))
    response = HttpResponse(written(values, kind), content_type="text/plain; charset=utf-8")
    name = "-".join([opened.project.slug, opened.environment.slug, *filter(None, opened.path.split("/"))])
    response["Content-Disposition"] = f'attachment; filename="{name}.{SUFFIXES[kind]}"'
    return response


def values_of(opened: OpenFolder, query: SecretQuery) -> dict[str, str]:
    """Values by key; recorded in the audit log. Own values win over imported ones, later imports over earlier."""
    opened.actor.require(Right.READ_VALUES, opened.project.pk)
    own, imported = secrets_of(opened.require_folder(), query)
    found = {each.secret.key: each.value or "" for one in imported for each in one.secrets}
    found |= {each.secret.key: each.value or "" for each in own}
    audit.record(
        opened.actor,
        "get-secrets",
        opened.project.pk,
        environment=opened.environment.slug,
        secretPath=opened.path,
        numberOfSecrets=len(found),
        areValuesShown=True,
    )
    return dict(sorted(found.items()))
