"""The base of vendors whose objects may serve several targets at once: environments, contexts, scopes or branches.

A sync has some of the targets. What others read from the same object must stay, so the sync never writes to an object
that serves others too: it removes its own targets from it, and has an object of its own.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Sequence, Set
from dataclasses import replace

from connections.errors import NotFound, RateLimited, Unavailable
from syncs.engine.types import Action, Outcome, Remote, Write

from .key_value import KeyValueDestination
from .write import SPLIT_FOR, perform


class SharedObjectDestination(KeyValueDestination):
    """`create`, `update` and `delete`, or those with `_many`, get only objects that serve exactly the sync's targets.

    An update of any other object is two requests: `narrow` or a delete, and a create whose `remote` is that object, so
    that the new one can be like it. If the create fails the name is free, and the next run creates it. A delete that
    finds nothing raises NotFound, which is a success unless it belongs to an update.
    """

    @property
    @abstractmethod
    def targets(self) -> Set[str]:
        """What the sync writes to."""

    @abstractmethod
    def targets_of(self, remote: Remote) -> Set[str]:
        """What a listed object serves."""

    @abstractmethod
    def narrow(self, remote: Remote, targets: Set[str]) -> None:
        """Leave the object to `targets` alone, which are some of its own. Raises NotFound if it was deleted."""

    def can_update(self, remote: Remote) -> bool:
        """Whether a new value is all that the object needs; if not, it is recreated."""
        return True

    def _perform(self, writes: Sequence[Write]) -> list[Outcome]:
        direct = [write for write in writes if self._is_direct(write)]
        outcomes = super()._perform(direct) if direct else []
        ends_at = time.monotonic() + SPLIT_FOR  # the caller cannot stop them, and its lease may end
        for write in (write for write in writes if not self._is_direct(write)):
            postponed = next((one.error for one in outcomes if isinstance(one.error, RateLimited | Unavailable)), None)
            if not postponed and time.monotonic() > ends_at:
                postponed = Unavailable(f"{self.label}: other keys of the batch took too long; this one is retried")
            outcomes.append(Outcome(write, error=postponed) if postponed else self._replaced(write))
        return [
            Outcome(one.write) if one.write.action is Action.DELETE and isinstance(one.error, NotFound) else one
            for one in outcomes
        ]

    def _is_direct(self, write: Write) -> bool:
        if write.action is Action.CREATE or write.version is not None or write.remote is None:
            return True
        exact = self.targets_of(write.remote) == self.targets
        return exact and (write.action is Action.DELETE or self.can_update(write.remote))

    def _replaced(self, write: Write) -> Outcome:
        (freed,) = perform(self.label, [write], self._free)
        if freed.error or write.action is Action.DELETE:
            return freed
        (created,) = super()._perform([replace(write, action=Action.CREATE)])
        return replace(created, write=write)

    def _free(self, writes: Sequence[Write]) -> list[Outcome]:
        """The name in the sync's targets, of the object that serves them now. Raises NotFound if it was deleted."""
        (write,) = writes
        assert write.remote is not None
        gone = replace(write, action=Action.DELETE)
        if others := self.targets_of(write.remote) - self.targets:
            self.narrow(write.remote, others)
        elif self.batch_size(Action.DELETE) > 1:
            return [replace(outcome, write=write) for outcome in self.delete_many([gone])]
        else:
            self.delete(gone)
        return [Outcome(write)]
