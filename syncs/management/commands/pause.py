"""Pause every sync, those of one connection, or one sync."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from config.access.roles import PLATFORM
from config.access.services import pause_everything
from config.commands import OperatorCommand
from config.errors import BadRequest, NotFound
from connections.models import AppConnection
from connections.services import pause_connection
from syncs.services.syncs import update_policy
from syncs.source.selectors import find_sync


class Command(OperatorCommand):
    help = "Pause every sync of this instance, those of one connection, or one sync."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--connection", metavar="NAME", help="the connection's name; every one of that name")
        parser.add_argument("--sync", metavar="SYNC", help="an id, or project-slug/sync-name")
        parser.add_argument("--reason", default="", help="why, for whoever sees the pause")

    def work(self, options: dict[str, Any]) -> int:
        name, reason = options["connection"], options["reason"]
        if name and options["sync"]:
            raise BadRequest("Give --connection or --sync, not both")
        if options["sync"]:
            sync = find_sync(PLATFORM, options["sync"])
            update_policy(PLATFORM, sync, {"paused": True, "pause_reason": reason})
            self.stdout.write(f"{sync} paused")
            return 0
        if not name:
            pause_everything(PLATFORM, paused=True, reason=reason)
            self.stdout.write("All syncs paused. Resume them with: manage.py resume")
            return 0
        found = list(AppConnection.objects.filter(name=name))
        if not found:
            raise NotFound(f"There is no connection '{name}'")
        for connection in found:
            pause_connection(PLATFORM, connection, paused=True, reason=reason)
        self.stdout.write(f"{len(found)} paused")
        return 0
