"""Show the held run of a sync, and approve or dismiss it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from config.access.roles import PLATFORM
from config.commands import OperatorCommand
from config.errors import NotFound
from syncs.history.serialize import outcomes, run_as_json, run_with_keys
from syncs.models import Status, SyncRun
from syncs.services import approvals
from syncs.source.selectors import find_sync


class Command(OperatorCommand):
    help = "Show what a held run would do, approve it or dismiss it. Exit 0: decided, 4: shown, it is held, 1: error."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("sync", metavar="SYNC", help="an id, or project-slug/sync-name")
        decision = parser.add_mutually_exclusive_group()
        decision.add_argument("--approve", action="store_true", help="execute it with the deletes that it lists")
        decision.add_argument("--writes-only", action="store_true", help="only create and update; delete nothing")
        decision.add_argument("--dismiss", action="store_true", help="keep the keys until source or policy changes")
        parser.add_argument("--comment", default="", metavar="TEXT", help="why, kept with the run and in the audit log")
        parser.add_argument("--json", action="store_true", help="one line, an object")

    def work(self, options: dict[str, Any]) -> int:
        sync = find_sync(PLATFORM, options["sync"])
        held = SyncRun.objects.select_related("sync__project").filter(sync=sync, status=Status.HELD).first()
        if held is None:
            raise NotFound(f"No run of {sync} is held")
        decided = True
        if options["approve"] or options["writes_only"]:
            run = approvals.approve(PLATFORM, held, writes_only=options["writes_only"], comment=options["comment"])
        elif options["dismiss"]:
            run = approvals.dismiss(PLATFORM, held, comment=options["comment"])
        else:
            run, decided = held, False
        if options["json"]:
            self.line(run_as_json(run) if decided else run_with_keys(run))
        elif decided:
            self.stdout.write(f"{sync}: {'dismissed' if options['dismiss'] else 'approved, and queued'}")
        else:
            self.stdout.write(f"{sync}: {run.message}")
            self.table([(one["action"], one["key"], one["why"]) for one in outcomes(run)])
        return 0 if decided else 4
