"""What the editor's views share: the folder that a request is about, and how errors and successes reach the page."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from config.access import audit
from config.access.models import Project
from config.access.roles import Actor, Right
from config.errors import BadRequest, Invalid, NotFound, PermissionDenied, ServiceError
from config.ui.base import actor_of
from config.ui.impact import require_name
from syncs.admin.editor.grid import Column
from syncs.models import Environment, Folder, Secret
from syncs.planning.impact import Impact
from syncs.source.paths import normal_path
from syncs.source.selectors import environment_seen_by, folders

TEXTS = ("text", "value", "comment")
View = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class OpenFolder:
    """The folder that a request is about: a path of an environment, and the folder at it, if it exists."""

    actor: Actor
    environment: Environment
    path: str
    folder: Folder | None

    @property
    def project(self) -> Project:
        return self.environment.project

    @property
    def column(self) -> Column:
        return Column(self.environment, self.folder)

    @property
    def rights(self) -> dict[str, bool]:
        """The conditions of the templates."""
        may = self.actor.may
        return {
            "may_write": may(Right.WRITE_SECRETS, self.project.pk),
            "may_reveal": may(Right.READ_VALUES, self.project.pk),
            "may_see_syncs": may(Right.SEE_SYNCS, self.project.pk),
            "may_connect": may(Right.EDIT_SYNCS, self.project.pk),
        }

    def require_folder(self) -> Folder:
        """Raises NotFound."""
        if self.folder is None:
            raise NotFound(f"There is no folder {self.path} in {self.environment.name}")
        return self.folder


def open_folder(request: HttpRequest, environment_id: UUID, right: Right = Right.SEE) -> OpenFolder:
    """Raises NotFound for a project that the person may not see, PermissionDenied without the right."""
    actor = actor_of(request)
    environment = environment_seen_by(actor, environment_id)
    actor.require(right, environment.project_id)
    path = normal_path(request.POST.get("path") or request.GET.get("path") or "/")
    return OpenFolder(actor, environment, path, folders().filter(environment=environment, path=path).first())


def address(environment: Environment, path: str) -> str:
    """URL of the page that shows a folder."""
    args = [environment.project.slug, environment.slug, *filter(None, [path.strip("/")])]
    return reverse("secrets_at", args=args)


def guarded(view: View) -> View:
    """Errors of services are shown on the page that sent the request; what the person may not see is a 404."""

    @wraps(view)
    def guarded_view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            _check_names(request)
            return view(request, *args, **kwargs)
        except NotFound as refusal:
            raise Http404(str(refusal)) from None
        except ServiceError as refusal:
            return refused(refusal)

    return guarded_view


def _check_names(request: HttpRequest) -> None:
    """No name contains a NUL, and PostgreSQL rejects queries with one. Texts are checked by the services."""
    data = [*request.GET.lists(), *request.POST.lists()]
    if any("\x00" in value for name, values in data if name not in TEXTS for value in values):
        raise BadRequest(_("A NUL character is not allowed."))


def refused(refusal: ServiceError) -> HttpResponse:
    """The page keeps the input; the script shows the message next to it."""
    message = str(refusal)
    if isinstance(refusal, Invalid):
        message = " ".join(f"{str(issue['message']).rstrip('.')}." for issue in refusal.issues)
    if isinstance(refusal, PermissionDenied):
        return HttpResponse(message, status=403, content_type="text/plain")
    response = HttpResponse(status=200)
    response["HX-Reswap"] = "none"
    response["HX-Trigger"] = json.dumps({"ed-refused": message})
    return response


def fragment(request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
    return render(request, f"syncs/editor/{name}.html", {"editor": reverse("secrets"), **context})


def unconfirmed(request: HttpRequest, opened: OpenFolder, found: Impact, name: str, action: str) -> HttpResponse | None:
    """A dialog that shows what a change means, with the data of the request; None if confirmed, or if it means nothing.

    Raises BadRequest if `name` has to be typed, and was not.
    """
    if not found.matters:
        return None
    if "confirmed" in request.POST:
        require_name(found, name, request.POST)
        return None
    given = [(key, value) for key, values in request.POST.lists() for value in values if key != "path"]
    context = {"opened": opened, "impact": found, "typed_name": name if found.needs_name else "", "given": given}
    return fragment(request, "confirm", {**context, "action": action})


def succeeded(response: HttpResponse, message: str, **events: Any) -> HttpResponse:
    """A success with a message for the person, and events that make the page refresh other parts."""
    response["HX-Trigger"] = json.dumps({"ed-message": message, **events})
    return response


def record_reveal(actor: Actor, secret: Secret, **more: Any) -> None:
    """Record in the audit log that a value was shown."""
    environment = secret.folder.environment
    audit.record(
        actor,
        "get-secret",
        environment.project_id,
        environment=environment.slug,
        secretPath=secret.folder.path,
        secretId=secret.pk,
        secretKey=secret.key,
        secretVersion=secret.version,
        isValueShown=True,
        **more,
    )


def typed(text: str) -> str:
    """The submitted text with LF as line end: browsers send CR LF."""
    return text.replace("\r\n", "\n")
