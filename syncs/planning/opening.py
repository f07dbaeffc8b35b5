"""Destinations of syncs: found by slug, opened with a client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from config.errors import BadRequest
from connections.credentials import open_client
from connections.http.client import ApiClient
from syncs.destination.base import Destination, destinations
from syncs.models import SecretSync

IMPORT_PRIORITIES = ("prioritize-source", "prioritize-destination")


def destination_class(slug: str) -> type[Destination]:
    """Raises BadRequest for an unknown slug."""
    found = destinations.get(slug)
    if found is None:
        raise BadRequest(f"There is no destination '{slug}'")
    return found


def open_destination(sync: SecretSync, client: ApiClient) -> Destination:
    """The destination of a sync; nothing is sent. Raises BadRequest if its adapter does not exist."""
    found = destination_class(sync.destination)
    rules = sync.policy
    return found(
        client,
        sync.destination_config,
        sync.sync_options,
        policy=rules.destination,
        concurrency=rules.max_concurrency,
    )


@contextmanager
def opened(sync: SecretSync) -> Iterator[Destination]:
    """The destination with a client of its own; nothing is sent yet. Raises Undecryptable."""
    with open_client(sync.connection) as client:
        yield open_destination(sync, client)


def import_behavior(sync: SecretSync) -> str:
    """Which side wins if the first sync imports, one of IMPORT_PRIORITIES; "" if it overwrites."""
    behavior = str(sync.sync_options.get("initialSyncBehavior", "")).removeprefix("import-")
    return behavior if behavior in IMPORT_PRIORITIES else ""
