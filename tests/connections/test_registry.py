"""Adapters are found by their files; a broken one is reported, and the others still work."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from connections.registry import Registry


class Contract(ABC):
    slug: ClassVar[str]
    label: ClassVar[str]

    @abstractmethod
    def work(self) -> None: ...


ADAPTER = """
from tests.connections.test_registry import Contract
class {name}(Contract):
    slug = "{slug}"
    label = "{name}"
    def work(self): ...
"""
MODULES = {
    "good_one": ADAPTER.format(name="Second", slug="good-one"),
    "another": ADAPTER.format(name="First", slug="another"),
    "empty": "",
    "two": ADAPTER.format(name="A", slug="two") + ADAPTER.format(name="B", slug="two"),
    "misnamed": ADAPTER.format(name="Misnamed", slug="other"),
    "without_sdk": "import no_such_sdk",
    "broken": "1 / 0",
}


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry[Contract]]:
    package = tmp_path / "adapters_of_a_test"
    package.mkdir()
    for name, text in {"__init__": "", **MODULES}.items():
        (package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield Registry("adapters_of_a_test", Contract)  # type: ignore[type-abstract]
    for name in [name for name in sys.modules if name.startswith("adapters_of_a_test")]:
        del sys.modules[name]


def test_those_that_are_right_are_found_in_the_order_of_their_labels(registry: Registry[Contract]) -> None:
    assert [adapter.slug for adapter in registry] == ["another", "good-one"]
    assert "good-one" in registry
    assert registry.get("misnamed") is None


def test_those_that_are_not_are_named_with_what_is_wrong(registry: Registry[Contract]) -> None:
    list(registry)
    assert sorted(registry.errors) == [
        "adapters_of_a_test/broken.py cannot be imported (ZeroDivisionError: division by zero).",
        "adapters_of_a_test/empty.py must define exactly one Contract, found 0.",
        "adapters_of_a_test/misnamed.py must be named after the slug of its adapter, other.",
        "adapters_of_a_test/two.py must define exactly one Contract, found 2.",
        "adapters_of_a_test/without_sdk.py cannot be imported (ModuleNotFoundError: No module named 'no_such_sdk').",
    ]


def test_an_override_ends_with_its_context(registry: Registry[Contract]) -> None:
    class Replaced(Contract):
        slug = "another"
        label = "Z"

        def work(self) -> None: ...

    discovered = registry.get("another")
    with registry.override(Replaced):
        assert [adapter.label for adapter in registry] == ["Second", "Z"]
    assert registry.get("another") is discovered
