"""Code compares rules, codes and states; texts for people are never compared."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.test_sizes import modules

TEXTS = {"reason", "message", "error_message", "last_sync_message"}
"""Attributes that hold sentences."""


def is_sentence(node: ast.expr) -> bool:
    """An attribute with a text for people, a member of `Reason`, or its `text()`."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Attribute) and node.func.attr == "text"
    return isinstance(node, ast.Attribute) and (
        node.attr in TEXTS or (isinstance(node.value, ast.Name) and node.value.id == "Reason")
    )


def compared(source: str) -> Iterator[int]:
    """Lines on which a sentence is compared with another value than None or ""."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and any(
            isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for op in node.ops
        ):
            sides = [node.left, *node.comparators]
            empty = any(isinstance(side, ast.Constant) and not side.value for side in sides)
            if not empty and any(is_sentence(side) for side in sides):
                yield node.lineno


@pytest.mark.parametrize(
    "code", ["change.reason == 'new'", "run.message != DELETED", "'gone' in change.reason", "a == Reason.NEW.text()"]
)
def test_a_compared_text_is_found(code: str) -> None:
    assert list(compared(code)) == [1]


def test_no_text_for_people_is_compared() -> None:
    found = [f"{file}:{line}" for file in modules() for line in compared(file.read_text())]
    assert not found
