"""Base of the steps of the wizard. Forms are generated from schemas, and services do all writes."""

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
from config.ui.model_forms import JOINT, WRITE_ONLY, field_of
from connections.provider import providers
from connections.selectors import usable_by
from syncs.destination.base import Destination, describe_target, destinations
from syncs.models import SyncDraft
from syncs.planning.opening import destination_class

NOT_STORED = frozenset({"csrfmiddlewaretoken", "live", "back", "anyway", "pasted"})
"""Names of POST data that is neither stored in the draft nor shown again: buttons, and secrets stored immediately."""


class StepForm(forms.Form):
    """Base of the forms that are generated for each page. The schema validates the data, not the form."""


class Step(ABC):
    """One page of the wizard."""

    slug: ClassVar[str]
    title: ClassVar[Any]
    lead: ClassVar[Any]

    def __init__(self, request: HttpRequest, actor: Actor, draft: SyncDraft) -> None:
        self.request = request
        self.actor = actor
        self.draft = draft
        self.problems: list[str] = []  # that belong to no field
        self.is_submitted = False  # problems of fields are shown only after the person has submitted the page

    # -- input -------------------------------------------------------------------------------------------------

    @cached_property
    def values(self) -> dict[str, str]:
        """The input: from the POST data, else from the draft; {} on the first visit."""
        if self.request.method == "POST":
            posted = self.request.POST.lists()
            return {name: ", ".join(map(str, values)) for name, values in posted if name not in NOT_STORED}
        return dict(self.draft.step(self.slug).typed)

    def is_live(self) -> bool:
        """Whether the request only updates the page for the current input; nothing is stored."""
        return "live" in self.request.POST

    def typed(self) -> dict[str, str]:
        """The input to store in the draft: never credentials."""
        secrets = {name for name, field in self.form.fields.items() if isinstance(field.widget, WRITE_ONLY)}
        return {name: value for name, value in self.values.items() if name not in secrets}

    def result_of(self, step: str) -> dict[str, Any]:
        """The stored result of a completed step; {} if it is not completed."""
        return dict(self.draft.step(step).given)

    # -- the page ----------------------------------------------------------------------------------------------

    @abstractmethod
    def fields(self) -> dict[str, forms.Field]:
        """The fields of the form, by name."""

    @cached_property
    def form(self) -> StepForm:
        form_class = type("Form", (StepForm,), self.fields())
        form: StepForm = form_class(data=self.values) if self.values else form_class()
        return form

    def cleaned(self) -> dict[str, Any]:
        """The data of the form. Raises Invalid if a number is not a number."""
        self.is_submitted = True
        if not self.form.is_valid():
            raise Invalid([])
        return self.form.cleaned_data

    def context(self) -> dict[str, Any]:
        return {"form": self.form}

    @abstractmethod
    def submit(self) -> dict[str, Any] | None:
        """The result for later steps; None if the page is shown again. Raises ServiceError."""

    aliases: ClassVar[Mapping[str, str]] = {}

    def show_error(self, error: ServiceError) -> None:
        """Show each problem at its field, and the others at the top."""
        self.is_submitted = True
        if not isinstance(error, Invalid):
            self.problems.append(str(error))
            return
        for issue in error.issues:
            name = field_of(issue, self.form.fields, self.aliases)
            if name and self.form.is_bound:
                self.form.is_valid()
                self.form.add_error(name, issue["message"])
            else:
                self.problems.append(str(Invalid([issue])))

    @property
    def destination(self) -> type[Destination]:
        return destination_class(self.draft.destination)


def open_members(members: Iterable[Member]) -> list[Member]:
    """The members for which there is a choice."""
    return [member for member in members if member.only is None]


def completed(members: Iterable[Member], data: Mapping[str, Any]) -> dict[str, Any]:
    """The data of a form, with the members that have one possible value and without optional lists that are empty."""
    members = list(members)
    fixed = {member.name: member.only for member in members if member.only is not None}
    required = {member.name for member in members if member.required}
    return {**fixed, **{name: value for name, value in data.items() if value != [] or name in required}}


def as_segments(form_fields: dict[str, forms.Field], names: set[str]) -> None:
    """Show up to four choices side by side instead of in a select."""
    for name in names & form_fields.keys():
        field = form_fields[name]
        choices: Any = getattr(field, "choices", None)
        if choices and len(choices) <= 4:
            field.widget = forms.RadioSelect(choices=choices)
            field.initial = field.initial or choices[0][0]


def prefixed(prefix: str, member: Member | str) -> str:
    return f"{prefix}{JOINT}{member if isinstance(member, str) else member.name}"


# -- the first page, and the route at the top of every page ---------------------------------------------------


def tiles(actor: Actor, query: str) -> list[dict[str, Any]]:
    """The destinations that match the query, those with a usable connection first."""
    ready: dict[str, int] = {}
    for connection in usable_by(actor):
        ready[connection.app] = ready.get(connection.app, 0) + 1
    words = query.lower().split()
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
    """The hue of a destination's icon: stable, and different for most destinations."""
    return sum(ord(letter) * (position + 7) for position, letter in enumerate(slug)) * 47 % 360


def route_of(draft: SyncDraft | None) -> dict[str, Any] | None:
    """Source, connection and target as far as they are chosen, for the line at the top of each page."""
    if draft is None:
        return None
    destination = destinations.get(draft.destination)
    source = draft.step("source").given if "source" in draft.done else {}
    target = draft.step("target").given if "target" in draft.done else {}
    connection = draft.step("connection").given if "connection" in draft.done else {}
    return {
        "label": destination.label if destination else draft.destination,
        "hue": hue(draft.destination),
        "project": source.get("project", ""),
        "source": f"{source['environmentName']} {source['secretPath']}" if source else "",
        "connection": connection.get("name", ""),
        "target": describe_target(draft.destination, target),
    }
