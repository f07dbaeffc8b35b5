"""The base of vendors whose one request sets and deletes keys, all of them or none."""

from __future__ import annotations

import math
import sys
from abc import abstractmethod
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from syncs.destination.fresh import still_fitting
from syncs.destination.key_value import KeyValueDestination
from syncs.destination.write import write_changeset
from syncs.engine.types import Action, Outcome, Write


class PatchDestination(KeyValueDestination):
    """A vendor with a merge patch: the keys that are in it change, the others stay. The adapter gives `patch`.

    All writes and deletes of a run go together, in requests of at most `size` keys, the deletes with the last. Just
    before each request a fresh list shows keys that were created, deleted or recreated meanwhile; they are left out.
    `checks`: the vendor refuses a patch of what has changed since the list, so that no fresh list is needed.
    """

    one_write = True
    size: ClassVar[int] = sys.maxsize
    checks: ClassVar[bool] = False

    @abstractmethod
    def patch(self, sets: Sequence[Write], gone: Sequence[Write]) -> Mapping[str, Any] | None:
        """One request, done as a whole or not at all.

        Returns what the vendor says of each key, as `items` has it, by normalized key, as far as it says something.
        Raises Conflict if the vendor has checked and refused it.
        """

    def batch_size(self, action: Action) -> int:
        return self.size

    def requests(self, writes: Mapping[Action, int]) -> int:
        return math.ceil(sum(writes.values()) / self.size) * (1 if self.checks or not self.capabilities.lists else 2)

    def apply(self, writes: Iterable[Write]) -> Generator[Outcome, None, None]:
        return write_changeset(
            writes,
            self._send,
            label=self.label,
            size=self.size,
            split_on=self.split_on,
            check=None if self.checks else self._unchanged,
        )

    def _unchanged(self, writes: Sequence[Write]) -> tuple[list[Write], list[Outcome]]:
        return still_fitting(self, writes)

    def _send(self, writes: Sequence[Write]) -> list[Outcome]:
        sets = [write for write in writes if write.action is not Action.DELETE]
        gone = [write for write in writes if write.action is Action.DELETE]
        described = self.patch(sets, gone) or {}
        return [
            *(Outcome(write, self.written(described.get(write.normalized_key))) for write in sets),
            *(Outcome(write) for write in gone),
        ]
