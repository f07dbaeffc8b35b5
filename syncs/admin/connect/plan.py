"""The plan step: the plan of the first run. After confirmation the sync is stored and its first run starts."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.access.roles import Right, project_for
from config.errors import BadRequest, ServiceError
from syncs.engine.plan import Change, Plan
from syncs.engine.types import Action
from syncs.models import SecretSync
from syncs.planning.preflight import Checked, checked_plan
from syncs.planning.preview import preview
from syncs.services.policy import policy_changes, policy_of
from syncs.services.sync_drafts import finish
from syncs.services.syncs import SyncInput, draft_sync

from .step import Step

COPIED = "copied"
"""Of a draft that copies a sync: its `policy` (model field names), also what no page of the wizard shows."""

LISTED = {"danger": 1000, "warning": 300}  # keys listed per kind, by tone
LISTED_OTHERS = 60


class PlanStep(Step):
    slug = "plan"
    title = gettext_lazy("Plan")
    lead = gettext_lazy("The changes of the first run. Nothing is stored or written until you confirm.")

    def fields(self) -> dict[str, forms.Field]:
        return {}

    @cached_property
    def sync_input(self) -> SyncInput:
        source, options = self.result_of("source"), self.result_of("options")
        return SyncInput(
            name=options["name"],
            connection_id=self.result_of("connection")["connectionId"],
            environment=source["environment"],
            secret_path=source["secretPath"],
            is_auto_sync_enabled=options["auto"],
            sync_options=options["syncOptions"],
            destination_config=self.result_of("target"),
        )

    @cached_property
    def policy(self) -> dict[str, Any]:
        """As the model's fields."""
        policy = self.result_of("options")["policy"]
        changes = policy_changes(policy_of(self.destination).parse(policy)) if policy else {}
        return {
            **self.result_of(COPIED).get("policy", {}),
            **changes,
            "recursive": self.result_of("source")["recursive"],
        }

    @cached_property
    def project(self) -> Any:
        return project_for(self.actor, self.result_of("source")["projectId"], Right.EDIT_SYNCS)

    @cached_property
    def sync(self) -> SecretSync:
        return draft_sync(self.actor, self.project, self.draft.destination, self.sync_input, self.policy)

    @cached_property
    def checked(self) -> Checked:
        return checked_plan(self.actor, self.sync)

    def context(self) -> dict[str, Any]:
        context: dict[str, Any] = {
            "form": self.form,
            "label": self.destination.label,
            "name": self.result_of("options")["name"],
        }
        try:
            checked = self.checked
        except ServiceError as error:
            return {**context, "problem": str(error)}
        return {
            **context,
            **shown(checked),
            "digest": checked.plan.digest,
            "note": self.destination.limits_of(self.result_of("target")).note,
            "auto": self.result_of("options")["auto"],
            "overwriting": self._overwriting(),
        }

    def _overwriting(self) -> dict[str, list[str]]:
        """With the policy that leaves unmanaged keys: those that the first run would delete or overwrite otherwise."""
        if self.sync.policy.unmanaged != "leave":
            return {}
        policy = {**self.policy, "unmanaged": "overwrite-initially"}
        other = draft_sync(self.actor, self.project, self.draft.destination, self.sync_input, policy)
        changes = preview(other).changes
        return {kind: [each.key for each in changes if _kind(each) == kind] for kind in ("delete", "overwrite")}

    def submit(self) -> dict[str, Any]:
        plan = self.checked.plan
        if self.values.get("digest") != plan.digest:
            raise BadRequest(_("The plan has changed in the meantime. Review the updated plan."))
        if plan.held and self.values.get("confirm", "").strip() != self.sync.name:
            raise BadRequest(_("Type the name of the sync to confirm the deletes: %s") % self.sync.name)
        approved = plan if plan.held else None
        finish(self.actor, self.draft, self.project, self.sync_input, self.policy, approved, shown=plan)
        return {}

    def typed(self) -> dict[str, str]:
        return {}


def shown(checked: Checked) -> dict[str, Any]:
    """A plan for `syncs/connect/changes.html`."""
    plan = checked.plan
    return {
        "plan": plan,
        "groups": groups(plan),
        "warnings": checked.warnings,
        "estimate": checked.estimate,
        "deletes": len(plan.deletes),
        "writes": sum(change.write is not None for change in plan.changes),
    }


def groups(plan: Plan) -> list[dict[str, Any]]:
    """The changes by their effect on existing keys, most dangerous first."""
    kinds: list[tuple[str, Any, str, str]] = [
        ("delete", gettext_lazy("to delete"), "danger", "delete"),
        ("suspended", gettext_lazy("to delete, when the source is complete"), "danger", "delete"),
        ("overwrite", gettext_lazy("to overwrite"), "danger", "edit"),
        ("blocked", gettext_lazy("blocked"), "warning", "block"),
        ("create", gettext_lazy("to create"), "success", "add"),
        ("update", gettext_lazy("to update"), "info", "sync"),
        ("adopt", gettext_lazy("existing, with the same value"), "calm", "check"),
        ("unchanged", gettext_lazy("unchanged"), "calm", "check"),
        ("keep", gettext_lazy("kept"), "calm", "do_not_touch"),
    ]
    by_kind: dict[str, list[Change]] = {}
    for change in plan.changes:
        by_kind.setdefault(_kind(change), []).append(change)
    return [
        {
            "kind": kind,
            "title": title,
            "tone": tone,
            "icon": icon,
            "count": len(by_kind[kind]),
            "changes": by_kind[kind][: LISTED.get(tone, LISTED_OTHERS)],
            "more": max(0, len(by_kind[kind]) - LISTED.get(tone, LISTED_OTHERS)),
            "reasons": _reasons(by_kind[kind]),
            "open": tone != "calm",
        }
        for kind, title, tone, icon in kinds
        if kind in by_kind
    ]


def _kind(change: Change) -> str:
    """An adoption that writes overwrites a foreign value; a delete may wait for the source."""
    if change.suspended:
        return "suspended"
    if change.write is not None and change.action is Action.ADOPT:
        return "overwrite"
    return change.action.value


def _reasons(changes: Iterable[Change]) -> str:
    """The reason, if all changes have the same one."""
    found = {change.reason for change in changes}
    return found.pop() if len(found) == 1 else ""
