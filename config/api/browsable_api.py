"""The API in a browser: the response of each endpoint, with forms made from the schemas that describe its requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django import forms
from django.http import QueryDict
from rest_framework.parsers import FormParser as DRFFormParser
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.request import Request

from config.api.operations import operation_of, shape_of
from config.schemas import form_fields
from config.schemas.json_schema import described
from config.schemas.unions import Shape

JOINT = "."
CSRF = "csrfmiddlewaretoken"
VERBS = {"GET": "Ask", "POST": "Send", "PUT": "Send", "PATCH": "Change", "DELETE": "Delete"}

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
    """DRF's pages; its own forms know nothing of our schemas, so they are replaced by ours."""

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
    operation = operation_of(handler)
    if operation is None:
        return None, None, ""
    return shape_of(view, operation.body), shape_of(view, operation.query), operation.summary.format(**view.terms)


def _forms(view: Any, request: Request) -> Iterator[dict[str, Any]]:
    for method in view.allowed_methods:
        handler = getattr(view, method.lower(), None)
        if method not in VERBS or handler is None:
            continue
        body, query, summary = declared_by(view, handler)
        if method == "GET" and query is None:
            continue
        shape = query if method == "GET" else body
        sent = request.query_params if method == "GET" else request.data if request.method == method else None
        form = _form(shape, sent if isinstance(sent, Mapping) else {}, method) if shape else forms.Form()
        yield {
            "method": method,
            "verb": VERBS[method],
            "form": form,
            "summary": summary,
            "is_danger": method == "DELETE",
        }


def _form(shape: Shape, values: Mapping[str, Any], method: str) -> forms.Form:
    form = forms.Form(auto_id=f"{method.lower()}_%s")
    form.fields |= form_fields.form_fields(form_fields.members_of(described(shape)), STYLE, held=values)
    return form


class FormParser(DRFFormParser):
    """A form of these pages, as the JSON body that it represents. Blank optional members are left out."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        assert parser_context
        data: QueryDict = super().parse(stream, media_type, parser_context)
        view, request = parser_context["view"], parser_context["request"]
        handler = getattr(view, str(request.method).lower(), None)
        shape, _, _ = declared_by(view, handler)
        # DRF looks for the token where the data is; `View.body` removes it again.
        token: dict[str, Any] = {CSRF: data[CSRF]} if CSRF in data else {}
        if shape is None:
            return token
        texts = {name: str(value).replace("\r\n", "\n") for name, value in data.items()}
        return {**token, **form_fields.collected(described(shape), STYLE, texts)}
