"""Notification targets of a project, from a terminal."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import CommandParser

from config.access.models import Project
from config.access.roles import PLATFORM
from config.access.services import find_project
from config.commands import OperatorCommand
from config.errors import BadRequest
from syncs.models import NoticeState, NotificationTarget
from syncs.notifications import targets as services
from syncs.notifications.serialize import target_as_json
from syncs.notifications.targets import RECIPIENTS, TargetInput
from syncs.source.selectors import target_of


class Command(OperatorCommand):
    help = (
        "The targets notified when a project's syncs fail, are held, drift or recover: list, add, remove, test. "
        "`add` reads an apprise URL from standard input, since it contains tokens and command lines are visible."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("do", choices=("list", "add", "remove", "test"))
        parser.add_argument("project", metavar="PROJECT", help="its slug")
        parser.add_argument("name", metavar="NAME", nargs="?", help="of the target")
        parser.add_argument("--email", choices=RECIPIENTS, help="add: e-mail to these instead of a URL")
        parser.add_argument("--on", choices=NoticeState.values, action="append", help="add: only this; may be repeated")
        parser.add_argument("--json", action="store_true", help="one line, an object")

    def work(self, options: dict[str, Any]) -> int:
        project = find_project(options["project"])
        if options["do"] == "list":
            return self._list(project, options["json"])
        if not options["name"]:
            raise BadRequest(f"{options['do']} needs the target's NAME")
        if options["do"] == "add":
            return self._add(project, options)
        target = target_of(project, name=options["name"])
        if options["do"] == "test":
            services.test_target(PLATFORM, target)
            result = "the message was accepted"
        else:
            services.delete_target(PLATFORM, target)
            result = "deleted"
        self._print(target, result, options["json"])
        return 0

    def _list(self, project: Project, as_json: bool) -> int:
        found = list(project.notification_targets.all())
        if as_json:
            self.line({"notificationTargets": [target_as_json(target) for target in found]})
            return 0
        self.table(
            [(each.name, each.recipients or each.scheme, " ".join(each.states), each.last_error) for each in found]
        )
        return 0

    def _add(self, project: Project, options: dict[str, Any]) -> int:
        url = None if options["email"] else sys.stdin.readline().strip()
        data = TargetInput(options["name"], url, options["email"], options["on"], True)
        self._print(services.create_target(PLATFORM, project, data), "added", options["json"])
        return 0

    def _print(self, target: NotificationTarget, result: str, as_json: bool) -> None:
        if as_json:
            self.line({"notificationTarget": target_as_json(target)})
        else:
            self.stdout.write(f"{target.name}: {result}")
