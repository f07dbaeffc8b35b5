"""A draft of the wizard that is filled in from a stored sync, for another environment."""

from __future__ import annotations

from typing import Any

from config.access.roles import Actor, Right
from config.schemas.unions import Shape
from config.ui.model_forms import fields_for, members_of, members_of_variant
from syncs.models import SecretSync, SyncDraft
from syncs.planning.opening import destination_class
from syncs.services.duplicates import name_of_copy, policy_of_copy
from syncs.services.policy import policy_as_json, policy_of
from syncs.services.sync_drafts import keep_step, start_draft

from .options import OPTIONS, RULES
from .plan import COPIED
from .target import CONFIG


def draft_of_copy(actor: Actor, sync: SecretSync) -> SyncDraft:
    """A draft with the connection chosen and the other steps filled in; each is shown before anything is stored.

    The environment is the next one of the project, the target that of the sync, and auto-sync is off.
    """
    found = destination_class(sync.destination)
    draft = start_draft(actor, sync.destination)
    connection = sync.connection
    project_id = str(connection.project_id) if connection.project_id else None
    keep_step(
        draft,
        "connection",
        {"connection": str(connection.pk)},
        {"connectionId": str(connection.pk), "name": connection.name, "projectId": project_id},
    )
    own = sync.folder.environment if sync.folder else None
    others = [each.slug for each in sync.project.environments.all() if own is None or each.pk != own.pk]
    environment = others[0] if others else ""
    source = {
        "project": str(sync.project_id),
        "environment": environment,
        "path": sync.folder.path if sync.folder else "/",
    }
    keep_step(draft, "source", {**source, **({"recursive": "on"} if sync.policy.recursive else {})})
    variant = members_of_variant(found.Config, {name: str(value) for name, value in sync.destination_config.items()})
    keep_step(draft, "target", _typed(fields_for(CONFIG, variant, sync.destination_config)))
    policy = policy_as_json(type(sync.policy)(**policy_of_copy(sync)), found)
    options = {
        "name": name_of_copy(sync, environment),
        **_typed_of(OPTIONS, found.Options, sync.sync_options),
        **_typed_of(RULES, policy_of(found), policy),
    }
    keep_step(draft, "options", options)
    if actor.may(Right.EDIT_POLICY, sync.project_id):
        keep_step(draft, COPIED, {}, {"policy": policy_of_copy(sync)})
    return draft


def _typed_of(prefix: str, shape: Shape, stored: dict[str, Any]) -> dict[str, str]:
    return _typed(fields_for(prefix, members_of(shape), stored))


def _typed(fields: dict[str, Any]) -> dict[str, str]:
    """What a person would have typed to get the initial values of the fields."""
    texts = {name: _text(field.initial) for name, field in fields.items()}
    return {name: text for name, text in texts.items() if text}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else ""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
