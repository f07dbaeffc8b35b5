"""The documentation pages over HTTP. They hold nothing of the installation, so they are public."""

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
    shown = found.pages.get(slug)
    if shown is None:
        raise Http404
    before, after = found.neighbours(shown)
    return _shown(request, "page", {"page": shown, "before": before, "after": after})


@require_safe
def results(request: HttpRequest) -> HttpResponse:
    """What a search found."""
    query = request.GET.get("q", "").strip()[:MAX_QUERY]
    return _shown(request, "search", {"query": query, "results": search(library(), query)})


def _shown(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    answer = render(request, f"keyferry/docs/{template}.html", {"groups": library().groups, **context})
    answer["Content-Security-Policy"] = POLICY
    return answer
