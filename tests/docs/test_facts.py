"""The documentation matches the code: commands, options, variables, paths, codes, links, snippets."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.http import Http404
from django.urls import resolve

from config.environment import DECLARED
from config.ui import docs
from syncs.engine.error_codes import Code
from tests.api.openapi import described

from .reading import FENCE, FILES, IDS, PAGES, ROOT, commands, fences, spans

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PATH = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/\S+)")
HELD_BY_TESTS = {"KEYFERRY_TEST_POSTGRES", "KEYFERRY_TEST_REDIS", "KEYFERRY_VENDOR_SPECS"}
"""Variables that only tests read."""

pytestmark = pytest.mark.parametrize("file", FILES, ids=IDS)


def parser_of(name: str) -> argparse.ArgumentParser:
    known = get_commands()
    assert name in known, f"there is no command {name}"
    app = known[name]
    assert isinstance(app, str)
    return load_command_class(app, name).create_parser("manage.py", name)


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    """Its options, and those of what it takes as a verb."""
    found = {option for action in parser._actions for option in action.option_strings}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found = found.union(*map(options_of, action.choices.values()))
    return found


def test_commands_can_be_typed_as_they_are_written(file: Path) -> None:
    for typed in commands(file.read_text()):
        name, *arguments = shlex.split(typed)
        parser_of(name).parse_args(arguments)  # raises CommandError where it does not take them


def test_documented_commands_and_options_exist(file: Path) -> None:
    names = [name for name, app in get_commands().items() if str(app).startswith(("config.", "connections", "syncs"))]
    every_option = set().union(*(options_of(parser_of(name)) for name in names))
    for span in spans(file.read_text()):
        if found := re.match(r"(?:\S*python )?manage\.py (\w+)(.*)", span):
            if found[1] != "COMMAND":
                assert set(re.findall(r"--[\w-]+", found[2])) <= options_of(parser_of(found[1])), span
        elif span.startswith("--"):
            assert span.split()[0] in every_option, span


def test_documented_variables_are_declared(file: Path) -> None:
    named = set(re.findall(r"\b(?:KEYFERRY|DJANGO)_[A-Z_]+\b", file.read_text()))
    assert named <= {*DECLARED, *HELD_BY_TESTS}


def test_documented_paths_exist(file: Path) -> None:
    text = file.read_text()
    known = described()["paths"]
    asked = [PATH.fullmatch(span) for span in spans(text)]
    for found in filter(None, asked):
        method, path = found[1].lower(), found[2]
        assert method in known.get(path, {}), found[0]
    plain = {span for span in spans(text) if re.fullmatch(r"/(api|admin|docs|metrics|healthz|readyz)[\w/.-]*", span)}
    typed = set(re.findall(r"\$SERVER(/[\w/-]+)", text))
    for path in plain | typed:
        try:
            resolve(path.rstrip("/") if path.startswith("/api/") else path)
        except Http404:
            raise AssertionError(f"nothing answers at {path}") from None


def test_documented_codes_exist(file: Path) -> None:
    for code in re.findall(r"\bcodes? `([^`]+)`", file.read_text()):
        assert code in set(Code), code


def test_documented_files_exist(file: Path) -> None:
    for span in spans(file.read_text()):
        if "<" in span or "*" in span:
            continue
        if re.match(r"(config|connections|syncs|templates|tests)/", span):
            assert (ROOT / span).exists(), span
        elif re.match(r"(services|running|planning|engine|destinations|providers)/", span):
            homes = (ROOT / "syncs" / span, ROOT / "connections" / span)
            assert any(home.with_suffix(".py").exists() or home.is_dir() for home in homes), span
        elif re.fullmatch(r"[\w.-]+\.(md|toml|lock)", span):
            assert (ROOT / span).exists() or (PAGES / span).exists(), span


def test_links_have_a_target(file: Path) -> None:
    """Between files, as a code host follows them; the pages of destinations are generated."""
    here = FENCE.sub("", file.read_text())
    for target in re.findall(r"\]\(([^)\s]+)\)", here):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        found = (file.parent / path).resolve() if path else file
        assert found.exists(), target
        if found.suffix == ".md" and PAGES in found.parents:
            slug = found.relative_to(PAGES).with_suffix("").as_posix()
            assert docs.library().heading(f"{slug}#{anchor}" if anchor else slug), target
        else:
            assert not anchor, target
        if PAGES in file.parents:
            assert PAGES in found.parents, f"{target} leads out of the pages: it works on a code host alone"


def test_documented_extras_exist(file: Path) -> None:
    for extra in re.findall(r"\bextra `(\w+)`", file.read_text()):
        assert extra in PROJECT["project"]["optional-dependencies"], extra


def test_blocks_of_code_parse(file: Path, tmp_path: Path) -> None:
    text = file.read_text()
    for block in fences(text, "python"):
        compile(block, file.name, "exec")
    for block in fences(text, "sh"):
        subprocess.run(["sh", "-n"], input=block, text=True, check=True)
    for block in fences(text, "js"):
        if node := shutil.which("node"):
            (tmp_path / "snippet.mjs").write_text(block)
            subprocess.run([node, "--check", "snippet.mjs"], cwd=tmp_path, check=True)
    for block in fences(text, "json"):
        json.loads(block)
    known = {"sh", "python", "js", "json", "text"}
    assert {found[1] for found in FENCE.finditer(text)} <= known, "what language is it?"


def test_generated_blocks_are_up_to_date(file: Path) -> None:
    """`python -m tests.docs` writes them."""
    docs.library()
    assert file.read_text() == docs.with_blocks(file.read_text(), empty=False)


def test_html_is_for_marks_of_blocks_alone(file: Path) -> None:
    """The pages are shown with raw HTML off."""
    text = docs.BLOCK.sub("", FENCE.sub("", file.read_text()))
    assert not re.search(r"<[!a-zA-Z/]", re.sub(r"`[^`\n]+`", "", text))
