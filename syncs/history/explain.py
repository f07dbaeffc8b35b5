"""Why a key exists at a destination: its secret, the way it got there, and who wrote it when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from typing_extensions import TypedDict

from config.access.roles import Actor, Right
from config.conventions import timestamp
from config.errors import NotFound
from config.responses import Environment, FolderPath, IdText, Message, Name, Time, Uuid, one_of, text
from connections.credentials import open_client
from syncs.destination.base import Destination
from syncs.engine.addresses import folder_text, is_below
from syncs.engine.key_schema import KeySchema
from syncs.engine.reasons import Reason
from syncs.engine.references import precedence, references_in
from syncs.models import DriftCheck, ManagedSecret, RunChange, Secret, SecretSync, SecretVersion, Status, SyncRun
from syncs.planning.desired import desired_of
from syncs.planning.kept import kept_keys
from syncs.planning.opening import open_destination
from syncs.source.loader import Sources, imports_of
from syncs.source.selectors import value_or_none

from .outcomes import outcome_of
from .verdict import STOPPED_BY, Facts, Wanted, newest_run, verdict_of


class KeyOwner(TypedDict):
    syncId: IdText | None
    name: Name


class KeySecret(TypedDict):
    id: Uuid
    secretKey: Annotated[str, text(example="DB_URL")]
    environment: Environment
    secretPath: FolderPath
    through: str
    references: list[str]
    writtenVersion: int
    currentVersion: int
    changedBy: str | None
    changedAt: Time | None


class KeyWriter(TypedDict):
    runId: Uuid
    operation: str
    trigger: str
    actor: str
    startedAt: Time | None


class KeyOutcome(TypedDict):
    runId: Uuid
    action: str
    outcome: str | None
    reason: str
    errorCode: str | None
    at: Time | None


class KeySource(TypedDict):
    secretKey: Annotated[str, text(example="DB_URL")]
    environment: Environment
    secretPath: FolderPath


class Why(TypedDict):
    """`verdict`: what decides about the key, as a sentence; `stoppedBy` says it for programs, `remedy` what to do.

    `secret` is the one that was written, `sources` those that would be the key now.
    """

    key: Annotated[str, text(example="DB_URL")]
    verdict: Message
    stoppedBy: Annotated[str, one_of(STOPPED_BY)] | None
    remedy: Message | None
    sources: list[KeySource]
    owner: KeyOwner | None
    state: str | None
    secret: KeySecret | None
    keySchema: Annotated[str, text(example="SHOP_{{secretKey}}")] | None
    writtenAt: Time | None
    writtenBy: KeyWriter | None
    lastOutcome: KeyOutcome | None
    lastCheckedAt: Time | None


def why(actor: Actor, sync: SecretSync, key: str) -> Why:
    """What is known of a key; nothing is requested from the vendor. Raises NotFound for an unknown key."""
    with open_client(sync.connection) as client:
        destination = open_destination(sync, client)
        normalized_key = destination.normalize_key(key)
        wanted, chosen = _wanted(sync, destination, normalized_key)
    rows = ManagedSecret.objects.select_related("sync", "run")
    row = rows.filter(location=sync.location, normalized_key=normalized_key).first()
    changes = RunChange.objects.select_related("run").filter(run__sync=sync, normalized_key=normalized_key)
    last = changes.order_by("-id").first()
    listed = _listed(sync, {key, normalized_key})
    if listed and last and last.run.created_at <= listed.run.created_at and last.run_id != listed.run.pk:
        last = None  # since then a run has found it in order, or not the sync's
    if row is None and last is None and listed is None and not wanted:
        raise NotFound(f"The key '{key}' is unknown: neither the ledger nor a run of this sync has it")
    mine = row if row and row.sync_id == sync.pk else None
    kept = next((each for each in kept_keys(sync) if each.normalized_key == normalized_key), None)
    verdict = verdict_of(
        Facts(
            sync=sync,
            row=row,
            wanted=wanted,
            chosen=chosen,
            held=changes.filter(run__status=Status.HELD).first(),
            kept=kept,
            last=last,
        )
    )
    return {
        "key": row.key if row else last.key if last else key,
        "verdict": verdict.text,
        "stoppedBy": verdict.stopped_by or None,
        "remedy": verdict.remedy or None,
        "sources": [{"secretKey": one.key, "environment": one.environment, "secretPath": one.path} for one in wanted],
        "owner": _owner(actor, row),
        "state": row.state if row else None,
        "secret": _secret(actor, sync, mine) if mine else None,
        "keySchema": sync.sync_options.get("keySchema") or None,
        "writtenAt": timestamp(row.written_at) if row else None,
        "writtenBy": _run(mine.run) if mine and mine.run else None,
        "lastOutcome": _outcome(last) if last else listed.as_outcome() if listed else None,
        "lastCheckedAt": timestamp(_checked_at(sync)),
    }


def _wanted(sync: SecretSync, destination: Destination, normalized_key: str) -> tuple[tuple[Wanted, ...], bool]:
    """The secrets of the source that have this key now, and whether the policy takes them."""
    if sync.folder is None:
        return (), False
    reading = Sources().read(sync)
    schema = KeySchema.parse(sync.sync_options.get("keySchema"))
    ids = [
        entry.secret_id
        for entry in reading.source.entries
        if destination.normalize_key(schema.render(entry.key, reading.environment)) == normalized_key
    ]
    secrets = Secret.objects.select_related("folder__environment").filter(pk__in=ids).order_by("key")
    chosen = any(each.normalized_key == normalized_key for each in desired_of(sync, destination, reading))
    return tuple(Wanted(one.key, *one.folder.address, one.version) for one in secrets), chosen


@dataclass(frozen=True)
class _Listed:
    """A key that the newest run only listed: unchanged, or not this sync's."""

    run: SyncRun
    outcome: str

    def as_outcome(self) -> KeyOutcome:
        unchanged = self.outcome == "unchanged"
        return {
            "runId": str(self.run.pk),
            "action": "unchanged" if unchanged else "keep",
            "outcome": self.outcome,
            "reason": (Reason.UNCHANGED if unchanged else Reason.UNMANAGED).text(),
            "errorCode": None,
            "at": timestamp(self.run.ended_at),
        }


