"""Whether the audit log is whole."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from config.access.audit import broken_links
from config.access.models import AuditEvent
from config.commands import OperatorCommand


class Command(OperatorCommand):
    help = (
        "Check the audit log's chain and the seal of its end. Exit 0: whole, 1: one was changed, moved or removed. "
        "A database that was put back as a whole is whole too: note the hash that is printed, and ask for it later."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--has", metavar="HASH", help="of an event, noted earlier, that must still be there")

    def work(self, options: dict[str, Any]) -> int:
        broken = list(broken_links())
        if options["has"] and not AuditEvent.objects.filter(hash=options["has"]).exists():
            broken.append(f"the event with the hash {options['has']} is not there")
        for said in broken:
            self.stderr.write(said)
        if not broken:
            last = AuditEvent.objects.values_list("hash", flat=True).first()
            self.stdout.write(f"{AuditEvent.objects.count()} events, the chain is whole; the last is {last}")
        return 1 if broken else 0
