"""The layout stays as small as the architecture page says: packages, and the longest chain of imports between them."""

from __future__ import annotations

import functools
from pathlib import Path

import grimp

ROOTS = ("config", "connections", "syncs")
DJANGO_OWN = {"management", "commands", "migrations", "templatetags"}  # packages that Django asks for


@functools.cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*ROOTS, cache_dir=None, exclude_type_checking_imports=True)


def packages() -> set[str]:
    """Every package with modules of its own."""
    found = {file.parent for root in ROOTS for file in Path(root).rglob("*.py") if file.name != "__init__.py"}
    return {".".join(path.parts) for path in found if not DJANGO_OWN & set(path.parts)}


def room_of(module: str) -> str:
    """The package directly below an app that a module belongs to, or the app itself."""
    return next(name for name in (".".join(module.split(".")[:depth]) for depth in (2, 1)) if name in packages())


def longest(edges: dict[str, set[str]], start: str) -> list[str]:
    tails = (longest(edges, each) for each in edges.get(start, ()))
    return [start, *max(tails, key=len, default=[])]


def test_few_packages() -> None:
    assert len(packages()) <= 24, sorted(packages())


def test_short_chains_of_imports() -> None:
    """`connections.http` counts as a part of `connections`, whose error tree it raises."""
    edges: dict[str, set[str]] = {}
    for module in graph().modules:
        for imported in graph().find_modules_directly_imported_by(module):
            one, other = (room_of(each).replace("connections.http", "connections") for each in (module, imported))
            if one != other:
                edges.setdefault(one, set()).add(other)
    chain = max((longest(edges, each) for each in edges), key=len)
    assert len(chain) <= 9, " -> ".join(chain)
