"""Old values in a vendor's own history: removed after a removal, if that was requested."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from connections.errors import Forbidden, IntegrationError, Unauthorized
from syncs.destination.base import Destination
from syncs.engine.plan import Change
from syncs.models import SyncRun

ObjectIds = Mapping[tuple[str, str], str]
"""(location, key) -> the vendor's id of the object whose history is to be removed."""


def remember(run: SyncRun, location: str, deletes: Iterable[Change]) -> None:
    """Before the keys are deleted: afterwards neither the list nor the ledger has their object ids."""
    object_ids = _object_ids(run)
    for change in deletes:
        if change.remote and change.remote.object_id:
            object_ids[location, change.key] = change.remote.object_id
    _store(run, object_ids)


def purge(
    run: SyncRun,
    destination: Destination,
    location: str,
    remaining: Collection[str],
    may_continue: Callable[[], bool],
) -> None:
    """Purge the remembered objects of this location, except `remaining` keys, as long as `may_continue`.

    Keys that the vendor refuses are recorded in the run's options. Raises IntegrationError if a retry may help.
    """
    object_ids = _object_ids(run)
    try:
        for (at, key), object_id in list(object_ids.items()):
            if at != location or key in remaining:
                continue
            if not may_continue():
                return
            try:
                destination.purge(key, object_id)
            except IntegrationError as error:
                if error.retryable or (isinstance(error, Unauthorized) and not isinstance(error, Forbidden)):
                    raise
                run.options = replace(run.options, unpurged={**run.options.unpurged, key: str(error)})
            del object_ids[at, key]
    finally:
        _store(run, object_ids)


def _object_ids(run: SyncRun) -> dict[tuple[str, str], str]:
    return {(location, key): object_id for location, key, object_id in run.options.purging}


def _store(run: SyncRun, object_ids: ObjectIds) -> None:
    purging = tuple((location, key, object_id) for (location, key), object_id in object_ids.items())
    run.options = replace(run.options, purging=purging)
    SyncRun.objects.filter(pk=run.pk).update(options=run.options)
