"""Settings of a project for its syncs: the policy of new ones, whether they may overlap, and who approves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from config.access import audit
from config.access.models import Project
from config.access.roles import Actor, Right
from syncs.models import SyncDefaults

from .policy import checked_policy


@transaction.atomic
def update_defaults(
    actor: Actor,
    project: Project,
    policy: Mapping[str, Any],
    refuse_overlaps: bool | None = None,
    other_approver: bool | None = None,
) -> SyncDefaults:
    """Change members of the policy (model field names) that new syncs start with; existing syncs stay as they are.

    `other_approver`: who made a change may not approve the held run that carries it.
    """
    actor.require(Right.EDIT_POLICY, project.pk)
    policy = checked_policy(policy)
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    defaults, _ = SyncDefaults.objects.get_or_create(project=project)
    before = audit.state_of(defaults)
    defaults.policy = {**defaults.policy, **policy}
    rules = {"refuse_overlaps": refuse_overlaps, "other_approver": other_approver}
    sent = {name: value for name, value in rules.items() if value is not None}
    for name, value in sent.items():
        setattr(defaults, name, value)
    defaults.save()
    changed = sorted([*policy, *sent])
    changes = audit.changes_since(before, defaults)
    audit.record(actor, "update-sync-policy-defaults", project.pk, name=project.name, changed=changed, changes=changes)
    return defaults
