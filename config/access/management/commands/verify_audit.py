"""Whether the audit log is whole."""

from __future__ import annotations

from typing import Any

from config.access.audit import broken_links
from config.access.models import AuditEvent
from config.commands import OperatorCommand


class Command(OperatorCommand):
    help = "Check the audit log's chain. Exit 0: whole, 1: an event was changed or removed."

    def work(self, options: dict[str, Any]) -> int:
        broken = list(broken_links())
        for said in broken:
            self.stderr.write(said)
        if not broken:
            self.stdout.write(f"{AuditEvent.objects.count()} events, the chain is whole")
        return 1 if broken else 0
