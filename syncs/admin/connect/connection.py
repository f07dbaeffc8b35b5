"""Which login the sync uses: one that is there, or one made here and checked with the vendor before it is stored."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

from django import forms
from django.db.models import Count
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget

from config.access.models import Project
from config.access.roles import Right
from config.errors import BadRequest, NotFound, ServiceError
from config.ui.model_forms import collected, form_fields, words_of
from connections import services
from connections.models import AppConnection
from connections.provider import Provider, providers
from connections.selectors import usable_by

from .step import Step

NEW = "new"
CREDENTIALS = "credentials"


class ConnectionStep(Step):
    slug = "connection"
    title = gettext_lazy("Connection")
    lead = gettext_lazy("How Keyferry signs in there. Credentials are encrypted, and never shown again.")
    aliases: ClassVar[dict[str, str]] = {"name": "name"}
    made: AppConnection | None = None
    may_go_anyway = False

    @cached_property
    def provider(self) -> type[Provider]:
        found = providers.get(self.found.provider)
        if found is None:
            raise BadRequest(f"There is no app '{self.found.provider}'")
        return found

    @cached_property
    def connections(self) -> list[AppConnection]:
        return list(usable_by(self.actor, self.found.provider).annotate(used_by=Count("syncs")))

    @cached_property
    def scopes(self) -> list[tuple[str, str]]:
        """For whom the person may make a login: the organisation, or projects by id."""
        mine = [pk for pk in self.actor.roles if self.actor.may(Right.MANAGE_CONNECTIONS, pk)]
        projects = Project.objects.filter(pk__in=mine).order_by("name").values_list("pk", "name")
        everyone = [("", _("Every project"))] if self.actor.is_instance_admin else []
        return [*everyone, *((str(pk), _("Only %(project)s") % {"project": name}) for pk, name in projects)]

    @property
    def chosen(self) -> str:
        """The id of a connection, or NEW."""
        known = {str(each.pk) for each in self.connections}
        wish = self.values.get("connection", "")
        if wish in known or (wish == NEW and self.scopes):
            return wish
        return str(self.connections[0].pk) if self.connections else NEW

    @property
    def method(self) -> str:
        wish = self.values.get("method", "")
        return wish if wish in self.provider.methods else next(iter(self.provider.methods))

    def fields(self) -> dict[str, forms.Field]:
        found: dict[str, forms.Field] = {}
        if len(self.provider.methods) > 1:
            choices = [(name, words_of(name)) for name in self.provider.methods]
            found["method"] = forms.ChoiceField(
                label=_("Sign in with"), choices=choices, widget=forms.RadioSelect, required=False, initial=self.method
            )
        found |= form_fields(CREDENTIALS, self.provider.methods[self.method])
        found["name"] = forms.CharField(
            label=_("Name of the connection"),
            required=False,
            initial=self._free_name(),
            widget=UnfoldAdminTextInputWidget(),
            help_text=_("How it is found later; lower case, digits and hyphens."),
        )
        if len(self.scopes) > 1:
            found["scope"] = forms.ChoiceField(
                label=_("Who may use it"), choices=self.scopes, widget=forms.RadioSelect, required=False, initial=""
            )
        return found

    def _free_name(self) -> str:
        taken = {each.name for each in self.connections}
        names = [self.provider.slug, *(f"{self.provider.slug}-{number}" for number in range(2, len(taken) + 3))]
        return next(name for name in names if name not in taken)

    def typed(self) -> dict[str, str]:
        return {"connection": str(self.made.pk)} if self.made else super().typed()

    def context(self) -> dict[str, Any]:
        return {
            "form": self.form,
            "connections": self.connections,
            "chosen": self.chosen,
            "provider": self.provider,
            "may_make": bool(self.scopes),
            "may_go_anyway": self.may_go_anyway,
        }

    def submit(self) -> dict[str, Any]:
        wish = self.values.get("connection") or self.chosen
        if wish == NEW:
            connection = self.made = self._make()
        else:
            found = next((each for each in self.connections if str(each.pk) == wish), None)
            if found is None:
                raise NotFound("There is no such connection")
            connection = found
            if "anyway" not in self.request.POST:
                self._check(connection)
        project_id = str(connection.project_id) if connection.project_id else None
        return {"connectionId": str(connection.pk), "name": connection.name, "projectId": project_id}

    def _check(self, connection: AppConnection) -> None:
        try:
            services.check_connection(self.actor, connection)
        except ServiceError:
            self.may_go_anyway = True
            raise

    def _make(self) -> AppConnection:
        data = self.cleaned()
        scope = data.get("scope", "") if len(self.scopes) > 1 else next((value for value, _label in self.scopes), "")
        if self.scopes and scope not in dict(self.scopes):
            raise NotFound("There is no such project")
        return services.create_connection(
            self.actor,
            self.provider.slug,
            name=data["name"],
            method=self.method,
            credentials=collected(CREDENTIALS, self.provider.methods[self.method], data),
            project=Project.objects.get(pk=scope) if scope else None,
        )
