"""Remove the keys of a sync from its destination."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from config.access.roles import PLATFORM
from config.commands import OperatorCommand
from syncs.history.serialize import run_as_json
from syncs.planning.preview import plan_as_json, preview
from syncs.services.deletion import delete_sync
from syncs.services.impact import impact_of_sync_deletion
from syncs.services.triggers import remove_secrets
from syncs.source.selectors import find_sync


class Command(OperatorCommand):
    help = (
        "Show what removing a sync's secrets would delete; with --apply do it and pause the sync. "
        "Exit 0: queued, 2: shown, 1: error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("sync", metavar="SYNC", help="an id, or project-slug/sync-name")
        parser.add_argument("--apply", action="store_true", help="do it")
        parser.add_argument("--yes", action="store_true", help="with --apply: do not ask")
        parser.add_argument("--purge", action="store_true", help="also from the vendor's history")
        parser.add_argument("--delete-sync", action="store_true", help="and the sync itself, once they are deleted")
        parser.add_argument("--json", action="store_true", help="one line, an object")

    def work(self, options: dict[str, Any]) -> int:
        sync = find_sync(PLATFORM, options["sync"])
        if not options["apply"]:
            plan = preview(sync, "remove")
            if options["json"]:
                self.line(plan_as_json(plan))
            else:
                self.table([(change.action.value, change.key, change.reason) for change in plan.changes])
            return 2 if plan.deletes else 0
        found = impact_of_sync_deletion(PLATFORM, sync, with_secrets=True)
        self.confirm(map(str, found.syncs), yes=options["yes"], name=sync.name if found.needs_name else "")
        if options["delete_sync"]:
            delete_sync(PLATFORM, sync, with_secrets=True, purge=options["purge"])
            run = sync.runs.filter(operation="remove").latest("created_at")
        else:
            run = remove_secrets(PLATFORM, sync, purge=options["purge"])
        if options["json"]:
            self.line(run_as_json(run))
        else:
            paused = "" if options["delete_sync"] else "; the sync is paused until you resume or sync it"
            self.stdout.write(f"{sync}: queued as {run.pk}{paused}")
        return 0
