"""A change of a sync in its settings: what it would write is shown first, and the change is stored once it is applied.

Only changes that write nothing, such as that of a name, are stored at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from config.access.roles import Actor
from syncs.destination.base import describe_target
from syncs.models import SecretSync
from syncs.planning.opening import destination_class
from syncs.planning.preview import KEEP, LEAVING
from syncs.services import syncs as services
from syncs.services.proposals import Proposal
from syncs.services.syncs import SyncInput

from .connect.plan import shown

EDIT, DIGEST, CONFIRM, LEAVING_CHOICE = "edit", "digest", "confirm", "leaving"
"""What the page of the plan sends besides the settings: back to them, or the plan that was shown, a typed name and what
happens to the keys at the former target."""
_OWN = frozenset({EDIT, DIGEST, CONFIRM, LEAVING_CHOICE, "csrfmiddlewaretoken"})
_QUIET = frozenset(
    {"paused", "pause_reason", "heal", "drift_check_minutes", "max_concurrency", "pace_percent", "windows"}
)
"""Members of the policy that decide when and how fast a sync writes, not what."""


@dataclass(frozen=True)
class PlannedChange:
    """`problem`: why it was not applied, "" if it is shown for the first time."""

    proposal: Proposal
    problem: str = ""


def planned_change(request: HttpRequest) -> PlannedChange | None:
    """The change that this request has planned and not stored."""
    found: PlannedChange | None = getattr(request, "_keyferry_change", None)
    return found


def save_or_plan(
    actor: Actor, sync: SecretSync, data: SyncInput, policy: Mapping[str, Any], posted: Mapping[str, Any]
) -> PlannedChange | None:
    """None once the change is stored. Raises ServiceError."""
    if data == SyncInput() and not policy:
        return None
    if _writes_nothing(data, policy):
        if data == SyncInput():
            services.update_policy(actor, sync, policy)
        else:
            services.update_sync(actor, sync, data, policy)
        return None
    proposal = services.propose(actor, sync, data, policy)
    digest, choice = posted.get(DIGEST, ""), posted.get(LEAVING_CHOICE, KEEP)
    if not digest:
        return PlannedChange(proposal)
    if choice not in LEAVING:
        return PlannedChange(proposal, _("Choose what happens to the keys at the former target."))
    if digest != proposal.digest:
        return PlannedChange(proposal, _("The plan has changed in the meantime. Review the updated plan."))
    if proposal.checked.plan.held and posted.get(CONFIRM, "").strip() != sync.name:
        return PlannedChange(proposal, _("Type the name of the sync to confirm the deletes: %s") % sync.name)
    services.update_sync(actor, sync, data, policy, digest=digest, leaving=choice)
    return None


def _writes_nothing(data: SyncInput, policy: Mapping[str, Any]) -> bool:
    other = replace(data, name=None, description=None)
    if data.is_auto_sync_enabled is False:
        other = replace(other, is_auto_sync_enabled=None)
    return other == SyncInput() and set(policy) <= _QUIET


def plan_page(request: HttpRequest, site: Mapping[str, Any], sync: SecretSync, change: PlannedChange) -> HttpResponse:
    """The plan, with the settings as they were entered: `sync` is the stored one."""
    draft = change.proposal.sync
    note = destination_class(draft.destination).limits_of(draft.destination_config).note
    context = {
        **site,
        **shown(change.proposal.checked),
        "title": _("Plan of the change of %s") % sync.name,
        "opts": sync._meta,
        "sync": sync,
        "name": sync.name,
        "note": note,
        "change_problem": change.problem,
        "digest": change.proposal.digest,
        "leaving": change.proposal.leaving,
        "choice": request.POST.get(LEAVING_CHOICE, KEEP),
        "old_target": describe_target(sync.destination, sync.destination_config),
        "new_target": describe_target(draft.destination, draft.destination_config),
        "starts": draft.is_auto_sync_enabled and not draft.policy.paused,
        "entered": [(name, value) for name, values in request.POST.lists() if name not in _OWN for value in values],
    }
    return TemplateResponse(request, "syncs/change_plan.html", context)
