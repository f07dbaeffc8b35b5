"""How writes are sent to a vendor: in parallel, in batches, or all as one document. The base of every destination."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from connections.errors import (
    Conflict,
    Forbidden,
    IntegrationError,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Unauthorized,
    Unavailable,
)
from syncs.engine.types import Action, Outcome, Remote, Write, Written

SPLIT_FOR = 8.0
"""Seconds in which the parts of a rejected batch may be sent: a run's lease lasts at least that long."""

TRIES = 4
"""How often a document that changes meanwhile is read again and written."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret entry whose value the vendor does not return. `raw` is what to write back so that it stays."""

    etag: str
    raw: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Document:
    """All keys of a location. `version` is for the vendor's check-and-set; None if it has none.

    An entry that is neither text nor Sealed is a plain value: listed, never changed. `ref` is the adapter's own handle.
    """

    entries: Mapping[str, Any] = field(default_factory=dict, repr=False)
    version: str | None = None
    exists: bool = True
    ref: Any = field(default=None, repr=False, compare=False)


def remotes_of(document: Document) -> tuple[Remote, ...]:
    """The entries as the keys that a destination lists."""
    return tuple(
        Remote(key, etag=value.etag)
        if isinstance(value, Sealed)
        else Remote(key, value=value if isinstance(value, str) else None, is_secret=isinstance(value, str))
        for key, value in document.entries.items()
    )


def write_each(
    writes: Iterable[Write],
    perform: Callable[[Sequence[Write]], list[Outcome]],
    *,
    size: Callable[[Action], int],
    concurrency: int,
) -> Generator[Outcome, None, None]:
    """Send requests in parallel, each of at most `size` keys and one action. Writes are read just before each."""
    batches = _batches(writes, size)
    running: set[Future[list[Outcome]]] = set()
    with ThreadPoolExecutor(max_workers=concurrency) as pool:
        ended: list[Outcome] = []
        while True:
            # The next requests are sent before the caller gets the last outcomes, since it has work of its own to do.
            # If the vendor asks to wait or refuses the login, the outcomes come first: the caller then stops the rest.
            if any(isinstance(outcome.error, RateLimited | Unauthorized) for outcome in ended):
                yield from ended
                ended = []
            while len(running) < concurrency and (batch := next(batches, None)) is not None:
                running.add(pool.submit(perform, batch))
            yield from ended
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            ended = [outcome for future in done for outcome in future.result()]


def _batches(writes: Iterable[Write], size: Callable[[Action], int]) -> Iterator[list[Write]]:
    batch: list[Write] = []
    for write in writes:
        if batch and write.action is not batch[0].action:
            yield batch
            batch = []
        batch.append(write)
        if len(batch) >= size(write.action):
            yield batch
            batch = []
    if batch:
        yield batch


def write_changeset(
    writes: Iterable[Write],
    send: Callable[[Sequence[Write]], Sequence[Outcome]],
    *,
    label: str,
    size: int,
    whole: bool = True,
    split_on: tuple[type[IntegrationError], ...] = (),
    check: Callable[[Sequence[Write]], tuple[list[Write], list[Outcome]]] | None = None,
) -> Generator[Outcome, None, None]:
    """Send writes and deletes together, in as few requests of at most `size` keys as possible, one after another.

    `send` is as in `perform`. `whole`: a request is applied as a whole or not at all, so that the deletes, which come
    last, go along with the last writes. If not, they are requests of their own. Either way no delete is sent whose
    `after` failed, nor one that needs every write (`Write.needs_all`) once any failed.
    `check` looks at each request's writes just before it, and returns those to send and the outcomes of others.
    """
    failed: set[str] = set()
    for batch in _changesets(writes, size, whole):
        going = _not_waiting(batch, failed)
        outcomes = list[Outcome]()
        if check and going:
            try:
                going, outcomes = check(going)
            except IntegrationError as error:
                going, outcomes = [], [Outcome(write, error=error) for write in going]
            going = _not_waiting(going, failed | _failed(outcomes))
        outcomes += perform(label, going, send, split_on)
        failed |= _failed(outcomes)
        yield from outcomes


def _failed(outcomes: Iterable[Outcome]) -> set[str]:
    return {outcome.write.normalized_key for outcome in outcomes if outcome.error}


def _not_waiting(writes: Iterable[Write], failed: Collection[str]) -> list[Write]:
    return [write for write in writes if not write.waits_for(failed)]


def _changesets(writes: Iterable[Write], size: int, whole: bool) -> Iterator[list[Write]]:
    batch: list[Write] = []
    for write in writes:
        if batch and not whole and write.action is Action.DELETE and batch[-1].action is not Action.DELETE:
            yield batch
            batch = []
        batch.append(write)
        if len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch


