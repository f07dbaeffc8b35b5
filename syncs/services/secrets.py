"""Every change of secrets: set, delete, move; each all or none, one transaction with the syncs that it reaches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import prefetch_related_objects
from django.utils import timezone

from config.access import audit
from config.access.roles import Actor, Right
from config.errors import BadRequest, NotFound
from syncs.models import Folder, Secret, cause_of
from syncs.source.selectors import value_or_none
from syncs.source.validation import SecretInput, cleaned

from . import secret_checks as checks
from .folders import lock_folders
from .propagation import changed
from .secret_rows import (
    BATCH,
    Change,
    applied,
    batches,
    ensure_tags,
    index_references,
    rows_of,
    state_of,
    store,
    store_versions,
    tags_of_rows,
)

MAX_LISTED = 100  # keys that one audit event names; it has their number as well


@transaction.atomic
def set_secrets(
    actor: Actor, folder: Folder, inputs: Iterable[SecretInput], *, mode: str = "upsert", resolved: bool = True
) -> list[Secret]:
    """Create and update secrets of one folder, all or none, as one change.

    `mode`: "upsert", "create" (refused if one exists), "update" (refused if one is missing) or "existing" (missing
    ones are skipped). `resolved`: every reference in a value must resolve; an importer, which does not choose the
    order, does not require it. Setting equal values changes nothing and reaches no sync.
    """
    return set_in_folders(actor, [(folder, list(inputs))], mode=mode, resolved=resolved)


@transaction.atomic
def set_in_folders(
    actor: Actor,
    groups: Sequence[tuple[Folder, Sequence[SecretInput]]],
    *,
    mode: str = "upsert",
    resolved: bool = True,
) -> list[Secret]:
    """As `set_secrets`, in several folders of one project."""
    project = groups[0][0].environment.project
    actor.require(Right.WRITE_SECRETS, project.pk)
    groups = [(folder, [cleaned(one) for one in inputs]) for folder, inputs in groups]
    for _, inputs in groups:
        checks.check_inputs(inputs, mode)
    lock_folders(folder for folder, _ in groups)
    stored = _stored(groups)
    inputs_to_store = _checked(groups, stored, mode)
    tags = ensure_tags(project, [one for _, one in inputs_to_store])
    tagged = list(stored.values()) if any(one.tags is not None for _, one in inputs_to_store) else []
    tags_before = tags_of_rows(tagged)
    checks.check_versions([(one, stored.get((folder.pk, one.key))) for folder, one in inputs_to_store])
    changes, secrets = [], []
    for folder, one in inputs_to_store:
        secret, before = applied(project, folder, one, stored.get((folder.pk, one.key)))
        slugs = None if one.tags is None or set(one.tags) == tags_before.get(secret.pk, set()) else set(one.tags)
        if before is None or before != state_of(secret) or slugs is not None:
            changes.append(Change(secret, one, before is None, slugs))
        secrets.append(secret)
    if not changes:
        return secrets
    store(actor, changes, tags)
    if resolved:
        checks.check_references(project, [(change.secret.folder, change.input) for change in changes])
    event = "create-secret" if all(change.is_new for change in changes) else "update-secret"
    names = [_audited(change.secret, with_folder=len(groups) > 1) for change in changes[:MAX_LISTED]]
    _record(actor, groups[0][0], event, names, len(changes))
    keys: dict[UUID, list[str]] = {}
    for change in changes:
        keys.setdefault(change.secret.folder_id, []).append(change.secret.key)
    folders = {change.secret.folder_id: change.secret.folder for change in changes}
    causes = [cause_of("secrets-changed", actor, folders[pk], found) for pk, found in keys.items()]
    changed(actor, project.pk, folders.values(), causes=causes)
    return secrets


Stored = Mapping[tuple[UUID, str], Secret]
"""(folder id, key) -> the row."""


def _stored(groups: Sequence[tuple[Folder, Sequence[SecretInput]]]) -> Stored:
    keys = sorted({key for _, inputs in groups for one in inputs for key in (one.key, one.new_key) if key})
    return {(secret.folder_id, secret.key): secret for secret in rows_of([folder for folder, _ in groups], keys)}


def _checked(
    groups: Sequence[tuple[Folder, Sequence[SecretInput]]], stored: Stored, mode: str
) -> list[tuple[Folder, SecretInput]]:
    """The inputs to store, as `mode` says. Raises BadRequest, NotFound."""
    keys: dict[UUID, set[str]] = {}
    for pk, key in stored:
        keys.setdefault(pk, set()).add(key)
    chosen: list[tuple[Folder, SecretInput]] = []
    for folder, inputs in groups:
        existing = keys.get(folder.pk, set())
        inputs = [one for one in inputs if mode != "existing" or one.key in existing]
        checks.check_presence(inputs, existing, mode)
        checks.check_new_keys(inputs, existing)
        chosen += [(folder, one) for one in inputs]
    return chosen


def _audited(secret: Secret, *, with_folder: bool = False) -> dict[str, Any]:
    """A secret as the audit log names it."""
    folder = secret.folder
    location = {"environment": folder.environment.slug, "secretPath": folder.path} if with_folder else {}
    return {**location, "secretId": secret.pk, "secretKey": secret.key, "secretVersion": secret.version}


def _record(actor: Actor, folder: Folder, event: str, names: Sequence[Mapping[str, Any]], count: int) -> None:
    """One event, of one secret or of many."""
    location = {"environment": folder.environment.slug, "secretPath": folder.path}
    members: dict[str, Any] = dict(names[0]) if count == 1 else {"secrets": list(names), "numberOfSecrets": count}
    audit.record(actor, event if count == 1 else f"{event}s", folder.environment.project_id, **location, **members)


# -- delete, move ----------------------------------------------------------------------------------------------


@transaction.atomic
def delete_secrets(actor: Actor, folder: Folder, keys: Sequence[str]) -> list[Secret]:
    """Delete secrets of a folder, all or none; returns them as they were. Raises NotFound naming missing ones."""
    project_id = folder.environment.project_id
    actor.require(Right.WRITE_SECRETS, project_id)
    lock_folders([folder])
    found = list(rows_of([folder], sorted(set(keys))))
    if missing := sorted(set(keys) - {secret.key for secret in found}):
        raise NotFound(f"Secret with name '{', '.join(missing)}' not found")
    prefetch_related_objects(found, "tags")  # as they were
    for batch in batches([secret.pk for secret in found]):
        Secret.objects.filter(pk__in=batch).delete()
    Folder.objects.filter(pk=folder.pk).update(last_secret_modified=timezone.now())
    _record(actor, folder, "delete-secret", [_audited(each) for each in found[:MAX_LISTED]], len(found))
    cause = cause_of("secrets-deleted", actor, folder, [secret.key for secret in found])
    changed(actor, project_id, [folder], causes=[cause])
    return found


def _equal(one: Secret, other: Secret) -> bool:
    """A value that cannot be decrypted is equal to none: it would be lost."""
    value = value_or_none(one)
    return value is not None and value == value_or_none(other)


@transaction.atomic
def move_secrets(
    actor: Actor, folder: Folder, target: Folder, ids: Sequence[str], *, overwrite: bool = False
) -> list[Secret]:
    """Move secrets to another folder of the project, all or none; they keep their ids and versions.

    Raises BadRequest naming those that the target has with another value, unless they may be overwritten.
    """
    project = folder.environment.project
    actor.require(Right.WRITE_SECRETS, project.pk)
    if target.environment.project_id != project.pk:
        raise BadRequest("Secrets can be moved within their project only")
    if target.pk == folder.pk:
        raise BadRequest("The secrets are in that folder already")
    lock_folders([folder, target])
    moved = list(folder.secrets.filter(pk__in=ids))
    if missing := sorted(set(ids) - {str(secret.pk) for secret in moved}):
        raise NotFound(f"Secret with ID {', '.join(missing)} not found in {folder.path}")
    existing = {secret.key: secret for secret in rows_of([target], [secret.key for secret in moved])}
    for secret in moved:
        secret.folder = folder
    clashes = [secret.key for secret in moved if secret.key in existing and not _equal(existing[secret.key], secret)]
    if clashes and not overwrite:
        raise BadRequest(
            f"Failed to move secrets. The following secrets already exist in the destination: {', '.join(clashes)}"
        )
    now = timezone.now()
    Secret.objects.filter(pk__in=[secret.pk for secret in existing.values()]).delete()
    for secret in moved:
        secret.folder, secret.version, secret.updated_at = target, secret.version + 1, now
        secret.actor_kind, secret.actor_id, secret.actor_name = actor.kind, str(actor.id or ""), actor.name
    written = ["folder", "version", "updated_at", "actor_kind", "actor_id", "actor_name"]
    Secret.objects.bulk_update(moved, written, batch_size=BATCH)
    store_versions(actor, moved)
    index_references([Change(each, SecretInput(each.key, value_or_none(each) or ""), False, None) for each in moved])
    Folder.objects.filter(pk__in=[folder.pk, target.pk]).update(last_secret_modified=now)
    audit.record(
        actor,
        "move-secrets",
        project.pk,
        sourceEnvironment=folder.environment.slug,
        sourceSecretPath=folder.path,
        destinationEnvironment=target.environment.slug,
        destinationSecretPath=target.path,
        secretIds=[str(secret.pk) for secret in moved[:MAX_LISTED]],
    )
    cause = cause_of("secrets-moved", actor, folder, [secret.key for secret in moved])
    changed(actor, project.pk, [folder, target], causes=[cause])
    return moved
