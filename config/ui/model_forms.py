"""Form fields of the admin from shapes: what is declared once needs no form of its own."""

from __future__ import annotations

import re
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
from config.schemas import unions
from config.schemas.form_fields import Member
from config.schemas.json_schema import described
from config.schemas.schema import Field, Flag, Objects, OneOf, Schema, Text, Texts, Whole

JOINT = "__"


def members_of(shape: unions.Shape) -> list[Member]:
    """The members to ask for; of several variants those of all."""
    return from_schema.members_of(described(shape))


def members_of_variant(shape: unions.Shape, typed: Mapping[str, Any]) -> list[Member]:
    """The members to ask for, given what is `typed` so far: the first variant's until one is chosen."""
    return from_schema.of_variant(described(shape), typed)


def fields_for(
    prefix: str,
    members: Iterable[Member],
    held: Mapping[str, Any] | None = None,
    hints: Mapping[str, Iterable[tuple[str, str]]] | None = None,
) -> dict[str, forms.Field]:
    """Form fields named `prefix__member`."""
    return from_schema.form_fields(members, STYLE, prefix, held, hints)


def fields_of(shape: Schema | OneOf) -> list[Field]:
    """The members to ask for: of several variants the discriminator, then every member that any of them has."""
    if isinstance(shape, Schema):
        return list(shape.fields)
    known: dict[str, Field] = {
        shape.discriminator: Text(
            shape.discriminator, shape.discriminator.capitalize(), choices=tuple(shape.variants), required=True
        )
    }
    for variant in shape.variants.values():
        for field in variant.fields:
            known.setdefault(field.name, field)
    return list(known.values())


def of_variant(shape: Schema | OneOf, typed: Mapping[str, Any]) -> Schema:
    """The members to ask for, given what is `typed` so far: the first variant's until one is chosen."""
    if isinstance(shape, Schema):
        return shape
    names = tuple(shape.variants)
    chosen = str(typed.get(shape.discriminator) or "")
    variant = shape.variants.get(chosen) or shape.variants[names[0]]
    label = shape.discriminator.capitalize()
    others = [field for field in variant.fields if field.name != shape.discriminator]
    return Schema((Text(shape.discriminator, label, choices=names), *others))


def settled(field: Field) -> str | None:
    """The only text that a member can be, so that nobody need be asked; None where there is a choice."""
    if not isinstance(field, Text) or not field.required:
        return None
    return field.choices[0] if len(field.choices) == 1 else field.literal


