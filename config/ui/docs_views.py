"""The documentation pages over HTTP. They contain nothing about the installation, so they are public."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from .docs import INDEX, address, library
from .docs_search import MAX_QUERY, search

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; font-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


@require_safe
def page(request: HttpRequest, slug: str = INDEX) -> HttpResponse:
    """One page. Raises Http404."""
    if slug.endswith("/"):
        return redirect(address(slug.rstrip("/")), permanent=True)
    found = library()
    requested = found.pages.get(slug)
    if requested is None:
        raise Http404
    before, after = found.neighbours(requested)
    return _render(request, "page", {"page": requested, "before": before, "after": after})


@require_safe
def results(request: HttpRequest) -> HttpResponse:
    """Results of a search."""
    query = request.GET.get("q", "").strip()[:MAX_QUERY]
    return _render(request, "search", {"query": query, "results": search(library(), query)})


def _render(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    response = render(request, f"keyferry/docs/{template}.html", {"groups": library().groups, **context})
    response["Content-Security-Policy"] = POLICY
    return response
