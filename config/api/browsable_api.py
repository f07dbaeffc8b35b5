"""The API in a browser: each endpoint's answer, with forms made from the schemas that describe its requests."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from django import forms
from django.http import QueryDict
from rest_framework.parsers import FormParser as DRFFormParser
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.request import Request

from config.api.operations import operation_of, shape_of
from config.errors import BadRequest
from config.schemas import form_fields, unions
from config.schemas.examples import example_of
from config.schemas.json_schema import described
from config.schemas.schema import AllOf, Field, Flag, Nested, OneOf, Schema, Text, Texts, Whole

JOINT = "."
CSRF = "csrfmiddlewaretoken"
VERBS = {"GET": "Ask", "POST": "Send", "PUT": "Send", "PATCH": "Change", "DELETE": "Delete"}

Shape = Schema | OneOf | AllOf

_CSS = {"class": "form-control"}
_ONCE = {"autocomplete": "off", "spellcheck": "false"}


def _secret() -> forms.Textarea:
    """Never filled in again: what was sent may be a value or a credential."""
    return forms.Textarea(attrs={**_CSS, **_ONCE, "rows": 3})


STYLE = form_fields.Style(
    joint=JOINT,
    widgets={
        "choice": lambda: forms.Select(attrs=_CSS),
        "whole": lambda: forms.NumberInput(attrs=_CSS),
        "text": lambda: forms.TextInput(attrs=_CSS),
        "lines": lambda: forms.Textarea(attrs={**_CSS, "rows": 4}),
        "secret": _secret,
        "secret_lines": _secret,
    },
    list_separator="\n",
    requires=True,
    plain=True,
    flag_choices=(("", "-"), ("true", "true"), ("false", "false")),
)


class BrowsableAPI(BrowsableAPIRenderer):
    """DRF's pages; its own forms know nothing of our schemas, so ours stand in their place."""

    template = "rest_framework/keyferry.html"

    def get_context(self, data: Any, accepted_media_type: str | None, renderer_context: Mapping[str, Any]) -> Any:
        context = super().get_context(data, accepted_media_type, renderer_context)
        view, request = renderer_context["view"], renderer_context["request"]
        context["schema_forms"] = list(_forms(view, request))
        context["display_edit_forms"] = False
        context["put_form"] = context["post_form"] = context["delete_form"] = context["options_form"] = None
        return context

    def get_rendered_html_form(self, *args: Any) -> None:
        return None

    def get_raw_data_form(self, *args: Any) -> None:
        return None

    def get_filter_form(self, *args: Any) -> None:
        return None


def declared_by(view: Any, handler: Any) -> tuple[Any, Any, str]:
    """Body, query and summary of a method of the view."""
    if operation := operation_of(handler):
        summary = operation.summary.format(**view.terms)
        return shape_of(view, operation.body), shape_of(view, operation.query), summary
    body, query = getattr(handler, "body_schema", None), getattr(handler, "query_schema", None)
    return body, query, getattr(handler, "summary", "")


def _forms(view: Any, request: Request) -> Iterator[dict[str, Any]]:
    for method in view.allowed_methods:
        handler = getattr(view, method.lower(), None)
        if method not in VERBS or handler is None:
            continue
        body, query, summary = declared_by(view, handler)
        if method == "GET" and query is None:
            continue
        shape = query if method == "GET" else body
        given = request.query_params if method == "GET" else request.data if request.method == method else None
        form = _form(shape, given if isinstance(given, Mapping) else {}, method) if shape else forms.Form()
        yield {
            "method": method,
            "verb": VERBS[method],
            "form": form,
            "summary": summary,
            "is_danger": method == "DELETE",
        }


def _members(shape: Shape, prefix: str = "") -> Iterator[tuple[str, Field]]:
    """Every member with its name in a form; those of an object within the object have its name before theirs."""
    if isinstance(shape, AllOf):
        for part in shape.parts:
            yield from _members(part, prefix)
        return
    fields: dict[str, Field] = {}
    if isinstance(shape, OneOf):
        choices = tuple(shape.variants)
        fields[shape.discriminator] = Text(shape.discriminator, shape.discriminator, choices=choices)
        for variant in shape.variants.values():
            for field in variant.fields:
                fields.setdefault(field.name, field)
    else:
        fields = {field.name: field for field in shape.fields}
    for name, field in fields.items():
        if isinstance(field, Nested):
            yield from _members(field.schema, f"{prefix}{name}{JOINT}")
        else:
            yield f"{prefix}{name}", field


