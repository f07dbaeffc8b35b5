"""Copy a sync for another environment."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from config.access.roles import PLATFORM
from config.commands import OperatorCommand
from config.errors import BadRequest
from syncs.services.duplicates import duplicate_sync
from syncs.source.selectors import find_sync


class Command(OperatorCommand):
    help = (
        "Copy a sync for another environment, with its connection, options and policy. Auto-sync of the copy is off: "
        "look at its plan first. Exit 0: copied, 1: error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("sync", metavar="SYNC", help="an id, or project-slug/sync-name")
        parser.add_argument("environment", metavar="ENVIRONMENT", help="the slug of the other environment")
        parser.add_argument("--name", help="of the copy")
        parser.add_argument("--path", help="another folder")
        parser.add_argument(
            "--config",
            action="append",
            default=[],
            metavar="FIELD=VALUE",
            help="another member of the target; repeated",
        )
        parser.add_argument("--json", action="store_true", help="one line, an object")

    def work(self, options: dict[str, Any]) -> int:
        sync = find_sync(PLATFORM, options["sync"])
        config = dict(_pair(text) for text in options["config"])
        copy = duplicate_sync(
            PLATFORM,
            sync,
            environment=options["environment"],
            secret_path=options["path"],
            name=options["name"],
            destination_config={**sync.destination_config, **config} if config else None,
        )
        if options["json"]:
            self.line({"id": str(copy.pk), "name": copy.name})
        else:
            self.stdout.write(f"{copy}: copied. Auto-sync is off; look at its plan with: manage.py plan {copy}")
        return 0


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise BadRequest(f"'{text}' is not written as FIELD=VALUE")
    return name, value
