"""The destinations of this installation, and their properties."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from config.commands import OperatorCommand
from config.errors import NotFound
from syncs.destination.catalogue import Facts, catalogue


class Command(OperatorCommand):
    help = "List the destinations that secrets can be synced to; with a SLUG everything about one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", metavar="SLUG", nargs="?", help="such as humanitec")
        parser.add_argument("--json", action="store_true", help="one line, an object")

    def work(self, options: dict[str, Any]) -> int:
        known = [facts for facts in catalogue() if options["slug"] in (None, facts.slug)]
        if not known:
            raise NotFound(f"There is no destination '{options['slug']}'")
        if options["json"]:
            self.line({"destinations": [facts.as_json() for facts in known]})
        elif options["slug"]:
            self.table(_details(known[0]))
        else:
            self.table([(facts.slug, facts.name, "imports" if facts.imports else "", facts.drift) for facts in known])
        return 0


def _details(facts: Facts) -> list[tuple[str, ...]]:
    facts_of_one = [
        ("name", facts.name),
        ("connection", f"{facts.connection}: {', '.join(facts.methods)}"),
        ("scopes", ", ".join(facts.scopes) or "one"),
        ("import", "yes" if facts.imports else "no"),
        ("drift", facts.drift),
        *(("limit", limit) for limit in facts.limits),
        ("pace", facts.pace),
        ("rights", facts.rights),
        ("note", facts.note),
        *(("verified", str(each)) for each in facts.verified),
        ("docs", facts.docs),
    ]
    return [pair for pair in facts_of_one if pair[1]]
