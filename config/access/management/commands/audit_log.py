"""The audit log, searched and exported."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandParser

from config.access.audit import event_as_json, search
from config.access.services import find_project
from config.commands import OperatorCommand
from config.errors import BadRequest


class Command(OperatorCommand):
    help = "Print the audit log, oldest first; with --jsonl as JSON Lines, for log collectors."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", metavar="SLUG")
        parser.add_argument("--event", action="append", default=[], help="such as get-secret; may be repeated")
        parser.add_argument("--actor", help="name or ID of the actor")
        parser.add_argument(
            "--object", metavar="ID", help="of a sync, connection, folder, secret, run, person and so on"
        )
        parser.add_argument("--since", metavar="DATE", help="ISO 8601, such as 2026-02-01 or 2026-02-01T09:30:00Z")
        parser.add_argument("--until", metavar="DATE")
        parser.add_argument("--jsonl", action="store_true", help="print each event as a JSON object on its own line")

    def work(self, options: dict[str, Any]) -> int:
        project = find_project(options["project"]) if options["project"] else None
        found = search(
            project_id=project.pk if project else None,
            events=options["event"],
            actor=options["actor"],
            since=_moment(options["since"]),
            until=_moment(options["until"]),
            object_id=options["object"],
        )
        for row in found.order_by("sequence").iterator(chunk_size=1000):
            if options["jsonl"]:
                self.stdout.write(json.dumps(event_as_json(row), separators=(",", ":")))
            else:
                what = " ".join(f"{key}={value}" for key, value in event_as_json(row)["eventMetadata"].items())
                self.stdout.write(f"{row.sequence:8} {row.at:%Y-%m-%d %H:%M:%S} {row.event} {row.actor_name} {what}")
        return 0


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest(f"'{text}' is not a date such as 2026-02-01 or 2026-02-01T09:30:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
