"""Columns of lists and pages: times as how long ago, and form fields as text for people who cannot change them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import DateTimeField
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from config.ui.markup import when


def column_of(model: Any, name: Any) -> Any:
    """The name of a field, or for a time a column that shows how long ago it was."""
    field = {each.name: each for each in model._meta.fields}.get(name)
    return _time_column(name, str(field.verbose_name)) if isinstance(field, DateTimeField) else name


@cache  # Django compares the fields with the read-only fields: both must be the same function
def _time_column(name: str, label: str) -> Callable[[Any], SafeString]:
    @admin.display(description=label, ordering=name)
    def column(obj: Any) -> SafeString:
        return when(getattr(obj, name))

    return column


def value_as_text(field: forms.Field) -> Callable[[Any], str]:
    """A column with the value of a form field, for people who cannot change it."""
    value = field.initial
    values = value if isinstance(value, list) else [value]
    labels = {str(choice): str(label) for choice, label in getattr(field, "choices", ())}
    if isinstance(value, bool):
        text = _("yes") if value else _("no")
    else:
        text = ", ".join(labels.get(str(each), str(each)) for each in values if each not in (None, "")) or "-"

    @admin.display(description=str(field.label))
    def column(obj: Any) -> str:
        return text

    return column
