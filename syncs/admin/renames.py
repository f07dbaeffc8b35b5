"""Change forms of what has a name in addresses: a rename that concerns keys or references asks for the name again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget

from config.errors import BadRequest
from config.ui.base import ServiceAdmin
from syncs.planning.impact import Impact


class Unconfirmed(BadRequest):
    """A rename that was not confirmed; the form then has a field for it."""

    def __init__(self, found: Impact, name: str) -> None:
        lines = [*map(str, found.syncs), *map(str, found.references)]
        shown, more = lines[:20], len(lines) - 20
        rest = _(" and %(n)d more") % {"n": more} if more > 0 else ""
        super().__init__(
            _("Nothing was changed yet. The new name concerns: %(lines)s%(rest)s. Type %(name)s below to confirm it.")
            % {"lines": "; ".join(shown), "rest": rest, "name": name}
        )


class ConfirmsRenames(ServiceAdmin):
    """`change` calls `confirm` before the service."""

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is not None and _asks(request):
            field = forms.CharField(
                required=False, label=gettext_lazy("Confirm the new name"), widget=UnfoldAdminTextInputWidget()
            )
            kwargs["form"] = type("ConfirmedForm", (kwargs.get("form", self.form),), {"confirmation": field})
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = tuple(super().get_fields(request, obj))
        return (*fields, "confirmation") if obj and _asks(request) and "confirmation" not in fields else fields

    def confirm(self, form: Any, found: Impact, name: str) -> None:
        """Raises Unconfirmed if the rename concerns keys or references, and its name was not typed again."""
        if found.matters and form.cleaned_data.get("confirmation", "").strip() != name:
            raise Unconfirmed(found, name)


def _asks(request: HttpRequest) -> bool:
    return "confirmation" in request.POST or isinstance(getattr(request, "_keyferry_error", None), Unconfirmed)
