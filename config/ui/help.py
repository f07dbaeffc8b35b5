"""Links from pages of the admin to the documentation.

Each app registers its pages in its module `documentation`, by one of

- the name of a view, such as `secrets`; to be more specific, followed by `/` and an argument of its URL, such as
  `admin:syncs_syncdraft_step/options`;
- a model, such as `syncs.secretsync`, for all of its pages;
- any other name for a part of a page, used in a template by `{% help "run.held" %}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.http import HttpRequest

from . import docs

_targets: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Help:
    """URL of a section of the documentation, and its heading."""

    url: str
    title: str


def register_help(targets: Mapping[str, str]) -> None:
    """Register pages: name -> page of the documentation and anchor, such as `concepts#held-runs`."""
    _targets.update(targets)


def targets() -> Mapping[str, str]:
    """All registered targets by name."""
    docs.library()  # loads the modules that register
    return dict(_targets)


def by_name(name: str) -> Help:
    """Raises KeyError for an unregistered name."""
    return _help(targets()[name])


def of_page(request: HttpRequest) -> Help:
    """The most specific target registered for the page, else the index."""
    registered = targets()
    return _help(next((registered[name] for name in _names(request) if name in registered), docs.INDEX))


def _names(request: HttpRequest) -> Iterator[str]:
    match = request.resolver_match
    if match is None:
        return
    yield from (f"{match.view_name}/{value}" for value in match.kwargs.values())
    yield match.view_name
    app, _, rest = match.view_name.removeprefix("admin:").partition("_")
    yield f"{app}.{rest.partition('_')[0]}"


def _help(target: str) -> Help:
    return Help(docs.address(target), docs.library().heading(target))
