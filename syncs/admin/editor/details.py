"""The details of a secret: name, comment, tags, references in both directions, and versions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from config.access.roles import Right
from config.errors import BadRequest
from syncs.admin.editor.grid import cell_at
from syncs.models import Secret
from syncs.services.copies import restore_secret
from syncs.services.impact import impact_of_secret_rename
from syncs.services.renames import rename_everywhere
from syncs.services.secrets import set_secrets
from syncs.source.queries import SecretQuery, secret_at
from syncs.source.references import referrers_as_text, referrers_of, tree_of
from syncs.source.selectors import secret_by_key
from syncs.source.validation import SecretInput

from .base import OpenFolder, fragment, guarded, open_folder, record_reveal, succeeded, typed, unconfirmed
from .cells import tags_typed

VERSIONS = 50  # the newest


@guarded
def show(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    opened = open_folder(request, environment_id)
    return _render(request, opened, secret_by_key(opened.require_folder(), request.POST.get("key", "")))


def _render(request: HttpRequest, opened: OpenFolder, secret: Secret) -> HttpResponse:
    folder = opened.require_folder()
    cell = cell_at(opened.project, opened.column, opened.path, secret.key)
    context: dict[str, Any] = {
        "opened": opened,
        **opened.rights,
        "cell": cell,
        "secret": secret,
        "tags": " ".join(slug for _pk, slug, _color in cell.tags),
        "versions": list(secret.versions.defer("value_sealed", "comment_sealed")[:VERSIONS]),
        "referrers": _referrers(opened, secret.key),
        "refers": [
            (f"{node.address[0]}:{node.address[1]} {node.key}", node.value is not None)
            for node in tree_of(folder, secret.key).children
        ],
    }
    return fragment(request, "details", context)


def _referrers(opened: OpenFolder, key: str) -> list[str]:
    return referrers_as_text(referrers_of(opened.require_folder(), [key])).get(key, [])


@guarded
def save(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """Save name, comment, tags and the encoding of lines. The person decides whether references follow a new name."""
    opened, data = open_folder(request, environment_id, Right.WRITE_SECRETS), request.POST
    key, name = data.get("key", ""), data.get("name", "").strip()
    follows = name != key and data.get("follow") == "yes"
    if name != key and not data.get("follow") and (broken := _referrers(opened, key)):
        message = _("%(key)s is referenced by %(who)s. Choose whether these references follow the new name.")
        raise BadRequest(message % {"key": key, "who": ", ".join(broken[:20])})
    changed = SecretInput(
        key,
        comment=typed(data.get("comment", "")),
        tags=tags_typed(data.get("tags", "")),
        skip_multiline_encoding=bool(data.get("multiline")),
        new_key=name if name != key else None,
        seen=int(data["seen"]) if data.get("seen", "").isdecimal() else None,
    )
    if name != key:
        found = impact_of_secret_rename(opened.actor, opened.require_folder(), key, name)
        found = replace(found, references=()) if data.get("follow") else found  # decided already
        if question := unconfirmed(request, opened, found, name, "details/save"):
            return question
    if follows:
        rename_everywhere(opened.actor, opened.require_folder(), changed)
    else:
        set_secrets(opened.actor, opened.require_folder(), [changed], mode="update")
    secret = secret_by_key(opened.require_folder(), changed.new_key or key)
    message = _("%(key)s saved") % {"key": secret.key}
    return succeeded(_render(request, opened, secret), message, **{"ed-grid": True, "ed-feeds": True})


@guarded
def version(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """Value and comment of an earlier version."""
    opened = open_folder(request, environment_id, Right.READ_VALUES)
    found = secret_at(opened.require_folder(), request.POST.get("key", ""), SecretQuery(), _number(request))
    record_reveal(opened.actor, found.secret)
    return fragment(request, "version", {"value": found.value, "comment": found.comment})


@guarded
def restore(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    opened = open_folder(request, environment_id, Right.WRITE_SECRETS)
    key, number = request.POST.get("key", ""), _number(request)
    secret = restore_secret(opened.actor, opened.require_folder(), key, number)
    message = _("Version %(number)d of %(key)s restored") % {"key": key, "number": number}
    return succeeded(_render(request, opened, secret), message, **{"ed-grid": True, "ed-feeds": True})


def _number(request: HttpRequest) -> int:
    text = request.POST.get("version", "")
    return int(text) if text.isdecimal() and len(text) < 9 else 0
