"""Compare a sync's destination with what the sync left there."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from config.access.roles import PLATFORM
from config.commands import OperatorCommand
from syncs.preview import drift_of, preview
from syncs.selectors import find_sync


class Command(OperatorCommand):
    help = "Compare with the destination now. Exit 0: no drift, 2: drift, 1: error."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("sync", metavar="SYNC", help="an id, or project-slug/sync-name")
        parser.add_argument("--json", action="store_true", help="one line, an object")

    def work(self, options: dict[str, Any]) -> int:
        plan = preview(find_sync(PLATFORM, options["sync"]))
        found = drift_of(plan)
        ours = [one for one in found if one["state"] != "unmanaged"]
        if options["json"]:
            status = "drifted" if ours else "none"
            self.line({"status": status, "complete": plan.complete, "changes": found})
        else:
            self.table([(one["state"], one["key"], one["reason"]) for one in found])
            self.stdout.write(f"{len(ours)} drifted" if ours else "no drift")
        return 2 if ours else 0
