"""Finds the adapters of a package: one module, one adapter, named by its slug. No list to edit."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import ClassVar, Generic, Protocol, TypeVar


class Adapter(Protocol):
    """What every adapter says of itself."""

    slug: ClassVar[str]
    label: ClassVar[str]


A = TypeVar("A", bound=Adapter)


class Registry(Generic[A]):
    """The adapters of one package, by slug, in the order of their labels.

    A module that defines none or several, or cannot be imported, is left out and named in `errors`; the others work.
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
        found = {}
        for module in pkgutil.iter_modules(importlib.import_module(self._package).__path__):
            if module.name.startswith("_"):
                continue  # a part of an adapter that is larger than one module
            name = f"{self._package}.{module.name}"
            path = f"{name.replace('.', '/')}.py"
            try:
                members = inspect.getmembers(importlib.import_module(name), inspect.isclass)
            except Exception as error:  # noqa: BLE001 - one adapter that is broken must not take the others with it
                self.errors.append(f"{path} cannot be imported ({type(error).__name__}: {error}).")
                continue
            adapters = [
                member
                for _, member in members
                if member.__module__ == name and issubclass(member, self._contract) and not inspect.isabstract(member)
            ]
            if len(adapters) != 1:
                contract = self._contract.__name__
                self.errors.append(f"{path} must define exactly one {contract}, found {len(adapters)}.")
            elif adapters[0].slug.replace("-", "_") != module.name:
                self.errors.append(f"{path} must be named after the slug of its adapter, {adapters[0].slug}.")
            else:
                found[adapters[0].slug] = adapters[0]
        return found
