"""Statements of the README that can be checked, and the example of the page on adding a destination."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from config.schemas.model import Model
from config.schemas.types import Text
from connections.http.client import ApiClient, quote
from syncs.destination.key_value import KeyValueDestination
from syncs.engine.types import Remote

ROOT = Path(__file__).parents[1]


def blocks(file: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / file).read_text(), re.DOTALL | re.MULTILINE)


def test_the_two_commands_are_one_line_each() -> None:
    first, second = blocks("README.md", "sh")[:2]
    assert first.count("\n") == second.count("\n") == 1
    assert first.rstrip().endswith("python manage.py up --demo")
    assert "-c requirements.lock" in first
    assert "-c requirements.lock" in second


def test_the_page_for_newcomers_has_the_same_first_command() -> None:
    assert blocks("templates/docs/getting-started.md", "sh")[0] == blocks("README.md", "sh")[0]


def test_the_example_is_a_destination_in_under_twenty_lines() -> None:
    (example,) = blocks("templates/docs/adding-a-destination.md", "python")
    lines = [line for line in example.splitlines() if line.strip() and not line.startswith("#")]
    assert len(lines) < 20
    names = {each.__name__: each for each in (KeyValueDestination, Model, Text, quote, Remote)}
    scope: dict[str, type[KeyValueDestination]] = {**names, "Annotated": Annotated, "Any": Any}  # type: ignore[dict-item]
    exec(compile(example, "acme.py", "exec", dont_inherit=True), scope)
    with ApiClient("Acme", "http://127.0.0.1:9") as client:
        assert scope["Acme"](client, {"vault": "v"}).location() == "acme|http://127.0.0.1:9|v"
