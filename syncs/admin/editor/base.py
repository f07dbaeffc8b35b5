"""What the editor's views share: where a request is, and how a refusal and a success are told to the page."""

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
from syncs.admin.editor.grid import Column
from syncs.models import Environment, Folder, Secret
from syncs.source.paths import normal_path
from syncs.source.selectors import environment_seen_by, folders

TEXTS = ("text", "value", "comment")
View = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class Spot:
    """A path of an environment, and the folder there, if there is one."""

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
        """What the templates ask."""
        may = self.actor.may
        return {
            "may_write": may(Right.WRITE_SECRETS, self.project.pk),
            "may_reveal": may(Right.READ_VALUES, self.project.pk),
            "may_see_syncs": may(Right.SEE_SYNCS, self.project.pk),
            "may_connect": may(Right.EDIT_SYNCS, self.project.pk),
        }

    def here(self) -> Folder:
        """Raises NotFound."""
        if self.folder is None:
            raise NotFound(f"There is no folder {self.path} in {self.environment.name}")
        return self.folder


def spot(request: HttpRequest, environment_id: UUID, right: Right = Right.SEE) -> Spot:
    """Raises NotFound for a project that the person may not see, PermissionDenied without the right."""
    actor = actor_of(request)
    environment = environment_seen_by(actor, environment_id)
    actor.require(right, environment.project_id)
    path = normal_path(request.POST.get("path") or request.GET.get("path") or "/")
    return Spot(actor, environment, path, folders().filter(environment=environment, path=path).first())


def address(environment: Environment, path: str) -> str:
    """Of the page that shows a folder."""
    args = [environment.project.slug, environment.slug, *filter(None, [path.strip("/")])]
    return reverse("secrets_at", args=args)


def guarded(view: View) -> View:
    """A refusal is told on the page that asked; what the person may not know of is a 404."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            _check_names(request)
            return view(request, *args, **kwargs)
        except NotFound as refusal:
            raise Http404(str(refusal)) from None
        except ServiceError as refusal:
            return refused(refusal)

    return answer


def _check_names(request: HttpRequest) -> None:
    """A NUL is in no name, and PostgreSQL would not take one to look for it. Texts are checked by the services."""
    given = [*request.GET.lists(), *request.POST.lists()]
    if any("\x00" in value for name, values in given if name not in TEXTS for value in values):
        raise BadRequest(_("A NUL character is not allowed."))


def refused(refusal: ServiceError) -> HttpResponse:
    """What was typed stays; the script shows the words beside it."""
    words = str(refusal)
    if isinstance(refusal, Invalid):
        words = " ".join(f"{str(issue['message']).rstrip('.')}." for issue in refusal.issues)
    if isinstance(refusal, PermissionDenied):
        return HttpResponse(words, status=403, content_type="text/plain")
    response = HttpResponse(status=200)
    response["HX-Reswap"] = "none"
    response["HX-Trigger"] = json.dumps({"ed-refused": words})
    return response


def fragment(request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
    return render(request, f"syncs/editor/{name}.html", {"editor": reverse("secrets"), **context})


def told(response: HttpResponse, words: str, **events: Any) -> HttpResponse:
    """A success, said to the person, and what else the page shall bring up to date."""
    response["HX-Trigger"] = json.dumps({"ed-said": words, **events})
    return response


def record_shown(actor: Actor, secret: Secret, **more: Any) -> None:
    """The audit log knows that a value was shown."""
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
    """A text as it was typed: browsers send a line's end as CR LF."""
    return text.replace("\r\n", "\n")
