"""Old values in a vendor's own history: taken out after a removal, where that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from connections.errors import IntegrationError
from syncs.destination.base import Destination
from syncs.engine.plan import Change
from syncs.models import SyncRun


def remember(run: SyncRun, location: str, deletes: Iterable[Change]) -> None:
    """Before they are deleted: afterwards neither the listing nor the ledger knows them."""
    known = {(at, key): object_id for at, key, object_id in run.options.purging}
    for change in deletes:
        if change.remote and change.remote.object_id:
            known[location, change.key] = change.remote.object_id
    _keep(run, known)


def purge(
    run: SyncRun, destination: Destination, location: str, there: Collection[str], go: Callable[[], bool]
) -> None:
    """Purge what was remembered of this place, but for keys that are still `there`, as long as `go` says so.

    What the vendor refuses is named in the run's options. Raises IntegrationError for what may be tried again.
    """
    known = {(at, key): object_id for at, key, object_id in run.options.purging}
    try:
        for (at, key), object_id in list(known.items()):
            if at != location or key in there:
                continue
            if not go():
                return
            try:
                destination.purge(key, object_id)
            except IntegrationError as error:
                if error.retryable:
                    raise
                run.options = replace(run.options, unpurged={**run.options.unpurged, key: str(error)})
            del known[at, key]
    finally:
        _keep(run, known)


def _keep(run: SyncRun, known: dict[tuple[str, str], str]) -> None:
    run.options = replace(run.options, purging=tuple((at, key, object_id) for (at, key), object_id in known.items()))
    SyncRun.objects.filter(pk=run.pk).update(options=run.options)
