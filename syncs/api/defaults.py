"""What new syncs of a project start with. Keyferry's own, beside the modelled API."""

from __future__ import annotations

from typing import Annotated, Any

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from config.access.roles import Right, project_for
from config.api.base import View
from config.api.openapi import FLAG, closed, component, described
from config.schemas.types import Flag
from syncs.models import SyncDefaults
from syncs.services.defaults import update_defaults
from syncs.services.policy import Policy, policy_as_json, policy_changes, policy_shape
from syncs.source.selectors import defaults_of

TAG = "Projects"


class Update(Policy):
    refuseOverlaps: Annotated[
        bool | None, Flag(help="Refuse a sync that would write keys which another sync writes.")
    ] = None


SHAPE = component("SyncPolicyDefaults", closed({**policy_shape()["properties"], "refuseOverlaps": FLAG}))
ANSWER = closed({"syncPolicyDefaults": SHAPE})
PROJECT = (("projectId", "The project's id."),)


def wire(defaults: SyncDefaults) -> dict[str, Any]:
    """Every member: the project's word, or the product's."""
    return {**policy_as_json(defaults.new_policy()), "refuseOverlaps": defaults.refuse_overlaps}


class Defaults(View):
    @described("getSyncPolicyDefaults", TAG, "The policy that new syncs of a project start with.", ANSWER, path=PROJECT)
    def get(self, request: Request, projectId: str) -> Response:
        project = project_for(self.actor, projectId, Right.SEE_SYNCS)
        return Response({"syncPolicyDefaults": wire(defaults_of(project))})

    @described(
        "updateSyncPolicyDefaults",
        TAG,
        "Change what new syncs start with; those that exist stay as they are.",
        ANSWER,
        body=Update,
        path=PROJECT,
    )
    def patch(self, request: Request, projectId: str) -> Response:
        body = self.body(Update)
        project = project_for(self.actor, projectId, Right.EDIT_POLICY)
        changed = update_defaults(self.actor, project, policy_changes(body), body.refuseOverlaps)
        return Response({"syncPolicyDefaults": wire(changed)})


urlpatterns = [path("v1/projects/<str:projectId>/sync-policy-defaults", Defaults.as_view())]
