"""A machine identity for the API."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from config.access.identities import create_identity
from config.access.models import Role
from config.access.roles import PLATFORM
from config.access.services import find_project
from config.commands import OperatorCommand


class Command(OperatorCommand):
    help = "Create a machine identity and print its client secret, which is shown only once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--role", required=True, choices=Role.values)
        parser.add_argument(
            "--project", metavar="SLUG", help="ID or slug of its project; without it, an identity of the instance"
        )
        parser.add_argument("--json", action="store_true", help="print a JSON object on one line")

    def work(self, options: dict[str, Any]) -> int:
        project = find_project(options["project"]) if options["project"] else None
        created = create_identity(PLATFORM, options["name"], role=options["role"], project=project)
        client_id = str(created.identity.client_id)
        if options["json"]:
            self.line({"id": created.identity.pk, "clientId": client_id, "clientSecret": created.client_secret})
        else:
            self.stdout.write(f"clientId:     {client_id}")
            self.stdout.write(f"clientSecret: {created.client_secret}")
        return 0
