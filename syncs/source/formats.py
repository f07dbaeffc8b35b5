"""Files of secrets: dotenv, JSON and YAML, read with every problem at its line, and written. Pure.

A problem names the line and the key, never the value. A file is one flat mapping of names to texts; numbers, true and
false are read as they are typed, and nothing is evaluated. Parsing is python-dotenv's, PyYAML's and the json module's;
dotenv is written by hand because python-dotenv only edits files on disk.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import yaml
from dotenv.parser import parse_stream

from config import json_text

MAX_FILE = 8 * 1024 * 1024  # characters
NOT_TEXT = "holds neither text nor a number, true or false; quote it to store it as text"


@dataclass(frozen=True, slots=True)
class Line:
    """A secret of a file, and the line of its name, from 1."""

    number: int
    key: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file cannot be stored; `number` is the line, 0 for the file."""

    number: int
    message: str


@dataclass(frozen=True, slots=True)
class Parsed:
    lines: tuple[Line, ...]
    problems: tuple[Problem, ...]


Found = Iterator[Line | Problem]


def parse(text: str, kind: str = "") -> Parsed:
    """The secrets of a file; `kind` is "dotenv", "json", "yaml", or "" to detect it."""
    if len(text) > MAX_FILE:
        return Parsed((), (Problem(0, f"The file is larger than {MAX_FILE // 1024**2} MiB"),))
    text = text.removeprefix("\ufeff")
    nul = [Problem(n, "A NUL character is not allowed") for n, line in enumerate(text.split("\n"), 1) if "\x00" in line]
    if nul:
        return Parsed((), tuple(nul))
    found = list(_READERS[kind or kind_of(text)](text))
    lines = [each for each in found if isinstance(each, Line)]
    problems = [each for each in found if isinstance(each, Problem)] + list(_twice(lines))
    if not found:
        problems.append(Problem(0, "There is no secret in it"))
    return Parsed(tuple(lines), tuple(sorted(problems, key=lambda each: each.number)))


def kind_of(text: str) -> str:
    """JSON if it begins with a brace; dotenv if a line assigns before any has a name and a colon; else YAML."""
    if text.lstrip().startswith("{"):
        return "json"
    for line in text.split("\n"):
        if re.match(r"\s*(export\s+)?[^\s#=:'\"]+\s*=", line):
            return "dotenv"
        if re.match(r"(---\s*$|[^\s#=][^=]*:(\s|$))", line):
            return "yaml"
    return "dotenv"


def _twice(lines: Iterable[Line]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for line in lines:
        if line.key in first:
            yield Problem(line.number, f"{line.key} occurs twice; first on line {first[line.key]}")
        first.setdefault(line.key, line.number)


# -- readers ---------------------------------------------------------------------------------------------------


def _dotenv(text: str) -> Found:
    for binding in parse_stream(io.StringIO(text)):
        # The text of a binding includes the blank lines before it.
        before = binding.original.string[: -len(binding.original.string.lstrip()) or None]
        number = binding.original.line + before.count("\n") if binding.original.string.strip() else 0
        if binding.error:
            yield Problem(number, "This is not KEY=VALUE; a quote may be open")
        elif binding.key is not None and binding.value is None:
            yield Problem(number, "There is no = after the name; a value of several lines needs quotes")
        elif binding.key is not None:
            yield Line(number, binding.key, binding.value or "")


def _json(text: str) -> Found:
    try:
        members = json_text.read_exactly(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            yield Problem(error.lineno, "There is more after the closing brace")
        else:
            yield Problem(error.lineno, f"This is not JSON: {error.msg[:1].lower()}{error.msg[1:]}")
        return
    except ValueError:
        yield Problem(0, "This is nested too deeply")
        return
    if not isinstance(members, json_text.Members):
        number = _line(text, len(text) - len(text.lstrip()))
        yield Problem(number, 'The file is not an object of names and values, as {"KEY": "value"}')
        return
    for number, (key, value) in zip(json_text.lines_of_members(text), members, strict=True):
        yield _scalar(number, key, value)


def _scalar(number: int, key: str, value: object) -> Line | Problem:
    if isinstance(value, bool):
        return Line(number, key, "true" if value else "false")
    if isinstance(value, json_text.Literal):
        return Line(number, key, value.text)
    return Line(number, key, value) if isinstance(value, str) else Problem(number, f"{key} {NOT_TEXT}")


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _yaml(text: str) -> Found:
    try:
        # Composed, never constructed: nodes with their lines, and no Python object is created.
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = "This is not YAML; text that begins with one of * & ! % @ ` or holds a colon and a blank needs quotes"
        yield Problem(mark.line + 1 if mark else 0, message)
        return
    except yaml.reader.ReaderError as error:
        yield Problem(_line(text, error.position), "A control character is not allowed")
        return
    except RecursionError:
        yield Problem(0, "This is nested too deeply")
        return
    if root is None:
        return
    if not isinstance(root, yaml.MappingNode):
        yield Problem(root.start_mark.line + 1, "The file is not a mapping of names to values, as KEY: value")
        return
    for name, value in root.value:
        number = name.start_mark.line + 1
        if not isinstance(name, yaml.ScalarNode):
            yield Problem(number, "A name is text, not a list or a mapping")
        elif not isinstance(value, yaml.ScalarNode) or value.tag not in _YAML_TEXTS:
            yield Problem(number, f"{name.value} {NOT_TEXT}")
        else:
            yield Line(number, name.value, value.value)


_YAML_TEXTS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "timestamp")}
_READERS: Mapping[str, Callable[[str], Found]] = {"dotenv": _dotenv, "json": _json, "yaml": _yaml}
KINDS = tuple(_READERS)


# -- writing ---------------------------------------------------------------------------------------------------


def written(values: Mapping[str, str], kind: str) -> str:
    """The file that `parse` reads the same values from."""
    if kind == "json":
        return json.dumps(values, ensure_ascii=False, indent=2) + "\n"
    if kind == "yaml":
        text: str = yaml.dump(dict(values), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=2**31)
        return text
    return "".join(f"{_name(key)}={_quoted(value)}\n" for key, value in values.items())


def unwritable(names: Iterable[str], kind: str) -> list[str]:
    """Names that a file of the kind cannot contain."""
    return [name for name in names if kind == "dotenv" and "'" in name and not _PLAIN.fullmatch(name)]


_PLAIN = re.compile(r"[^=#\s'\"][^=#\s]*")


def _name(key: str) -> str:
    return key if _PLAIN.fullmatch(key) else f"'{key}'"


class _Dumper(yaml.SafeDumper):
    """Several lines as a block; text that YAML would fold, or whose line ends it would change, in double quotes."""


def _represented(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    odd = re.search(r"[\r\x85\u2028\u2029]", value)
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"' if odd else "|" if "\n" in value else None)


_Dumper.add_representer(str, _represented)


def _quoted(value: str) -> str:
    """In the form that dotenv readers take literally: single quotes, a backslash before quotes and backslashes."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
