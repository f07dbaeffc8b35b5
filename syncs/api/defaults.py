"""The default policy of new syncs of a project. An extension of the modelled API."""

from __future__ import annotations

from typing import Annotated, Any

from django.urls import path
from rest_framework.request import Request
from typing_extensions import TypedDict

from config.access.roles import Right, project_for
from config.api.base import View
from config.api.operations import TypedResponse, operation
from config.responses import members
from config.schemas.json_schema import described
from config.schemas.types import Flag
from syncs.models import SyncDefaults
from syncs.services.defaults import update_defaults
from syncs.services.policy import Policy, policy_as_json, policy_changes
from syncs.source.selectors import defaults_of


class DefaultsChange(Policy):
    refuseOverlaps: Annotated[bool | None, Flag(help="Refuse syncs that would write keys of another sync.")] = None
    otherApprover: Annotated[
        bool | None, Flag(help="Held runs are approved by a person who did not make the change; never by a machine.")
    ] = None


_RULES = {"refuseOverlaps": {"type": "boolean"}, "otherApprover": {"type": "boolean"}}
DefaultsJson = Annotated[dict[str, Any], members({**described(Policy)["properties"], **_RULES})]


class OneSyncPolicyDefaults(TypedDict):
    syncPolicyDefaults: DefaultsJson


def defaults_as_json(defaults: SyncDefaults) -> OneSyncPolicyDefaults:
    """Every member: the project's value, or the product's."""
    policy = policy_as_json(defaults.new_policy())
    rules = {"refuseOverlaps": defaults.refuse_overlaps, "otherApprover": defaults.other_approver}
    return {"syncPolicyDefaults": {**policy, **rules}}


class Defaults(View):
    tag = "Projects"

    @operation("getSyncPolicyDefaults", "Get the default policy of a project's new syncs.")
    def get(self, request: Request, projectId: str) -> TypedResponse[OneSyncPolicyDefaults]:
        project = project_for(self.actor, projectId, Right.SEE_SYNCS)
        return TypedResponse(defaults_as_json(defaults_of(project)))

    @operation(
        "updateSyncPolicyDefaults",
        "Change the default policy of new syncs. Existing syncs keep theirs.",
        body=DefaultsChange,
    )
    def patch(self, request: Request, projectId: str) -> TypedResponse[OneSyncPolicyDefaults]:
        body = self.body(DefaultsChange)
        project = project_for(self.actor, projectId, Right.EDIT_POLICY)
        changed = update_defaults(self.actor, project, policy_changes(body), body.refuseOverlaps, body.otherApprover)
        return TypedResponse(defaults_as_json(changed))


urlpatterns = [path("v1/projects/<str:projectId>/sync-policy-defaults", Defaults.as_view())]
