"""Compare a sync's destination with what the sync left there."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from config.access.roles import PLATFORM
from config.commands import OperatorCommand
from syncs.planning.preview import drift_of, drift_status, preview
from syncs.source.selectors import find_sync


class Command(OperatorCommand):
    help = "Compare with the destination now. Exit 0: no drift, 2: drift, 1: error, or unknown."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("sync", metavar="SYNC", help="an id, or project-slug/sync-name")
        parser.add_argument("--json", action="store_true", help="one line, an object")

    def work(self, options: dict[str, Any]) -> int:
        plan = preview(find_sync(PLATFORM, options["sync"]))
        found = drift_of(plan)
        status = drift_status(found)
        if options["json"]:
            self.line({"status": status, "complete": plan.complete, "changes": found})
        else:
            self.table([(one["state"], one["key"], one["reason"]) for one in found])
            count = sum(one["state"] in ("changed", "missing") for one in found)
            summary = {
                "drifted": f"{count} drifted",
                "none": "no drift",
                "unknown": "unknown whether it drifted",
            }
            self.stdout.write(summary[status])
        return EXIT[status]


EXIT = {"none": 0, "drifted": 2, "unknown": 1}
