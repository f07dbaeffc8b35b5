"""The destinations that this installation knows."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from config.commands import OperatorCommand
from syncs.destination import destinations


class Command(OperatorCommand):
    help = "List the destinations that secrets can be synced to."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one line, an object")

    def work(self, options: dict[str, Any]) -> int:
        if options["json"]:
            known = [{"slug": one.slug, "name": one.label, "connection": one.provider} for one in destinations]
            self.line({"destinations": known})
        else:
            self.table([(one.slug, one.label, one.capabilities.note) for one in destinations])
        return 0