def words_of(name: str) -> str:
    """A wire name or choice for people: `disableSecretDeletion` is "Disable secret deletion"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("-", " ").replace("_", " ").lower().capitalize()


def form_fields(
    prefix: str,
    shape: Schema | OneOf | unions.Shape,
    held: Mapping[str, Any] | None = None,
    hints: Mapping[str, Iterable[tuple[str, str]]] | None = None,
) -> dict[str, forms.Field]:
    """Form fields named `prefix__member`. None is required here: the schema says what is missing, in its own words."""
    if not isinstance(shape, Schema | OneOf):
        return fields_for(prefix, members_of(shape), held, hints)
    made = {}
    for field in fields_of(shape):
        initial = getattr(field, "default", None) if held is None else held.get(field.name)
        made[f"{prefix}{JOINT}{field.name}"] = _form_field(
            field, initial, held is not None, (hints or {}).get(field.name)
        )
    return made


def _form_field(field: Field, initial: Any, exists: bool, hints: Iterable[tuple[str, str]] | None) -> forms.Field:
    label = str(getattr(field, "label", "") or words_of(field.name))
    said = str(getattr(field, "help", ""))
    common: dict[str, Any] = {"label": label, "help_text": said, "required": False, "initial": initial}
    if isinstance(field, Flag):
        return forms.BooleanField(**common, widget=UnfoldBooleanSwitchWidget())
    if isinstance(field, Whole):
        return forms.IntegerField(**common, widget=UnfoldAdminIntegerFieldWidget())
    if isinstance(field, Texts):
        common["initial"] = ", ".join(map(str, initial or ()))
        return forms.CharField(**common, widget=UnfoldAdminTextInputWidget())
    if isinstance(field, Objects):
        names = [each.name for each in field.schema.fields]
        common["help_text"] = f"{said} One a line, as {'='.join(names)}."
        common["initial"] = "\n".join("=".join(str(each.get(name, "")) for name in names) for each in initial or ())
        return forms.CharField(**common, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}))
    if isinstance(field, Text) and field.secret:
        common["help_text"] = f"{said} Blank keeps what is stored." if exists else said
        common["initial"] = None
        once = {"autocomplete": "new-password"}
        hidden = UnfoldAdminPasswordWidget(attrs=once, render_value=False)
        return forms.CharField(**common, widget=SecretLines(attrs=once) if field.multiline else hidden, strip=False)
    if isinstance(field, Text) and field.multiline:
        return forms.CharField(**common, widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}), strip=False)
    if isinstance(field, Text) and field.choices:
        choices = [(choice, words_of(choice)) for choice in field.choices]
        return forms.ChoiceField(**common, choices=choices, widget=UnfoldAdminSelectWidget())
    if hints:
        return forms.CharField(**common, widget=SuggestingInput(list(hints)))
    return forms.CharField(**common, widget=UnfoldAdminTextInputWidget())


class SecretLines(UnfoldAdminTextareaWidget):  # type: ignore[misc]
    """A secret of several lines, such as a private key, which a password input would put on one. Never shown again."""

    def __init__(self, attrs: dict[str, Any]) -> None:
        super().__init__(attrs={"rows": 4, "spellcheck": "false", **attrs})

    def format_value(self, value: Any) -> str:
        return ""


WRITE_ONLY = (forms.PasswordInput, SecretLines)
"""Widgets whose text is never kept outside of the sealed credentials, and never shown."""


class ListedChoices(forms.CheckboxSelectMultiple):
    """Several of what is offered, as the text with commas that a list of texts is in a form."""

    def format_value(self, value: Any) -> list[str]:
        return [part.strip() for part in str(value or "").split(",") if part.strip()]

    def value_from_datadict(self, data: Any, files: Any, name: str) -> str:
        chosen = data.getlist(name) if hasattr(data, "getlist") else [data.get(name) or ""]
        return ", ".join(filter(None, chosen))


class SuggestingInput(UnfoldAdminTextInputWidget):  # type: ignore[misc]
    """A text input with a list of what it may be; anything else can be typed too."""

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
"""The admin's form fields. None is required: the model reports what is missing, in its own words."""


def collected(prefix: str, shape: Schema | OneOf | unions.Shape, cleaned: Mapping[str, Any]) -> dict[str, Any]:
    """What the form holds, as the schema validates it: of the chosen variant, without what may be and is left blank."""
    if not isinstance(shape, Schema | OneOf):
        return from_schema.collected(described(shape), STYLE, cleaned, prefix)
    given = {field.name: cleaned.get(f"{prefix}{JOINT}{field.name}") for field in fields_of(shape)}
    if isinstance(shape, OneOf):
        variant = shape.variants.get(str(given.get(shape.discriminator)))
        if variant:
            given = {field.name: given[field.name] for field in variant.fields}
    for field in fields_of(shape):
        if isinstance(field, Texts) and field.name in given:
            text = given[field.name] or ""
            parts = [part.strip() for part in text.split(",") if part.strip()]
            given[field.name] = [int(part) if _is_number(field, part) else part for part in parts]
        if isinstance(field, Objects) and field.name in given:
            names = [each.name for each in field.schema.fields]
            lines = (line for line in (given[field.name] or "").splitlines() if line.strip())
            given[field.name] = [dict(zip(names, line.split("=", len(names) - 1), strict=False)) for line in lines]
    needed = {field.name for field in fields_of(shape) if field.required}
    return {name: value for name, value in given.items() if value not in (None, "") or (value == "" and name in needed)}


def _is_number(field: Texts, part: str) -> bool:
    return isinstance(field.item, Whole) and part.isascii() and part.isdecimal() and len(part) < 19


def place_of(issue: Issue, names: Iterable[str], aliases: Mapping[str, str]) -> str | None:
    """The form field that an issue is about; None where it is about the whole form."""
    path = [str(part) for part in issue["path"]]
    known = set(names)
    for candidate in (JOINT.join(path[:2]), path[0] if path else ""):
        found = aliases.get(candidate, candidate)
        if found in known:
            return found
    return None
