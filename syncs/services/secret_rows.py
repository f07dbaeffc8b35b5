"""Rows of secrets: read for a change, written with their versions, tags and the index of their references."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.utils import timezone

from config.access.models import Project
from config.access.roles import Actor
from syncs.engine.references import references_to_folders
from syncs.models import Folder, Secret, SecretReference, SecretVersion, Tag
from syncs.source.paths import MAX_PATH
from syncs.source.sealed import COMMENT, VALUE, metadata_member, seal_member
from syncs.source.selectors import comment_of, metadata_of, value_or_none
from syncs.source.validation import MAX_KEY, SecretInput

T = TypeVar("T")

MAX_SLUG = 64  # of an environment
BATCH = 500  # rows per statement


@dataclass
class Change:
    """One secret of a batch: its row as it will be, and the input that changed it. `tags` None: unchanged."""

    secret: Secret
    input: SecretInput
    is_new: bool
    tags: set[str] | None


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def rows_of(folders: Sequence[Folder], keys: Sequence[str]) -> Iterator[Secret]:
    """Those of the keys that exist, with their folders."""
    by_id = {folder.pk: folder for folder in folders}
    for batch in batches(keys):
        for secret in Secret.objects.filter(folder__in=by_id, key__in=batch):
            secret.folder = by_id[secret.folder_id]
            yield secret


def state_of(secret: Secret) -> tuple[Any, ...]:
    """Everything that a version consists of; equal states need no new version."""
    return (
        secret.key,
        value_or_none(secret),
        comment_of(secret),
        metadata_of(secret),
        secret.skip_multiline_encoding,
        secret.reminder_note,
        secret.reminder_repeat_days,
    )


def applied(
    project: Project, folder: Folder, one: SecretInput, secret: Secret | None
) -> tuple[Secret, tuple[Any, ...] | None]:
    """The row as it will be, and its state before; None for a new one."""
    before = state_of(secret) if secret else None
    secret = secret or Secret(folder=folder, key=one.key, version=0)
    secret.key = one.new_key or one.key
    if one.value is not None or before is None:
        secret.value_sealed = seal_member(project.pk, secret.pk, VALUE, one.value or "")
    if one.comment is not None:
        secret.comment_sealed = seal_member(project.pk, secret.pk, COMMENT, one.comment) if one.comment else None
    if one.metadata is not None:
        secret.metadata = [_metadata_entry(project, secret, each) for each in one.metadata]
    for name in ("skip_multiline_encoding", "reminder_note", "reminder_repeat_days"):
        if (value := getattr(one, name)) is not None:
            setattr(secret, name, value)
    return secret, before


def _metadata_entry(project: Project, secret: Secret, entry: Mapping[str, Any]) -> dict[str, str]:
    """As stored."""
    key, value = str(entry["key"]), str(entry.get("value", ""))
    if not entry.get("isEncrypted"):
        return {"key": key, "value": value}
    sealed = seal_member(project.pk, secret.pk, metadata_member(key), value)
    return {"key": key, "sealed": base64.b64encode(sealed).decode()}


def ensure_tags(project: Project, inputs: Sequence[SecretInput]) -> dict[str, Tag]:
    """By slug, the tags that the inputs name, created if missing."""
    slugs = {slug for one in inputs for slug in one.tags or ()}
    if not slugs:
        return {}
    Tag.objects.bulk_create([Tag(project=project, slug=slug) for slug in slugs], ignore_conflicts=True)
    return {tag.slug: tag for tag in Tag.objects.filter(project=project, slug__in=slugs)}


def tags_of_rows(secrets: Iterable[Secret]) -> dict[Any, set[str]]:
    """By a secret's id, the slugs of its tags."""
    slugs: dict[Any, set[str]] = {}
    for batch in batches([secret.pk for secret in secrets]):
        for pk, slug in Secret.tags.through.objects.filter(secret_id__in=batch).values_list("secret_id", "tag__slug"):
            slugs.setdefault(pk, set()).add(slug)
    return slugs


def store(actor: Actor, changes: Sequence[Change], tags: Mapping[str, Tag]) -> None:
    """Write the rows, each as a new version."""
    now = timezone.now()
    for change in changes:
        secret = change.secret
        secret.version += 1
        secret.updated_at = now
        secret.actor_kind, secret.actor_id, secret.actor_name = actor.kind, str(actor.id or ""), actor.name
    Secret.objects.bulk_create([change.secret for change in changes if change.is_new], batch_size=BATCH)
    existing = [change.secret for change in changes if not change.is_new]
    fields = [field.name for field in Secret._meta.fields if field.name not in ("id", "folder", "created_at")]
    Secret.objects.bulk_update(existing, fields, batch_size=BATCH)
    store_versions(actor, [change.secret for change in changes])
    _retag([change for change in changes if change.tags is not None], tags)
    index_references([change for change in changes if change.is_new or change.input.value is not None])
    Folder.objects.filter(pk__in={change.secret.folder_id for change in changes}).update(last_secret_modified=now)


def store_versions(actor: Actor, secrets: Iterable[Secret]) -> None:
    """The version that each secret is now, with its author."""
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


def _retag(changes: Sequence[Change], tags: Mapping[str, Tag]) -> None:
    through = Secret.tags.through
    for batch in batches([change.secret.pk for change in changes]):
        through.objects.filter(secret_id__in=batch).delete()
    rows = [
        through(secret_id=change.secret.pk, tag_id=tags[slug].pk) for change in changes for slug in change.tags or ()
    ]
    through.objects.bulk_create(rows, batch_size=BATCH)


def index_references(changes: Sequence[Change]) -> None:
    """Which folders the values refer to. Names within their limits are kept even if their targets do not exist yet."""
    for batch in batches([change.secret.pk for change in changes if not change.is_new]):
        SecretReference.objects.filter(secret_id__in=batch).delete()
    rows = [
        SecretReference(secret=change.secret, environment=target.environment, path=target.path, key=target.key)
        for change in changes
        for target in references_to_folders(change.input.value or "")
        if len(target.environment) <= MAX_SLUG and len(target.path) <= MAX_PATH and len(target.key) <= MAX_KEY
    ]
    SecretReference.objects.bulk_create(rows, batch_size=BATCH)
