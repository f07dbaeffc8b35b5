"""Secrets of one folder, from a terminal or a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.db import transaction

from config.access import audit
from config.access.roles import PLATFORM
from config.access.services import find_project
from config.commands import OperatorCommand
from config.encryption import Undecryptable
from config.errors import BadRequest, NotFound
from syncs.models import Folder, Secret
from syncs.services.files import store_file
from syncs.services.folders import ensure_folder
from syncs.services.secrets import set_secrets
from syncs.source.formats import KINDS, parse, written
from syncs.source.paths import normal_path
from syncs.source.selectors import comment_of, environment_by_slug, folder_by_path, value_of
from syncs.source.validation import SecretInput


class Command(OperatorCommand):
    help = (
        "Work on the secrets of a folder. FOLDER is project-slug/environment-slug, or with /path/of/folders after it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, parser_class=type(parser))
        for name, text in (
            ("set", "create or update secrets; a missing folder is created"),
            ("get", "print one value"),
            ("list", "the keys"),
            ("import", "create or update from a dotenv, JSON or YAML file"),
            ("export", "every secret, as dotenv, JSON or YAML"),
        ):
            action = actions.add_parser(name, help=text)
            action.add_argument("folder", metavar="FOLDER")
            action.add_argument("--json", action="store_true", help="one line, an object")
            if name == "set":
                action.add_argument("pairs", nargs="+", metavar="KEY[=VALUE]", help="without =VALUE: read from stdin")
                action.add_argument("--comment")
            if name == "get":
                action.add_argument("key", metavar="KEY")
            if name == "import":
                action.add_argument("file", metavar="FILE", help="- reads stdin")
            if name in ("import", "export"):
                action.add_argument("--format", choices=KINDS, default="", help="import: detected if omitted")

    def work(self, options: dict[str, Any]) -> int:
        action = getattr(self, f"_{options['action']}")
        code: int = action(options)
        return code

    def _set(self, options: dict[str, Any]) -> int:
        pairs = [_pair(text) for text in options["pairs"]]
        inputs = [SecretInput(key, value, options["comment"]) for key, value in pairs]
        return self._stored(options, inputs)

    def _import(self, options: dict[str, Any]) -> int:
        try:
            text = sys.stdin.read() if options["file"] == "-" else Path(options["file"]).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise BadRequest(f"{options['file']} cannot be read ({type(error).__name__})") from None
        parsed = parse(text, options["format"])
        with transaction.atomic():  # no folder is created if the file is refused
            folder = _folder(options["folder"], create=True)
            store_file(PLATFORM, folder, parsed, overwrite=True, prune=False)
        keys = [line.key.strip() for line in parsed.lines]
        return self._print(options, list(folder.secrets.filter(key__in=keys)))

    def _stored(self, options: dict[str, Any], inputs: list[SecretInput]) -> int:
        with transaction.atomic():  # no folder is created if a value is refused
            stored = set_secrets(PLATFORM, _folder(options["folder"], create=True), inputs)
        return self._print(options, stored)

    def _print(self, options: dict[str, Any], stored: list[Secret]) -> int:
        if options["json"]:
            self.line({"secrets": [{"key": secret.key, "version": secret.version} for secret in stored]})
        else:
            self.stdout.write(f"{len(stored)} stored in {options['folder']}")
        return 0

    def _get(self, options: dict[str, Any]) -> int:
        secret = (
            _folder(options["folder"]).secrets.select_related("folder__environment").filter(key=options["key"]).first()
        )
        if secret is None:
            raise NotFound(f"Secret with name '{options['key']}' not found")
        try:
            value = value_of(secret)
        except Undecryptable:
            raise BadRequest(f"{secret.key} cannot be decrypted with this keyset") from None
        self._audit(secret.folder, "get-secret", secretId=secret.pk, secretKey=secret.key, secretVersion=secret.version)
        if options["json"]:
            self.line({"key": secret.key, "value": value, "comment": comment_of(secret), "version": secret.version})
        else:
            self.stdout.write(value)
        return 0

    def _list(self, options: dict[str, Any]) -> int:
        secrets = list(_folder(options["folder"]).secrets.order_by("key"))
        if options["json"]:
            self.line({"secrets": [{"key": secret.key, "version": secret.version} for secret in secrets]})
        else:
            self.table(
                [(secret.key, f"v{secret.version}", f"{secret.updated_at:%Y-%m-%d %H:%M}") for secret in secrets]
            )
        return 0

    def _export(self, options: dict[str, Any]) -> int:
        folder = _folder(options["folder"])
        try:
            values = {
                secret.key: value_of(secret)
                for secret in folder.secrets.select_related("folder__environment").order_by("key")
            }
        except Undecryptable as error:
            raise BadRequest(f"{error} with this keyset; nothing was exported") from None
        self._audit(folder, "get-secrets", numberOfSecrets=len(values))
        if options["json"]:
            self.stdout.write(json.dumps(values, ensure_ascii=False, separators=(",", ":")))
        else:
            self.stdout.write(written(values, options["format"] or "dotenv"), ending="")
        return 0

    def _audit(self, folder: Folder, event: str, **members: Any) -> None:
        """Values were shown: recorded in the audit log, also from a terminal."""
        environment = folder.environment
        location = {"environment": environment.slug, "secretPath": folder.path}
        audit.record(PLATFORM, event, environment.project_id, **location, **members)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    return key, value if equals else sys.stdin.read()


def _folder(name: str, *, create: bool = False) -> Folder:
    project_slug, _, rest = name.partition("/")
    environment_slug, _, path = rest.partition("/")
    if not environment_slug:
        raise BadRequest(f"'{name}' is not project-slug/environment-slug[/path]")
    environment = environment_by_slug(find_project(project_slug), environment_slug)
    return ensure_folder(PLATFORM, environment, path) if create else folder_by_path(environment, normal_path(path))
