"""The sidebar: sections and entries that the apps register, and of them only what the person may open.

Each app has a module `navigation` that calls `section` and `entry`; a section may be filled by several apps.
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
    """`page` is a model's list, as `syncs.secret`, or the name of an address, which `rule` may close to some."""

    order: int
    title: Any
    icon: str
    page: str
    rule: Rule | None = None

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
    """Entries under one title, in their own order."""

    order: int
    title: Any
    collapsible: bool = False
    entries: list[Entry] = field(default_factory=list)


_sections: dict[str, Section] = {}


def section(key: str, order: int, title: Any, *, collapsible: bool = False) -> None:
    """Name a section. `key` is what entries refer to; sections stand by `order`."""
    known = _sections.setdefault(key, Section(order, title))
    known.order, known.title, known.collapsible = order, title, collapsible


def entry(key: str, order: int, title: Any, icon: str, page: str, rule: Rule | None = None) -> None:
    """Add an entry to the section `key`, which another app may name."""
    _sections.setdefault(key, Section(1000, key)).entries.append(Entry(order, title, icon, page, rule))


def groups(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar in the theme's own form."""
    autodiscover_modules("navigation")
    return [
        {
            "title": each.title,
            "separator": True,
            "collapsible": each.collapsible,
            "items": [
                {"title": one.title, "icon": one.icon, "link": one.url()}
                for one in sorted(each.entries, key=lambda one: one.order)
                if one.may_open(request)
            ],
        }
        for each in sorted(_sections.values(), key=lambda each: each.order)
    ]