def perform(
    label: str,
    writes: Sequence[Write],
    send: Callable[[Sequence[Write]], Sequence[Outcome]],
    split_on: tuple[type[IntegrationError], ...] = (),
) -> list[Outcome]:
    """Send one request; the outcome of each of its keys. Nothing is raised.

    A delete of a missing key is done. A batch rejected with `split_on` is halved until its bad keys are alone. The
    caller cannot stop the parts, so none is sent after SPLIT_FOR seconds or when the vendor asks to wait: the run
    retries the rest. A delete that waits for a key of a part that failed has no outcome.
    """
    ends_at = time.monotonic() + SPLIT_FOR
    parts, outcomes = [list(writes)], list[Outcome]()
    postponed, failed = None, set[str]()
    while parts:
        part = _not_waiting(parts.pop(), failed)
        if not part:
            continue
        try:
            ended = [Outcome(write, error=postponed) for write in part] if postponed else _sent(label, part, send)
        except IntegrationError as error:
            if len(part) == 1 and part[0].action is Action.DELETE and isinstance(error, NotFound):  # deleted already
                ended = [Outcome(part[0])]
            elif len(part) > 1 and isinstance(error, split_on):
                ended = []
                parts += [part[len(part) // 2 :], part[: len(part) // 2]]
            else:
                ended = [Outcome(write, error=error) for write in part]
        outcomes += ended
        failed |= _failed(ended)
        postponed = postponed or next((one.error for one in ended if _stops(one.error)), None)
        if not postponed and parts and time.monotonic() > ends_at:
            postponed = Unavailable(f"{label} rejected a batch because of some of its keys; this one is retried")
    return outcomes


def _stops(error: Exception | None) -> bool:
    """Whether any other request would fail as well."""
    return isinstance(error, RateLimited) or (isinstance(error, Unauthorized) and not isinstance(error, Forbidden))


def _sent(label: str, writes: Sequence[Write], send: Callable[[Sequence[Write]], Sequence[Outcome]]) -> list[Outcome]:
    """An outcome for each write. Raises IntegrationError if the whole request failed."""
    try:
        outcomes = list(send(writes))
    except IntegrationError:
        raise
    except Exception as error:  # noqa: BLE001 - a defect in one adapter must not hide the other keys' outcomes
        defect = _defect(label, error)
        return [Outcome(write, error=defect) for write in writes]
    reported = {outcome.write.normalized_key for outcome in outcomes}
    lost = OutcomeUnknown(f"{label}: the response does not report this key of the batch")
    return outcomes + [Outcome(write, error=lost) for write in writes if write.normalized_key not in reported]


def _defect(label: str, error: Exception) -> OutcomeUnknown:
    return OutcomeUnknown(f"{label}: {type(error).__name__} while writing a key")


def write_document(
    writes: Iterable[Write],
    *,
    label: str,
    read: Callable[[], Document],
    write: Callable[[Document, Mapping[str, Any]], Document | None],
    normalize_key: Callable[[str], str],
    seen: Document | None = None,
) -> Generator[Outcome, None, Document | None]:
    """Merge all writes into the current document. Returns the new document, if the response has it.

    `seen` is the document as listed: with it the document is read again only if the vendor reports that it changed.
    Each write is checked against the entry it was planned on: a key that was created or changed since is a Conflict. A
    delete that waits for such a key (`Write.after`, `Write.needs_all`) is left out, and has no outcome.
    """
    before, failed = (seen, None) if seen else _tried(label, read)
    # Read only now: the caller checks lease and plan before each write, as late as possible.
    requested = list(writes)
    merged, settled, after = requested, list[Outcome](), None
    for _ in range(TRIES):
        if before is None or not requested:
            break
        entries, merged, settled = _merged(before, requested, normalize_key)
        if not merged:
            after, failed = before, None
            break
        after, failed = _tried(label, partial(write, before, entries))
        if not isinstance(failed, Conflict):
            break
        before, _ = _tried(label, read)  # if that fails too, the conflict is still what happened
    yield from settled
    for each in merged:
        entry = after.entries.get(each.key) if after else None
        yield Outcome(each, Written(etag=entry.etag) if isinstance(entry, Sealed) else Written(), error=failed)
    return after


def _tried(label: str, call: Callable[[], Document | None]) -> tuple[Document | None, Exception | None]:
    try:
        return call(), None
    except IntegrationError as error:
        return None, error
    except Exception as error:  # noqa: BLE001 - a defect must not hide that the outcome is unknown
        return None, _defect(label, error)


def _merged(
    document: Document, writes: Iterable[Write], normalize_key: Callable[[str], str]
) -> tuple[dict[str, Any], list[Write], list[Outcome]]:
    """The entries with the writes merged, the merged writes, and the outcomes of the others."""
    entries = dict(document.entries)
    names = {normalize_key(key): key for key in entries}
    merged: list[Write] = []
    settled: list[Outcome] = []
    failed: set[str] = set()
    for write in writes:
        name = names.get(write.normalized_key)
        if write.waits_for(failed):
            continue
        if name is None and write.action is Action.DELETE:
            settled.append(Outcome(write))
        elif name is None and write.action is Action.UPDATE:
            settled.append(Outcome(write, error=NotFound(f"{write.key} was deleted after it was listed")))
            failed.add(write.normalized_key)
        elif name is not None and not _as_planned(write, entries[name]):
            message = f"{write.key} was created or changed externally after it was listed"
            settled.append(Outcome(write, error=Conflict(message)))
            failed.add(write.normalized_key)
        else:
            merged.append(write)
            if name is not None and (write.action is Action.DELETE or name != write.key):
                del entries[name]
            if write.action is not Action.DELETE:
                entries[write.key] = write.value
    return entries, merged, settled


def _as_planned(write: Write, entry: Any) -> bool:
    if isinstance(entry, Sealed):
        return write.remote is not None and entry.etag == write.remote.etag
    return write.remote is not None and isinstance(entry, str) and entry == write.remote.value
