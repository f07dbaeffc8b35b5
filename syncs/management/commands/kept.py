"""Show the keys of a sync that are kept on request, delete them after all, or forget them."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from config.access.roles import PLATFORM
from config.commands import OperatorCommand
from syncs.history.serialize import run_as_json
from syncs.planning.kept import kept_as_json, kept_keys
from syncs.planning.preview import change_as_json
from syncs.services.kept import delete_kept, forget_kept, plan_of_delete
from syncs.source.selectors import find_sync


class Command(OperatorCommand):
    help = "Show the keys that are kept on request, and those that a first run left. Exit 0: shown or done, 1: error."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("sync", metavar="SYNC", help="an id, or project-slug/sync-name")
        parser.add_argument("keys", metavar="KEY", nargs="*", help="only these keys; none: all of them")
        decision = parser.add_mutually_exclusive_group()
        decision.add_argument("--delete", action="store_true", help="run the sync with their deletes approved")
        decision.add_argument("--forget", action="store_true", help="they stay, and no sync deletes them")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument("--json", action="store_true", help="one line, an object")

    def work(self, options: dict[str, Any]) -> int:
        sync = find_sync(PLATFORM, options["sync"])
        keys = options["keys"] or None
        if options["delete"]:
            plan = plan_of_delete(PLATFORM, sync, keys)
            changes = [change_as_json(change) for change in plan.changes if change.write]
            lines = [f"  {one['action']}  {one['key']}  {one['reason']}" for one in changes]
            self.confirm([f"A run of {sync} with these changes:", *lines], yes=options["yes"])
            run = delete_kept(PLATFORM, sync, keys, digest=plan.digest)
            if options["json"]:
                self.line(run_as_json(run))
            else:
                self.stdout.write(f"{sync}: approved, and queued")
            return 0
        if options["forget"]:
            self.confirm([f"{sync} forgets the keys; they stay at the destination."], yes=options["yes"])
            found = forget_kept(PLATFORM, sync, keys)
        else:
            found = [each for each in kept_keys(sync) if keys is None or each.key in keys]
        if options["json"]:
            self.line({"kept": [kept_as_json(each) for each in found], "totalCount": len(found)})
        else:
            self.table([(each.why, each.key, f"{each.since:%Y-%m-%d %H:%M}" if each.since else "") for each in found])
            self.stdout.write(f"{sync}: {len(found)} {'forgotten' if options['forget'] else 'kept on request'}")
        return 0
