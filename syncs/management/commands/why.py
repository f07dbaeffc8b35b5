"""Why a key exists at a destination."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from config.access.roles import PLATFORM
from config.commands import OperatorCommand
from syncs.history.explain import why
from syncs.source.selectors import find_sync


class Command(OperatorCommand):
    help = "Explain a key at a destination: its secret, the way it got there, and who wrote it when."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("sync", metavar="SYNC", help="an id, or project-slug/sync-name")
        parser.add_argument("key", metavar="KEY", help="its name at the destination")
        parser.add_argument("--json", action="store_true", help="one line, an object")

    def work(self, options: dict[str, Any]) -> int:
        found = why(PLATFORM, find_sync(PLATFORM, options["sync"]), options["key"])
        if options["json"]:
            self.line({"why": found})
            return 0
        for name, value in found.items():
            parts = value.items() if isinstance(value, dict) else [("", value)]
            for part, text in parts:
                self.stdout.write(f"{f'{name} {part}'.strip():28} {'-' if text in (None, []) else text}")
        return 0
