"""Cancel a run."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from config.access.roles import PLATFORM
from config.commands import OperatorCommand
from config.errors import BadRequest, NotFound
from syncs.history.serialize import run_as_json
from syncs.models import Status, SyncRun
from syncs.services.cancellation import cancel


class Command(OperatorCommand):
    help = (
        "Cancel a run that has not ended: it stops between keys, what it wrote stays, and the rest is skipped. "
        "Exit 0: cancelled, 1: error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", metavar="RUN", help="its id")
        parser.add_argument("--json", action="store_true", help="one line, an object")

    def work(self, options: dict[str, Any]) -> int:
        run = cancel(PLATFORM, _found(options["run"]))
        if options["json"]:
            self.line(run_as_json(run))
        elif run.status == Status.RUNNING:
            self.stdout.write(f"{run.sync}: the run stops before its next request")
        else:
            self.stdout.write(f"{run.sync}: {run.message}")
        return 0


def _found(text: str) -> SyncRun:
    try:
        run_id = UUID(text)
    except ValueError:
        raise BadRequest(f"'{text}' is not the id of a run") from None
    run = SyncRun.objects.select_related("sync__project").filter(pk=run_id).first()
    if run is None:
        raise NotFound(f"There is no run with the id {run_id}")
    return run
