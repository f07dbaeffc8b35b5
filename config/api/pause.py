"""Pause and resume all syncs. An extension of the modelled API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from django.urls import path
from rest_framework.request import Request
from typing_extensions import TypedDict

from config.access.services import instance, pause_everything
from config.api.base import View
from config.api.operations import TypedResponse, operation
from config.conventions import timestamp
from config.responses import Time
from config.schemas.model import Body
from config.schemas.types import Flag, Text


class PauseChange(Body):
    isPaused: Annotated[bool, Flag(help="Whether to stop running syncs before their next key and to start none.")]
    reason: Annotated[str | None, Text("Reason", "Why, for whoever sees the pause.", max_length=255)] = None


class Pause(TypedDict):
    isPaused: bool
    pausedBy: str | None
    pausedAt: Time | None
    reason: str | None


class OnePause(TypedDict):
    pause: Pause


def pause_json(paused_at: datetime | None, paused_by: str, reason: str) -> OnePause:
    return {
        "pause": {
            "isPaused": paused_at is not None,
            "pausedBy": paused_by or None,
            "pausedAt": timestamp(paused_at),
            "reason": reason or None,
        }
    }


class PauseView(View):
    tag = "Organization"

    def respond(self) -> TypedResponse[OnePause]:
        row = instance()
        return TypedResponse(pause_json(row.paused_at, row.paused_by, row.pause_reason))

    @operation("getPause", "Get whether all syncs are paused, by whom and since when.")
    def get(self, request: Request) -> TypedResponse[OnePause]:
        self.actor.require_instance_admin("see whether all syncs are paused")
        return self.respond()

    @operation("setPause", "Pause or resume all syncs. Takes effect before the next key is written.", body=PauseChange)
    def patch(self, request: Request) -> TypedResponse[OnePause]:
        wanted = self.body(PauseChange)
        pause_everything(self.actor, paused=wanted.isPaused, reason=wanted.reason or "")
        return self.respond()


urlpatterns = [path("v1/organization/pause", PauseView.as_view())]
