"""Every change of secrets: set, delete, move; each all or none, one transaction with what it reaches."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import prefetch_related_objects
from django.utils import timezone

from config.access import audit
from config.access.models import Project
from config.access.roles import Actor, Right
from config.conventions import slug_issues
from config.encryption import seal
from config.errors import BadRequest, Invalid, Issue, NotFound, problem
from syncs.engine.references import references_in, references_to_folders
from syncs.models import Folder, Secret, SecretReference, SecretVersion, Tag
from syncs.source.loader import keys_reached
from syncs.source.paths import MAX_PATH
from syncs.source.selectors import comment_of, metadata_of, value_or_none
from syncs.source.validation import MAX_KEY, SecretInput, _cleaned, _text_issues, key_issues

from .folders import lock_folders
from .propagation import changed

T = TypeVar("T")

MAX_SLUG = 64  # of an environment
BATCH = 500  # rows a statement
NAMED = 100  # keys that one audit event names; it tells their number besides


@dataclass
class _Change:
    """One secret of a batch: the row as it will be, and what is new about it."""

    secret: Secret
    given: SecretInput
    is_new: bool
    tags: set[str] | None  # None: as they are


# -- what may be stored ----------------------------------------------------------------------------------------


def _check(given: Sequence[SecretInput], mode: str) -> None:
    issues: list[Issue] = []
    seen: set[str] = set()
    many = len(given) > 1
    for index, one in enumerate(given):
        path: list[str | int] = ["secrets", index] if many else []
        named = [*path, "secretKey"] if many else ["secretName"]
        issues += key_issues(one.key, named) if mode in ("create", "upsert") else []
        issues += key_issues(one.new_key, [*path, "newSecretName"]) if one.new_key else []
        issues += _text_issues(one, path)
        if one.key in seen:
            issues.append(problem(named, f"{one.key} is given twice"))
        seen.add(one.key)
    for slug in sorted({slug for one in given for slug in one.tags or ()}):
        issues += slug_issues("slug", slug)
    if issues:
        raise Invalid(issues)
    if any(one.new_key == "" for one in given):
        raise BadRequest("New secret name cannot be empty")


def _check_presence(given: Sequence[SecretInput], stored: Container[str], mode: str) -> None:
    if mode == "create" and (there := [one.key for one in given if one.key in stored]):
        raise BadRequest(f"Secret already exist: {','.join(there)}")
    if mode == "update" and (missing := [one.key for one in given if one.key not in stored]):
        raise NotFound(f"Secret with name '{', '.join(missing)}' not found")


def _check_new_keys(given: Sequence[SecretInput], stored: Container[str]) -> None:
    renamed = Counter(one.new_key for one in given if one.new_key and one.new_key != one.key)
    kept = {one.key for one in given if not one.new_key}
    clashes = sorted(key for key, count in renamed.items() if key in stored or key in kept or count > 1)
    if clashes:
        raise BadRequest(f"Secret with the new name already exist: {','.join(clashes)}")


def _check_seen(pairs: Iterable[tuple[SecretInput, Secret | None]]) -> None:
    for one, secret in pairs:
        if secret and one.seen is not None and one.seen != secret.version:
            raise BadRequest(f"{secret.key} was changed since you looked: {secret.actor_name} wrote v{secret.version}.")


def _check_references(project: Project, changes: Iterable[_Change]) -> None:
    """After the batch is stored: its secrets may refer to each other."""
    wanted: dict[tuple[str, str, str], str] = {}
    for change in changes:
        for target in references_in(change.given.value or "", change.secret.folder.address):
            wanted[target] = change.secret.key
    if not wanted:
        return
    known = keys_reached(project.pk, {(slug, path) for slug, path, _ in wanted}, {key for _, _, key in wanted})
    if missing := [target for target in wanted if ((target[0], target[1]), target[2]) not in known]:
        said = ", ".join(f"{key} in {slug}:{path} (of {wanted[slug, path, key]})" for slug, path, key in missing[:20])
        raise BadRequest(f"Referenced secret(s) not found: {said}")


# -- set -------------------------------------------------------------------------------------------------------


@transaction.atomic
def set_secrets(
    actor: Actor, folder: Folder, inputs: Iterable[SecretInput], *, mode: str = "upsert", resolved: bool = True
) -> list[Secret]:
    """Create and update secrets of one folder, all or none, as one change.

    `mode`: "upsert", "create" (refused where one exists), "update" (refused where one is missing) or "existing"
    (those that are missing are passed over). `resolved`: every reference in a value must lead somewhere; an importer,
    which does not choose the order, says False. Setting what is set already changes nothing and reaches nobody.
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
    cleaned = [(folder, [_cleaned(one) for one in inputs]) for folder, inputs in groups]
    for _, given in cleaned:
        _check(given, mode)
    lock_folders(folder for folder, _ in cleaned)
    stored = {
        (secret.folder_id, secret.key): secret
        for secret in _rows(
            [folder for folder, _ in cleaned],
            sorted({key for _, given in cleaned for one in given for key in (one.key, one.new_key) if key}),
        )
    }
    keys: dict[UUID, set[str]] = {}
    for pk, key in stored:
        keys.setdefault(pk, set()).add(key)
    wanted: list[tuple[Folder, SecretInput]] = []
    for folder, given in cleaned:
        there = keys.get(folder.pk, set())
        given = [one for one in given if mode != "existing" or one.key in there]
        _check_presence(given, there, mode)
        _check_new_keys(given, there)
        wanted += [(folder, one) for one in given]
    tags = _tags(project, [one for _, one in wanted])
    tagged = list(stored.values()) if any(one.tags is not None for _, one in wanted) else []
    held = _tags_held(tagged)
    changes, done = [], []
    _check_seen([(one, stored.get((folder.pk, one.key))) for folder, one in wanted])
    for folder, one in wanted:
        secret, before = _applied(project, folder, one, stored.get((folder.pk, one.key)))
        slugs = None if one.tags is None or set(one.tags) == held.get(secret.pk, set()) else set(one.tags)
        if before is None or before != _state(secret) or slugs is not None:
            changes.append(_Change(secret, one, before is None, slugs))
        done.append(secret)
    if not changes:
        return done
    _store(actor, changes, tags)
    if resolved:
        _check_references(project, changes)
    event = "create-secret" if all(change.is_new for change in changes) else "update-secret"
    told = [_told(change.secret, len(groups) > 1) for change in changes[:NAMED]]
    _record(actor, groups[0][0], event, told, len(changes))
    changed(actor, project.pk, {change.secret.folder_id: change.secret.folder for change in changes}.values())
    return done


