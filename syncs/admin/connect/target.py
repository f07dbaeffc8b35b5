"""Where exactly the secrets go: pickers that ask the vendor, each when what it depends on is chosen; typed text where
the vendor has no list or cannot be reached."""

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
LONG = 60  # choices; more are searched by typing a part of one


class TargetStep(Step):
    slug = "target"
    title = gettext_lazy("Target")
    lead = gettext_lazy("The target of the sync. Lists are loaded from the service.")
    away = ""  # why the vendor offers nothing

    @cached_property
    def members(self) -> list[Member]:
        """Those of the variant that is chosen so far."""
        typed = {name.removeprefix(f"{CONFIG}{JOINT}"): value for name, value in self.values.items()}
        return members_of_variant(self.found.Config, typed)

    @cached_property
    def connection(self) -> AppConnection:
        return connection_by_id(self.actor, self.given("connection")["connectionId"])

    def is_live(self) -> bool:
        return super().is_live() or "by_hand" in self.request.POST or "by_list" in self.request.POST

    @cached_property
    def by_hand(self) -> set[str]:
        """The members that the person would rather type; a hidden input of the page remembers them."""
        held = set(filter(None, self.values.get("typed", "").split(",")))
        held |= {self.values["by_hand"]} if "by_hand" in self.values else set()
        return held - {self.values.get("by_list", "")}

    @cached_property
    def preset(self) -> dict[str, str]:
        """What is chosen by itself, since it is all there is."""
        return {}

    @cached_property
    def offers(self) -> dict[str, list[Choice] | None]:
        """By member: what the vendor offers; None while it waits for another one. Absent: nothing is offered.

        Asked in the order of the schema, and no more once the vendor has failed to answer.
        """
        found: dict[str, list[Choice] | None] = {}
        chosen: dict[str, str] = {}
        skipped = self._shown_already()
        for field in open_members(self.members):
            name = prefixed(CONFIG, field)
            if not _is_list(field) and not _is_open(field):
                continue
            value = self.values.get(name, "")
            if field.name not in skipped and not self.away:
                try:
                    offered = services.choices(self.actor, self.connection, field.name, chosen)
                except services.ChooseFirst:
                    found[field.name] = None
                    offered = []
                except BadRequest as refusal:
                    self.away = str(refusal)
                    offered = []
                if offered:
                    found[field.name] = offered
                    if self.chooses and self._is_clear(field, offered) and not value:
                        value = self.preset[name] = offered[0].value
            if value:
                chosen[field.name] = value
        return found

    @property
    def chooses(self) -> bool:
        """Whether the only thing there is is chosen by itself: on a page to look at, never in what is sent."""
        return self.request.method != "POST" or self.is_live()

    def _is_clear(self, field: Member, offered: list[Choice]) -> bool:
        single = not _is_list(field) and len(offered) == 1
        return single and field.required and field.name not in self.by_hand

    def _shown_already(self) -> set[str]:
        """The members up to the one that was just changed: the page keeps those as they are."""
        names = [field.name for field in open_members(self.members)]
        changed = self.request.headers.get("HX-Trigger-Name", "").removeprefix(f"{CONFIG}{JOINT}")
        return set(names[: names.index(changed) + 1]) if super().is_live() and changed in names else set()

    def fields(self) -> dict[str, forms.Field]:
        asked = open_members(self.members)
        offers = self.offers
        made = fields_for(CONFIG, asked)
        as_segments(made, {prefixed(CONFIG, field) for field in asked if field.choices})
        for name, offered in offers.items():
            field = made[prefixed(CONFIG, name)]
            if offered is None:
                field.widget = UnfoldAdminSelectWidget(choices=[("", _("Choose the one above first"))])
                field.widget.attrs["disabled"] = True
            elif name not in self.by_hand and name in self.lists:
                field.widget = ListedChoices(choices=self._options(name, offered))
            elif name not in self.by_hand and len(offered) > LONG:
                field.widget = SuggestingInput([(each.value, each.label) for each in offered])
            elif name not in self.by_hand:
                field.widget = UnfoldAdminSelectWidget(choices=self._options(name, offered))
        for name, value in self.preset.items():
            made[name].initial = value
        if self.values:  # else nothing is typed yet, and each field begins as it likes
            self.values.update(self.preset)
        return made

    @cached_property
    def lists(self) -> set[str]:
        """The members of which several can be chosen."""
        return {field.name for field in self.members if _is_list(field)}

    def _options(self, name: str, offered: list[Choice]) -> list[tuple[str, str]]:
        """What is chosen already is always among them; of a list it is several."""
        held = self.values.get(prefixed(CONFIG, name), "")
        values = [part.strip() for part in held.split(",")] if name in self.lists else [held]
        known = [
            (each.value, each.label if each.label == each.value else f"{each.label} ({each.value})") for each in offered
        ]
        strange = [value for value in values if value and value not in dict(known)]
        typed = [(value, _("%(value)s (not in the list)") % {"value": value}) for value in strange]
        return [*typed, *known] if name in self.lists else [("", _("Choose...")), *typed, *known]

    def context(self) -> dict[str, Any]:
        form = self.form
        names = list(form.fields)
        shown = []
        for location, name in enumerate(names):
            plain = name.removeprefix(f"{CONFIG}{JOINT}")
            widget = form.fields[name].widget
            shown.append(
                {
                    "bound": form[name],
                    "name": plain,
                    "next": names[location + 1].removeprefix(f"{CONFIG}{JOINT}")
                    if self._leads(plain, names[location + 1 :])
                    else "",
                    "offered": bool(self.offers.get(plain)) and not isinstance(widget, SuggestingInput),
                    "by_hand": plain in self.by_hand,
                    "segments": isinstance(widget, forms.RadioSelect),
                    "switch": isinstance(widget, forms.CheckboxInput),
                    "several": isinstance(widget, ListedChoices),
                }
            )
        return {"form": form, "members": shown, "away": self.away, "typed": ",".join(sorted(self.by_hand))}

    def _leads(self, name: str, later: list[str]) -> bool:
        """Whether a change of the member changes what comes after it: while the service is away, only the variant."""
        kind = self.found.Config.discriminator if isinstance(self.found.Config, OneOf) else ""
        return bool(later) and (not self.away or name == kind)

    def typed(self) -> dict[str, str]:
        secrets = {prefixed(CONFIG, field) for field in self.members if field.is_secret}
        return {name: value for name, value in self.values.items() if name not in {*secrets, "by_hand", "by_list"}}

    def cleaned(self) -> dict[str, Any]:
        """The vendor is not asked what there is only to go on; it is where the page must be shown again."""
        plain: Any = type("Form", (StepForm,), fields_for(CONFIG, open_members(self.members)))
        form = plain(data=self.values)
        return form.cleaned_data if form.is_valid() else super().cleaned()

    def submit(self) -> dict[str, Any]:
        given = completed(self.members, collected(CONFIG, self.found.Config, self.cleaned()))
        self.found.Config.parse(given, (CONFIG,))
        return given


def _is_open(field: Member) -> bool:
    """Whether the vendor may know what the text can be."""
    return field.kind == "string" and not (field.choices or field.is_secret or "x-multiline" in field.schema)


def _is_list(field: Member) -> bool:
    """Whether it is a list of texts or numbers."""
    return field.kind == "array" and "properties" not in field.schema["items"]
