"""Secrets created from stored ones: a former version restored, copies in other folders."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from config.access.roles import Actor, Right
from config.encryption import Undecryptable
from config.errors import BadRequest, NotFound
from syncs.models import Folder, Secret
from syncs.source.sealed import COMMENT, VALUE, open_member
from syncs.source.selectors import comment_of, secrets_by_keys, value_or_none
from syncs.source.tags import tags_at
from syncs.source.validation import SecretInput

from .folders import lock_folders
from .secrets import set_in_folders, set_secrets


@transaction.atomic
def restore_secret(actor: Actor, folder: Folder, key: str, version: int) -> Secret:
    """Value and comment of a former version, as a new version. Raises NotFound, BadRequest."""
    project_id = folder.environment.project_id
    actor.require(Right.WRITE_SECRETS, project_id)
    lock_folders([folder])
    secret = folder.secrets.filter(key=key).first()
    row = secret.versions.filter(version=version).first() if secret else None
    if secret is None or row is None:
        raise NotFound(f"Secret with name '{key}' has no version {version}")
    try:
        value = open_member(project_id, secret.pk, VALUE, row.value_sealed)
        comment = open_member(project_id, secret.pk, COMMENT, row.comment_sealed)
    except Undecryptable:
        raise BadRequest(f"Version {version} of {key} cannot be decrypted") from None
    (restored,) = set_secrets(actor, folder, [SecretInput(key, value, comment, exact=True)], mode="update")
    return restored


@transaction.atomic
def copy_secrets(
    actor: Actor, secrets: Sequence[Secret], targets: Sequence[Folder], *, overwrite: bool = False
) -> list[Secret]:
    """Values, comments and tags of secrets of one folder, into other folders of the project, all or none.

    Raises BadRequest naming those that a target has with another value, unless they may be overwritten.
    """
    project_id = targets[0].environment.project_id
    actor.require(Right.READ_VALUES, project_id)
    actor.require(Right.WRITE_SECRETS, project_id)
    if any(each.environment.project_id != project_id for each in (*targets, *(one.folder for one in secrets))):
        raise BadRequest("Secrets can be copied within their project only")
    lock_folders(targets)
    values = {secret.key: value_or_none(secret) for secret in secrets}
    if closed := sorted(key for key, value in values.items() if value is None):
        raise BadRequest(f"Cannot decrypt the value of: {', '.join(closed)}")
    for target in targets if not overwrite else ():
        existing = {secret.key: value_or_none(secret) for secret in secrets_by_keys(target, sorted(values))}
        if clashes := sorted(key for key in existing if existing[key] != values[key]):
            raise BadRequest(f"{target.environment.name} has another value of: {', '.join(clashes)}")
    tags = tags_at(secrets[0].folder)
    inputs = [
        SecretInput(secret.key, values[secret.key], comment_of(secret), sorted(tags.get(secret.pk, ())), exact=True)
        for secret in secrets
    ]
    return set_in_folders(actor, [(target, inputs) for target in targets])
