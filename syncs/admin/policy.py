"""The policy as part of a form: of a sync, and of the defaults for new syncs of a project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from config.ui.model_forms import collected, form_fields
from syncs.destination.base import Destination
from syncs.models import SyncPolicy
from syncs.services.policy import Policy, policy_as_json, policy_changes, policy_of

PREFIX = "policy"


def policy_fields(policy: SyncPolicy, found: type[Destination] | None = None) -> dict[str, forms.Field]:
    """Of a sync with the members of its destination; without `found` of the defaults of a project."""
    fields = form_fields(PREFIX, _shape(found), policy_as_json(policy, found))
    if found and not found.after_writes:
        del fields[f"{PREFIX}__afterWrites"]  # nothing to choose
    return fields


def changed_policy(
    policy: SyncPolicy, cleaned: Mapping[str, Any], found: type[Destination] | None = None
) -> dict[str, Any]:
    """The differences of the form from `policy`, as model fields. Raises Invalid.

    A blank number means null; a member of the destination that is blank has its default.
    """
    own: dict[str, Any] = {"destination": {}} if found else {}
    values = {
        "maxDeletions": None,
        "maxConcurrency": None,
        "pacePercent": None,
        **own,
        **collected(PREFIX, _shape(found), cleaned),
    }
    wanted = policy_changes(_shape(found).parse(values, (PREFIX,)))
    now = {name: getattr(policy, name) for name in wanted}
    if found:
        now["destination"] = found.Policy.restored(policy.destination).stored()
    return {name: value for name, value in wanted.items() if value != now[name]}


def _shape(found: type[Destination] | None) -> type[Policy]:
    return policy_of(found) if found else Policy
