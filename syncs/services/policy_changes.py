"""Changes of the members of a sync's policy: applied to it and checked, then stored with the sync's other changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from config.access import audit
from config.access.roles import Actor, Right
from config.errors import Invalid, problem
from syncs.models import NO_ACTION, OwedAction, SecretSync, SyncPolicy
from syncs.planning.opening import destination_class

from .pauses import set_paused, stop_waiting
from .policy import checked_policy
from .propagation import record_author
from .triggers import audited

_PAUSE = frozenset({"paused", "pause_reason"})
FILTERS = frozenset({"include", "exclude", "tags", "recursive"})
"""Members that decide which secrets of the source a sync writes."""


def changed_members(actor: Actor, sync: SecretSync, members: Mapping[str, Any]) -> dict[str, Any]:
    """Set checked members of the policy; returns those that are new. Raises PermissionDenied."""
    changed = {name: value for name, value in members.items() if value != getattr(sync.policy, name)}
    if changed:
        actor.require(Right.EDIT_POLICY, sync.project_id)
    for name, value in changed.items():
        setattr(sync.policy, name, value)
    return changed


def apply_policy(actor: Actor, sync: SecretSync, data: Mapping[str, Any]) -> None:
    """Set members of the policy (model field names), all but the pause, which `store_policy` sets.

    Raises Invalid, PermissionDenied.
    """
    actor.require(Right.RUN_SYNCS if set(data) <= _PAUSE else Right.EDIT_POLICY, sync.project_id)
    known = {name: value for name, value in data.items() if name != "pause_reason"}
    checked = checked_policy(known, destination_class(sync.destination))
    if data.get("pause_reason") and "paused" not in data:
        raise Invalid([problem(["pauseReason"], "It is the reason of a pause or of its end: send it with paused")])
    for name, value in checked.items():
        if name != "paused":
            setattr(sync.policy, name, value)


def store_policy(actor: Actor, sync: SecretSync, data: Mapping[str, Any]) -> None:
    """Store these members; call it in a transaction that also changes the generation."""
    reason = str(data.get("pause_reason") or "")[:255]
    changed = sorted(set(data) - {"pause_reason"})
    why: dict[str, Any] = {"reason": reason} if reason else {}
    before = audit.state_of(SyncPolicy.objects.get(pk=sync.pk))
    sync.policy.save(update_fields=[name for name in changed if name != "paused"])
    if "paused" in data:
        set_paused(sync.policy, actor, paused=bool(data["paused"]), reason=reason)
    why["changes"] = audit.changes_since(before, sync.policy)
    audit.record(actor, "update-sync-policy", sync.project_id, changed=changed, **why, **audited(sync))
    if set(data) - _PAUSE:
        record_author(actor, sync)
    if sync.policy.after_writes == NO_ACTION:
        OwedAction.objects.filter(sync=sync).delete()
    if sync.policy.paused:
        stop_waiting(sync)
