"""`{% load keyferry %}`: the HTML of `config.ui.markup` in templates."""

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
def chart(data: markup.Chart) -> dict[str, markup.Chart]:
    return {"chart": data}


@register.inclusion_tag("keyferry/pages.html", takes_context=True)
def pages(context: template.Context, page: object) -> dict[str, object]:
    """Links to the other pages of a table, which keep the rest of the query."""
    query = context["request"].GET.copy()
    query.pop("page", None)
    return {"page": page, "query": query.urlencode()}


@register.inclusion_tag("keyferry/trail.html", takes_context=True)
def trail(context: template.Context) -> dict[str, object]:
    """Breadcrumb: the list that the page belongs to, and the title of the page as its heading."""
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
    """A link to the documentation of a part of a page, by a name registered in `config.ui.help`."""
    return {"help": help.by_name(name)}


@register.inclusion_tag("keyferry/help_button.html", takes_context=True)
def help_button(context: template.Context) -> dict[str, object]:
    """A link to the documentation of the page."""
    return {"help": help.of_page(context["request"])}
