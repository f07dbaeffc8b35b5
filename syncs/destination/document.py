"""The base of vendors that hold all keys in one document."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Generator, Iterable, Mapping
from typing import Any

from syncs.destination.base import Destination
from syncs.engine.types import Action, Outcome, Remote, Write

from .write import Document, remotes_of, write_document


class DocumentDestination(Destination):
    """A vendor that stores all keys in one document, which is read and written as a whole.

    The base merges into the current document, so that foreign entries stay as they are. If the vendor has check-and-set
    (`Document.version`), no foreign write is lost, and a change costs one read and one write. If not, the document is
    read once more just before it is written, and `capabilities.note` says so.
    """

    one_write = True
    _seen: Document | None = None

    @abstractmethod
    def read(self) -> Document:
        """The current document; a missing one has no entries and `exists` False."""

    @abstractmethod
    def write(self, before: Document, entries: Mapping[str, Any]) -> Document | None:
        """Replace `before` by `entries`, which are all entries ({}: none is left).

        Returns the new document, or None if the response does not have its version. With sealed entries it
        returns the new one with their etags, after another read if need be. Raises Conflict if the document has changed
        since `before`.
        """

    def batch_size(self, action: Action) -> int:
        return sys.maxsize

    def requests(self, writes: Mapping[Action, int]) -> int:
        """All writes are one; without check-and-set, the document is read once more before it."""
        if not any(writes.values()):
            return 0
        return 1 if self._seen and self._seen.version is not None else 2

    def fetch(self) -> Iterable[Remote]:
        self._seen = self.read()
        return remotes_of(self._seen)

    def apply(self, writes: Iterable[Write]) -> Generator[Outcome, None, None]:
        # The listed document is overwritten without another look only if the vendor checks that it is unchanged.
        seen = self._seen if self._seen and self._seen.version is not None else None
        self._seen = yield from write_document(
            writes, label=self.label, read=self.read, write=self.write, normalize_key=self.normalize_key, seen=seen
        )
