"""Undo a run of a sync: show what that would restore, and do it on request."""

from __future__ import annotations

import contextlib
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from config.access.roles import PLATFORM
from config.commands import OperatorCommand
from config.errors import NotFound
from syncs.history.serialize import run_as_json
from syncs.models import SyncRun
from syncs.planning.preview import plan_as_json, preview
from syncs.planning.undo import require_undoable, undoable
from syncs.services.triggers import undo
from syncs.source.selectors import find_sync


class Command(OperatorCommand):
    help = (
        "Show what undoing a run would restore (the last that wrote something, or --run); with --apply do it and "
        "pause the sync. Exit 0: nothing to do, or queued, 2: shown, something would change, 1: error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("sync", metavar="SYNC", help="an id, or project-slug/sync-name")
        parser.add_argument("--run", metavar="ID", help="the run to undo; the last that wrote something")
        parser.add_argument("--apply", action="store_true", help="do it")
        parser.add_argument("--yes", action="store_true", help="with --apply: do not ask")
        parser.add_argument("--json", action="store_true", help="one line, an object")

    def work(self, options: dict[str, Any]) -> int:
        sync = find_sync(PLATFORM, options["sync"])
        runs = SyncRun.objects.select_related("sync").filter(sync=sync)
        run = _find(runs, options["run"]) if options["run"] else undoable(sync).first()
        if run is None:
            raise NotFound("There is no such run of this sync, or none that wrote anything")
        require_undoable(run)
        if not options["apply"]:
            return self._show(run, options["json"])
        plan = preview(run.sync, undone=run)
        changes = [f"  {change.action.value}  {change.key}  {change.reason}" for change in plan.changes]
        self.confirm([f"Undo this run of {sync}, and pause the sync:", *changes], yes=options["yes"])
        undoing = undo(PLATFORM, run, plan.digest)
        if options["json"]:
            self.line(run_as_json(undoing))
        else:
            self.stdout.write(f"{sync}: queued as {undoing.pk}; automatic runs are paused")
        return 0

    def _show(self, run: SyncRun, as_json: bool) -> int:
        plan = preview(run.sync, undone=run)
        if as_json:
            self.line({"run": str(run.pk), **plan_as_json(plan)})
        else:
            self.table([(change.action.value, change.key, change.reason) for change in plan.changes])
        return 2 if any(change.write or change.effects for change in plan.changes) else 0


def _find(runs: QuerySet[SyncRun], run_id: str) -> SyncRun | None:
    with contextlib.suppress(ValueError):
        return runs.filter(pk=UUID(run_id)).first()
    return None