def _rows(folders: Sequence[Folder], keys: Sequence[str]) -> Iterator[Secret]:
    by_id = {folder.pk: folder for folder in folders}
    for batch in _batches(keys):
        for secret in Secret.objects.filter(folder__in=by_id, key__in=batch):
            secret.folder = by_id[secret.folder_id]
            yield secret


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def _state(secret: Secret) -> tuple[Any, ...]:
    return (
        secret.key,
        value_or_none(secret),
        comment_of(secret),
        metadata_of(secret),
        secret.skip_multiline_encoding,
        secret.reminder_note,
        secret.reminder_repeat_days,
    )


def _applied(
    project: Project, folder: Folder, one: SecretInput, secret: Secret | None
) -> tuple[Secret, tuple[Any, ...] | None]:
    """The row as it will be, and its state before; None for a new one."""
    before = _state(secret) if secret else None
    secret = secret or Secret(folder=folder, key=one.key, version=0)
    secret.key = one.new_key or one.key
    if one.value is not None or before is None:
        secret.value_sealed = seal(project.pk, f"secret:{secret.pk}:value", one.value or "")
    if one.comment is not None:
        sealed = seal(project.pk, f"secret:{secret.pk}:comment", one.comment)
        secret.comment_sealed = sealed if one.comment else None
    if one.metadata is not None:
        secret.metadata = [_entry(project, secret, each) for each in one.metadata]
    for name in ("skip_multiline_encoding", "reminder_note", "reminder_repeat_days"):
        if (value := getattr(one, name)) is not None:
            setattr(secret, name, value)
    return secret, before


