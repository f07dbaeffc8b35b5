"""What a run would do now: reads the source, the destination and the ledger, writes nothing anywhere."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from uuid import UUID

from django.db.models import F, Q, Value
from django.utils import timezone

from config.encryption import fingerprint, fingerprint_matches
from config.errors import BadRequest
from connections.http.client import ApiClient
from syncs.destination.base import Destination, destinations
from syncs.destination.limits import blocked_by, within
from syncs.engine.key_schema import KeySchema
from syncs.engine.plan import Memory, Plan, Row, Rules, State, Verify
from syncs.engine.planner import plan_removal, plan_sync
from syncs.engine.reasons import Reason
from syncs.engine.types import Action, Desired, Entry, Remote
from syncs.models import InitialSet, ManagedSecret, RunChange, Secret, SecretSync, Status
from syncs.source.loader import Reading, read
from syncs.source.selectors import syncs

IMPORT_PRIORITIES = ("prioritize-source", "prioritize-destination")
GUARD_WINDOW = timedelta(hours=1)


def destination_class(slug: str) -> type[Destination]:
    """Raises BadRequest for one that is not known here."""
    found = destinations.get(slug)
    if found is None:
        raise BadRequest(f"There is no destination '{slug}'")
    return found


def open_destination(sync: SecretSync, client: ApiClient) -> Destination:
    found = destination_class(sync.destination)
    return found(client, sync.destination_config, sync.sync_options, concurrency=sync.policy.max_concurrency)


@dataclass(frozen=True, slots=True)
class Picture:
    """A plan with what it was made from. `listed_at` is on the monotonic clock."""

    plan: Plan
    reading: Reading
    listed_at: float


def import_behavior(sync: SecretSync) -> str:
    """Which side wins where the first sync imports, one of IMPORT_PRIORITIES; "" where it overwrites."""
    wanted = str(sync.sync_options.get("initialSyncBehavior", "")).removeprefix("import-")
    return wanted if wanted in IMPORT_PRIORITIES else ""


def picture(
    sync: SecretSync, destination: Destination, *, approved: frozenset[str] | None = None, coming: Plan | None = None
) -> Picture:
    """Read, list and plan. Raises IntegrationError where the destination does not answer whole.

    `coming` is the import that would go before: the source is taken as it would be then.
    """
    reading = read(sync)
    if coming:
        reading = _with(reading, coming)
    listed_at = time.monotonic()
    listing = destination.listing()
    plan = plan_for(sync, destination, reading, listing, approved=approved)
    return Picture(plan, reading, listed_at)


def _with(reading: Reading, coming: Plan) -> Reading:
    brought = {
        change.desired.source_key: Entry(change.desired.source_key, change.desired.value, change.desired.comment)
        for change in coming.changes
        if change.desired
    }
    kept = tuple(entry for entry in reading.source.entries if entry.key not in brought)
    return replace(reading, source=replace(reading.source, entries=(*kept, *brought.values())))


def plan_for(
    sync: SecretSync,
    destination: Destination,
    reading: Reading,
    listing: Sequence[Remote],
    *,
    approved: frozenset[str] | None = None,
) -> Plan:
    location = destination.location()
    desired = desired_of(sync, destination, reading.source.entries, reading.environment)
    rows, left = ledger_rows(sync, location)
    rows += _owned_elsewhere(sync, destination, location, {row.normalized_key for row in rows})
    listing = destination.resolve_listing(
        listing, {want.normalized_key for want in desired} | {row.normalized_key for row in rows}
    )
    schema = KeySchema.parse(sync.sync_options.get("keySchema"))
    rules = Rules(
        unmanaged=sync.policy.unmanaged,
        deletion_enabled=not sync.sync_options.get("disableSecretDeletion", False),
        max_deletions=sync.policy.max_deletions,
    )
    initial = InitialSet.objects.filter(sync=sync, location=location).values_list("keys", flat=True).first()
    if initial is None and import_behavior(sync):
        initial = {}  # what was not imported is not to be overwritten either
    memory = Memory(
        initial=initial,
        wanted=_wanted_by_others(sync, destination, location),
        recent_deletes=_recent_deletes(sync, location),
        dismissed=_dismissed(sync, location),
        approved=approved,
        waiting=_waiting(sync, rows, {want.normalized_key for want in desired}),
        left=left,
    )
    plan = plan_sync(
        desired,
        listing,
        rows,
        rules=rules,
        memory=memory,
        gaps=reading.source.gaps,
        normalize_key=destination.normalize_key,
        in_schema=lambda name: schema.match(name, reading.environment, destination.normalize_key),
        verify=verifier(sync, location),
    )
    return within(plan, listing, destination.limits(destination.config), destination.label)


def removal_for(sync: SecretSync, destination: Destination, listing: Sequence[Remote]) -> Plan:
    location = destination.location()
    rows, _ = ledger_rows(sync, location)
    listing = destination.resolve_listing(listing, {row.normalized_key for row in rows})
    return plan_removal(listing, rows, normalize_key=destination.normalize_key, verify=verifier(sync, location))


def desired_of(sync: SecretSync, destination: Destination, entries: Iterable[Entry], environment: str) -> list[Desired]:
    """The source as the destination should hold it; what must not be written says why."""
    schema = KeySchema.parse(sync.sync_options.get("keySchema"))
    chosen = _filter(sync)
    limits, write_fingerprint = destination.limits(destination.config), destination.write_fingerprint()
    desired = []
    for entry in entries:
        if not chosen(entry):
            continue
        name = schema.render(entry.key, environment)
        blocked, code = blocked_by(limits, destination.label, entry, name, destination.normalize_key(name))
        desired.append(
            Desired(
                key=name,
                normalized_key=destination.normalize_key(name),
                source_key=entry.key,
                value=destination.normalize_value(entry.value or ""),
                comment=entry.comment if limits.holds_comments else "",
                secret_id=entry.secret_id,
                version=entry.version,
                write_fingerprint=write_fingerprint,
                metadata=entry.metadata if destination.sends_metadata() else (),
                blocked=blocked,
                blocked_code=code,
                source_path=entry.path,
            )
        )
    return desired


def _filter(sync: SecretSync) -> Callable[[Entry], bool]:
    policy = sync.policy
    tags = frozenset(policy.tags)

    def chosen(entry: Entry) -> bool:
        if policy.include and not any(fnmatchcase(entry.key, glob) for glob in policy.include):
            return False
        if any(fnmatchcase(entry.key, glob) for glob in policy.exclude):
            return False
        return not tags or bool(tags & entry.tags)

    return chosen


def ledger_rows(sync: SecretSync, location: str) -> tuple[list[Row], frozenset[str]]:
    """The ledger of a place as the planner wants it, and the keys that a deleted sync left there on purpose."""
    owners = {
        pk: (name if project_id == sync.project_id else "of another project")
        for pk, name, project_id in SecretSync.objects.filter(managed__location=location)
        .distinct()
        .values_list("pk", "name", "project_id")
    }
    rows, left = [], set()
    # Plain tuples: a place may have tens of thousands of rows, and a model object each would cost more than the plan.
    for (
        sync_id,
        key,
        normalized_key,
        state,
        object_id,
        etag,
        value_mac,
        rest_mac,
        prior,
        rewrites,
        secret_id,
    ) in ManagedSecret.objects.filter(location=location).values_list(
        "sync_id",
        "key",
        "normalized_key",
        "state",
        "object_id",
        "etag",
        "value_mac",
        "rest_mac",
        "prior",
        "rewrites",
        "secret_id",
    ):
        owner: UUID | None = sync_id
        if owner is None:
            left.add(normalized_key)
            continue
        rows.append(
            Row(
                key=key,
                normalized_key=normalized_key,
                mine=owner == sync.pk,
                state=State(state),
                owner=owners.get(owner, ""),
                object_id=object_id,
                etag=etag,
                value_mac=value_mac,
                rest_mac=rest_mac,
                claimed_object_id=prior.object_id if prior else None,
                rewrites=rewrites,
                secret_id=secret_id,
            )
        )
    return rows, frozenset(left)


def context_of(location: str, normalized_key: str) -> str:
    return f"ledger:{location}:{normalized_key}"


def mac_of(sync: SecretSync, location: str, normalized_key: str, text: str) -> str:
    """The keyed fingerprint of what was written; equal values under other keys have other fingerprints."""
    return fingerprint(sync.project_id, context_of(location, normalized_key), text)


def verifier(sync: SecretSync, location: str) -> Verify:
    def verify(normalized_key: str, text: str, mac: str) -> bool:
        return fingerprint_matches(sync.project_id, context_of(location, normalized_key), text, mac)

    return verify


def _near(location: str) -> Q:
    """Places that begin with this one, or that this one begins with; needs `here` as an alias."""
    return Q(location__startswith=location) | Q(here__startswith=F("location"))


def _owned_elsewhere(sync: SecretSync, destination: Destination, location: str, known: Collection[str]) -> list[Row]:
    """What other syncs own at places whose keys are seen here too: the first to write such a key keeps it."""
    if type(destination).visible_as is Destination.visible_as:
        return []
    rows = ManagedSecret.objects.alias(here=Value(location)).filter(_near(location), destination=sync.destination)
    rows = rows.exclude(location=location).exclude(state=State.MISSING).exclude(sync=None).exclude(sync=sync)
    found = []
    for there, key, state, owner, project_id in rows.values_list(
        "location", "key", "state", "sync__name", "sync__project_id"
    ):
        called = destination.visible_as(there)
        name = called(key) if called else None
        if name and (normalized_key := destination.normalize_key(name)) not in known:
            named = owner if project_id == sync.project_id else "of another project"
            found.append(Row(name, normalized_key, mine=False, state=State(state), owner=named))
    return found


def _wanted_by_others(sync: SecretSync, destination: Destination, location: str) -> dict[str, str]:
    """Canonical keys that other live syncs want at this place, with the sync's name."""
    wanted: dict[str, str] = {}
    others = syncs().alias(here=Value(location)).filter(_near(location), folder__isnull=False).exclude(pk=sync.pk)
    for other in others:
        named = other.name if other.project_id == sync.project_id else "of another project"
        if other.location != location and other.location.startswith(location):
            wanted |= {destination.normalize_key(key): named for key in destination.nested_locations(other.location)}
        called = str if other.location == location else destination.visible_as(other.location)
        if called is None:
            continue
        reading = read(other)
        for want in desired_of(other, destination, reading.source.entries, reading.environment):
            if name := called(want.key):
                wanted.setdefault(destination.normalize_key(name), named)
    return wanted


