"""Generated parts of the documentation: environment variables and commands; and help for pages of the admin."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.management import get_commands, load_command_class
from django.core.management.base import DjangoHelpFormatter

from config.environment import VARIABLES

from .docs import block
from .help import register_help
from .markdown import code, escaped, table

OURS = ("config.", *settings.PRODUCT_APPS)


def environment() -> str:
    """Names, meanings and defaults; never the values of this installation."""
    parts = []
    for title, variables in VARIABLES.items():
        rows = [(code(each.name), each.kind.label, each.meaning, each.described_default) for each in variables]
        parts.append(f"### {title}\n\n{table(('Variable', 'Type', 'Meaning', 'Default'), rows)}\n")
    return "\n".join(parts)


def commands() -> str:
    """Each command with its arguments."""
    return "\n".join(_command(name, app) for name, app in sorted(get_commands().items()) if app.startswith(OURS))


def _command(name: str, app: str) -> str:
    command: Any = load_command_class(app, name)
    parser = command.create_parser("manage.py", name)
    parts = [f"## {name}", escaped(command.help)]
    rows = list(_rows(parser))
    parts += [table(("Argument", "Meaning"), rows)] if rows else []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            parts += [f"### {name} {verb}\n\n{_sub(action, verb, sub)}" for verb, sub in action.choices.items()]
    return "\n\n".join(parts) + "\n"


def _sub(action: Any, verb: str, parser: argparse.ArgumentParser) -> str:
    meaning = next(each.help for each in action._choices_actions if each.dest == verb)
    return f"{escaped(_sentence(meaning))}\n\n{table(('Argument', 'Meaning'), _rows(parser))}"


def _rows(parser: argparse.ArgumentParser) -> Iterable[tuple[str, str]]:
    """The command's own arguments without those of Django. argparse has no public way to list them."""
    formatter = parser._get_formatter()
    shared = {*DjangoHelpFormatter.show_last, "--help"}
    for action in parser._actions:
        if shared & set(action.option_strings) or isinstance(action, argparse._SubParsersAction):
            continue
        values = [formatter._format_args(action, action.dest.upper())] if action.nargs != 0 else []
        usage = " ".join([", ".join(action.option_strings), *values]).strip()
        yield code(usage), " ".join(filter(None, (_meaning(action), _default(action))))


def _meaning(action: argparse.Action) -> str:
    return escaped(_sentence(action.help)) if action.help else ""


def _default(action: argparse.Action) -> str:
    has_default = action.option_strings and action.nargs != 0 and action.default not in (None, "", [])
    return f"Default: {code(str(action.default))}." if has_default else ""


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


block("environment", environment)
block("commands", commands)
register_help(
    {
        "access.user": "security#people-and-machines",
        "access.identity": "api#sign-in-as-a-machine",
        "access.membership": "api#roles",
        "access.clientsecret": "api#sign-in-as-a-machine",
        "access.accesstoken": "api#sign-in-as-a-machine",
        "access.auditevent": "security#audit-log",
        "access.project": "concepts#where-secrets-are",
        "access.requestwindow": "operating#limits-and-retention",
        "access.datakeyset": "security#encryption",
        "access.instance": "operating#pause-all-syncs",
    }
)
