"""Which part of the documentation explains a page of the admin.

Each app names its pages in its module `documentation`, by one of

- the name of a view, as `secrets`, with `/` and an argument of its address where that decides, as
  `admin:syncs_syncdraft_step/options`;
- a model, as `syncs.secretsync`, for all of its pages;
- a name of its own for a part of a page, which a template uses by `{% help "run.held" %}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.http import HttpRequest

from . import docs

_targets: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Help:
    """Where it is, and the words of the heading there."""

    url: str
    title: str


def explained(targets: Mapping[str, str]) -> None:
    """Register pages: name -> page of the documentation and anchor, as `concepts#held-runs`."""
    _targets.update(targets)


def targets() -> Mapping[str, str]:
    """All that is registered."""
    docs.library()  # loads the modules that register
    return dict(_targets)


def named(name: str) -> Help:
    """Raises KeyError for a name that no app has registered."""
    return _help(targets()[name])


def of_page(request: HttpRequest) -> Help:
    """The most exact that is registered for the page; the index where nothing is."""
    known = targets()
    return _help(next((known[name] for name in _names(request) if name in known), docs.INDEX))


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
