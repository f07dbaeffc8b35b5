"""Storing a file of secrets as its comparison was shown, all or none."""

from __future__ import annotations

from django.db import transaction

from config.access.roles import Actor, Right
from config.errors import BadRequest
from syncs.models import Folder
from syncs.source.file_diff import Comparison, compare
from syncs.source.formats import Parsed

from .folders import lock_folders
from .secrets import delete_secrets, set_secrets


@transaction.atomic
def store_file(
    actor: Actor, folder: Folder, parsed: Parsed, *, overwrite: bool, prune: bool, digest: str | None = None
) -> Comparison:
    """Store the differences of `compare`; with a `digest` only those that were shown. Raises BadRequest."""
    actor.require(Right.WRITE_SECRETS, folder.environment.project_id)
    lock_folders([folder])
    found = compare(folder, parsed, overwrite=overwrite, prune=prune)
    if found.problems:
        problems = (f"line {one.number}: {one.message}" if one.number else one.message for one in found.problems)
        raise BadRequest(f"Nothing was stored. {'; '.join(problems)}")
    if digest is not None and digest != found.digest:
        raise BadRequest("The folder has changed since it was shown. Look at it again.")
    if found.deletes:
        delete_secrets(actor, folder, found.deletes)
    if found.inputs:
        set_secrets(actor, folder, found.inputs)
    return found
