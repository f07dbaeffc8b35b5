"""A copy of a sync for another environment. It runs only once a person has looked at its plan and switched it on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from config.access.roles import Actor, Right
from config.errors import BadRequest
from syncs.models import SecretSync, SyncPolicy
from syncs.planning.overlaps import overlaps_of

from .syncs import SyncInput, create_sync, draft_sync

MAX_LISTED = 10  # keys that a refusal names


def name_of_copy(sync: SecretSync, environment: str) -> str:
    """The name with the other environment's slug in place of its own, or behind it."""
    own = sync.folder.environment.slug if sync.folder else ""
    parts = sync.name.split("-")
    if own in parts:
        return "-".join(environment if part == own else part for part in parts)
    return f"{sync.name}-{environment}"


def policy_of_copy(sync: SecretSync) -> dict[str, Any]:
    """Members of the policy (model field names); a pause is not copied."""
    return {name: getattr(sync.policy, name) for name in SyncPolicy.AUDITED if name != "paused"}


def duplicate_sync(
    actor: Actor,
    sync: SecretSync,
    *,
    environment: str,
    secret_path: str | None = None,
    name: str | None = None,
    destination_config: Mapping[str, Any] | None = None,
) -> SecretSync:
    """A stored copy with the connection, options and policy of the sync; auto-sync is off, and nothing runs.

    What is None is as in the sync, its name apart. Raises BadRequest if the copy would write the same keys as the sync.
    """
    actor.require(Right.EDIT_SYNCS, sync.project_id)
    given = SyncInput(
        name=name or name_of_copy(sync, environment),
        description=sync.description,
        connection_id=sync.connection.pk,
        environment=environment,
        secret_path=secret_path or (sync.folder.path if sync.folder else "/"),
        is_auto_sync_enabled=False,
        sync_options=sync.sync_options,
        destination_config=destination_config or sync.destination_config,
    )
    policy = policy_of_copy(sync)
    draft = draft_sync(actor, sync.project, sync.destination, given, policy)
    for overlap in overlaps_of(actor, draft):
        if overlap.sync_id == sync.pk and overlap.same_location:
            more = f" and {len(overlap.keys) - MAX_LISTED} more" if len(overlap.keys) > MAX_LISTED else ""
            raise BadRequest(
                f"The copy would write the same keys as {sync.name} at the same target: "
                f"{', '.join(overlap.keys[:MAX_LISTED])}{more}. Give it another destinationConfig."
            )
    return create_sync(actor, sync.project, sync.destination, given, policy)
