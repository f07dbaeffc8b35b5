"""`answers.jsonl`: reading, writing, and a comparison that a person can read."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

PATH = Path(__file__).parent / "answers.jsonl"
RECORD = "KEYFERRY_RECORD_GOLDEN"
SHOWN = 12  # differing lines that a failure prints
LENGTH, WIDTH = 40, 400  # lines of each diff, and characters of each line

Line = dict[str, Any]
Key = tuple[str, str]


def recording() -> bool:
    return bool(os.environ.get(RECORD))


def key_of(line: Mapping[str, Any]) -> Key:
    return line["operation"], line["variant"]


def read() -> list[Line]:
    if not PATH.exists():
        return []
    return [json.loads(text) for text in PATH.read_text().splitlines()]


def write(lines: Iterable[Line]) -> None:
    """In the order of path, method, variant."""
    ordered = sorted(lines, key=lambda line: (*line["operation"].split(" ")[::-1], line["variant"]))
    text = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in ordered)
    PATH.write_text(text)


def differences(recorded: Iterable[Line], answered: Iterable[Line]) -> str:
    """What differs, by operation and variant; "" where nothing does."""
    before = {key_of(line): line for line in recorded}
    after = {key_of(line): line for line in answered}
    told = []
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            told.append("\n".join([f"{key[0]} - {key[1]}", *_diff(before.get(key), after.get(key))]))
    if not told:
        return ""
    more = [f"... and {len(told) - SHOWN} more"] if len(told) > SHOWN else []
    summary = f"{len(told)} of {len(after)} answers differ from {PATH.name}:"
    return "\n\n".join([summary, *told[:SHOWN], *more])


def _diff(before: Line | None, after: Line | None) -> Iterable[str]:
    if before is None:
        return ["  is not recorded"]
    if after is None:
        return ["  is recorded, and was not requested now"]
    found = difflib.unified_diff(_pretty(before), _pretty(after), "recorded", "now", n=2, lineterm="")
    return [f"  {line[:WIDTH]}" for line in list(found)[2 : 2 + LENGTH]]


def _pretty(line: Line) -> list[str]:
    return json.dumps(line, indent=1, ensure_ascii=False).splitlines()
