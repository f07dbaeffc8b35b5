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
from config.errors import BadRequest
from connections.services import require_use
from syncs.models import UNMANAGED, InitialSet, SecretSync, SyncPolicy, cause_of
from syncs.planning.conflicts import refuse_conflicts
from syncs.planning.opening import destination_class
from syncs.planning.overlaps import refuse_overlaps
from syncs.planning.preview import KEEP
from syncs.source.selectors import defaults_of, syncs

from .approvals import requires_other_approver
from .folders import lock_folders
from .leaving import move_to_location
from .pauses import end_removal_pause, mark_paused
from .policy import checked_policy
from .policy_changes import FILTERS, apply_policy, changed_members, store_policy
from .propagation import authors_of, schedule, want
from .proposals import Proposal, approve_waiting, plan_change
from .sync_checks import check_together, checked, location_of, source_folder, usable_connection
from .triggers import audited, sync_changes


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


_NOTHING = SyncInput()


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
            sync.changed_by = [list(author) for author in authors_of(actor)]
            sync.save(force_insert=True)
            policy_row.save(force_insert=True)
            audit.record(actor, "create-secret-sync", project.pk, **audited(sync))
            if sync.is_auto_sync_enabled:
                want(actor, [sync], causes=[cause_of("sync-created", actor)])
    except IntegrityError:
        raise _name_in_use(sync) from None
    return syncs().get(pk=sync.pk)


def propose(
    actor: Actor, sync: SecretSync, data: SyncInput = _NOTHING, policy: Mapping[str, Any] | None = None
) -> Proposal:
    """The plan of a change, checked as `update_sync` does. Nothing is stored or written.

    `policy`: members of the policy (model field names). Raises BadRequest if it cannot be planned.
    """
    draft, _ = _changed(actor, sync, data, policy or {})
    return plan_change(actor, syncs().get(pk=sync.pk), draft)


def _changed(
    actor: Actor, sync: SecretSync, data: SyncInput, policy: Mapping[str, Any]
) -> tuple[SecretSync, dict[str, Any]]:
    """The sync as stored, with the changes applied and checked, and the members of the policy to store."""
    stored, draft = syncs().get(pk=sync.pk), syncs().get(pk=sync.pk)
    own = data != _NOTHING or not policy
    held = _apply(actor, draft, data) if own else {}
    if policy:
        apply_policy(actor, draft, policy)
    check_together(draft, draft.policy)
    if own:  # asked of the vendor where only it knows the account
        draft.location = location_of(destination_class(draft.destination), draft.connection, draft.destination_config)
    if draft.location != stored.location or _overwrites_now(stored, draft):
        draft.confirmed_deletes = {}
    if data.environment or data.secret_path or data.sync_options or policy.get("recursive"):
        refuse_conflicts(draft)
    if own or set(policy) & FILTERS:
        refuse_overlaps(actor, draft, stored=stored)
    if SecretSync.objects.filter(project=draft.project_id, name=draft.name).exclude(pk=draft.pk).exists():
        raise _name_in_use(draft)
    return draft, {**held, **policy}


def _overwrites_now(stored: SecretSync, draft: SecretSync) -> bool:
    """Whether the policy becomes `overwrite-initially`: with a confirmed plan the next run is a first run again."""
    overwrites = UNMANAGED[0]
    return draft.policy.unmanaged == overwrites and stored.policy.unmanaged != overwrites


def _apply(actor: Actor, sync: SecretSync, data: SyncInput) -> dict[str, Any]:
    """Set the members of the sync; returns those of the policy that the options brought."""
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
    _owned_by(sync, actor)
    return changed_members(actor, sync, held)


def update_sync(
    actor: Actor,
    sync: SecretSync,
    data: SyncInput = _NOTHING,
    policy: Mapping[str, Any] | None = None,
    *,
    digest: str = "",
    leaving: str = KEEP,
) -> SecretSync:
    """Change a sync and members of its policy (model field names); whoever saves the sync becomes its owner.

    With auto-sync on, any change runs it; switched on, even if it is on, it ends the pause of a removal.
    `digest`: of the plan that a person has confirmed (`propose`); its deletes are approved, unless the project requires
    another approver. Without one the first run at another location is held as soon as it would delete a foreign key.
    Raises BadRequest, with nothing stored, if the plan is another one.
    """
    stored = syncs().get(pk=sync.pk)
    own, former = data != _NOTHING or not policy, stored.location
    draft, members = _changed(actor, sync, data, policy or {})
    if not digest and draft.location == former:
        draft.confirmed_deletes = stored.confirmed_deletes  # another policy alone starts no first run
    confirmed = None
    if digest:
        confirmed = plan_change(actor, syncs().get(pk=sync.pk), draft)
        confirmed.require(digest)
        if requires_other_approver(draft.project_id):
            confirmed = None  # what it deletes is held, for somebody else
    if confirmed:
        draft.confirmed_deletes = None if draft.confirmed_deletes is None else confirmed.deletes
    try:
        with transaction.atomic():
            lock_folders([draft.folder] if draft.folder else [])
            if own:
                changes = sync_changes(syncs().get(pk=draft.pk), draft)
                audit.record(actor, "update-secret-sync", draft.project_id, changes=changes, **audited(draft))
                draft.save(update_fields=_EDITABLE)
                move_to_location(draft, actor, former=former, choice=leaving)
            if members:
                store_policy(actor, draft, members)
            if draft.confirmed_deletes is not None:
                InitialSet.objects.filter(sync=draft, location=draft.location).delete()
            SecretSync.objects.filter(pk=draft.pk).update(
                generation=F("generation") + 1, confirmed_deletes=draft.confirmed_deletes
            )
            if data.is_auto_sync_enabled:
                end_removal_pause(draft)
            want(actor, [draft], causes=[cause_of("sync-changed" if own else "policy", actor)])
            if confirmed:
                approve_waiting(actor, draft, confirmed.checked.plan)
    except IntegrityError:
        raise _name_in_use(draft) from None
    return syncs().get(pk=draft.pk)


_EDITABLE = (
    "name",
    "description",
    "folder",
    "connection",
    "is_auto_sync_enabled",
    "destination_config",
    "sync_options",
    "location",
    "confirmed_deletes",
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


def update_policy(actor: Actor, sync: SecretSync, data: Mapping[str, Any], *, digest: str = "") -> SyncPolicy:
    """Change members of the policy (model field names). A run under way stops; the next one follows the new policy.

    `pause_reason` says why it is `paused`; `digest`: as of `update_sync`.
    """
    if digest:
        return update_sync(actor, sync, policy=data, digest=digest).policy
    apply_policy(actor, sync, data)
    check_together(sync, sync.policy)
    if set(data) & FILTERS:
        refuse_overlaps(actor, sync, stored=syncs().get(pk=sync.pk))
    if data.get("recursive"):
        refuse_conflicts(sync)
    with transaction.atomic():
        store_policy(actor, sync, data)
        SecretSync.objects.filter(pk=sync.pk).update(generation=F("generation") + 1)
        if not sync.policy.paused:
            kind = "resumed" if set(data) <= {"paused", "pause_reason"} else "policy"
            schedule(actor, [sync], "change", causes=[cause_of(kind, actor)])
    return sync.policy


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
