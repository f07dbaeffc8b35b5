"""The codes of blocked and failed keys."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from config.commands import OperatorCommand
from syncs.engine.error_codes import Code


class Command(OperatorCommand):
    help = "Why a key was not written: each code, its meaning, and what to do."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one line, an object")

    def work(self, options: dict[str, Any]) -> int:
        if options["json"]:
            codes = [{"code": code.value, "meaning": code.meaning, "remedy": code.remedy} for code in Code]
            self.line({"errorCodes": codes})
            return 0
        for code in Code:
            self.stdout.write(f"{code.value}\n  {code.meaning}\n  -> {code.remedy}")
        return 0
