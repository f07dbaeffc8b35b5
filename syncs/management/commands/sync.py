"""Run syncs."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from config.access.roles import PLATFORM
from config.commands import OperatorCommand
from config.errors import BadRequest, ServiceError
from syncs.history.run_reasons import reason_text
from syncs.history.serialize import outcomes, run_as_json, run_with_keys
from syncs.history.texts import next_try
from syncs.models import SecretSync, Status, SyncRun
from syncs.services.triggers import trigger
from syncs.source.selectors import find_sync, syncs

DONE, FAILED_TO_START, SOME_FAILED, HELD = 0, 1, 3, 4
ENDED = (Status.SUCCEEDED, Status.FAILED, Status.HELD, Status.DISMISSED, Status.SUPERSEDED)
NO_WORKER_AFTER = 30.0  # seconds without a start


class Command(OperatorCommand):
    help = "Run syncs. Exit 0: done, 3: some keys failed or were blocked, 4: held, 1: error."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("syncs", nargs="*", metavar="SYNC", help="an id, or project-slug/sync-name")
        parser.add_argument("--all", action="store_true", help="every sync that has a source")
        parser.add_argument("--wait", action="store_true", help="show progress and the outcome of each key")
        parser.add_argument("--json", action="store_true", help="one line, an object")

    def work(self, options: dict[str, Any]) -> int:
        wait, json = options["wait"], options["json"]
        chosen = self._chosen(options["syncs"], options["all"])
        runs, refused = [], []
        for sync in chosen:
            try:
                runs.append(trigger(PLATFORM, sync, "sync"))
            except ServiceError as error:
                refused.append((sync, str(error)))
                self.stderr.write(f"{sync}: {error}")
        ended = [self._ended(run, quiet=json) for run in runs] if wait else runs
        if json:
            self.line(
                {
                    "runs": [(run_with_keys if wait else run_as_json)(run) for run in ended],
                    "refused": [{"sync": str(sync), "message": message} for sync, message in refused],
                }
            )
        else:
            for run in ended:
                self._show(run, wait)
        return FAILED_TO_START if refused else _code(ended) if wait else DONE

    def _chosen(self, names: list[str], everything: bool) -> list[SecretSync]:
        if everything == bool(names):
            raise BadRequest("Name the syncs to run, or give --all")
        if everything:
            return list(syncs().filter(folder__isnull=False))
        return [find_sync(PLATFORM, name) for name in names]

    def _ended(self, run: SyncRun, *, quiet: bool) -> SyncRun:
        """The run once it has ended."""
        began, last_line = time.monotonic(), ""
        while run.status not in ENDED:
            if run.started_at is None and time.monotonic() - began > NO_WORKER_AFTER and not quiet:
                self.stderr.write("No worker has started the run yet; is `manage.py up` running?")
                began = time.monotonic()
            time.sleep(0.1)
            run = SyncRun.objects.select_related("sync__project").get(pk=run.pk)
            planned = sum(run.counts.get(name, 0) for name in ("create", "update", "delete", "adopt"))
            done = run.changes.filter(outcome="applied").count()
            said = next_try(run) or run.message
            line = f"{run.sync}: {run.status}, {done}/{planned} keys written" + (f" - {said}" if said else "")
            if line != last_line and not quiet:
                self.stderr.write(line)
                last_line = line
        return run

    def _show(self, run: SyncRun, waited: bool) -> None:
        if not waited:
            self.stdout.write(f"{run.sync}: queued as {run.pk}")
            return
        self.stdout.write(f"{run.sync}: {run.status}" + (f" - {run.message}" if run.message else ""))
        if why := reason_text(run.reason):
            self.stdout.write(f"Why: {why}")
        self.table([(one["outcome"], one["action"], one["key"], one["why"]) for one in outcomes(run)])


def _code(runs: list[SyncRun]) -> int:
    if any(run.status == Status.HELD for run in runs):
        return HELD
    return SOME_FAILED if any(run.status != Status.SUCCEEDED for run in runs) else DONE
