"""The ledger as the planner reads it, and the keyed fingerprints in its rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from django.db.models import F, Q, Value

from config.encryption import fingerprint, fingerprint_matches
from syncs.destination.base import Destination
from syncs.engine.plan import Row, State, Verify
from syncs.engine.types import Remote
from syncs.models import ManagedSecret, SecretSync

ANONYMOUS = "of another project"
RECORDED = "recorded"
"""The object id of a key that the ledger has and nothing lists."""


def owner_name(sync: SecretSync, name: str, project_id: UUID) -> str:
    """How reasons name another sync: without its name if it belongs to another project."""
    return name if project_id == sync.project_id else ANONYMOUS


def ledger_rows(sync: SecretSync, location: str) -> tuple[list[Row], dict[str, str | None]]:
    """The rows of a location, and the keys that a sync left there on purpose: normalized key -> object id."""
    owners = _owner_names(sync, location)
    rows: list[Row] = []
    left: dict[str, str | None] = {}
    # Plain tuples: with tens of thousands of rows, a model object each would cost more than the plan.
    columns = (
        "key",
        "normalized_key",
        "sync_id",
        "left_by_id",
        "state",
        "object_id",
        "etag",
        "value_mac",
        "rest_mac",
        "rewrites",
        "secret_id",
        "source_key",
        "prior",
    )
    for (
        key,
        normalized_key,
        owner,
        left_by,
        state,
        object_id,
        etag,
        value_mac,
        rest_mac,
        rewrites,
        secret_id,
        source_key,
        prior,
    ) in ManagedSecret.objects.filter(location=location).values_list(*columns):
        if owner is None and left_by != sync.pk:  # of a plan of its return: then they are its own again
            left[normalized_key] = object_id
            continue
        rows.append(
            Row(
                key=key,
                normalized_key=normalized_key,
                mine=sync.pk in (owner, left_by),
                state=State(state),
                owner=owners.get(owner, ""),
                owner_id=str(owner),
                object_id=object_id,
                etag=etag,
                value_mac=value_mac,
                rest_mac=rest_mac,
                claimed_object_id=prior.object_id if prior else None,
                rewrites=rewrites,
                secret_id=secret_id,
                source_key=source_key,
            )
        )
    return rows, left


def _owner_names(sync: SecretSync, location: str) -> dict[UUID, str]:
    owners = SecretSync.objects.filter(managed__location=location).distinct()
    return {pk: owner_name(sync, name, project) for pk, name, project in owners.values_list("pk", "name", "project_id")}


def rows_seen_from(sync: SecretSync, destination: Destination, location: str, known: Collection[str]) -> list[Row]:
    """Keys that other syncs own at locations visible from this one: the first sync to write such a key keeps it."""
    if type(destination).visible_as is Destination.visible_as:
        return []
    rows = ManagedSecret.objects.alias(this=Value(location)).filter(nested_with(location), destination=sync.destination)
    rows = rows.exclude(location=location).exclude(state=State.MISSING).exclude(sync=None).exclude(sync=sync)
    found = []
    for other, key, state, owner, project_id in rows.values_list(
        "location", "key", "state", "sync__name", "sync__project_id"
    ):
        visible_as = destination.visible_as(other)
        name = visible_as(key) if visible_as else None
        if name and (normalized_key := destination.normalize_key(name)) not in known:
            owner = owner_name(sync, owner, project_id)
            found.append(Row(name, normalized_key, mine=False, state=State(state), owner=owner))
    return found


def known(
    destination: Destination, listing: Sequence[Remote], rows: Iterable[Row], *, creates_again: Collection[str] = ()
) -> Sequence[Remote]:
    """The listing; of a destination that cannot list, what the ledger says: its keys, with unknown values.

    A key of ours has an object id in any case, so that a change without a response is known to be of ours.
    `creates_again`: normalized keys that are created once more if the response to their creation was lost; without it
    such a key counts as present.
    """
    if destination.limits(destination.config).lists:
        return listing
    return [
        Remote(row.key, object_id=row.object_id or row.claimed_object_id or RECORDED)
        for row in rows
        if row.state is not State.MISSING
        and not (row.state is State.CLAIM and not row.claimed_object_id and row.normalized_key in creates_again)
    ]


def nested_with(location: str) -> Q:
    """Locations that begin with this one, or that this one begins with; needs it as the alias `this`."""
    return Q(location__startswith=location) | Q(this__startswith=F("location"))


def _context(location: str, normalized_key: str) -> str:
    return f"ledger:{location}:{normalized_key}"


def mac_of(sync: SecretSync, location: str, normalized_key: str, text: str) -> str:
    """The keyed fingerprint of a written text; equal values under different keys have different fingerprints."""
    return fingerprint(sync.project_id, _context(location, normalized_key), text)


def verifier(sync: SecretSync, location: str) -> Verify:
    """Compares a text with the keyed MAC that the ledger has of a key at that location."""

    def verify(normalized_key: str, text: str, mac: str) -> bool:
        return fingerprint_matches(sync.project_id, _context(location, normalized_key), text, mac)

    return verify
