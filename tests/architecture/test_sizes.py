"""Modules, classes and functions stay small, unless their docstring gives a reason ("... because ...")."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.test_packages import ROOTS

MODULE, CLASS, FUNCTION = 300, 250, 60  # lines

Node = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> Iterator[Path]:
    for root in ROOTS:
        yield from (file for file in sorted(Path(root).rglob("*.py")) if "migrations" not in file.parts)


def lines_of(node: Node, text: str) -> int:
    return len(text.splitlines()) if isinstance(node, ast.Module) else (node.end_lineno or 0) - node.lineno + 1


def limit_of(node: Node) -> int:
    return MODULE if isinstance(node, ast.Module) else CLASS if isinstance(node, ast.ClassDef) else FUNCTION


def too_large(file: Path, text: str) -> Iterator[str]:
    """The module, and its classes and functions, that exceed their limit without a reason."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, Node) or lines_of(node, text) <= limit_of(node):
            continue
        if "because" not in (ast.get_docstring(node) or ""):
            yield file.as_posix() if isinstance(node, ast.Module) else f"{file.as_posix()}::{node.name}"


def test_what_is_large_says_why() -> None:
    found = {name for file in modules() for name in too_large(file, file.read_text())}
    assert found == set(), "too large: split it, or give the reason in its docstring"


def test_a_reason_excuses_the_size() -> None:
    body = "\n".join(f"    a{number} = {number}" for number in range(FUNCTION))
    assert list(too_large(Path("m.py"), f"def large():\n{body}\n")) == ["m.py::large"]
    assert list(too_large(Path("m.py"), f'def large():\n    """Long because it is a table."""\n{body}\n')) == []
