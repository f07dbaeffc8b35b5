"""What most fakes have in common: keys with ids and times on a shelf, in pages.

A fake derives from `Shelved`, and its `answer` serves `self.shelf(...)`:

    class Acme(Shelved):
        configs = {"vault": {"vault": "main"}}

        def target(self, config): return config["vault"]
        def answer(self, ask): ...
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from .serving import Served


@dataclass(frozen=True)
class Kept:
    """A key as a vendor holds it. `created` and `updated` are times that every write moves; `more` is the fake's."""

    name: str
    value: str = field(repr=False)
    id: str
    created: str
    updated: str
    version: int = 1
    more: Mapping[str, Any] = field(default_factory=dict)


class Shelf:
    """The keys of one target. `fold` makes one name of those that the vendor takes for equal."""

    def __init__(self, fold: Callable[[str], str] = str) -> None:
        self.fold = fold
        self.kept: dict[str, Kept] = {}
        self._moments = itertools.count(1)

    def get(self, name: str) -> Kept | None:
        return self.kept.get(self.fold(name))

    def make(self, name: str, value: str, **more: Any) -> Kept | None:
        """None if there is one of that name: it is not overwritten."""
        return None if self.get(name) else self.put(name, value, **more)

    def change(self, name: str, value: str, **more: Any) -> Kept | None:
        """None if there is none of that name: it is not created."""
        return self.put(name, value, **more) if self.get(name) else None

    def put(self, name: str, value: str, **more: Any) -> Kept:
        """Create or overwrite."""
        now, before = self._moment(), self.get(name)
        if before:
            kept = replace(before, value=value, updated=now, version=before.version + 1, more={**before.more, **more})
        else:
            kept = Kept(self.fold(name), value, f"id-{now}", now, now, more=more)
        self.kept[kept.name] = kept
        return kept

    def drop(self, name: str) -> bool:
        """Whether there was one of that name."""
        return self.kept.pop(self.fold(name), None) is not None

    def by_id(self, id: str) -> Kept | None:
        return next((kept for kept in self.kept.values() if kept.id == id), None)

    def page(self, start: int, size: int) -> list[Kept]:
        """In order of names; `size` 0: all that is left."""
        found = [self.kept[name] for name in sorted(self.kept)]
        return found[start : start + size if size else None]

    def values(self) -> dict[str, str]:
        return {kept.name: kept.value for kept in self.kept.values()}

    def _moment(self) -> str:
        """Another one at each call, in order."""
        minutes, seconds = divmod(next(self._moments), 60)
        hours, minutes = divmod(minutes, 60)
        return f"2026-11-01T{hours:02}:{minutes:02}:{seconds:02}Z"


class Shelved(Served):
    """A fake whose keys are on shelves, one for each target. `page_size` 0: its lists have no pages."""

    page_size: int = 0
    fold: ClassVar[Callable[[str], str]] = staticmethod(str)

    def __init__(self) -> None:
        super().__init__()
        self.shelves: dict[str, Shelf] = {}

    def target(self, config: Mapping[str, Any]) -> str:
        """What tells the targets apart in a request; the key of its shelf."""
        return ""

    def shelf(self, target: str) -> Shelf:
        return self.shelves.setdefault(target, Shelf(self.fold))

    def held(self, config: Mapping[str, Any]) -> dict[str, str]:
        return self.shelf(self.target(config)).values()

    def put(self, config: Mapping[str, Any], key: str, value: str) -> None:
        self.shelf(self.target(config)).put(key, value)

    def drop(self, config: Mapping[str, Any], key: str) -> None:
        self.shelf(self.target(config)).drop(key)

    def limit_pages(self, size: int) -> None:
        if self.page_size:
            self.page_size = size