def _listed(sync: SecretSync, names: set[str]) -> _Listed | None:
    run = newest_run(sync)
    if run is None:
        return None
    if not names.isdisjoint(run.unchanged):
        return _Listed(run, "unchanged")
    return None if names.isdisjoint(run.unmanaged) else _Listed(run, "kept")


def _owner(actor: Actor, row: ManagedSecret | None) -> KeyOwner | None:
    if row is None or row.sync is None:
        return None
    if not actor.may(Right.SEE_SYNCS, row.sync.project_id):
        return {"syncId": None, "name": "a sync of another project"}
    return {"syncId": str(row.sync.pk), "name": row.sync.name}


def _secret(actor: Actor, sync: SecretSync, row: ManagedSecret) -> KeySecret | None:
    """The source of the key, if it still exists."""
    known = Secret.objects.select_related("folder__environment").filter(pk=row.secret_id or UUID(int=0)).first()
    if known is None:
        return None
    folder = known.folder.environment.slug, known.folder.path
    version = SecretVersion.objects.filter(secret=known, version=row.secret_version).first()
    referred = references_in(value_or_none(known) or "", folder)
    return {
        "id": str(known.pk),
        "secretKey": known.key,
        "environment": known.folder.environment.slug,
        "secretPath": known.folder.path,
        "through": _through(sync, known),
        "references": [str(target) for target in sorted(referred)],
        "writtenVersion": row.secret_version,
        "currentVersion": known.version,
        "changedBy": version.actor_name if version else None,
        "changedAt": timestamp(version.created_at) if version else None,
    }


def _through(sync: SecretSync, secret: Secret) -> str:
    """As text: the sync's own folder, one below it, or the import that has the secret."""
    folder = sync.folder
    if folder is None:
        return "the sync's folder was deleted"
    if secret.folder_id == folder.pk:
        return "the sync's folder"
    address, start = secret.folder.address, folder.address
    imports = imports_of(sync.project_id)
    for target in reversed(imports.get(start, [])):
        if address in precedence(target, lambda each: imports.get(each, ())):
            return f"the import of {folder_text(target)}"
    if address[0] == start[0] and is_below(address[1], start[1]):
        return "a folder below the sync's"
    return "no longer a part of this sync's source"


def _run(run: SyncRun) -> KeyWriter:
    return {
        "runId": str(run.pk),
        "operation": run.operation,
        "trigger": run.trigger,
        "actor": run.actor_name,
        "startedAt": timestamp(run.started_at),
    }


def _outcome(change: RunChange) -> KeyOutcome:
    return {
        "runId": str(change.run_id),
        "action": change.action,
        "outcome": outcome_of(change.run, change),
        "reason": change.error_message or change.reason,
        "errorCode": change.error_code or None,
        "at": timestamp(change.ended_at or change.run.started_at),
    }


def _checked_at(sync: SecretSync) -> datetime | None:
    """When the destination was last listed: by a run that ended, or by a drift check."""
    ended = SyncRun.objects.filter(sync=sync, status=Status.SUCCEEDED).order_by("-ended_at").first()
    drift = DriftCheck.objects.filter(sync=sync).first()
    moments = [moment for moment in (ended and ended.ended_at, drift and drift.checked_at) if moment]
    return max(moments, default=None)
