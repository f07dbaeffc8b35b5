"""The target step: pickers with choices from the vendor, each loaded when the members before it are chosen; or text
inputs, if the vendor has no list or is unavailable."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget

from config.errors import BadRequest
from config.schemas.form_fields import Member
from config.schemas.unions import OneOf
from config.ui.model_forms import JOINT, ListedChoices, SuggestingInput, collected, fields_for, members_of_variant
from connections import services
from connections.models import AppConnection
from connections.provider import Choice
from connections.selectors import connection_by_id

from .step import Step, StepForm, as_segments, completed, open_members, prefixed

CONFIG = "destinationConfig"
LONG = 60  # choices; longer lists become a text input with suggestions


class TargetStep(Step):
    slug = "target"
    title = gettext_lazy("Target")
    lead = gettext_lazy("The target of the sync. Lists are loaded from the service.")
    unavailable = ""  # why the vendor cannot list choices

    @cached_property
    def members(self) -> list[Member]:
        """The members of the variant that is chosen so far."""
        typed = {name.removeprefix(f"{CONFIG}{JOINT}"): value for name, value in self.values.items()}
        return members_of_variant(self.destination.Config, typed)

    @cached_property
    def connection(self) -> AppConnection:
        return connection_by_id(self.actor, self.result_of("connection")["connectionId"])

    def is_live(self) -> bool:
        return super().is_live() or "by_hand" in self.request.POST or "by_list" in self.request.POST

    @cached_property
    def by_hand(self) -> set[str]:
        """The members that the person chose to type; a hidden input of the page stores them."""
        names = set(filter(None, self.values.get("typed", "").split(",")))
        names |= {self.values["by_hand"]} if "by_hand" in self.values else set()
        return names - {self.values.get("by_list", "")}

    @cached_property
    def preset(self) -> dict[str, str]:
        """Values chosen automatically because there is only one choice."""
        return {}

    @cached_property
    def offers(self) -> dict[str, list[Choice] | None]:
        """Choices of the vendor by member; None if an earlier member must be chosen first; absent if there is no list.

        Requested in the order of the schema, until the vendor fails to respond.
        """
        found: dict[str, list[Choice] | None] = {}
        chosen: dict[str, str] = {}
        skipped = self._unchanged_members()
        for field in open_members(self.members):
            name = prefixed(CONFIG, field)
            if not _is_list(field) and not _is_open(field):
                continue
            value = self.values.get(name, "")
            if field.name not in skipped and not self.unavailable:
                try:
                    offered = services.choices(self.actor, self.connection, field.name, chosen)
                except services.ChooseFirst:
                    found[field.name] = None
                    offered = []
                except BadRequest as error:
                    self.unavailable = str(error)
                    offered = []
                if offered:
                    found[field.name] = offered
                    if self.may_preset and self._is_only_choice(field, offered) and not value:
                        value = self.preset[name] = offered[0].value
            if value:
                chosen[field.name] = value
        return found

    @property
    def may_preset(self) -> bool:
        """Whether an only choice is selected automatically: when the page is shown, never in submitted data."""
        return self.request.method != "POST" or self.is_live()

    def _is_only_choice(self, field: Member, offered: list[Choice]) -> bool:
        single = not _is_list(field) and len(offered) == 1
        return single and field.required and field.name not in self.by_hand

    def _unchanged_members(self) -> set[str]:
        """The members up to the one that was just changed, which the page does not replace."""
        names = [field.name for field in open_members(self.members)]
        changed = self.request.headers.get("HX-Trigger-Name", "").removeprefix(f"{CONFIG}{JOINT}")
        return set(names[: names.index(changed) + 1]) if super().is_live() and changed in names else set()

    def fields(self) -> dict[str, forms.Field]:
        members = open_members(self.members)
        offers = self.offers
        found = fields_for(CONFIG, members)
        as_segments(found, {prefixed(CONFIG, member) for member in members if member.choices})
        for name, offered in offers.items():
            field = found[prefixed(CONFIG, name)]
            if offered is None:
                field.widget = UnfoldAdminSelectWidget(choices=[("", _("Choose the field above first"))])
                field.widget.attrs["disabled"] = True
            elif name not in self.by_hand and name in self.lists:
                field.widget = ListedChoices(choices=self._options(name, offered))
            elif name not in self.by_hand and len(offered) > LONG:
                field.widget = SuggestingInput([(each.value, each.label) for each in offered])
            elif name not in self.by_hand:
                field.widget = UnfoldAdminSelectWidget(choices=self._options(name, offered))
        for name, value in self.preset.items():
            found[name].initial = value
        if self.values:  # without input, fields keep their initial values
            self.values.update(self.preset)
        return found

    @cached_property
    def lists(self) -> set[str]:
        """The members with several values."""
        return {field.name for field in self.members if _is_list(field)}

    def _options(self, name: str, offered: list[Choice]) -> list[tuple[str, str]]:
        """The choices of a select, including current values that the vendor does not list."""
        current = self.values.get(prefixed(CONFIG, name), "")
        values = [part.strip() for part in current.split(",")] if name in self.lists else [current]
        listed = [
            (each.value, each.label if each.label == each.value else f"{each.label} ({each.value})") for each in offered
        ]
        unlisted = [value for value in values if value and value not in dict(listed)]
        typed = [(value, _("%(value)s (not in the list)") % {"value": value}) for value in unlisted]
        return [*typed, *listed] if name in self.lists else [("", _("Choose...")), *typed, *listed]

    def context(self) -> dict[str, Any]:
        form = self.form
        names = list(form.fields)
        members = []
        for position, name in enumerate(names):
            plain = name.removeprefix(f"{CONFIG}{JOINT}")
            widget = form.fields[name].widget
            members.append(
                {
                    "bound": form[name],
                    "name": plain,
                    "next": names[position + 1].removeprefix(f"{CONFIG}{JOINT}")
                    if self._affects_later(plain, names[position + 1 :])
                    else "",
                    "offered": bool(self.offers.get(plain)) and not isinstance(widget, SuggestingInput),
                    "by_hand": plain in self.by_hand,
                    "segments": isinstance(widget, forms.RadioSelect),
                    "switch": isinstance(widget, forms.CheckboxInput),
                    "several": isinstance(widget, ListedChoices),
                }
            )
        return {
            "form": form,
            "members": members,
            "unavailable": self.unavailable,
            "typed": ",".join(sorted(self.by_hand)),
        }

    def _affects_later(self, name: str, later: list[str]) -> bool:
        """Whether later members depend on this one. If the service is unavailable, only the variant matters."""
        kind = self.destination.Config.discriminator if isinstance(self.destination.Config, OneOf) else ""
        return bool(later) and (not self.unavailable or name == kind)

    def typed(self) -> dict[str, str]:
        secrets = {prefixed(CONFIG, field) for field in self.members if field.is_secret}
        return {name: value for name, value in self.values.items() if name not in {*secrets, "by_hand", "by_list"}}

    def cleaned(self) -> dict[str, Any]:
        """Without loading choices from the vendor, which is only needed to show the page again."""
        form_class: Any = type("Form", (StepForm,), fields_for(CONFIG, open_members(self.members)))
        form = form_class(data=self.values)
        return form.cleaned_data if form.is_valid() else super().cleaned()

    def submit(self) -> dict[str, Any]:
        config = completed(self.members, collected(CONFIG, self.destination.Config, self.cleaned()))
        self.destination.Config.parse(config, (CONFIG,))
        return config


def _is_open(field: Member) -> bool:
    """Whether the vendor may be able to list the values."""
    return field.kind == "string" and not (field.choices or field.is_secret or "x-multiline" in field.schema)


def _is_list(field: Member) -> bool:
    """Whether it is a list of texts or numbers."""
    return field.kind == "array" and "properties" not in field.schema["items"]
