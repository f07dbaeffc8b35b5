"""Verify the integrity of the audit log."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from config.access.audit import broken_links
from config.access.models import AuditEvent
from config.commands import OperatorCommand


class Command(OperatorCommand):
    help = (
        "Verify the chain of the audit log and its seal. Exit 0: intact, 1: events were changed, moved or removed. "
        "A database restored from a backup is intact, too: note the printed hash, and check for it later with --has."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--has", metavar="HASH", help="hash of an event, noted earlier, that must still exist")

    def work(self, options: dict[str, Any]) -> int:
        broken = list(broken_links())
        if options["has"] and not AuditEvent.objects.filter(hash=options["has"]).exists():
            broken.append(f"there is no event with the hash {options['has']}")
        for problem in broken:
            self.stderr.write(problem)
        if not broken:
            last = AuditEvent.objects.values_list("hash", flat=True).first()
            self.stdout.write(f"{AuditEvent.objects.count()} events, the chain is intact; the last hash is {last}")
        return 1 if broken else 0
