"""Broken destinations of the shapes that few vendors have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from connections.errors import Conflict
from syncs.destination.base import Destination
from syncs.destination.write import Document
from syncs.engine.types import Action, Write
from tests.contract import test_adapters, test_hooks, test_laws
from tests.contract.rare_shapes import DotenvFile, Replaces, SealedDocument, Unlisted


class LostSeals(SealedDocument):
    """Does not say which etags its write has left."""

    caught_by = staticmethod(test_laws.test_drift_is_detected_and_healed)
    variant = "any"

    def write(self, before: Document, entries: Mapping[str, Any]) -> Any:
        super().write(before, entries)


class ForeignLinesLost(DotenvFile):
    """Writes the file anew, without the lines of others."""

    caught_by = staticmethod(test_adapters.test_writes_change_their_own_keys_only)
    variant = "any"

    def write(self, before: Document, entries: Mapping[str, Any]) -> None:
        super().write(replace(before, ref="", entries={}), entries)


class CheapReplacement(Replaces):
    """Takes an update that deletes and creates for one request."""

    caught_by = staticmethod(test_hooks.test_the_pace_counts_what_the_vendor_counts)
    variant = "any"

    def request_cost(self, action: Action) -> float:
        return 1


class OverwritingUnseen(Unlisted):
    """Overwrites what it cannot see."""

    caught_by = staticmethod(test_laws.test_leave_never_overwrites_foreign_keys)
    variant = "any"

    def create(self, write: Write) -> None:
        try:
            super().create(write)
        except Conflict:
            self.update(write)


class ListedAnyway(Unlisted):
    """Promises a list, and returns an empty one."""

    caught_by = staticmethod(test_laws.test_a_second_run_writes_nothing_and_one_change_writes_once)
    variant = "any"
    capabilities = replace(Unlisted.capabilities, lists=True)

    def items(self) -> Iterable[Any]:
        return ()


SHAPES: tuple[type[Destination], ...] = (
    LostSeals,
    ForeignLinesLost,
    CheapReplacement,
    OverwritingUnseen,
    ListedAnyway,
)
