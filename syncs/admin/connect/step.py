"""What the steps of the wizard share. Their forms come from the schemas alone; what they do, services do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest

from config.access.roles import Actor
from config.errors import Invalid, ServiceError
from config.schemas.form_fields import Member
from config.ui.model_forms import JOINT, WRITE_ONLY, place_of
from connections.provider import providers
from connections.selectors import usable_by
from syncs.destination.base import Destination, describe_target, destinations
from syncs.models import SyncDraft
from syncs.planning.opening import destination_class

NOT_TYPED = frozenset({"csrfmiddlewaretoken", "live", "back", "anyway", "pasted"})
"""Names of what is posted and neither kept nor shown again: buttons, and secrets that are stored at once."""


class StepForm(forms.Form):
    """Made anew for each page from what a schema declares; a field's own problems are the schema's to say."""


class Step(ABC):
    """One page. `given` of another step is what was stored when it was passed."""

    slug: ClassVar[str]
    title: ClassVar[Any]
    lead: ClassVar[Any]

    def __init__(self, request: HttpRequest, actor: Actor, draft: SyncDraft) -> None:
        self.request = request
        self.actor = actor
        self.draft = draft
        self.refusals: list[str] = []
        self.tried = False  # whether what is wrong is shown: not before the person has asked to go on

    # -- what was typed ----------------------------------------------------------------------------------------

    @cached_property
    def values(self) -> dict[str, str]:
        """What is in the fields: as posted, else as kept; {} on the first visit."""
        if self.request.method == "POST":
            posted = self.request.POST.lists()
            return {name: ", ".join(map(str, values)) for name, values in posted if name not in NOT_TYPED}
        return dict(self.draft.step(self.slug).typed)

    def is_live(self) -> bool:
        """Whether the page only asks for itself as it would be with what is typed now; nothing is kept."""
        return "live" in self.request.POST

    def typed(self) -> dict[str, str]:
        """What the draft keeps of it: never a credential."""
        secrets = {name for name, field in self.form.fields.items() if isinstance(field.widget, WRITE_ONLY)}
        return {name: value for name, value in self.values.items() if name not in secrets}

    def given(self, step: str) -> dict[str, Any]:
        return dict(self.draft.step(step).given)

    # -- the page ----------------------------------------------------------------------------------------------

    @abstractmethod
    def fields(self) -> dict[str, forms.Field]:
        """The fields of the form, by name."""

    @cached_property
    def form(self) -> StepForm:
        made = type("Form", (StepForm,), self.fields())
        form: StepForm = made(data=self.values) if self.values else made()
        return form

    def cleaned(self) -> dict[str, Any]:
        """What the form holds. Raises Invalid where a number is none."""
        self.tried = True
        if not self.form.is_valid():
            raise Invalid([])
        return self.form.cleaned_data

    def context(self) -> dict[str, Any]:
        return {"form": self.form}

    @abstractmethod
    def submit(self) -> dict[str, Any] | None:
        """What the next steps need to know; None where the page stays. Raises ServiceError."""

    aliases: ClassVar[Mapping[str, str]] = {}

    def refuse(self, refusal: ServiceError) -> None:
        """Each problem at its field; what belongs to none on top."""
        self.tried = True
        if not isinstance(refusal, Invalid):
            self.refusals.append(str(refusal))
            return
        for issue in refusal.issues:
            name = place_of(issue, self.form.fields, self.aliases)
            if name and self.form.is_bound:
                self.form.is_valid()
                self.form.add_error(name, issue["message"])
            else:
                self.refusals.append(str(Invalid([issue])))

    @property
    def found(self) -> type[Destination]:
        return destination_class(self.draft.destination)


def open_members(members: Iterable[Member]) -> list[Member]:
    """The members that somebody must be asked for."""
    return [member for member in members if member.only is None]


def completed(members: Iterable[Member], data: Mapping[str, Any]) -> dict[str, Any]:
    """The data of a form, with the members that have one possible value and without optional lists that are empty."""
    members = list(members)
    fixed = {member.name: member.only for member in members if member.only is not None}
    required = {member.name for member in members if member.required}
    return {**fixed, **{name: value for name, value in data.items() if value != [] or name in required}}


def as_segments(form_fields: dict[str, forms.Field], names: set[str]) -> None:
    """Few choices are shown side by side instead of behind a list."""
    for name in names & form_fields.keys():
        field = form_fields[name]
        choices: Any = getattr(field, "choices", None)
        if choices and len(choices) <= 4:
            field.widget = forms.RadioSelect(choices=choices)
            field.initial = field.initial or choices[0][0]


def prefixed(prefix: str, member: Member | str) -> str:
    return f"{prefix}{JOINT}{member if isinstance(member, str) else member.name}"


# -- the first page, and the line that every page shows --------------------------------------------------------


def tiles(actor: Actor, wish: str) -> list[dict[str, Any]]:
    """The destinations that fit what is searched for, those with a login at hand first."""
    ready: dict[str, int] = {}
    for connection in usable_by(actor):
        ready[connection.app] = ready.get(connection.app, 0) + 1
    words = wish.lower().split()
    found = []
    for each in destinations:
        provider = providers.get(each.provider)
        text = f"{each.label} {each.slug} {provider.label if provider else ''}".lower()
        if all(word in text for word in words):
            found.append(
                {"slug": each.slug, "label": each.label, "hue": hue(each.slug), "ready": ready.get(each.provider, 0)}
            )
    return sorted(found, key=lambda tile: (not tile["ready"], str(tile["label"]).lower()))


def hue(slug: str) -> int:
    """A colour for a destination's sign: always the same, and another for most others."""
    return sum(ord(letter) * (location + 7) for location, letter in enumerate(slug)) * 47 % 360


def route_of(draft: SyncDraft | None) -> dict[str, Any] | None:
    """Source, connection and target as far as they are chosen, for the line at the top of each page."""
    if draft is None:
        return None
    found = destinations.get(draft.destination)
    source = draft.step("source").given if "source" in draft.done else {}
    location = draft.step("target").given if "target" in draft.done else {}
    connection = draft.step("connection").given if "connection" in draft.done else {}
    return {
        "label": found.label if found else draft.destination,
        "hue": hue(draft.destination),
        "project": source.get("project", ""),
        "source": f"{source['environmentName']} {source['secretPath']}" if source else "",
        "connection": connection.get("name", ""),
        "target": describe_target(draft.destination, location),
    }