def _recent_deletes(sync: SecretSync, location: str) -> int:
    """Deletes of this sync at this place within the guard's window that nobody approved."""
    return (
        RunChange.objects.filter(
            run__sync=sync,
            run__location=location,
            run__operation="sync",
            action="delete",
            outcome="applied",
            ended_at__gt=timezone.now() - GUARD_WINDOW,
        )
        .exclude(run__trigger="approval")
        .count()
    )


def stands_on(sync: SecretSync) -> str:
    """Names the source and the policy that decide which keys go: while it is the same, a dismissal stands.

    A new name, another owner or a pause are no reason to delete what somebody has said to keep.
    """
    policy = sync.policy
    options = [sync.sync_options.get(name) for name in ("keySchema", "disableSecretDeletion")]
    chosen = [policy.include, policy.exclude, policy.tags, policy.recursive]
    decides = [str(sync.folder_id), options, policy.unmanaged, policy.max_deletions, chosen]
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()


def _dismissed(sync: SecretSync, location: str) -> frozenset[str]:
    """Keys whose deletion was dismissed, as long as neither the policy nor, since then, the key has changed."""
    shown = RunChange.objects.filter(
        run__sync=sync,
        run__location=location,
        run__status=Status.DISMISSED,
        run__options__standsOn=stands_on(sync),
        action__in=(Action.DELETE, Action.KEEP),
    )
    kept: dict[str, datetime] = {}
    for normalized_key, ended_at in shown.order_by("run__ended_at").values_list("normalized_key", "run__ended_at"):
        if ended_at is not None:
            kept[normalized_key] = ended_at
    if not kept:
        return frozenset()
    written = RunChange.objects.filter(
        run__sync=sync, normalized_key__in=kept, outcome="applied", ended_at__isnull=False
    )
    for normalized_key, ended_at in written.values_list("normalized_key", "ended_at"):
        if ended_at is not None and normalized_key in kept and ended_at > kept[normalized_key]:
            del kept[normalized_key]
    return frozenset(kept)


def _waiting(sync: SecretSync, rows: Iterable[Row], desired: set[str]) -> dict[str, str]:
    """Own keys whose secret has moved to another folder that feeds a sync which has not carried it yet."""
    surplus = {
        row.secret_id: row.normalized_key
        for row in rows
        if row.mine and row.secret_id and row.normalized_key not in desired
    }
    if not surplus or sync.folder is None:
        return {}
    moved = Secret.objects.filter(pk__in=surplus).exclude(folder=sync.folder).values_list("pk", "folder_id")
    homes = {folder_id for _, folder_id in moved}
    behind = {
        other.folder_id: other.name
        for other in SecretSync.objects.filter(
            folder_id__in=homes, is_auto_sync_enabled=True, policy__paused=False
        ).exclude(pk=sync.pk)
        if other.done_rev < other.wanted_rev
    }
    return {
        surplus[str(secret_id)]: Reason.MOVED.text(owner=behind[folder_id])
        for secret_id, folder_id in moved
        if folder_id in behind
    }
