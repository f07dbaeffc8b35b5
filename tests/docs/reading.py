"""The documentation files as text, for the tests of the pages."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "templates" / "docs"
FILES = sorted([*PAGES.rglob("*.md"), *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md"))])
IDS = [file.relative_to(ROOT).as_posix() for file in FILES]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def fences(text: str, language: str) -> list[str]:
    return [found[2] for found in FENCE.finditer(text) if found[1] == language]


def spans(text: str) -> list[str]:
    """Code within lines."""
    return re.findall(r"`([^`\n]+)`", FENCE.sub("", text))


def commands(text: str) -> list[str]:
    """What is typed after `manage.py` in blocks of shell."""
    lines = [line for block in fences(text, "sh") for line in block.splitlines()]
    found = [re.search(r"manage\.py ([^&|]+)", line) for line in lines]
    return [each[1].strip() for each in found if each]


def tables(text: str, heading: str) -> list[list[list[str]]]:
    """The rows of each table in a section, without the head and without code marks around a whole cell."""
    section = re.split(r"^#+ ", text.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    found = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert found, f"no table below {heading}"
    return [[_cells(line) for line in table.splitlines()[2:]] for table in found]


def _cells(line: str) -> list[str]:
    return [re.sub(r"^`([^`]*)`$", r"\1", cell.strip()) for cell in line.strip().strip("|").split("|")]
