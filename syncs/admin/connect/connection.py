"""The connection step: use a connection, or create one, which is verified with the vendor before it is stored."""

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
from config.schemas.form_fields import words_of
from config.ui.model_forms import collected, form_fields
from connections import services
from connections.credentials import provider_of
from connections.models import AppConnection
from connections.provider import Provider, providers
from connections.selectors import usable_by

from .step import Step

NEW = "new"
CREDENTIALS = "credentials"


class ConnectionStep(Step):
    slug = "connection"
    title = gettext_lazy("Connection")
    lead = gettext_lazy("How Keyferry signs in. Credentials are encrypted and never shown again.")
    aliases: ClassVar[dict[str, str]] = {"name": "name"}
    created: AppConnection | None = None
    may_skip_check = False

    @cached_property
    def provider(self) -> type[Provider]:
        found = providers.get(self.destination.provider)
        if found is None:
            raise BadRequest(f"Unknown app '{self.destination.provider}'")
        return found

    @cached_property
    def connections(self) -> list[AppConnection]:
        return list(usable_by(self.actor, self.destination.provider).annotate(used_by=Count("syncs")))

    @cached_property
    def scopes(self) -> list[tuple[str, str]]:
        """For whom the person may create a connection: the organisation, or projects by id."""
        managed = [pk for pk in self.actor.roles if self.actor.may(Right.MANAGE_CONNECTIONS, pk)]
        projects = Project.objects.filter(pk__in=managed).order_by("name").values_list("pk", "name")
        everyone = [("", _("All projects"))] if self.actor.is_instance_admin else []
        return [*everyone, *((str(pk), _("Only %(project)s") % {"project": name}) for pk, name in projects)]

    @property
    def chosen(self) -> str:
        """The id of a connection, or NEW."""
        ids = {str(each.pk) for each in self.connections}
        requested = self.values.get("connection", "")
        if requested in ids or (requested == NEW and self.scopes):
            return requested
        return str(self.connections[0].pk) if self.connections else NEW

    @property
    def method(self) -> str:
        requested = self.values.get("method", "")
        return requested if requested in self.provider.methods else next(iter(self.provider.methods))

    def fields(self) -> dict[str, forms.Field]:
        found: dict[str, forms.Field] = {}
        if len(self.provider.methods) > 1:
            choices = [(name, words_of(name)) for name in self.provider.methods]
            found["method"] = forms.ChoiceField(
                label=_("Sign in with"), choices=choices, widget=forms.RadioSelect, required=False, initial=self.method
            )
        generated = provider_of(self.provider.slug).generated(self.method) or None
        found |= form_fields(CREDENTIALS, self.provider.methods[self.method], generated)
        found["name"] = forms.CharField(
            label=_("Name of the connection"),
            required=False,
            initial=self._free_name(),
            widget=UnfoldAdminTextInputWidget(),
            help_text=_("Lowercase letters, digits and hyphens."),
        )
        if len(self.scopes) > 1:
            found["scope"] = forms.ChoiceField(
                label=_("Who may use it"), choices=self.scopes, widget=forms.RadioSelect, required=False, initial=""
            )
        return found

    def _free_name(self) -> str:
        used = {each.name for each in self.connections}
        names = [self.provider.slug, *(f"{self.provider.slug}-{number}" for number in range(2, len(used) + 3))]
        return next(name for name in names if name not in used)

    def typed(self) -> dict[str, str]:
        return {"connection": str(self.created.pk)} if self.created else super().typed()

    def context(self) -> dict[str, Any]:
        return {
            "form": self.form,
            "connections": self.connections,
            "chosen": self.chosen,
            "provider": self.provider,
            "may_create": bool(self.scopes),
            "may_skip_check": self.may_skip_check,
        }

    def submit(self) -> dict[str, Any]:
        requested = self.values.get("connection") or self.chosen
        if requested == NEW:
            connection = self.created = self._create()
        else:
            found = next((each for each in self.connections if str(each.pk) == requested), None)
            if found is None:
                raise NotFound("Connection not found")
            connection = found
            if "anyway" not in self.request.POST:
                self._check(connection)
        project_id = str(connection.project_id) if connection.project_id else None
        return {"connectionId": str(connection.pk), "name": connection.name, "projectId": project_id}

    def _check(self, connection: AppConnection) -> None:
        try:
            services.check_connection(self.actor, connection)
        except ServiceError:
            self.may_skip_check = True
            raise

    def _create(self) -> AppConnection:
        data = self.cleaned()
        scope = data.get("scope", "") if len(self.scopes) > 1 else next((value for value, _label in self.scopes), "")
        if self.scopes and scope not in dict(self.scopes):
            raise NotFound("Project not found")
        return services.create_connection(
            self.actor,
            self.provider.slug,
            name=data["name"],
            method=self.method,
            credentials=collected(CREDENTIALS, self.provider.methods[self.method], data),
            project=Project.objects.get(pk=scope) if scope else None,
        )
