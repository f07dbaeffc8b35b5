"""Decisions about drift: write the source again, take the destination's value into the source, or leave the key."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from django.db import transaction

from config.access import audit
from config.access.roles import Actor
from config.errors import BadRequest, NotFound
from syncs.engine.plan import State
from syncs.engine.types import Remote
from syncs.models import DriftCheck, Folder, ManagedSecret, Secret, SecretSync, SyncRun
from syncs.planning.imports import list_with_values, problem_of
from syncs.planning.preview import DriftChange, drift_status, opened_for_plan
from syncs.source.validation import SecretInput

from .secrets import set_in_folders
from .syncs import update_policy
from .triggers import audited, trigger

TAKE, LEAVE = "take", "leave"
CHOICES = (TAKE, LEAVE)
_DRIFTED = ("changed", "missing")


def heal(actor: Actor, sync: SecretSync) -> SyncRun:
    """Start a run, which writes the drifted keys again. Raises BadRequest if the last check found none."""
    _drifted(sync, None)
    return trigger(actor, sync, "sync", cause="healed")


def accept(actor: Actor, sync: SecretSync, choice: str, keys: Collection[str] | None = None) -> DriftCheck:
    """Accept what drifted, of the given keys or of all: no run writes it back.

    `take`: the destination's value becomes the source's. `leave`: the sync no longer takes the secret, and the key
    stays as it is, unmanaged. All keys or none: raises BadRequest that names each key for which it is impossible.
    """
    check, changes = _drifted(sync, keys)
    rows = {
        row.key: row
        for row in ManagedSecret.objects.filter(sync=sync, location=sync.location).exclude(state=State.CLAIM)
        if row.key in {change["key"] for change in changes}
    }
    secrets = _secrets(rows.values())
    refused = {change["key"]: _GONE for change in changes if _secret(secrets, rows.get(change["key"])) is None}
    values = _values(sync, changes, rows, secrets, refused) if choice == TAKE else {}
    if refused:
        raise BadRequest(f"Nothing was accepted. {'. '.join(f'{key}: {why}' for key, why in sorted(refused.items()))}")
    with transaction.atomic():
        names = sorted(rows)[:100]
        audit.record(actor, "accept-drift", sync.project_id, choice=choice, keys=names, **audited(sync))
        if choice == TAKE:
            groups: dict[Folder, list[SecretInput]] = defaultdict(list)
            for key, value in values.items():
                secret = secrets[rows[key].secret_id]
                groups[secret.folder].append(SecretInput(secret.key, value, exact=True))
            set_in_folders(actor, list(groups.items()))
        else:
            _leave(actor, sync, rows, {secrets[row.secret_id].key for row in rows.values()})
        return _without(check, set(rows))


_GONE = "its secret no longer exists, so the next run decides about the key"


def _drifted(sync: SecretSync, keys: Collection[str] | None) -> tuple[DriftCheck, list[DriftChange]]:
    """The last check, and the drifted keys that are meant. Raises BadRequest if there are none."""
    check = DriftCheck.objects.filter(sync=sync).first()
    found: list[DriftChange] = [one for one in (check.changes if check else []) if one["state"] in _DRIFTED]
    if check is None or not found:
        raise BadRequest("The last check found no drift. Check again first.")
    if keys is None:
        return check, found
    if unknown := sorted(set(keys) - {one["key"] for one in found}):
        raise NotFound(f"The last check found no drift of {', '.join(unknown[:10])}. Check again first.")
    return check, [one for one in found if one["key"] in keys]


def _secrets(rows: Collection[ManagedSecret]) -> dict[str, Secret]:
    ids = [row.secret_id for row in rows if row.secret_id]
    found = Secret.objects.select_related("folder__environment__project").filter(pk__in=ids)
    return {str(secret.pk): secret for secret in found}


def _secret(secrets: Mapping[str, Secret], row: ManagedSecret | None) -> Secret | None:
    return secrets.get(row.secret_id) if row else None


def _values(
    sync: SecretSync,
    changes: Sequence[DriftChange],
    rows: Mapping[str, ManagedSecret],
    secrets: Mapping[str, Secret],
    refused: dict[str, str],
) -> dict[str, str]:
    """Key -> the value that the destination has now; a key without one goes to `refused`."""
    with opened_for_plan(sync) as destination:
        listed: dict[str, Remote] = {
            destination.normalize_key(remote.key): remote for remote in list_with_values(destination)
        }
    found = {}
    for change in changes:
        key, secret = change["key"], _secret(secrets, rows.get(change["key"]))
        if secret is None:
            continue
        remote = listed.get(rows[key].normalized_key)
        if remote is None or remote.inherited:
            refused[key] = "it no longer exists at the destination, so there is no value to take"
        elif remote.value is None:
            refused[key] = "the destination does not return its value: set the secret by hand, or leave the key"
        elif problem := problem_of(secret.key, remote, secret.folder.address):
            refused[key] = problem[0]
        else:
            found[key] = remote.value
    return found


def _leave(actor: Actor, sync: SecretSync, rows: Mapping[str, ManagedSecret], source_keys: set[str]) -> None:
    """The sync takes these secrets no more; their keys stay at the destination, as left on purpose."""
    left = [re.sub(r"([*?[])", r"[\1]", key) for key in sorted(source_keys)]
    update_policy(
        actor, sync, {"exclude": [*sync.policy.exclude, *(one for one in left if one not in sync.policy.exclude)]}
    )
    own = ManagedSecret.objects.filter(pk__in=[row.pk for row in rows.values()], sync=sync)
    own.filter(state=State.MISSING).delete()
    own.update(sync=None)


def _without(check: DriftCheck, keys: set[str]) -> DriftCheck:
    check.changes = [one for one in check.changes if one["key"] not in keys]
    check.status = drift_status(check.changes)
    check.save(update_fields=["changes", "status"])
    return check
