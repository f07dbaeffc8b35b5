"""The options step: key schema and policy, with a preview of the first keys while the person types."""

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
from syncs.services.policy import policy_as_json, policy_of
from syncs.services.sync_checks import require_free_name
from syncs.source.selectors import defaults_of, environment_by_slug, folder_by_path

from .step import Step, as_segments, completed, open_members, prefixed

OPTIONS, RULES = "syncOptions", "policy"
PREVIEWED = 8
POLICY_LABELS = {
    "unmanaged": (
        gettext_lazy("Unmanaged keys"),
        gettext_lazy(
            "Keys that no sync wrote. Overwrite initially: the first run takes over or deletes them, later ones "
            "keep them. Leave: never overwritten or deleted. Mirror: every run deletes those missing in the source."
        ),
    ),
    "maxDeletions": (
        gettext_lazy("Deletes without approval"),
        gettext_lazy("A run with more deletes waits for approval. Blank: no limit."),
    ),
    "include": (gettext_lazy("Only these keys"), gettext_lazy("Patterns separated by commas, such as DB_*, *_TOKEN.")),
    "exclude": (gettext_lazy("Not these keys"), gettext_lazy("Patterns separated by commas. They take precedence.")),
    "tags": (
        gettext_lazy("Only with these tags"),
        gettext_lazy("Separated by commas. Secrets with any of these tags are synced."),
    ),
}
"""Labels and help of the policy members on this page, besides the destination's own; all others are in the settings of
the sync."""


class OptionsStep(Step):
    slug = "options"
    title = gettext_lazy("Options")
    lead = gettext_lazy("How keys are named at the destination, and what a run may do. The defaults are safe.")

    @property
    def rules(self) -> list[Member]:
        shown = {*POLICY_LABELS, "destination", *(["afterWrites"] if self.destination.after_writes else [])}
        return [member for member in members_of(policy_of(self.destination)) if member.name in shown]

    @cached_property
    def project(self) -> Project:
        return project_for(self.actor, self.result_of("source")["projectId"], Right.EDIT_SYNCS)

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
                help_text=_("Lowercase letters, digits and hyphens."),
            )
        }
        members = open_members(members_of(self.destination.Options))
        found |= fields_for(OPTIONS, members)
        as_segments(found, {prefixed(OPTIONS, member) for member in members})
        found["auto"] = forms.BooleanField(
            label=_("Follow changes"),
            required=False,
            initial=True,
            widget=UnfoldBooleanSwitchWidget(),
            help_text=_("Run automatically whenever a secret changes. Off: only run manually."),
        )
        if self.may_write_policy:
            defaults = defaults_of(self.project)
            proposed = {} if "unmanaged" in defaults.policy else {"unmanaged": "leave"}
            proposed_policy = policy_as_json(defaults.new_policy(**proposed), self.destination)
            found |= fields_for(RULES, self.rules, proposed_policy)
            for name, (label, help_text) in POLICY_LABELS.items():
                found[prefixed(RULES, name)].label, found[prefixed(RULES, name)].help_text = label, help_text
            as_segments(found, {prefixed(RULES, "unmanaged")})
        return found

    def _free_name(self) -> str:
        source = self.result_of("source")
        target = " ".join(str(value) for value in list(self.result_of("target").values())[-2:])
        stem = slugify(f"{source['environment']} {source['secretPath'].replace('/', ' ')} to {target}")[:60].strip("-")
        rows = SecretSync.objects.filter(project=self.project, name__startswith=stem)
        used = set(rows.values_list("name", flat=True))
        names = [stem, *(f"{stem}-{number}" for number in range(2, len(used) + 3))]
        return next(name for name in names if name not in used)

    # -- the preview -------------------------------------------------------------------------------------------

    def context(self) -> dict[str, Any]:
        names = list(self.form.fields)
        return {
            "form": self.form,
            "first": [self.form[name] for name in names if not name.startswith(RULES)],
            "rules": [self.form[name] for name in names if name.startswith(RULES)],
            "label": self.destination.label,
            "vendor": rules_of(self.destination.limits_of(self.result_of("target"))),
            **self._preview(),
        }

    def _preview(self) -> dict[str, Any]:
        text = self.values.get(prefixed(OPTIONS, "keySchema"), "")
        try:
            KeySchema.parse(text)
            keys = naming(self._preview_sync(text))
        except KeySchemaError as error:
            return {"problem": str(error)}
        except Undecryptable:
            return {"problem": _("The connection's credentials cannot be decrypted; enter them again.")}
        blocked = [key for key in keys if key.blocked]
        return {
            "keys": [*blocked, *(key for key in keys if not key.blocked)][:PREVIEWED],
            "more": max(0, len(keys) - PREVIEWED),
            "total": len(keys),
            "blocked": len(blocked),
        }

    def _preview_sync(self, key_schema: str) -> SecretSync:
        """An unsaved sync with everything that key names depend on; other invalid input is ignored."""
        source = self.result_of("source")
        folder = folder_by_path(environment_by_slug(self.project, source["environment"]), source["secretPath"])
        sync = SecretSync(
            project=folder.environment.project,
            folder=folder,
            destination=self.draft.destination,
            connection=connection_by_id(self.actor, self.result_of("connection")["connectionId"]),
            destination_config=self.result_of("target"),
            sync_options={"keySchema": key_schema},
        )
        policy = collected(RULES, policy_of(self.destination), self.values)
        globs = {name: policy[name] for name in ("include", "exclude", "tags") if name in policy}
        sync.policy = defaults_of(self.project).new_policy(sync=sync, recursive=source["recursive"], **globs)
        return sync

    # -- submitting --------------------------------------------------------------------------------------------

    def submit(self) -> dict[str, Any]:
        data = self.cleaned()
        options = completed(members_of(self.destination.Options), collected(OPTIONS, self.destination.Options, data))
        issues: list[Issue] = []
        try:
            require_free_name(self.project, data["name"])
        except Invalid as error:
            issues += error.issues
        except ServiceError as error:
            issues.append(problem(["name"], str(error)))
        policy = self._policy(data, issues)
        try:
            self.destination.Options.parse(options, (OPTIONS,))
        except Invalid as error:
            issues += error.issues
        if issues:
            raise Invalid(issues)
        return {"name": data["name"].strip(), "auto": data["auto"], "syncOptions": options, "policy": policy}

    def _policy(self, data: dict[str, Any], issues: list[Issue]) -> dict[str, Any]:
        """The policy in the API's format."""
        if not self.may_write_policy:
            return {}
        policy = {"maxDeletions": None, **collected(RULES, policy_of(self.destination), data)}
        try:
            policy_of(self.destination).parse(policy, (RULES,))
        except Invalid as error:
            issues += error.issues
        return policy
