"""Django form fields from a JSON schema (`config.schemas.json_schema.described`), for the admin and the browsable API.

A form field is named `prefix`, joint, member; of an object within the object joint and member follow again. No field
is required by the form unless the style says so: the model reports missing members.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django import forms

from config.errors import BadRequest, Issue
from config.schemas.json_schema import JsonSchema, alternatives, example_of


@dataclass(frozen=True)
class Member:
    """One member of an object: `schema` describes it."""

    name: str
    schema: JsonSchema
    required: bool

    @property
    def label(self) -> str:
        return str(self.schema.get("title") or words_of(self.name.rpartition(".")[2]))

    @property
    def help(self) -> str:
        return str(self.schema.get("description", ""))

    @property
    def choices(self) -> list[Any]:
        """Its possible values; [] if it is open."""
        return [value for value in self.schema.get("enum", ()) if value is not None]

    @property
    def kind(self) -> str:
        return str(self.schema.get("type", ""))

    @property
    def is_object(self) -> bool:
        """Whether it is an object, whose members become the form fields."""
        return "properties" in self.schema or bool(alternatives(self.schema))

    @property
    def is_secret(self) -> bool:
        return bool(self.schema.get("writeOnly"))

    @property
    def only(self) -> Any:
        """Its only possible value, for which no form field is needed; None if there are several."""
        return self.choices[0] if len(self.choices) == 1 and (self.required or self.kind == "boolean") else None


@dataclass(frozen=True)
class Style:
    """How form fields look: a widget for each kind of member, and the sign between the parts of a name."""

    joint: str
    widgets: Mapping[str, Any]
    list_separator: str = ", "
    requires: bool = False  # whether the form itself refuses a required member that is blank
    plain: bool = False  # for people who write programs: wire names as labels, choices as they are, objects as JSON
    flag_choices: Sequence[tuple[str, str]] = field(default=())  # instead of a switch: left out, true, false


def discriminator_of(schema: JsonSchema) -> str:
    """The member that distinguishes variants; "" for an object."""
    if "discriminator" in schema:
        return str(schema["discriminator"]["propertyName"])
    variants = alternatives(schema)
    names = list(variants[0]["properties"]) if variants else []
    return next(
        (name for name in names if all(len(each["properties"][name].get("enum", ())) == 1 for each in variants)), ""
    )


def variants_of(schema: JsonSchema) -> dict[str, JsonSchema]:
    """The objects of a union by the text of their discriminator; {"": schema} of an object."""
    name = discriminator_of(schema)
    return {each["properties"][name]["enum"][0]: each for each in alternatives(schema)} if name else {"": schema}


def members_of(schema: JsonSchema) -> list[Member]:
    """The members of a form: for several variants the discriminator, then the members of all variants."""
    if "allOf" in schema:
        return [each for part in schema["allOf"] for each in members_of(part)]
    kind = discriminator_of(schema)
    found: dict[str, Member] = {}
    for variant in variants_of(schema).values():
        required = variant.get("required", ())
        for name, each in variant["properties"].items():
            found.setdefault(name, Member(name, each, name in required))
    if kind:
        described = {**found[kind].schema, "enum": list(variants_of(schema))}
        found = {kind: Member(kind, described, required=True), **{k: v for k, v in found.items() if k != kind}}
    shown = [each for each in found.values() if each.choices != [""]]  # not of names kept for compatibility
    return sorted(shown, key=lambda each: "x-last" in each.schema)


def of_variant(schema: JsonSchema, typed: Mapping[str, Any]) -> list[Member]:
    """The members of a form for the values `typed` so far: those of the first variant until one is chosen."""
    kind = discriminator_of(schema)
    if not kind:
        return members_of(schema)
    variants = variants_of(schema)
    chosen = variants.get(str(typed.get(kind) or "")) or next(iter(variants.values()))
    return [members_of(schema)[0], *(each for each in members_of(chosen) if each.name != kind)]


def words_of(name: str) -> str:
    """A wire name or choice for people: `disableSecretDeletion` is "Disable secret deletion"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("-", " ").replace("_", " ").lower().capitalize()


def flat(members: Iterable[Member], joint: str = ".") -> Iterator[Member]:
    """The same members, with objects replaced by their own members, whose names begin with the object's."""
    for each in members:
        if each.is_object:
            inner = [
                Member(f"{each.name}{joint}{one.name}", one.schema, one.required and each.required)
                for one in members_of(each.schema)
            ]
            yield from flat(inner, joint)
        else:
            yield each


def form_fields(
    members: Iterable[Member],
    style: Style,
    prefix: str = "",
    held: Mapping[str, Any] | None = None,
    hints: Mapping[str, Iterable[tuple[str, str]]] | None = None,
) -> dict[str, forms.Field]:
    """Form fields by name. `held`: what is stored, if anything; `hints`: values to suggest, by member."""
    found = {}
    for each in flat(members, style.joint):
        if each.kind == "boolean" and each.choices:
            continue  # nothing to choose
        default = each.schema.get("default")
        initial = default if held is None else _at(held, each.name.split(style.joint))
        made = _form_field(each, style, initial, held is not None, list((hints or {}).get(each.name, ())))
        found[f"{prefix}{style.joint}{each.name}" if prefix else each.name] = made
    return found


def _at(held: Any, path: Sequence[str]) -> Any:
    for part in path:
        held = held.get(part) if isinstance(held, Mapping) else None
    return held


