"""Base of all commands: exit codes for scripts, readable errors, one line of JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.errors import ServiceError
from config.logs import Formatter


class _Parser(CommandParser):
    """argparse exits with 2 on a usage error; here 2 means "changes", so usage errors exit with 1."""

    def error(self, message: str) -> NoReturn:
        if getattr(self, "called_from_command_line", None):
            self.print_usage(sys.stderr)
            self.exit(1, f"{self.prog}: error: {message}\n")
        raise CommandError(f"Error: {message}", returncode=1)


class OperatorCommand(BaseCommand):
    """A command whose `work` returns its exit code. A ServiceError becomes a message and exit code 1."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.__class__ = _Parser  # Django has no hook for it
        return parser

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            code = self.work(options)
        except ServiceError as error:
            raise CommandError(str(error), returncode=1) from None
        except CommandError:
            raise
        except Exception as error:  # noqa: BLE001 - Python would print its message, which may contain a value
            self.stderr.write(Formatter().formatException((type(error), error, error.__traceback__)))
            raise CommandError(f"Something went wrong ({type(error).__name__})", returncode=1) from None
        if code:
            sys.exit(code)

    def work(self, options: dict[str, Any]) -> int:
        raise NotImplementedError

    def confirm(self, lines: Iterable[str], *, yes: bool, name: str = "") -> None:
        """Ask on the terminal before something is changed: for `name` to be typed, or for y without one.

        `lines` say what it means. `yes`: do not ask. Raises CommandError if it is not confirmed, or nobody is there.
        """
        if yes:
            return
        for each in lines:
            self.stderr.write(each)
        if not sys.stdin.isatty():
            raise CommandError("Nothing was changed: nobody can be asked here. Add --yes to confirm it.", returncode=1)
        self.stderr.write(f"Type {name} to confirm: " if name else "Do it? [y/N] ", ending="")
        if input().strip() not in ((name,) if name else ("y", "Y", "yes")):
            raise CommandError("Nothing was changed.", returncode=1)

    def line(self, data: Mapping[str, Any]) -> None:
        """Print one object as one line of JSON."""
        self.stdout.write(json.dumps(data, default=str, separators=(",", ":")))

    def table(self, rows: list[tuple[str, ...]]) -> None:
        """Print rows with aligned columns."""
        if not rows:
            return
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write("  " + "  ".join(cells).rstrip())
