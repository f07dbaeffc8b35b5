"""The base of vendors whose one request creates a key or overwrites it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from connections.errors import IntegrationError, NotFound
from syncs.destination.fresh import check_unchanged, still_fitting
from syncs.destination.key_value import KeyValueDestination
from syncs.engine.types import Action, Outcome, Remote, Write, Written


class UpsertDestination(KeyValueDestination):
    """A vendor without a request that only creates. The adapter gives `put`, and `path` or `look` and `remove`.

    The base looks just before each write, so that a create overwrites nothing and an update creates nothing. What
    happens between the look and the write is not seen: `capabilities.note` says so. `looks_after`: the response to
    `put` does not have the object id and the etag of the list, so a second look reads them.

    With `batch`, the adapter gives `put_many` and `remove_many`, and one fresh list goes before each request.
    """

    looks_after: ClassVar[bool] = True
    once: ClassVar[int] = 0
    """How many requests of a run go before its first create or update."""

    def look(self, key: str) -> Any:
        """What `items` has of this key now; None or NotFound if it does not exist. By default a GET of its `path`."""
        return self.client.get(self.path(key), self.Item)

    def put(self, write: Write) -> Any:
        """Create or overwrite the key. Returns as `create`."""
        raise NotImplementedError

    def remove(self, write: Write) -> Any:
        """Delete the key. NotFound is a success."""
        self.client.request("DELETE", self.path(write.key))

    def put_many(self, writes: Sequence[Write]) -> Sequence[Outcome] | None:
        """One request for all of them, as `create_many`; None: each is done."""
        raise NotImplementedError

    def remove_many(self, writes: Sequence[Write]) -> Sequence[Outcome] | None:
        """As `put_many`."""
        raise NotImplementedError

    def create(self, write: Write) -> Any:
        if error := check_unchanged(write, self._now(write.key)):
            raise error
        response = self.put(write)
        return self._after(write) if self.looks_after else response

    def update(self, write: Write) -> Any:
        return self.create(write)

    def delete(self, write: Write) -> None:
        self.remove(write)

    def create_many(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        return self._many(writes, self.put_many)

    def update_many(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        return self._many(writes, self.put_many)

    def delete_many(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        return self._many(writes, self.remove_many)

    def requests(self, writes: Mapping[Action, int]) -> int:
        """With the looks around each write, or the list before each batch."""
        total = self.once if writes.get(Action.CREATE) or writes.get(Action.UPDATE) else 0
        for action, number in writes.items():
            size = self.batch_size(action)
            if size > 1:
                total += math.ceil(number / size) * 2
            else:
                total += number * (1 if action is Action.DELETE else 2 + self.looks_after)
        return total

    def _now(self, key: str) -> Remote | None:
        try:
            item = self.look(key)
        except NotFound:
            return None
        return None if item is None else self.remote(item)

    def _after(self, write: Write) -> Written:
        """The write is done: if this look fails, the next list has the details."""
        try:
            now = self._now(write.key)
        except IntegrationError:
            return Written()
        return Written(now.object_id, now.etag) if now else Written()

    def _many(
        self, writes: Sequence[Write], send: Callable[[Sequence[Write]], Sequence[Outcome] | None]
    ) -> list[Outcome]:
        going, outcomes = still_fitting(self, writes)
        if going:
            sent = send(going)
            outcomes += [Outcome(write) for write in going] if sent is None else sent
        return outcomes
