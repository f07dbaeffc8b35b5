"""Finds the adapters of a package: each module defines one adapter and is named after its slug.

Written by hand because entry points, as packages offer plug-ins, would be one more list to edit per adapter, and would
not report a module that is misnamed or broken.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import ClassVar, Generic, Protocol, TypeVar


class Adapter(Protocol):
    """Attributes of every adapter."""

    slug: ClassVar[str]
    label: ClassVar[str]


A = TypeVar("A", bound=Adapter)


class Misplaced(Exception):
    """A module does not define exactly one adapter, or is not named after it."""


class Registry(Generic[A]):
    """The adapters of one package, by slug, in the order of their labels.

    A module that defines none or several, or cannot be imported, is skipped and reported in `errors`.
    """

    def __init__(self, package: str, contract: type[A]) -> None:
        self._package = package
        self._contract: type[A] = contract
        self.errors: list[str] = []
        self._added: dict[str, type[A]] = {}

    def __iter__(self) -> Iterator[type[A]]:
        return iter(sorted(self._adapters.values(), key=lambda adapter: adapter.label))

    def __contains__(self, slug: str) -> bool:
        return slug in self._adapters

    def get(self, slug: str) -> type[A] | None:
        return self._adapters.get(slug)

    @contextmanager
    def override(self, *adapters: type[A]) -> Iterator[None]:
        """Register these adapters too, in place of any of the same slug, while the context lasts: for tests."""
        before = self._added
        self._added = {**before, **{adapter.slug: adapter for adapter in adapters}}
        try:
            yield
        finally:
            self._added = before

    @property
    def _adapters(self) -> dict[str, type[A]]:
        return {**self._discovered, **self._added}

    @cached_property
    def _discovered(self) -> dict[str, type[A]]:
        discovered = {}
        for module in pkgutil.iter_modules(importlib.import_module(self._package).__path__):
            if module.name.startswith("_"):
                continue  # part of an adapter that is larger than one module
            path = f"{self._package.replace('.', '/')}/{module.name}.py"
            try:
                adapter = self._adapter_of(module.name)
            except Misplaced as error:
                self.errors.append(f"{path} must {error}.")
            except Exception as error:  # noqa: BLE001 - one broken adapter must not disable the others
                self.errors.append(f"{path} cannot be imported ({type(error).__name__}: {error}).")
            else:
                discovered[adapter.slug] = adapter
        return discovered

    def _adapter_of(self, module_name: str) -> type[A]:
        """The only adapter that the module defines. Raises Misplaced, and whatever importing it raises."""
        name = f"{self._package}.{module_name}"
        adapters = [
            member
            for _, member in inspect.getmembers(importlib.import_module(name), inspect.isclass)
            if member.__module__ == name and issubclass(member, self._contract) and not inspect.isabstract(member)
        ]
        if len(adapters) != 1:
            raise Misplaced(f"define exactly one {self._contract.__name__}, found {len(adapters)}")
        if adapters[0].slug.replace("-", "_") != module_name:
            raise Misplaced(f"be named after the slug of its adapter, {adapters[0].slug}")
        return adapters[0]
