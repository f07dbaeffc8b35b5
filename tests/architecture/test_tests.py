"""Tests use what the product makes public, and fixtures come from plugins."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.running import ROOT

TREES = {path: ast.parse(path.read_text()) for path in sorted((ROOT / "tests").rglob("*.py"))}


def private(name: str) -> bool:
    last = name.rpartition(".")[2]
    return last.startswith("_") and not last.startswith("__")


def patches(tree: ast.AST) -> Iterator[str]:
    """`file line` of each private name that is replaced from outside."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            if called in ("setattr", "delattr", "patch", "object"):
                names = [each.value for each in node.args[:2] if isinstance(each, ast.Constant)]
                yield from (f"{node.lineno} {name}" for name in names if isinstance(name, str) and private(name))
            if called in ("setitem", "delitem") and isinstance(node.args[0], ast.Attribute):
                yield from (f"{node.lineno} {name}" for name in [node.args[0].attr] if private(name))
        for target in node.targets if isinstance(node, ast.Assign) else []:
            if isinstance(target, ast.Attribute) and private(target.attr) and not is_own(target.value):
                yield f"{target.lineno} {target.attr}"


def is_own(owner: ast.expr) -> bool:
    """`self` and `cls`, or what is no plain name."""
    return not isinstance(owner, ast.Name | ast.Attribute) or ast.unparse(owner) in ("self", "cls")


def fixtures(tree: ast.Module) -> set[str]:
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and any("fixture" in ast.unparse(each) for each in node.decorator_list)
    }


def test_no_private_name_is_patched() -> None:
    found = [f"{path.relative_to(ROOT)}:{patch}" for path, tree in TREES.items() for patch in patches(tree)]
    assert not found


def test_no_fixture_is_imported() -> None:
    named = {path.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."): tree for path, tree in TREES.items()}
    found = []
    for name, tree in named.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom):
                continue
            package = name.rpartition(".")[0] if node.level else ""
            source = ".".join(filter(None, [package, node.module or ""]))
            taken = fixtures(named[source]) if source in named else set()
            found += [f"{name} imports {each.name}" for each in node.names if each.name in taken]
    assert not found


@pytest.mark.parametrize(
    "code",
    [
        'monkeypatch.setattr(module, "_name", 1)',
        'monkeypatch.setattr("package.module._name", 1)',
        'monkeypatch.setitem(module._names, "a", 1)',
        'patch.object(module, "_name")',
        "module._name = 1",
        "world.sandbox._name = 1",
    ],
)
def test_a_patch_of_a_private_name_is_found(code: str) -> None:
    assert list(patches(ast.parse(code)))
