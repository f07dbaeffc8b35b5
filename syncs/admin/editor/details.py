"""One secret in full: its name, comment and tags, what refers to it, and what it was."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from config.access.roles import Right
from config.errors import BadRequest
from syncs.admin.editor.grid import cell_at
from syncs.models import Secret
from syncs.services.copies import restore_secret
from syncs.services.renames import rename_everywhere
from syncs.services.secrets import set_secrets
from syncs.source.queries import Wish, secret_at
from syncs.source.references import referrers_of, referrers_said, tree_of
from syncs.source.selectors import secret_by_key
from syncs.source.validation import SecretInput

from .base import Spot, fragment, guarded, record_shown, spot, told, typed
from .cells import tags_typed

VERSIONS = 50  # the newest


@guarded
def show(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    here = spot(request, environment_id)
    return _shown(request, here, secret_by_key(here.here(), request.POST.get("key", "")))


def _shown(request: HttpRequest, here: Spot, secret: Secret) -> HttpResponse:
    folder = here.here()
    cell = cell_at(here.project, here.column, here.path, secret.key)
    context: dict[str, Any] = {
        "spot": here,
        **here.rights,
        "cell": cell,
        "secret": secret,
        "tags": " ".join(slug for _pk, slug, _color in cell.tags),
        "versions": list(secret.versions.defer("value_sealed", "comment_sealed")[:VERSIONS]),
        "referrers": _referrers(here, secret.key),
        "refers": [
            (f"{node.address[0]}:{node.address[1]} {node.key}", node.value is not None)
            for node in tree_of(folder, secret.key).children
        ],
    }
    return fragment(request, "details", context)


def _referrers(here: Spot, key: str) -> list[str]:
    return referrers_said(referrers_of(here.here(), [key])).get(key, [])


@guarded
def save(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """Name, comment, tags and how lines are sent. A new name is written into references, or not, as the person says."""
    here, given = spot(request, environment_id, Right.WRITE_SECRETS), request.POST
    key, name = given.get("key", ""), given.get("name", "").strip()
    follows = name != key and given.get("follow") == "yes"
    if name != key and not given.get("follow") and (broken := _referrers(here, key)):
        said = _("%(key)s is referred to by %(who)s. Choose what becomes of them.")
        raise BadRequest(said % {"key": key, "who": ", ".join(broken[:20])})
    one = SecretInput(
        key,
        comment=typed(given.get("comment", "")),
        tags=tags_typed(given.get("tags", "")),
        skip_multiline_encoding=bool(given.get("multiline")),
        new_key=name if name != key else None,
        seen=int(given["seen"]) if given.get("seen", "").isdecimal() else None,
    )
    if follows:
        rename_everywhere(here.actor, here.here(), one)
    else:
        set_secrets(here.actor, here.here(), [one], mode="update")
    secret = secret_by_key(here.here(), one.new_key or key)
    words = _("%(key)s is saved") % {"key": secret.key}
    return told(_shown(request, here, secret), words, **{"ed-grid": True, "ed-feeds": True})


@guarded
def version(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    """What the value was in a version."""
    here = spot(request, environment_id, Right.READ_VALUES)
    shown = secret_at(here.here(), request.POST.get("key", ""), Wish(), _number(request))
    record_shown(here.actor, shown.secret)
    return fragment(request, "version", {"value": shown.value, "comment": shown.comment})


@guarded
def restore(request: HttpRequest, environment_id: UUID) -> HttpResponse:
    here = spot(request, environment_id, Right.WRITE_SECRETS)
    key, number = request.POST.get("key", ""), _number(request)
    secret = restore_secret(here.actor, here.here(), key, number)
    words = _("%(key)s is as it was in v%(number)d") % {"key": key, "number": number}
    return told(_shown(request, here, secret), words, **{"ed-grid": True, "ed-feeds": True})


def _number(request: HttpRequest) -> int:
    text = request.POST.get("version", "")
    return int(text) if text.isdecimal() and len(text) < 9 else 0
