"""Compare a sync's destination with what the sync left there, and decide about what was found."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from config.access.roles import PLATFORM
from config.commands import OperatorCommand
from syncs.history.serialize import run_as_json
from syncs.models import SecretSync
from syncs.running.drift import check, drift_as_json
from syncs.services.drift import CHOICES, accept, heal
from syncs.source.selectors import find_sync


class Command(OperatorCommand):
    help = "Compare with the destination now. Exit 0: no drift, or decided, 2: drift, 1: error, or unknown."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("sync", metavar="SYNC", help="an id, or project-slug/sync-name")
        decision = parser.add_mutually_exclusive_group()
        decision.add_argument("--heal", action="store_true", help="start a run, which writes the drifted keys again")
        decision.add_argument(
            "--accept",
            choices=CHOICES,
            help="take the destination's values into the source, or leave the keys, which are no longer synced",
        )
        parser.add_argument("--key", action="append", metavar="KEY", help="with --accept: only this key, repeatable")
        parser.add_argument("--json", action="store_true", help="one line, an object")

    def work(self, options: dict[str, Any]) -> int:
        sync = find_sync(PLATFORM, options["sync"])
        found = check(sync)
        if options["accept"] and found.status == "drifted":
            accept(PLATFORM, sync, options["accept"], options["key"])
            return self._decided(sync, options)
        if options["heal"] and found.status == "drifted":
            run = heal(PLATFORM, sync)
            if options["json"]:
                self.line({**drift_as_json(sync), "run": run_as_json(run)})
            else:
                self.stdout.write(f"{sync}: queued as {run.pk}")
            return 0
        if options["json"]:
            self.line(drift_as_json(sync))
        else:
            self.table([(one["state"], one["key"], one["reason"]) for one in found.changes])
            count = sum(one["state"] in ("changed", "missing") for one in found.changes)
            summary = {
                "drifted": f"{count} drifted",
                "none": "no drift",
                "unknown": "unknown whether it drifted",
            }
            self.stdout.write(summary[found.status])
        return EXIT[found.status]

    def _decided(self, sync: SecretSync, options: dict[str, Any]) -> int:
        if options["json"]:
            self.line(drift_as_json(sync))
        else:
            done = "taken into the source" if options["accept"] == "take" else "left; no longer synced"
            self.stdout.write(f"{sync}: {done}")
        return 0


EXIT = {"none": 0, "drifted": 2, "unknown": 1}
