"""The sidebar: sections and entries that apps register, reduced to those that the person may open.

Each app has a module `navigation` that calls `section` and `entry`; several apps may add entries to a section.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.module_loading import autodiscover_modules

Rule = Callable[[HttpRequest], bool]


@dataclass(frozen=True)
class Entry:
    """`page` is a model for its list, such as `syncs.secret`, or the name of a URL; `rule` limits who may open it.

    `count`: the number of things that wait there for the person, shown beside the title.
    """

    order: int
    title: Any
    icon: str
    page: str
    rule: Rule | None = None
    count: Callable[[HttpRequest], int] | None = None

    def item(self, request: HttpRequest) -> dict[str, Any]:
        """In the format of the theme."""
        found = {"title": self.title, "icon": self.icon, "link": self.url()}
        number = self.count(request) if self.count else 0
        return {**found, "badge": number, "badge_variant": "warning"} if number else found

    def url(self) -> str:
        if "." in self.page:
            return reverse(f"admin:{self.page.replace('.', '_')}_changelist")
        return reverse(self.page)

    def may_open(self, request: HttpRequest) -> bool:
        if self.rule:
            return self.rule(request)
        if "." in self.page:
            return bool(admin.site._registry[apps.get_model(self.page)].has_view_permission(request))
        return True


@dataclass
class Section:
    """Entries under one title."""

    order: int
    title: Any
    collapsible: bool = False
    entries: list[Entry] = field(default_factory=list)


_sections: dict[str, Section] = {}


def section(key: str, order: int, title: Any, *, collapsible: bool = False) -> None:
    """Register a section, which entries refer to by `key`; sections are sorted by `order`."""
    registered = _sections.setdefault(key, Section(order, title))
    registered.order, registered.title, registered.collapsible = order, title, collapsible


def entry(
    key: str,
    order: int,
    title: Any,
    icon: str,
    page: str,
    rule: Rule | None = None,
    count: Callable[[HttpRequest], int] | None = None,
) -> None:
    """Add an entry to the section `key`, which another app may register."""
    _sections.setdefault(key, Section(1000, key)).entries.append(Entry(order, title, icon, page, rule, count))


def groups(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar in the format of the theme."""
    autodiscover_modules("navigation")
    return [
        {
            "title": each.title,
            "separator": True,
            "collapsible": each.collapsible,
            "items": [
                item.item(request)
                for item in sorted(each.entries, key=lambda item: item.order)
                if item.may_open(request)
            ],
        }
        for each in sorted(_sections.values(), key=lambda each: each.order)
    ]
