"""Renames a secret together with every reference to it."""

from __future__ import annotations

from dataclasses import replace

from django.db import transaction

from config.access.roles import Actor, Right
from config.errors import BadRequest
from syncs.engine.addresses import folder_text
from syncs.engine.references import PART, REFERENCE, target_of
from syncs.models import Folder, Secret
from syncs.source.references import Visibility, referrers_of, visibility_of
from syncs.source.selectors import value_or_none
from syncs.source.validation import SecretInput

from .folders import lock_folders
from .secrets import set_in_folders


@transaction.atomic
def rename_everywhere(actor: Actor, folder: Folder, one: SecretInput) -> int:
    """As `set_secrets` with `one.new_key`; every reference to the secret gets the new name, all as one change.

    Returns the number of secrets that referred to it. Raises BadRequest if a reference cannot contain the new name, or
    would resolve to another secret by it.
    """
    project_id = folder.environment.project_id
    actor.require(Right.WRITE_SECRETS, project_id)
    new_key = one.new_key or one.key
    found = [secret for secret, _ in referrers_of(folder, [one.key])]
    lock_folders({each.pk: each for each in (folder, *(secret.folder for secret in found))}.values())
    found = [secret for secret, _ in referrers_of(folder, [one.key])]  # again, now that they are locked
    if found and not PART.fullmatch(new_key):
        raise BadRequest(f"{new_key} cannot be written in a reference: letters, digits, _, @ and - can")
    visibility = visibility_of(folder, [one.key, new_key])
    visibility.holders[new_key].add(visibility.folder)
    groups: dict[object, tuple[Folder, list[SecretInput]]] = {folder.pk: (folder, [one])}
    for secret in found:
        _, inputs = groups.setdefault(secret.folder_id, (secret.folder, []))
        value = _renamed(secret, visibility, one.key, new_key)
        if (secret.folder_id, secret.key) == (folder.pk, one.key):  # it refers to itself
            inputs[0] = replace(one, value=value)
        else:
            inputs.append(SecretInput(secret.key, value, exact=True))
    set_in_folders(actor, list(groups.values()), mode="update")
    return len(found)


def _renamed(secret: Secret, visibility: Visibility, key: str, new_key: str) -> str:
    value = value_or_none(secret)
    if value is None:
        raise BadRequest(f"The value of {secret.key}, which refers to it, cannot be decrypted")
    folder = secret.folder.address
    parts: list[str] = []
    end = 0
    for match in REFERENCE.finditer(value):
        address, name = target_of(match[1], folder)
        if name == key and visibility.resolves(address, key):
            if not visibility.resolves(address, new_key):
                raise BadRequest(
                    f"{secret.key} in {folder_text(folder)} would then refer to another secret named {new_key}"
                )
            parts += (value[end : match.end() - 1 - len(key)], new_key, "}")
            end = match.end()
    return "".join((*parts, value[end:]))
