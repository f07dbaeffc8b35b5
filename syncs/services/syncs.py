"""Every change of a sync and of its policy: created, changed, given another target. Each is one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F

from config.access import audit
from config.access.models import Identity, Project, User
from config.access.roles import Actor, Right
from config.errors import BadRequest, Invalid, problem
from connections.services import require_use
from syncs.models import NO_ACTION, OwedAction, SecretSync, SyncPolicy
from syncs.planning.conflicts import refuse_conflicts
from syncs.planning.opening import destination_class
from syncs.planning.overlaps import refuse_overlaps
from syncs.source.selectors import defaults_of, syncs

from .deletion import leave_former_locations
from .folders import lock_folders
from .pauses import end_removal_pause, mark_paused, set_paused, stop_waiting
from .policy import checked_policy
from .propagation import schedule, want
from .sync_checks import check_together, checked, location_of, source_folder, usable_connection
from .triggers import audited


@dataclass(frozen=True)
class SyncInput:
    """A sync as it is to be stored; in an update, a member that is None stays as it is."""

    name: str | None = None
    description: str | None = None
    connection_id: UUID | str | None = None
    environment: str | None = None
    secret_path: str | None = None
    is_auto_sync_enabled: bool | None = None
    sync_options: object = None
    destination_config: object = None


def draft_sync(
    actor: Actor, project: Project, destination: str, data: SyncInput, policy: Mapping[str, Any] | None = None
) -> SecretSync:
    """A sync as `create_sync` would store it, checked but not stored: what a preview plans."""
    actor.require(Right.EDIT_SYNCS, project.pk)
    found = destination_class(destination)
    sync = SecretSync(project=project, destination=destination, is_auto_sync_enabled=True)
    _owned_by(sync, actor)
    config, options, held = checked(found, data, new=True)
    sync.folder = source_folder(actor, project, data.environment or "", data.secret_path or "/")
    sync.connection = usable_connection(actor, project, found, data.connection_id)
    sync.name = (data.name or "").strip()
    sync.description = data.description and data.description.strip()
    sync.destination_config, sync.sync_options = config, options
    if data.is_auto_sync_enabled is not None:
        sync.is_auto_sync_enabled = data.is_auto_sync_enabled
    sync.location = location_of(found, sync.connection, config)
    sync.policy = _first_policy(actor, sync, {**held, **(policy or {})})
    check_together(sync, sync.policy)
    return sync


def _first_policy(actor: Actor, sync: SecretSync, data: Mapping[str, Any]) -> SyncPolicy:
    """The project's defaults, replaced by the given members (model field names)."""
    policy = defaults_of(sync.project).new_policy(sync=sync)
    changed = {name: value for name, value in data.items() if value != getattr(policy, name)}
    if changed:
        actor.require(Right.EDIT_POLICY, sync.project_id)
    for name, value in checked_policy(changed, destination_class(sync.destination)).items():
        setattr(policy, name, value)
    if policy.paused:
        mark_paused(policy, actor)
    return policy


def _changed_policy(actor: Actor, sync: SecretSync, held: Mapping[str, Any]) -> dict[str, Any]:
    """Set members of the policy; those that are new. Raises PermissionDenied."""
    changed = {name: value for name, value in held.items() if value != getattr(sync.policy, name)}
    if changed:
        actor.require(Right.EDIT_POLICY, sync.project_id)
    for name, value in changed.items():
        setattr(sync.policy, name, value)
    return changed


def _forget_owed(sync: SecretSync) -> None:
    if sync.policy.after_writes == NO_ACTION:
        OwedAction.objects.filter(sync=sync).delete()


def create_sync(
    actor: Actor, project: Project, destination: str, data: SyncInput, policy: Mapping[str, Any] | None = None
) -> SecretSync:
    """Store a sync; with auto-sync on its first run is queued. Raises in the order of the modelled API."""
    sync = draft_sync(actor, project, destination, data, policy)
    refuse_conflicts(sync)
    refuse_overlaps(actor, sync)
    if SecretSync.objects.filter(project=project, name=sync.name).exists():
        raise _name_in_use(sync)
    policy_row = sync.policy
    try:
        with transaction.atomic():
            sync.save(force_insert=True)
            policy_row.save(force_insert=True)
            audit.record(actor, "create-secret-sync", project.pk, **audited(sync))
            if sync.is_auto_sync_enabled:
                want(actor, [sync])
    except IntegrityError:
        raise _name_in_use(sync) from None
    return syncs().get(pk=sync.pk)


