"""Writes held to a fresh look, for vendors that neither refuse to overwrite a key nor to recreate one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from connections.errors import Conflict, IntegrationError, NotFound
from syncs.destination.base import Destination
from syncs.engine.types import Action, Outcome, Remote, Write


def check_unchanged(write: Write, now: Remote | None) -> IntegrationError | None:
    """Why a write does not fit what is there now; a delete of a missing key fits."""
    if write.action is Action.CREATE:
        if now is None or now.inherited:
            return None
        return Conflict(f"{now.key} was created externally after it was listed")
    if now is None or now.inherited:
        return None if write.action is Action.DELETE else NotFound(f"{write.key} was deleted after it was listed")
    planned = write.remote.object_id if write.remote else None
    if planned and now.object_id and planned != now.object_id:
        return Conflict(f"{write.key} was deleted and recreated externally after it was listed")
    return None


def still_fitting(destination: Destination, writes: Sequence[Write]) -> tuple[list[Write], list[Outcome]]:
    """As `unchanged`, by a list that is read now; all of them where nothing can be listed. Raises IntegrationError."""
    if not destination.limits(destination.config).lists:
        return list(writes), []
    return unchanged(writes, {destination.normalize_key(one.key): one for one in destination.listing()})


def unchanged(writes: Iterable[Write], now: Mapping[str, Remote]) -> tuple[list[Write], list[Outcome]]:
    """The writes that fit a fresh list, by normalized key, and the outcomes of the others.

    A delete of a missing key is done without a request. One that waits for a write that does not fit is in neither.
    """
    going, settled, failed = list[Write](), list[Outcome](), set[str]()
    for write in writes:
        if write.after in failed:
            continue
        found = now.get(write.normalized_key)
        error = check_unchanged(write, found)
        if error:
            failed.add(write.normalized_key)
        if error or (found is None and write.action is Action.DELETE):
            settled.append(Outcome(write, error=error))
        else:
            going.append(write)
    return going, settled
