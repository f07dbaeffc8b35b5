"""The policy as a part of a form: of a sync, and of what new syncs of a project start with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from config.ui.model_forms import collected, form_fields
from syncs.models import SyncPolicy
from syncs.services.policy import POLICY, policy_as_json, policy_changes

PREFIX = "policy"


def policy_fields(held: SyncPolicy) -> dict[str, forms.Field]:
    return form_fields(PREFIX, POLICY, policy_as_json(held))


def changed_policy(held: SyncPolicy, cleaned: Mapping[str, Any]) -> dict[str, Any]:
    """What the form says otherwise than `held`, as model fields. A blank number means null. Raises Invalid."""
    given = {"maxDeletions": None, "maxConcurrency": None, **collected(PREFIX, POLICY, cleaned)}
    wanted = policy_changes(POLICY.validate(given, (PREFIX,)))
    return {name: value for name, value in wanted.items() if value != getattr(held, name)}