def update_sync(actor: Actor, sync: SecretSync, data: SyncInput) -> SecretSync:
    """Change a sync; whoever saves it becomes its owner. With auto-sync on, any change runs it.

    Auto-sync switched on, even if it is on, ends the pause that a removal has set.
    """
    project = sync.project
    actor.require(Right.EDIT_SYNCS, project.pk)
    actor.require(Right.READ_VALUES, project.pk)
    found = destination_class(sync.destination)
    config, options, held = checked(found, data, new=False)
    if data.environment is not None or data.secret_path is not None:
        if sync.folder is None and (data.environment is None or data.secret_path is None):
            raise BadRequest("Must specify both source environment and secret path")
        environment = data.environment or (sync.folder.environment.slug if sync.folder else "")
        path = data.secret_path or (sync.folder.path if sync.folder else "/")
        sync.folder = source_folder(actor, project, environment, path)
    if data.connection_id is not None:
        sync.connection = usable_connection(actor, project, found, data.connection_id)
    else:
        require_use(actor, sync.connection)
    if data.name is not None:
        sync.name = data.name.strip()
    if data.description is not None:
        sync.description = data.description.strip()
    if data.is_auto_sync_enabled is not None:
        sync.is_auto_sync_enabled = data.is_auto_sync_enabled
    sync.destination_config = config or sync.destination_config
    sync.sync_options = options or sync.sync_options
    held = _changed_policy(actor, sync, held)
    check_together(sync, sync.policy)
    sync.location = location_of(found, sync.connection, sync.destination_config)
    if data.environment or data.secret_path or data.sync_options:
        refuse_conflicts(sync)
    refuse_overlaps(actor, sync, stored=syncs().get(pk=sync.pk))
    if SecretSync.objects.filter(project=project, name=sync.name).exclude(pk=sync.pk).exists():
        raise _name_in_use(sync)
    _owned_by(sync, actor)
    try:
        with transaction.atomic():
            lock_folders([sync.folder] if sync.folder else [])
            audit.record(actor, "update-secret-sync", project.pk, **audited(sync))
            sync.save(update_fields=_EDITABLE)
            if held:
                audit.record(actor, "update-sync-policy", project.pk, changed=sorted(held), **audited(sync))
                sync.policy.save(update_fields=list(held))
                _forget_owed(sync)
            SecretSync.objects.filter(pk=sync.pk).update(generation=F("generation") + 1)
            leave_former_locations(sync, actor)
            if data.is_auto_sync_enabled:
                end_removal_pause(sync)
            want(actor, [sync])
    except IntegrityError:
        raise _name_in_use(sync) from None
    return syncs().get(pk=sync.pk)


_EDITABLE = (
    "name",
    "description",
    "folder",
    "connection",
    "is_auto_sync_enabled",
    "destination_config",
    "sync_options",
    "location",
    "owner_user",
    "owner_identity",
    "updated_at",
)


def _owned_by(sync: SecretSync, actor: Actor) -> None:
    actor_id = str(actor.id)
    sync.owner_user = User.objects.filter(pk=actor_id).first() if actor.kind == "user" else None
    sync.owner_identity = Identity.objects.filter(pk=actor_id).first() if actor.kind == "identity" else None


def _name_in_use(sync: SecretSync) -> BadRequest:
    return BadRequest(
        f'A Secret Sync with the name "{sync.name}" already exists for the project with ID "{sync.project_id}"'
    )


def update_policy(actor: Actor, sync: SecretSync, data: Mapping[str, Any]) -> SyncPolicy:
    """Change members of the policy (model field names). A run under way stops; the next one follows the new policy.

    `pause_reason` says why it is `paused`.
    """
    needed = Right.RUN_SYNCS if set(data) <= {"paused", "pause_reason"} else Right.EDIT_POLICY
    actor.require(needed, sync.project_id)
    policy = sync.policy
    reason = str(data.get("pause_reason") or "")[:255]
    data = checked_policy(
        {name: data[name] for name in data if name != "pause_reason"}, destination_class(sync.destination)
    )
    if reason and "paused" not in data:
        raise Invalid([problem(["pauseReason"], "It is the reason of a pause or of its end: send it with paused")])
    for name, value in data.items():
        if name != "paused":
            setattr(policy, name, value)
    check_together(sync, policy)
    if set(data) & {"include", "exclude", "tags", "recursive"}:
        refuse_overlaps(actor, sync, stored=syncs().get(pk=sync.pk))
    if data.get("recursive"):
        refuse_conflicts(sync)
    with transaction.atomic():
        why: dict[str, Any] = {"reason": reason} if reason else {}
        audit.record(actor, "update-sync-policy", sync.project_id, changed=sorted(data), **why, **audited(sync))
        policy.save(update_fields=[name for name in data if name != "paused"])
        if "paused" in data:
            set_paused(policy, actor, paused=data["paused"], reason=reason)
        _forget_owed(sync)
        SecretSync.objects.filter(pk=sync.pk).update(generation=F("generation") + 1)
        if policy.paused:
            stop_waiting(sync)
        else:
            schedule(actor, [sync], "change")
    return policy


def find_duplicate(destination: str, config: object, exclude: UUID | str | None) -> SecretSync | None:
    """Another sync of this destination with the same config, anywhere in the organisation."""
    if not isinstance(config, dict):
        return None
    found = SecretSync.objects.filter(destination=destination)
    if exclude:
        found = found.exclude(pk=exclude)
    return next((sync for sync in found if sync.destination_config == config), None)


def require_destination(sync: SecretSync, destination: str) -> None:
    """Raises BadRequest if the sync is another destination's."""
    if sync.destination != destination:
        label = destination_class(destination).label
        raise BadRequest(f'Secret sync with ID "{sync.pk}" is not configured for {label}')