def _form_field(
    member: Member, style: Style, initial: Any, exists: bool, hints: Sequence[tuple[str, str]]
) -> forms.Field:
    common: dict[str, Any] = {
        "label": member.name if style.plain else member.label,
        "help_text": member.help,
        "required": style.requires and member.required,
        "initial": initial,
    }
    widgets = style.widgets
    if member.kind == "boolean":
        if style.flag_choices:
            widget = widgets["choice"]()
            return forms.ChoiceField(**{**common, "required": False}, choices=style.flag_choices, widget=widget)
        return forms.BooleanField(**common, widget=widgets["flag"]())
    if member.kind == "integer":
        return forms.IntegerField(**common, widget=widgets["whole"]())
    if member.kind == "array":
        return _list_field(member, style, common)
    if member.is_secret or member.schema.get("x-verbatim"):
        common["initial"] = None  # never shown again: it may be a value or a credential
        if member.is_secret and exists and not style.plain:
            common["help_text"] = f"{member.help} Blank keeps what is stored.".strip()
        kind = "secret_lines" if member.schema.get("x-multiline") or member.schema.get("x-verbatim") else "secret"
        return forms.CharField(**common, widget=widgets[kind](), strip=False)
    if member.schema.get("x-multiline"):
        return forms.CharField(**common, widget=widgets["lines"](), strip=False)
    if member.choices:
        blank = [("", "-")] if style.requires and len(member.choices) > 1 else []
        words = str if style.plain else words_of
        choices = [*blank, *((str(choice), words(str(choice))) for choice in member.choices)]
        return forms.ChoiceField(**common, choices=choices, widget=widgets["choice"]())
    if member.kind != "string":  # any JSON value
        return _json_field(member, style, common)
    if hints:
        return forms.CharField(**common, widget=widgets["suggesting"](hints))
    return forms.CharField(**common, widget=widgets["text"]())


def _json_field(member: Member, style: Style, common: dict[str, Any]) -> forms.Field:
    example = json.dumps(example_of(member.schema), indent=2)
    common |= {"initial": None, "help_text": f"{member.help} JSON, such as {example}".strip()}
    return forms.CharField(**common, widget=style.widgets["lines"]())


def _list_field(member: Member, style: Style, common: dict[str, Any]) -> forms.Field:
    """Texts and numbers with the style's separator between, each object on a line of its own."""
    held = common["initial"] or ()
    item = member.schema["items"]
    if "properties" in item and style.plain:
        return _json_field(member, style, common)
    if "properties" in item:
        names = list(item["properties"])
        common["help_text"] = f"{member.help} One per line, as {'='.join(names)}.".strip()
        common["initial"] = "\n".join("=".join(str(each.get(name, "")) for name in names) for each in held)
        return forms.CharField(**common, widget=style.widgets["lines"]())
    lines = style.list_separator == "\n"
    if lines:
        common["help_text"] = f"{member.help} One per line.".strip()
    common["initial"] = style.list_separator.join(map(str, held))
    return forms.CharField(**common, widget=style.widgets["lines" if lines else "text"]())


def collected(schema: JsonSchema, style: Style, cleaned: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The values of the form as data of the model: those of the chosen variant, without blank optional members.

    Raises BadRequest for text that should be JSON and is not.
    """
    if "allOf" in schema:
        return {k: v for part in schema["allOf"] for k, v in collected(part, style, cleaned, prefix).items()}
    kind = discriminator_of(schema)
    start = f"{prefix}{style.joint}" if prefix else ""
    chosen = str(cleaned.get(f"{start}{kind}") or "")
    members = members_of(variants_of(schema).get(chosen, schema)) if kind else members_of(schema)
    found: dict[str, Any] = {}
    for each in members:
        name = f"{start}{each.name}"
        if each.is_object:
            inner = collected(each.schema, style, cleaned, name)
            if each.required or any(value != "" for value in inner.values()):
                found[each.name] = inner
            continue
        value = typed(each, style, cleaned.get(name))
        if value not in (None, "") or (value == "" and each.required and each.kind == "string"):
            found[each.name] = value
    return found


def typed(member: Member, style: Style, value: Any) -> Any:
    """The value of a form field as the member's type; a value of another type is left for the model to report."""
    if not isinstance(value, str) or (not value and style.plain):
        return value
    is_json = style.plain and "properties" in member.schema.get("items", {})
    if value and (is_json or member.kind not in ("string", "boolean", "integer", "array")):
        return _from_json(member, value)
    if member.kind == "array":
        return _listed(member, style, value)
    if member.kind == "boolean":
        return {"true": True, "false": False}.get(value, value)
    if member.kind == "integer":
        return int(value) if _is_number(value.lstrip("-")) else value
    return value


def _from_json(member: Member, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise BadRequest(f"{member.name} is not valid JSON") from None


def _listed(member: Member, style: Style, text: str) -> list[Any]:
    item = member.schema["items"]
    if "properties" in item:
        names = list(item["properties"])
        whole = {name for name in names if item["properties"][name].get("type") == "integer"}
        lines = (line for line in text.splitlines() if line.strip())
        found = [dict(zip(names, map(str.strip, line.split("=", len(names) - 1)), strict=False)) for line in lines]
        return [{n: int(v) if n in whole and _is_number(v) else v for n, v in each.items()} for each in found]
    parts = (part.strip() for part in re.split(r"\n" if style.list_separator == "\n" else ",", text))
    numbers = item.get("type") == "integer"
    return [int(part) if numbers and _is_number(part) else part for part in parts if part]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


def field_of(issue: Issue, names: Iterable[str], aliases: Mapping[str, str], joint: str) -> str | None:
    """The form field of an issue; None if the issue is about the form as a whole."""
    path = [str(part) for part in issue["path"]]
    known = set(names)
    for length in range(len(path), 0, -1):
        candidate = joint.join(path[:length])
        found = aliases.get(candidate, candidate)
        if found in known:
            return found
    return None
