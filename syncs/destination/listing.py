"""The list of a destination, whole or an error, with the details of the keys that matter."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from connections.errors import BadResponse, IntegrationError
from syncs.engine.types import Remote

if TYPE_CHECKING:
    from syncs.destination.base import Destination


def listed(destination: Destination) -> tuple[Remote, ...]:
    """See `Destination.listing`."""
    if not destination.limits(destination.config).lists:
        return ()
    remotes = _read(destination, destination.fetch, "the list")
    names = [destination.normalize_key(remote.key) for remote in remotes]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadResponse(f"{destination.label}: the list has {twice} twice, so it is not complete")
    return remotes


def resolved(
    destination: Destination, listing: Sequence[Remote], keys: Collection[str], *, values: bool
) -> tuple[Remote, ...]:
    """See `Destination.resolve_listing`."""
    limits = destination.limits(destination.config)
    possible = {key for key in keys if limits.allows(key) and limits.has_room(key)}
    unlisted = possible - {destination.normalize_key(remote.key) for remote in listing}
    if unlisted:
        looked = _read(destination, lambda: destination.find_unlisted(unlisted), "keys that are not listed")
        listing = [*listing, *looked]
    wanted = [remote for remote in listing if destination.normalize_key(remote.key) in keys]
    if not wanted:
        return tuple(listing)
    others = [remote for remote in listing if destination.normalize_key(remote.key) not in keys]
    read = _read(destination, lambda: destination.read_values(wanted, values=values), "values")
    return (*others, *(read if values else (_normalized(destination, remote) for remote in read)))


def _normalized(destination: Destination, remote: Remote) -> Remote:
    return remote if remote.value is None else replace(remote, value=destination.normalize_value(remote.value))


def _read(destination: Destination, read: Callable[[], Iterable[Remote]], what: str) -> tuple[Remote, ...]:
    """Raises BadResponse for a response of another shape, a config that makes no address, a defect of an adapter.

    The text has none of the exception's: it may be a value.
    """
    try:
        return tuple(read())
    except IntegrationError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, nothing is known of the keys
        raise BadResponse(f"{destination.label}: {what} could not be read ({type(error).__name__})") from None
