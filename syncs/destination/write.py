"""How writes reach a vendor: side by side, some at once, or all as one document. What every destination stands on."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from connections.errors import Conflict, IntegrationError, NotFound, OutcomeUnknown, RateLimited, Unavailable
from syncs.engine.types import Action, Outcome, Remote, Write

SPLIT_FOR = 8.0
"""Seconds in which the parts of a refused batch may go out: a run's lease lasts at least that long."""

TRIES = 4
"""How often a document that others write in the same moment is read again and written."""


@dataclass(frozen=True, slots=True)
class Document:
    """All keys of a place. `version` is what the vendor checks a write against; None where it does not.

    An entry that is not text is a plain value: listed, never touched. `ref` is the adapter's own handle.
    """

    entries: Mapping[str, Any] = field(default_factory=dict, repr=False)
    version: str | None = None
    exists: bool = True
    ref: Any = field(default=None, repr=False, compare=False)


def remotes_of(document: Document) -> tuple[Remote, ...]:
    """The entries as keys that a destination lists."""
    return tuple(
        Remote(key, value=value if isinstance(value, str) else None, is_secret=isinstance(value, str))
        for key, value in document.entries.items()
    )


def write_each(
    writes: Iterable[Write],
    perform: Callable[[Sequence[Write]], list[Outcome]],
    *,
    size: Callable[[Action], int],
    concurrency: int,
) -> Generator[Outcome, None, None]:
    """Requests side by side, each of at most `size` keys and of one action. Writes are pulled just before each."""
    gate = _batches(writes, size)
    going: set[Future[list[Outcome]]] = set()
    with ThreadPoolExecutor(max_workers=concurrency) as pool:
        ended: list[Outcome] = []
        while True:
            # The next requests go out before the caller is told of the last, since it has work of its own to do;
            # not so where the vendor asks to wait: then the caller closes the gate first.
            if any(isinstance(outcome.error, RateLimited) for outcome in ended):
                yield from ended
                ended = []
            while len(going) < concurrency and (batch := next(gate, None)) is not None:
                going.add(pool.submit(perform, batch))
            yield from ended
            if not going:
                return
            done, going = wait(going, return_when=FIRST_COMPLETED)
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


def perform(
    label: str,
    writes: Sequence[Write],
    send: Callable[[Sequence[Write]], Sequence[Outcome]],
    split_on: tuple[type[IntegrationError], ...] = (),
) -> list[Outcome]:
    """One request, and what became of each of its keys; nothing is raised.

    A batch refused with `split_on` is halved until its bad keys stand alone. The gate is not asked meanwhile, so no
    part goes out once SPLIT_FOR is over or the vendor asks to wait: what is left is tried again by the run.
    """
    ends_at = time.monotonic() + SPLIT_FOR
    parts, outcomes = [list(writes)], list[Outcome]()
    held: IntegrationError | None = None
    while parts:
        part = parts.pop()
        try:
            told = [Outcome(write, error=held) for write in part] if held else _told(label, part, send)
        except IntegrationError as error:
            if len(part) > 1 and isinstance(error, split_on):
                told = []
                parts += [part[len(part) // 2 :], part[: len(part) // 2]]
            else:
                told = [Outcome(write, error=error) for write in part]
        outcomes += told
        held = held or next((one.error for one in told if isinstance(one.error, RateLimited)), None)
        if not held and parts and time.monotonic() > ends_at:
            held = Unavailable(f"{label} refused a batch for some of its keys; this one goes with the next attempt")
    return outcomes


def _told(label: str, writes: Sequence[Write], send: Callable[[Sequence[Write]], Sequence[Outcome]]) -> list[Outcome]:
    """An outcome for each write. Raises IntegrationError where the whole request was answered so."""
    try:
        outcomes = list(send(writes))
    except IntegrationError:
        raise
    except Exception as error:  # noqa: BLE001 - a defect in one adapter must not hide the other keys' outcomes
        defect = _defect(label, error)
        return [Outcome(write, error=defect) for write in writes]
    told = {outcome.write.normalized_key for outcome in outcomes}
    lost = OutcomeUnknown(f"{label}: nothing was said of a key of a batch")
    return outcomes + [Outcome(write, error=lost) for write in writes if write.normalized_key not in told]


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
    """All writes at once, into the document as it stands. What stands there afterwards is returned, where it is told.

    `seen` is the document as it was listed: with it nothing is read again unless the vendor says that it has changed.
    Each write is held to what it was planned on: a key that other hands have made or changed since is a Conflict.
    """
    before, failed = (seen, None) if seen else _tried(label, read)
    # Pulled only now: what the caller looks at before it lets a write go is to be as fresh as can be.
    pulled = list(writes)
    going, settled, after = pulled, list[Outcome](), None
    for _ in range(TRIES):
        if before is None or not pulled:
            break
        entries, going, settled = _merged(before, pulled, normalize_key)
        if not going:
            after, failed = before, None
            break
        after, failed = _tried(label, partial(write, before, entries))
        if not isinstance(failed, Conflict):
            break
        before, unread = _tried(label, read)
        failed = unread or failed
    yield from settled
    yield from (Outcome(each, error=failed) for each in going)
    return after


def _tried(label: str, call: Callable[[], Document | None]) -> tuple[Document | None, Exception | None]:
    try:
        return call(), None
    except IntegrationError as error:
        return None, error
    except Exception as error:  # noqa: BLE001 - a defect must not hide that the outcome is not known
        return None, _defect(label, error)


def _merged(
    document: Document, writes: Iterable[Write], normalize_key: Callable[[str], str]
) -> tuple[dict[str, Any], list[Write], list[Outcome]]:
    """The entries with the writes in them, the writes that are in, and the outcomes of the others."""
    entries = dict(document.entries)
    names = {normalize_key(key): key for key in entries}
    going: list[Write] = []
    settled: list[Outcome] = []
    for write in writes:
        name = names.get(write.normalized_key)
        if name is None and write.action is Action.DELETE:
            settled.append(Outcome(write))
        elif name is None and write.action is Action.UPDATE:
            settled.append(Outcome(write, error=NotFound(f"{write.key} is gone since it was listed")))
        elif name is not None and not _as_planned(write, entries[name]):
            said = f"{write.key} was made or changed by other hands since it was listed"
            settled.append(Outcome(write, error=Conflict(said)))
        else:
            going.append(write)
            if name is not None and (write.action is Action.DELETE or name != write.key):
                del entries[name]
            if write.action is not Action.DELETE:
                entries[write.key] = write.value
    return entries, going, settled


def _as_planned(write: Write, held: Any) -> bool:
    return write.remote is not None and isinstance(held, str) and held == write.remote.value