def _entry(project: Project, secret: Secret, given: Mapping[str, Any]) -> dict[str, str]:
    """One entry of the metadata as it is stored."""
    key, value = str(given["key"]), str(given.get("value", ""))
    if not given.get("isEncrypted"):
        return {"key": key, "value": value}
    return {
        "key": key,
        "sealed": base64.b64encode(seal(project.pk, f"secret:{secret.pk}:metadata:{key}", value)).decode(),
    }


def _tags(project: Project, given: Sequence[SecretInput]) -> dict[str, Tag]:
    slugs = {slug for one in given for slug in one.tags or ()}
    if not slugs:
        return {}
    Tag.objects.bulk_create([Tag(project=project, slug=slug) for slug in slugs], ignore_conflicts=True)
    return {tag.slug: tag for tag in Tag.objects.filter(project=project, slug__in=slugs)}


def _tags_held(secrets: Iterable[Secret]) -> dict[Any, set[str]]:
    held: dict[Any, set[str]] = {}
    for batch in _batches([secret.pk for secret in secrets]):
        for pk, slug in Secret.tags.through.objects.filter(secret_id__in=batch).values_list("secret_id", "tag__slug"):
            held.setdefault(pk, set()).add(slug)
    return held


def _store(actor: Actor, changes: Sequence[_Change], tags: Mapping[str, Tag]) -> None:
    now = timezone.now()
    for change in changes:
        secret = change.secret
        secret.version += 1
        secret.updated_at = now
        secret.actor_kind, secret.actor_id, secret.actor_name = actor.kind, str(actor.id or ""), actor.name
    Secret.objects.bulk_create([change.secret for change in changes if change.is_new], batch_size=BATCH)
    kept = [change.secret for change in changes if not change.is_new]
    fields = [field.name for field in Secret._meta.fields if field.name not in ("id", "folder", "created_at")]
    Secret.objects.bulk_update(kept, fields, batch_size=BATCH)
    _remember(actor, [change.secret for change in changes])
    _retag([change for change in changes if change.tags is not None], tags)
    _index([change for change in changes if change.is_new or change.given.value is not None])
    Folder.objects.filter(pk__in={change.secret.folder_id for change in changes}).update(last_secret_modified=now)


def _remember(actor: Actor, secrets: Iterable[Secret]) -> None:
    """The version that each secret is now, with who made it."""
    SecretVersion.objects.bulk_create(
        [
            SecretVersion(
                secret=secret,
                version=secret.version,
                key=secret.key,
                value_sealed=secret.value_sealed,
                comment_sealed=secret.comment_sealed,
                actor_kind=actor.kind,
                actor_id=str(actor.id or ""),
                actor_name=actor.name,
            )
            for secret in secrets
        ],
        batch_size=BATCH,
    )


def _retag(changes: Sequence[_Change], tags: Mapping[str, Tag]) -> None:
    through = Secret.tags.through
    for batch in _batches([change.secret.pk for change in changes]):
        through.objects.filter(secret_id__in=batch).delete()
    rows = [
        through(secret_id=change.secret.pk, tag_id=tags[slug].pk) for change in changes for slug in change.tags or ()
    ]
    through.objects.bulk_create(rows, batch_size=BATCH)


def _index(changes: Sequence[_Change]) -> None:
    """Which folders the values name. What is no longer than a name may be can lead somewhere, now or later."""
    for batch in _batches([change.secret.pk for change in changes if not change.is_new]):
        SecretReference.objects.filter(secret_id__in=batch).delete()
    rows = [
        SecretReference(secret=change.secret, environment=slug, path=path, key=key)
        for change in changes
        for slug, path, key in references_to_folders(change.given.value or "")
        if len(slug) <= MAX_SLUG and len(path) <= MAX_PATH and len(key) <= MAX_KEY
    ]
    SecretReference.objects.bulk_create(rows, batch_size=BATCH)


