"""The status of syncs."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from config.access.roles import PLATFORM
from config.commands import OperatorCommand
from syncs.history.status import statuses
from syncs.models import SyncState
from syncs.source.selectors import find_sync, syncs


class Command(OperatorCommand):
    help = "Show the status of syncs, of all without SYNC. Exit 0: up to date or under way, 2: another state, 1: error."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("syncs", nargs="*", metavar="SYNC", help="an id, or project-slug/sync-name")
        parser.add_argument("--json", action="store_true", help="one line, an object")

    def work(self, options: dict[str, Any]) -> int:
        names = options["syncs"]
        found = [find_sync(PLATFORM, name) for name in names] if names else list(syncs())
        known = statuses(found)
        rows = [(sync, known[sync.pk]) for sync in found if sync.pk in known]
        if options["json"]:
            self.line(
                {"syncs": [{"id": sync.pk, "sync": str(sync), "status": status.as_json()} for sync, status in rows]}
            )
        else:
            for sync, status in rows:
                self.stdout.write(f"{sync}: {status.label}")
                for reason in status.reasons:
                    self.stdout.write(f"  {reason}")
        return 0 if all(status.state in _FINE for _, status in rows) else 2


_FINE = (SyncState.UP_TO_DATE, SyncState.RUNNING, SyncState.PENDING, SyncState.RETRYING)
