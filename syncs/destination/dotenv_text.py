"""Edits a dotenv text in place: lines that are not ours stay byte for byte.

Each value that is written is read back in the dialect of the destination, and refused if it is not exactly what was
written: no quoting suits every reader. Reading is python-dotenv's, and the shell's own rules by shlex.
"""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Callable, Iterable, Mapping

from dotenv.parser import Binding, parse_stream

from connections.errors import Rejected

NAME = r"[A-Za-z_][A-Za-z0-9_.-]*"


def _by_dotenv(line: str) -> tuple[str | None, str | None]:
    found = [each for each in parse_stream(io.StringIO(line)) if each.key is not None]
    return (found[0].key, found[0].value) if len(found) == 1 and not found[0].error else (None, None)


def _by_shell(line: str) -> tuple[str | None, str | None]:
    if re.search(r"[`$]", re.sub(r"'[^']*'|\\'", "", line)):
        return None, None  # outside single quotes a shell would replace it
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return None, None
    name, sign, value = words[0].partition("=") if len(words) == 1 else ("", "", "")
    return (name, value) if sign else (None, None)


READERS: Mapping[str, Callable[[str], tuple[str | None, str | None]]] = {"dotenv": _by_dotenv, "shell": _by_shell}


def read_dotenv(text: str) -> dict[str, str]:
    """The assignments of a text; of a name that occurs twice the last, as readers have it."""
    return {each.key: each.value for each in _bindings(text) if each.key is not None and each.value is not None}


def edit_dotenv(text: str, sets: Mapping[str, str], gone: Iterable[str] = (), *, dialect: str = "dotenv") -> str:
    """The text with the values of `sets`, in place where the name exists, else at its end, and without `gone`.

    Raises Rejected for a name or value that the dialect cannot hold; the message has the name alone.
    """
    lines, removed, parts = {name: _line(name, value, dialect) for name, value in sets.items()}, set(gone), []
    last = {each.key: number for number, each in enumerate(_bindings(text)) if each.key is not None}
    ending = "\r\n" if "\r\n" in text else "\n"
    for number, each in enumerate(_bindings(text)):
        original = each.original.string
        if each.key in removed or (each.key in lines and last[each.key] != number):
            parts.append(_around(original)[0])
        elif each.key in lines:
            before, after = _around(original)
            exported = re.match(r"[^\S\n]*export[^\S\n]+", original[len(before) :])
            parts.append(before + (exported[0] if exported else "") + lines.pop(each.key) + after)
        else:
            parts.append(original)
    edited = "".join(parts)
    for line in lines.values():
        edited += ("" if not edited or edited.endswith("\n") else ending) + line + ending
    after_all = read_dotenv(edited)
    for name, value in sets.items():
        if dialect == "dotenv" and after_all.get(name) != value:
            raise Rejected(f"{name}: the value cannot be written so that it is read back exactly")
    return edited


def _bindings(text: str) -> list[Binding]:
    return list(parse_stream(io.StringIO(text, newline="")))


def _around(original: str) -> tuple[str, str]:
    """Blank lines and comments that the parser takes for a part of an assignment's text, and its line end."""
    before = re.match(r"(?:[^\S\n]*(?:#[^\n]*)?\r?\n)*", original)
    after = re.search(r"\r?\n\Z", original)
    return before[0] if before else "", after[0] if after else ""


def _line(name: str, value: str, dialect: str) -> str:
    """The first way to write the value that the dialect reads back exactly."""
    double = value.replace("\\", "\\\\").replace('"', '\\"')
    ways = [
        *([value] if re.fullmatch(r"[A-Za-z0-9_./:@%+,-]*", value) else []),
        "'" + value + "'",
        "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'",
        '"' + double + '"',
        '"' + double.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + '"',
        "'" + value.replace("'", "'\\''") + "'",
    ]
    if re.fullmatch(NAME, name):
        for way in ways:
            if READERS[dialect](f"{name}={way}") == (name, value):
                return f"{name}={way}"
    raise Rejected(f"{name}: the name or the value cannot be written in this file so that it is read back exactly")
