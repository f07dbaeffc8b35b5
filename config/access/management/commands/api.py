"""Send a request to the API from a terminal, as an account; no running server is needed."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.http import Http404, HttpResponse
from django.test import RequestFactory
from django.urls import resolve
from rest_framework.test import force_authenticate

from config.access.models import User
from config.commands import OperatorCommand
from config.errors import BadRequest, NotFound


class Command(OperatorCommand):
    help = "Send an API request, such as: api GET '/v1/secret-syncs?projectId=...'. Exit 0: status 2xx, 1: any other."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("method", choices=("GET", "POST", "PUT", "PATCH", "DELETE"))
        parser.add_argument("path", help="as in the API reference, with or without the prefix /api")
        parser.add_argument("body", nargs="?", default="", metavar="JSON", help="- reads it from standard input")
        parser.add_argument(
            "--user", metavar="NAME", help="account that sends the request; default: the first instance admin"
        )

    def work(self, options: dict[str, Any]) -> int:
        body = sys.stdin.read() if options["body"] == "-" else options["body"]
        path = f"/api/{options['path'].removeprefix('/api').lstrip('/')}"
        request = RequestFactory().generic(options["method"], path, body, content_type="application/json")
        force_authenticate(request, _person(options["user"]))
        try:
            found = resolve(request.path_info.rstrip("/"))
        except Http404:
            raise NotFound(f"The API has no {path.partition('?')[0]}; see /api/docs") from None
        response = found.func(request, *found.args, **found.kwargs)
        (self.stdout if response.status_code < 300 else self.stderr).write(_text(response))
        return 0 if response.status_code < 300 else 1


def _person(name: str | None) -> User:
    people = User.objects.filter(is_active=True).order_by("date_joined")
    found = people.filter(username=name).first() if name else people.filter(is_superuser=True).first()
    if found is None:
        raise BadRequest(f"There is no active account {name}" if name else "There is no instance admin yet: run `up`")
    return found


def _text(response: HttpResponse) -> str:
    if response.streaming:
        parts = b"".join(response.streaming_content)  # type: ignore[attr-defined]
        return parts.decode()
    if hasattr(response, "render") and not response.is_rendered:  # type: ignore[attr-defined]
        response.render()
    return response.content.decode()
