"""The base of vendors that take single keys, or some per request."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any, ClassVar, final

from connections.errors import Conflict, IntegrationError, NotFound, OutcomeUnknown, Rejected
from connections.http.client import quote
from connections.http.responses import validate
from syncs.destination.base import Destination
from syncs.destination.location import Target
from syncs.engine.types import Action, Outcome, Remote, Write, Written

from .write import perform, write_each


class KeyValueDestination(Destination):
    """A vendor that takes one key per request, or a batch. The base sends requests in parallel.

    `batch` has the number of keys that one request takes (absent: 1). If it is more than one, the base calls
    `create_many` and so on, else `create` and so on: an adapter defines those that its `batch` needs. A batch that is
    rejected with one of `split_on` is sent again in halves, so that one bad key does not fail the others.

    The list: `items` returns every key as the vendor describes it, and `remote` reads one. `Item` is the type of such a
    description, a `Response` model; with it, the response to a create or an update may be returned as it is.

    With `list_path`, the address of a list below which each key has its own, `items` (of a list without pages) and
    `delete` are done.
    """

    Item: ClassVar[Any] = Any
    batch: ClassVar[Mapping[Action, int]] = {}
    split_on: ClassVar[tuple[type[IntegrationError], ...]] = (Rejected,)

    @property
    def list_path(self) -> str:
        raise NotImplementedError

    def path(self, key: str) -> str:
        """The address of a key, which a DELETE deletes: never that of all, since `quote` refuses an empty part."""
        return f"{self.list_path}/{quote(key)}"

    def items(self) -> Iterable[Any]:
        """Every key in scope, from all pages, such as `client.get(path, list[Value])`. Raises IntegrationError."""
        items: list[Any] = self.client.get(self.list_path, list[self.Item])  # type: ignore[name-defined]
        return items

    def remote(self, item: Any) -> Remote:
        """The key that an item describes. One that lacks something may raise any exception."""
        raise NotImplementedError

    def fetch(self) -> Iterable[Remote]:
        try:
            return [self.remote(item) for item in self.items()]
        except NotFound as error:
            if not isinstance(self.config, Target):
                raise
            raise NotFound(f"{error}{self.config.unseen(self.client)}") from None

    def create(self, write: Write) -> Any:
        """Create a key that must not exist yet. Raises Conflict if it does.

        Returns what the vendor says of the key, as `items` has it, or Written.
        """
        raise NotImplementedError

    def update(self, write: Write) -> Any:
        """Replace the value of `write.remote`. Raises NotFound if it was deleted. Returns as `create`."""
        raise NotImplementedError

    def delete(self, write: Write) -> None:
        """Delete `write.remote`. NotFound is a success: it is deleted already."""
        self.client.request("DELETE", self.path(write.key))

    def create_many(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """One request; one outcome per write, in any order. A raised IntegrationError is the outcome of each."""
        raise NotImplementedError

    def update_many(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """As `create_many`."""
        raise NotImplementedError

    def delete_many(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """As `create_many`."""
        raise NotImplementedError

    def restore(self, write: Write) -> None:
        """Restore `write.version` of the vendor's own history, which `version_of` returned."""
        raise NotImplementedError

    def batch_size(self, action: Action) -> int:
        return self.batch.get(action, 1)

    def request_cost(self, action: Action) -> float:
        """An update that deletes and creates takes two requests."""
        replaces = action is Action.UPDATE and self.capabilities.updates == "replace"
        return super().request_cost(action) * (2 if replaces else 1)

    def apply(self, writes: Iterable[Write]) -> Generator[Outcome, None, None]:
        return write_each(writes, self._perform, size=self.batch_size, concurrency=self.concurrency)

    def _perform(self, writes: Sequence[Write]) -> list[Outcome]:
        """The writes of one request, all of one action."""
        action = writes[0].action
        if self.batch_size(action) > 1 and all(write.version is None for write in writes):
            many = {Action.CREATE: self.create_many, Action.UPDATE: self.update_many, Action.DELETE: self.delete_many}
            return perform(self.label, writes, many[action], self.split_on)
        return [outcome for write in writes for outcome in perform(self.label, [write], self._single)]

    def _single(self, writes: Sequence[Write]) -> list[Outcome]:
        (write,) = writes
        if write.version is not None:
            self.restore(write)
            return [Outcome(write)]
        if write.action is Action.DELETE:
            self.delete(write)
            return [Outcome(write)]
        if write.action is Action.UPDATE and self.capabilities.updates == "replace":
            response = self._replace(write)
        else:
            response = self.create(write) if write.action is Action.CREATE else self.update(write)
        return [Outcome(write, self.written(response))]

    def _replace(self, write: Write) -> Any:
        """Delete and create. If the second fails, the claim of the ledger stays, and the next list settles it."""
        self.delete(write)
        try:
            return self.create(write)
        except Conflict:
            raise  # created externally in between
        except IntegrationError as error:
            message = f"{write.key} was deleted to replace it, and could not be created again"
            raise OutcomeUnknown(f"{self.label}: {message}: {error}") from None

    @final
    def written(self, response: Any) -> Written:
        """The object that the response to a write describes.

        Nothing of one that describes none: the write is done all the same, and the next list has the details.
        """
        if isinstance(response, Written):
            return response
        remote = self._described(response)
        return Written(remote.object_id, remote.etag) if remote else Written()

    @final
    def done(self, writes: Sequence[Write], response: Any = None) -> list[Outcome]:
        """The outcomes of writes that were accepted, for `create_many` and so on.

        `response` is a list of what the vendor says of their keys, as `items` has it, as far as it says something.
        """
        remotes = map(self._described, response if isinstance(response, list) else ())
        known = {self.normalize_key(one.key): Written(one.object_id, one.etag) for one in remotes if one}
        return [Outcome(write, known.get(write.normalized_key, Written())) for write in writes]

    def _described(self, item: Any) -> Remote | None:
        try:
            return self.remote(validate(self.Item, item, self.label))
        except Exception:  # noqa: BLE001 - whatever the response looks like, the write was accepted
            return None
