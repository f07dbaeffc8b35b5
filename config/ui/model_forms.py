"""Form fields of the admin from models, so that what a model declares needs no form of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from config.errors import Issue
from config.schemas import form_fields as from_schema
from config.schemas.form_fields import Member
from config.schemas.json_schema import described
from config.schemas.unions import Shape

JOINT = "__"


class SecretLines(UnfoldAdminTextareaWidget):  # type: ignore[misc]
    """A secret of several lines, such as a private key, which a password input would put on one. Never shown again."""

    def __init__(self, attrs: dict[str, Any]) -> None:
        super().__init__(attrs={"rows": 4, "spellcheck": "false", **attrs})

    def format_value(self, value: Any) -> str:
        return ""


WRITE_ONLY = (forms.PasswordInput, SecretLines)
"""Widgets of secrets: their text is stored in encrypted credentials only, and never shown."""


class ListedChoices(forms.CheckboxSelectMultiple):
    """Several of the offered choices, as the text with commas that a form holds for a list."""

    def format_value(self, value: Any) -> list[str]:
        return [part.strip() for part in str(value or "").split(",") if part.strip()]

    def value_from_datadict(self, data: Any, files: Any, name: str) -> str:
        chosen = data.getlist(name) if hasattr(data, "getlist") else [data.get(name) or ""]
        return ", ".join(filter(None, chosen))


class SuggestingInput(UnfoldAdminTextInputWidget):  # type: ignore[misc]
    """A text input with a list of suggestions; other text can be typed too."""

    def __init__(self, hints: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self.hints = hints
        self.template_name = "keyferry/suggesting_input.html"

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, {**(attrs or {}), "list": f"{name}-hints"})
        context["hints"] = self.hints
        context["list_id"] = f"{name}-hints"
        return context


_ONCE = {"autocomplete": "new-password"}
STYLE = from_schema.Style(
    joint=JOINT,
    widgets={
        "flag": UnfoldBooleanSwitchWidget,
        "whole": UnfoldAdminIntegerFieldWidget,
        "text": UnfoldAdminTextInputWidget,
        "lines": lambda: UnfoldAdminTextareaWidget(attrs={"rows": 4}),
        "secret": lambda: UnfoldAdminPasswordWidget(attrs=_ONCE, render_value=False),
        "secret_lines": lambda: SecretLines(attrs=_ONCE),
        "choice": UnfoldAdminSelectWidget,
        "suggesting": SuggestingInput,
    },
)
"""The admin's form fields. None is required: the model reports what is missing, with its own messages."""


def members_of(shape: Shape) -> list[Member]:
    """The members of a form; of several variants those of all."""
    return from_schema.members_of(described(shape))


def members_of_variant(shape: Shape, typed: Mapping[str, Any]) -> list[Member]:
    """The members of the variant that is `typed` so far; the first variant's until one is chosen."""
    return from_schema.of_variant(described(shape), typed)


def fields_for(
    prefix: str,
    members: Iterable[Member],
    stored: Mapping[str, Any] | None = None,
    hints: Mapping[str, Iterable[tuple[str, str]]] | None = None,
) -> dict[str, forms.Field]:
    """Form fields named `prefix__member`; `hints` are suggestions by member."""
    return from_schema.form_fields(members, STYLE, prefix, stored, hints)


def form_fields(
    prefix: str,
    shape: Shape,
    stored: Mapping[str, Any] | None = None,
    hints: Mapping[str, Iterable[tuple[str, str]]] | None = None,
) -> dict[str, forms.Field]:
    """The form fields of every member; see `fields_for`."""
    return fields_for(prefix, members_of(shape), stored, hints)


def collected(prefix: str, shape: Shape, cleaned: Mapping[str, Any]) -> dict[str, Any]:
    """The form's data as the model takes them: of the chosen variant, without optional members that are blank."""
    return from_schema.collected(described(shape), STYLE, cleaned, prefix)


def field_of(issue: Issue, names: Iterable[str], aliases: Mapping[str, str]) -> str | None:
    """The form field that an issue is about; None if it is about the whole form."""
    return from_schema.field_of(issue, names, aliases, JOINT)
