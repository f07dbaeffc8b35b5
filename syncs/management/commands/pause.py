"""Pause every sync, or those of one connection."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from config.access.roles import PLATFORM
from config.access.services import pause_everything
from config.commands import OperatorCommand
from config.errors import NotFound
from connections.models import AppConnection
from connections.services import pause_connection


class Command(OperatorCommand):
    help = "Pause every sync of this instance, or those of one connection."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--connection", metavar="NAME", help="the connection's name; every one of that name")

    def work(self, options: dict[str, Any]) -> int:
        name = options["connection"]
        if not name:
            pause_everything(PLATFORM, paused=True)
            self.stdout.write("All syncs paused. Resume them with: manage.py resume")
            return 0
        found = list(AppConnection.objects.filter(name=name))
        if not found:
            raise NotFound(f"There is no connection '{name}'")
        for connection in found:
            pause_connection(PLATFORM, connection, paused=True)
        self.stdout.write(f"{len(found)} paused")
        return 0
