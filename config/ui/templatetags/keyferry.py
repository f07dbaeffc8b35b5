"""`{% load keyferry %}`: what `config.ui.markup` makes, in templates."""

from __future__ import annotations

from typing import Any

from django import template
from django.urls import reverse
from django.utils.text import capfirst

from config.ui import help, markup

register = template.Library()
register.filter("when", markup.when)
register.simple_tag(markup.took, name="took")
register.simple_tag(markup.badge, name="badge")


@register.inclusion_tag("keyferry/chart.html")
def chart(shown: markup.Chart) -> dict[str, markup.Chart]:
    return {"chart": shown}


@register.inclusion_tag("keyferry/pages.html", takes_context=True)
def pages(context: template.Context, page: object) -> dict[str, object]:
    """Links to the other pages of a paged table, which keep what else the address says."""
    query = context["request"].GET.copy()
    query.pop("page", None)
    return {"page": page, "query": query.urlencode()}


@register.inclusion_tag("keyferry/trail.html", takes_context=True)
def trail(context: template.Context) -> dict[str, object]:
    """Where one is: the list that the page belongs to, and the page's own name, which is its heading."""
    flat: dict[Any, Any] = context.flatten()
    opts = flat.get("opts")
    title = flat.get("subtitle") or flat.get("title") or flat.get("content_title") or ""
    if opts is None:
        return {"title": title}
    plural = capfirst(str(opts.verbose_name_plural))
    if flat.get("cl"):
        return {"title": plural}
    return {"title": title, "list": plural, "url": reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")}


@register.inclusion_tag("keyferry/help.html", name="help")
def help_link(name: str) -> dict[str, object]:
    """A link to the documentation of a part of a page, under the name that `config.ui.help` knows."""
    return {"help": help.named(name)}


@register.inclusion_tag("keyferry/help_button.html", takes_context=True)
def help_button(context: template.Context) -> dict[str, object]:
    """A link to the documentation of the page."""
    return {"help": help.of_page(context["request"])}


@register.filter
def said(message: str | None) -> str:
    """A run's message as its own page shows it: without the sentence that leads there."""
    return (message or "").partition(" Approve or dismiss it at ")[0]
