"""Move in from a running Infisical, or from another Keyferry."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from config.access.roles import PLATFORM
from config.commands import OperatorCommand
from config.errors import BadRequest
from connections.errors import IntegrationError
from syncs.operations.infisical_import import Origin, Report, move_in

WIDTH = 30


class Command(OperatorCommand):
    help = (
        "Copy projects, environments, folders, secrets, imports and tags from an Infisical-compatible server. "
        "Running it again continues where it stopped; equal objects stay untouched, and a secret that differs "
        "gets the other server's value. "
        "Exit 0: complete, 3: something was left out (it is named), 1: error."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", required=True, metavar="URL", help="such as https://app.infisical.com")
        parser.add_argument("--client-id", required=True, help="of a machine identity there that may read values")
        parser.add_argument("--client-secret", help="without it: from INFISICAL_CLIENT_SECRET")
        parser.add_argument("--project", metavar="ID", help="only this one; without it: all that the login may see")
        parser.add_argument("--json", action="store_true", help="one line, an object")

    def work(self, options: dict[str, Any]) -> int:
        secret = options["client_secret"] or settings.INFISICAL_CLIENT_SECRET
        if not secret:
            raise BadRequest("Give --client-secret, or set INFISICAL_CLIENT_SECRET")
        quiet = options["json"] or not sys.stderr.isatty()
        try:
            origin = Origin(options["host"], options["client_id"], secret)
            try:
                report = move_in(PLATFORM, origin, options["project"], (lambda *_: None) if quiet else self._progress)
            finally:
                origin.close()
        except IntegrationError as error:
            raise BadRequest(f"{error} Copied objects stay; run the command again to continue.") from None
        if not quiet:
            self.stderr.write("")
        self._report(report, json=options["json"])
        return 3 if report.problems else 0

    def _progress(self, description: str, done: int, of: int) -> None:
        filled = WIDTH * done // max(of, 1)
        bar = "#" * filled + "." * (WIDTH - filled)
        self.stderr.write(f"\r[{bar}] {done}/{of} {description:60.60}", ending="")
        self.stderr.flush()

    def _report(self, report: Report, *, json: bool) -> None:
        if json:
            self.line({"found": report.found, "changed": report.changed, "problems": report.problems})
            return
        for description, count in report.found.items():
            changed = report.changed[description]
            self.stdout.write(f"{description:14} {count:6} found, {changed} new or changed here")
        for problem in report.problems:
            self.stderr.write(f"left out: {problem}")