def _form(shape: Shape | unions.Shape, given: Mapping[str, Any], method: str) -> forms.Form:
    made = forms.Form(auto_id=f"{method.lower()}_%s")
    if not isinstance(shape, Schema | OneOf | AllOf):
        made.fields |= form_fields.form_fields(form_fields.members_of(described(shape)), STYLE, held=given)
        return made
    for name, field in _members(shape):
        if isinstance(field, Flag) and field.only is not None:
            continue  # nothing to choose
        initial = _at(given, name)
        said = str(getattr(field, "help", ""))
        common: dict[str, Any] = {"label": name, "required": field.required, "help_text": said, "initial": initial}
        made.fields[name] = _form_field(field, common)
    return made


def _at(given: Mapping[str, Any], name: str) -> Any:
    found: Any = given
    for part in name.split(JOINT):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _form_field(field: Field, common: dict[str, Any]) -> forms.Field:
    css = {"class": "form-control"}
    if isinstance(field, Flag):
        choices = [("", "-"), ("true", "true"), ("false", "false")]
        return forms.ChoiceField(**{**common, "required": False}, choices=choices, widget=forms.Select(attrs=css))
    if isinstance(field, Whole):
        return forms.IntegerField(**common, widget=forms.NumberInput(attrs=css))
    if isinstance(field, Text) and field.choices:
        choices = [("", "-"), *((choice, choice) for choice in field.choices)]
        return forms.ChoiceField(**common, choices=choices, widget=forms.Select(attrs=css))
    if isinstance(field, Text) and field.literal is not None:
        return forms.CharField(**{**common, "initial": field.literal}, widget=forms.TextInput(attrs=css))
    if isinstance(field, Text) and (field.secret or field.verbatim):
        # Never filled in again: what was sent may be a value or a credential.
        area = {**css, "rows": 3, "autocomplete": "off", "spellcheck": "false"}
        return forms.CharField(**{**common, "initial": None}, strip=False, widget=forms.Textarea(attrs=area))
    if isinstance(field, Texts):
        common["help_text"] = f"{common['help_text']} One a line.".strip()
        common["initial"] = "\n".join(map(str, common["initial"] or ()))
        return forms.CharField(**common, widget=forms.Textarea(attrs={**css, "rows": 2}))
    if field.json_schema().get("type") == "string":
        return forms.CharField(**common, widget=forms.TextInput(attrs=css))
    example = json.dumps(example_of(field.json_schema(), field.name), indent=2)
    common["help_text"] = f"{common['help_text']} JSON, such as {example}".strip()
    return forms.CharField(**{**common, "initial": None}, widget=forms.Textarea(attrs={**css, "rows": 4}))


class FormParser(DRFFormParser):
    """A form of these pages, as the JSON that it stands for. What is left blank and need not be there is left out."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        assert parser_context
        data: QueryDict = super().parse(stream, media_type, parser_context)
        view, request = parser_context["view"], parser_context["request"]
        handler = getattr(view, str(request.method).lower(), None)
        shape, _, _ = declared_by(view, handler)
        # DRF looks for the token where the data is; `View.body` takes it out again.
        found: dict[str, Any] = {CSRF: data[CSRF]} if CSRF in data else {}
        if shape is None:
            return found
        if not isinstance(shape, Schema | OneOf | AllOf):
            texts = {name: str(value).replace("\r\n", "\n") for name, value in data.items()}
            return {**found, **form_fields.collected(described(shape), STYLE, texts)}
        for name, field in _members(shape):
            if name not in data:
                continue
            text = str(data[name]).replace("\r\n", "\n")
            if text == "" and not (field.required and isinstance(field, Text)):
                continue
            _put(found, name, _typed(field, text))
        return found


def _put(found: dict[str, Any], name: str, value: Any) -> None:
    *parents, last = name.split(JOINT)
    for parent in parents:
        found = found.setdefault(parent, {})
    found[last] = value


def _typed(field: Field, text: str) -> Any:
    if isinstance(field, Flag):
        return {"true": True, "false": False}.get(text, text)
    if isinstance(field, Whole):
        return int(text) if text.lstrip("-").isdecimal() else text
    if isinstance(field, Texts):
        return [line.strip() for line in text.split("\n") if line.strip()]
    if field.json_schema().get("type") != "string":
        try:
            return json.loads(text)
        except ValueError:
            raise BadRequest(f"{field.name} is not valid JSON") from None
    return text
