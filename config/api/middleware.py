"""Middleware of the API."""

from __future__ import annotations

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse

from config.api.errors import not_found


class SlashMiddleware:
    """Every path of the API works with and without a trailing slash, without a redirect."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith("/api/"):
            if "\x00" in request.path_info:
                return not_found(request, Http404())
            request.path_info = request.path_info.rstrip("/")
        return self.get_response(request)
