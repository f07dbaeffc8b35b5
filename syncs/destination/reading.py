"""Reads besides the list: of single keys, side by side, and of what several writes need."""

from __future__ import annotations

import contextlib
import itertools
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Generic, TypeVar

from connections.errors import Forbidden, IntegrationError
from syncs.destination.base import Destination
from syncs.engine.types import Remote

Item = TypeVar("Item")
Result = TypeVar("Result")

REFUSALS = 20
"""After so many refused reads and none accepted, the login may read nothing: no more are sent."""


def in_parallel(read: Callable[[Item], Result], items: Iterable[Item], concurrency: int) -> list[Result]:
    """The result for each item, in their order. Raises the first error; reads that wait are then not sent."""
    with ThreadPoolExecutor(max_workers=concurrency) as pool:
        return list(pool.map(read, items))


def batches(items: Iterable[Item], size: int) -> list[list[Item]]:
    """The items in parts of the size that one request reads."""
    waiting = iter(items)
    return list(iter(lambda: list(itertools.islice(waiting, size)), []))


def read_each(read: Callable[[Remote], Remote | None], remotes: Sequence[Remote], concurrency: int) -> list[Remote]:
    """Those that exist, as `read` returns them; it returns None for one that does not exist any more.

    One whose read raises Forbidden is `unreadable`, with the vendor's text. Other errors are raised, and so is a
    refusal if REFUSALS reads were refused and none accepted.
    """
    refusals: list[Forbidden] = []
    accepted: list[bool] = []

    def read_one(remote: Remote) -> Remote | None:
        if len(refusals) >= REFUSALS and not accepted:
            raise refusals[0]
        try:
            found = read(remote)
        except Forbidden as refusal:
            refusals.append(refusal)
            return replace(remote, unreadable=str(refusal))
        accepted.append(True)
        return found

    return [found for found in in_parallel(read_one, remotes, concurrency) if found]


class Shared(Generic[Result]):
    """What several writes need, such as a public key: read once, also if threads ask side by side."""

    def __init__(self, read: Callable[[], Result]) -> None:
        self._read = read
        self._found: Result | None = None
        self._lock = threading.Lock()

    def use(self, send: Callable[[Result], Item], stale: type[IntegrationError]) -> Item:
        """What `send` returns. If it raises `stale`, and the vendor has another one by now, it is called once more."""
        found = self._get()
        try:
            return send(found)
        except stale:
            fresh = found
            with contextlib.suppress(IntegrationError):  # the refusal is what happened
                fresh = self._get(unless=found)
            if fresh == found:
                raise
            return send(fresh)

    def _get(self, unless: Result | None = None) -> Result:
        with self._lock:
            if self._found is None or self._found is unless:
                self._found = self._read()
            return self._found


class ReadsEach(Destination):
    """A vendor whose list lacks what a read of one key has. The reads of those that matter are sent side by side."""

    @abstractmethod
    def read_value(self, remote: Remote, *, values: bool) -> Remote | None:
        """As `read_values`, of one key; None if it does not exist any more."""

    def read_values(self, remotes: Sequence[Remote], *, values: bool) -> Sequence[Remote]:
        return read_each(partial(self.read_value, values=values), remotes, self.concurrency)
