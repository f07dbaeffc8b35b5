"""Defaults of a project: the policy of new syncs, and whether syncs may overlap."""

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
    actor: Actor, project: Project, policy: Mapping[str, Any], refuse_overlaps: bool | None = None
) -> SyncDefaults:
    """Change members of the policy (model field names) that new syncs start with; existing syncs stay as they are."""
    actor.require(Right.EDIT_POLICY, project.pk)
    policy = checked_policy(policy)
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    defaults, _ = SyncDefaults.objects.get_or_create(project=project)
    defaults.policy = {**defaults.policy, **policy}
    if refuse_overlaps is not None:
        defaults.refuse_overlaps = refuse_overlaps
    defaults.save()
    changed = sorted([*policy, *(["refuse_overlaps"] if refuse_overlaps is not None else [])])
    audit.record(actor, "update-sync-policy-defaults", project.pk, changed=changed)
    return defaults
