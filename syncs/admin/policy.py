"""The policy as part of a form: of a sync, and of the defaults for new syncs of a project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from config.ui.model_forms import collected, form_fields
from syncs.models import SyncPolicy
from syncs.services.policy import Policy, policy_as_json, policy_changes

PREFIX = "policy"


def policy_fields(policy: SyncPolicy) -> dict[str, forms.Field]:
    return form_fields(PREFIX, Policy, policy_as_json(policy))


def changed_policy(policy: SyncPolicy, cleaned: Mapping[str, Any]) -> dict[str, Any]:
    """The differences of the form from `policy`, as model fields. A blank number means null. Raises Invalid."""
    values = {"maxDeletions": None, "maxConcurrency": None, **collected(PREFIX, Policy, cleaned)}
    wanted = policy_changes(Policy.parse(values, (PREFIX,)))
    return {name: value for name, value in wanted.items() if value != getattr(policy, name)}
