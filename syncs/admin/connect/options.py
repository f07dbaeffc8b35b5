"""How the keys are named there and what a run may do: with the first names as they would stand, while one types."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django import forms
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from config.access.models import Project
from config.access.roles import Right, project_for
from config.encryption import Undecryptable
from config.errors import Invalid, Issue, ServiceError, problem
from config.schemas.form_fields import Member
from config.ui.model_forms import collected, fields_for, members_of
from connections.selectors import connection_by_id
from syncs.engine.key_schema import KeySchema, KeySchemaError
from syncs.models import SecretSync
from syncs.planning.preflight import naming, rules_of
from syncs.services.policy import Policy, policy_as_json
from syncs.services.syncs import require_free_name
from syncs.source.selectors import defaults_of, environment_by_slug, folder_by_path

from .step import Step, as_segments, completed, open_members, prefixed

OPTIONS, RULES = "syncOptions", "policy"
PREVIEWED = 8
WORDS = {
    "unmanaged": (
        gettext_lazy("Keys that are there already"),
        gettext_lazy(
            "Overwrite initially: the first run deletes those that the source lacks, later ones leave such keys. "
            "Leave: they are never touched. Mirror: every run deletes them."
        ),
    ),
    "maxDeletions": (
        gettext_lazy("Deletes without asking"),
        gettext_lazy("A run that would delete more waits for somebody's approval. Blank: no limit."),
    ),
    "include": (gettext_lazy("Only these keys"), gettext_lazy("Patterns with commas, such as DB_*, *_TOKEN.")),
    "exclude": (gettext_lazy("Not these keys"), gettext_lazy("Patterns with commas; they win.")),
    "tags": (gettext_lazy("Only with these tags"), gettext_lazy("With commas; one of them is enough.")),
}
"""The members of the policy that are asked for here, in words for people; the others are on the sync's page."""


class OptionsStep(Step):
    slug = "options"
    title = gettext_lazy("Options")
    lead = gettext_lazy("What the keys are called there, and what a run may do. The defaults are careful ones.")

    @property
    def rules(self) -> list[Member]:
        return [member for member in members_of(Policy) if member.name in WORDS]

    @cached_property
    def project(self) -> Project:
        return project_for(self.actor, self.given("source")["projectId"], Right.EDIT_SYNCS)

    @cached_property
    def may_write_policy(self) -> bool:
        return self.actor.may(Right.EDIT_POLICY, self.project.pk)

    def fields(self) -> dict[str, forms.Field]:
        found: dict[str, forms.Field] = {
            "name": forms.CharField(
                label=_("Name of the sync"),
                required=False,
                initial=self._free_name(),
                widget=UnfoldAdminTextInputWidget(),
                help_text=_("Lower case, digits and hyphens."),
            )
        }
        asked = open_members(members_of(self.found.Options))
        found |= fields_for(OPTIONS, asked)
        as_segments(found, {prefixed(OPTIONS, field) for field in asked})
        found["auto"] = forms.BooleanField(
            label=_("Follow changes"),
            required=False,
            initial=True,
            widget=UnfoldBooleanSwitchWidget(),
            help_text=_("Run by itself whenever a secret changes. Off: only when somebody asks."),
        )
        if self.may_write_policy:
            held = defaults_of(self.project).new_policy()
            found |= fields_for(RULES, self.rules, policy_as_json(held))
            for name, (label, said) in WORDS.items():
                found[prefixed(RULES, name)].label, found[prefixed(RULES, name)].help_text = label, said
            as_segments(found, {prefixed(RULES, "unmanaged")})
        return found

    def _free_name(self) -> str:
        source, location = self.given("source"), list(self.given("target").values())
        spot = " ".join(str(value) for value in location[-2:])
        wish = slugify(f"{source['environment']} {source['secretPath'].replace('/', ' ')} to {spot}")[:60].strip("-")
        taken = set(
            SecretSync.objects.filter(project=self.project, name__startswith=wish).values_list("name", flat=True)
        )
        names = [wish, *(f"{wish}-{number}" for number in range(2, len(taken) + 3))]
        return next(name for name in names if name not in taken)

    # -- the preview -------------------------------------------------------------------------------------------

    def context(self) -> dict[str, Any]:
        names = list(self.form.fields)
        return {
            "form": self.form,
            "first": [self.form[name] for name in names if not name.startswith(RULES)],
            "rules": [self.form[name] for name in names if name.startswith(RULES)],
            "label": self.found.label,
            "vendor": rules_of(self.found.limits_of(self.given("target"))),
            **self._preview(),
        }

    def _preview(self) -> dict[str, Any]:
        text = self.values.get(prefixed(OPTIONS, "keySchema"), "")
        try:
            KeySchema.parse(text)
            wants = naming(self._sketch(text))
        except KeySchemaError as error:
            return {"unclear": str(error)}
        except Undecryptable:
            return {"unclear": _("The connection's credentials cannot be decrypted; enter them again.")}
        blocked = [want for want in wants if want.blocked]
        return {
            "names": [*blocked, *(want for want in wants if not want.blocked)][:PREVIEWED],
            "more": max(0, len(wants) - PREVIEWED),
            "total": len(wants),
            "blocked": len(blocked),
        }

    def _sketch(self, key_schema: str) -> SecretSync:
        """The sync as far as its names depend on it; what is typed wrong elsewhere does not matter yet."""
        source = self.given("source")
        folder = folder_by_path(environment_by_slug(self.project, source["environment"]), source["secretPath"])
        sync = SecretSync(
            project=folder.environment.project,
            folder=folder,
            destination=self.draft.destination,
            connection=connection_by_id(self.actor, self.given("connection")["connectionId"]),
            destination_config=self.given("target"),
            sync_options={"keySchema": key_schema},
        )
        chosen = collected(RULES, Policy, self._loosely())
        globs = {name: chosen[name] for name in ("include", "exclude", "tags") if name in chosen}
        sync.policy = defaults_of(self.project).new_policy(sync=sync, recursive=source["recursive"], **globs)
        return sync

    def _loosely(self) -> dict[str, Any]:
        return self.values if self.values else {}

    # -- going on ----------------------------------------------------------------------------------------------

    def submit(self) -> dict[str, Any]:
        data = self.cleaned()
        options = completed(members_of(self.found.Options), collected(OPTIONS, self.found.Options, data))
        issues: list[Issue] = []
        try:
            require_free_name(self.project, data["name"])
        except Invalid as error:
            issues += error.issues
        except ServiceError as error:
            issues.append(problem(["name"], str(error)))
        policy = self._policy(data, issues)
        try:
            self.found.Options.parse(options, (OPTIONS,))
        except Invalid as error:
            issues += error.issues
        if issues:
            raise Invalid(issues)
        return {"name": data["name"].strip(), "auto": data["auto"], "syncOptions": options, "policy": policy}

    def _policy(self, data: dict[str, Any], issues: list[Issue]) -> dict[str, Any]:
        """What is given of the policy, as the API takes it."""
        if not self.may_write_policy:
            return {}
        given = {"maxDeletions": None, **collected(RULES, Policy, data)}
        try:
            Policy.parse(given, (RULES,))
        except Invalid as error:
            issues += error.issues
        return given
