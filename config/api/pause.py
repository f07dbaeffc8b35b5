"""Stop everything now, and let it go on. Keyferry's own, beside the modelled API."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from config.access.services import instance, pause_everything
from config.api.base import View
from config.api.openapi import FLAG, TEXT_OR_NULL, TIME_OR_NULL, closed, component, described
from config.conventions import timestamp
from config.schemas.schema import Flag, Schema

TAG = "Organization"
PAUSE = Schema(
    (Flag("isPaused", "", "Whether runs shall stop between two keys and none begin.", required=True),), False
)
ANSWER = closed(
    {"pause": component("Pause", closed({"isPaused": FLAG, "pausedBy": TEXT_OR_NULL, "pausedAt": TIME_OR_NULL}))}
)


def wire(paused_at: datetime | None, paused_by: str) -> dict[str, Any]:
    return {
        "pause": {"isPaused": paused_at is not None, "pausedBy": paused_by or None, "pausedAt": timestamp(paused_at)}
    }


class Everything(View):
    def answer(self) -> Response:
        held = instance()
        return Response(wire(held.paused_at, held.paused_by))

    @described("getPause", TAG, "Whether everything is paused, by whom and since when.", ANSWER)
    def get(self, request: Request) -> Response:
        self.actor.require_instance_admin("look at the pause of everything")
        return self.answer()

    @described("setPause", TAG, "Stop every sync, or let them go on; in effect between two keys.", ANSWER, body=PAUSE)
    def patch(self, request: Request) -> Response:
        pause_everything(self.actor, paused=self.body(PAUSE)["isPaused"])
        return self.answer()


urlpatterns = [path("v1/organization/pause", Everything.as_view())]
