"""What a run of a sync would do now, or after a change of the sync."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from config.access.roles import PLATFORM
from config.commands import OperatorCommand
from syncs.destination.base import describe_target
from syncs.engine.types import Action
from syncs.planning.opening import destination_class
from syncs.planning.preflight import checked_plan
from syncs.services.field_values import changes_of
from syncs.services.syncs import propose
from syncs.source.selectors import find_sync

NOTHING, CHANGES, STOPPED = 0, 2, 4


class Command(OperatorCommand):
    help = (
        "Show what a run would do now, or after a change that is not stored. "
        "Exit 0: nothing, 2: changes, 4: a key is blocked or it would be held, 1: error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("sync", metavar="SYNC", help="an id, or project-slug/sync-name")
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="FIELD=VALUE",
            help="a change to plan, such as destinationConfig.app=shop or policy.exclude=DEBUG_*; repeatable",
        )
        parser.add_argument("--json", action="store_true", help="one line, an object")

    def work(self, options: dict[str, Any]) -> int:
        found = find_sync(PLATFORM, options["sync"])
        proposal = propose(PLATFORM, found, *changes_of(found, options["set"])) if options["set"] else None
        checked = proposal.checked if proposal else checked_plan(PLATFORM, found)
        plan = checked.plan
        if options["json"]:
            self.line((proposal or checked).as_json())
        else:
            if proposal and proposal.leaving:
                former = describe_target(found.destination, found.destination_config)
                keys = ", ".join(proposal.leaving.keys) or "none"
                self.stdout.write(f"keys of this sync at {former}, which it would leave: {keys}")
            quiet = (Action.UNCHANGED,)
            self.table([(c.action.value, c.key, c.reason) for c in plan.changes if c.action not in quiet])
            counts = ", ".join(f"{count} {name}" for name, count in plan.counts.items() if count)
            self.stdout.write(counts or "nothing at the source, nothing at the destination")
            if any(change.write for change in plan.changes):
                self.stdout.write(str(checked.estimate))
            for warning in checked.warnings:
                self.stdout.write(self.style.WARNING(f"warning: {warning}"))
            if note := destination_class(found.destination).capabilities.note:
                self.stdout.write(note)
            if plan.held:
                self.stdout.write(self.style.WARNING(f"held: {plan.held}"))
        if plan.held or plan.counts["blocked"]:
            return STOPPED
        return CHANGES if any(change.write for change in plan.changes) else NOTHING