def _told(secret: Secret, placed: bool = False) -> dict[str, Any]:
    """A secret as the audit log names it; `placed`: with its folder."""
    where = {"environment": secret.folder.environment.slug, "secretPath": secret.folder.path} if placed else {}
    return {**where, "secretId": secret.pk, "secretKey": secret.key, "secretVersion": secret.version}


def _record(actor: Actor, folder: Folder, event: str, told: Sequence[Mapping[str, Any]], count: int) -> None:
    """One event, of one secret or of many."""
    location = {"environment": folder.environment.slug, "secretPath": folder.path}
    what: dict[str, Any] = dict(told[0]) if count == 1 else {"secrets": list(told), "numberOfSecrets": count}
    audit.record(actor, event if count == 1 else f"{event}s", folder.environment.project_id, **location, **what)


# -- delete, move ----------------------------------------------------------------------------------------------


@transaction.atomic
def delete_secrets(actor: Actor, folder: Folder, keys: Sequence[str]) -> list[Secret]:
    """Take secrets out of a folder, all or none; as they were. Raises NotFound naming those that are missing."""
    project_id = folder.environment.project_id
    actor.require(Right.WRITE_SECRETS, project_id)
    lock_folders([folder])
    found = list(_rows([folder], sorted(set(keys))))
    if missing := sorted(set(keys) - {secret.key for secret in found}):
        raise NotFound(f"Secret with name '{', '.join(missing)}' not found")
    prefetch_related_objects(found, "tags")  # as they were
    for batch in _batches([secret.pk for secret in found]):
        Secret.objects.filter(pk__in=batch).delete()
    Folder.objects.filter(pk=folder.pk).update(last_secret_modified=timezone.now())
    _record(actor, folder, "delete-secret", [_told(each) for each in found[:NAMED]], len(found))
    changed(actor, project_id, [folder])
    return found


def _equal(one: Secret, other: Secret) -> bool:
    """What cannot be decrypted is equal to nothing: it would be lost."""
    value = value_or_none(one)
    return value is not None and value == value_or_none(other)


@transaction.atomic
def move_secrets(
    actor: Actor, folder: Folder, target: Folder, ids: Sequence[str], *, overwrite: bool = False
) -> list[Secret]:
    """Put secrets into another folder of the project, all or none; they keep their ids and versions.

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
    in_the_way = {secret.key: secret for secret in _rows([target], [secret.key for secret in moved])}
    for secret in moved:
        secret.folder = folder
    clashes = [
        secret.key for secret in moved if secret.key in in_the_way and not _equal(in_the_way[secret.key], secret)
    ]
    if clashes and not overwrite:
        raise BadRequest(
            f"Failed to move secrets. The following secrets already exist in the destination: {', '.join(clashes)}"
        )
    now = timezone.now()
    Secret.objects.filter(pk__in=[secret.pk for secret in in_the_way.values()]).delete()
    for secret in moved:
        secret.folder, secret.version, secret.updated_at = target, secret.version + 1, now
        secret.actor_kind, secret.actor_id, secret.actor_name = actor.kind, str(actor.id or ""), actor.name
    written = ["folder", "version", "updated_at", "actor_kind", "actor_id", "actor_name"]
    Secret.objects.bulk_update(moved, written, batch_size=BATCH)
    _remember(actor, moved)
    _index([_Change(each, SecretInput(each.key, value_or_none(each) or ""), False, None) for each in moved])
    Folder.objects.filter(pk__in=[folder.pk, target.pk]).update(last_secret_modified=now)
    audit.record(
        actor,
        "move-secrets",
        project.pk,
        sourceEnvironment=folder.environment.slug,
        sourceSecretPath=folder.path,
        destinationEnvironment=target.environment.slug,
        destinationSecretPath=target.path,
        secretIds=[str(secret.pk) for secret in moved[:NAMED]],
    )
    changed(actor, project.pk, [folder, target])
    return moved
