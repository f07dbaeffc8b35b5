"""Keys that are kept on request: deleted after all, by an approval of their own, or forgotten."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db import transaction

from config.access import audit
from config.access.roles import Actor, Right
from config.errors import BadRequest
from syncs.engine.plan import Approval, Plan, State
from syncs.models import InitialSet, ManagedSecret, RunOptions, SecretSync, SyncRun, cause_of
from syncs.planning.kept import OFFERED, KeptKey, kept_keys
from syncs.planning.preview import preview

from .approvals import blocked_in, require_approver
from .propagation import want
from .triggers import audited, refuse_paused, trigger


def chosen(sync: SecretSync, keys: Collection[str] | None) -> list[KeptKey]:
    """The kept keys of these names; None: all. Raises BadRequest that names one that is not kept."""
    kept = kept_keys(sync)
    if keys is not None:
        unknown = sorted(set(keys) - {each.key for each in kept})
        if unknown:
            raise BadRequest(f"{unknown[0]} is not kept on request: list the kept keys again")
        kept = [each for each in kept if each.key in keys]
    if not kept:
        raise BadRequest("No key of this sync is kept on request")
    return kept


def plan_of_delete(actor: Actor, sync: SecretSync, keys: Collection[str] | None = None) -> Plan:
    """The next run of the sync, if the deletes of these keys were approved. Nothing is written."""
    actor.require(Right.RUN_SYNCS, sync.project_id)
    return preview(sync, approval=_approval(sync, chosen(sync, keys)))


def _approval(sync: SecretSync, kept: Sequence[KeptKey]) -> Approval:
    return Approval({each.normalized_key: each.object_id for each in kept}, None, sync.generation)


def delete_kept(
    actor: Actor, sync: SecretSync, keys: Collection[str] | None = None, *, digest: str | None = None
) -> SyncRun:
    """Queue a run that deletes these very objects.

    Raises BadRequest if it would not, or if its plan is not the one of `digest`, and Forbidden if the project requires
    another approver.
    """
    actor.require(Right.RUN_SYNCS, sync.project_id)
    refuse_paused(sync)
    kept = chosen(sync, keys)
    require_approver(actor, sync, [each.normalized_key for each in kept])
    approval = _approval(sync, kept)
    plan = preview(sync, approval=approval)
    if digest is not None and digest != plan.digest:
        raise BadRequest("Nothing was deleted: the plan has changed since it was shown. Look at it again.")
    deleted = {change.normalized_key for change in plan.deletes}
    for each in kept:
        if each.normalized_key not in deleted:
            why = next((one.reason for one in plan.changes if one.normalized_key == each.normalized_key), "not listed")
            raise BadRequest(f"Nothing was deleted: {each.key} would stay ({why}).")
    options = RunOptions(
        approved=dict(approval.deletes), approved_blocked=blocked_in(plan), approved_at=approval.generation
    )
    return trigger(actor, sync, "sync", options=options, approved=True)


def forget_kept(actor: Actor, sync: SecretSync, keys: Collection[str] | None = None) -> list[KeptKey]:
    """The sync no longer knows these keys: they stay where they are, left on purpose, and nothing deletes them."""
    actor.require(Right.RUN_SYNCS, sync.project_id)
    with transaction.atomic():
        SecretSync.objects.select_for_update().get(pk=sync.pk)
        kept = chosen(sync, keys)
        names = [each.normalized_key for each in kept]
        rows = ManagedSecret.objects.filter(location=sync.location, normalized_key__in=names)
        owned = set(rows.filter(sync=sync).values_list("normalized_key", flat=True))
        rows.filter(sync=sync).update(sync=None)
        ManagedSecret.objects.bulk_create(
            [_left(sync, each) for each in kept if each.normalized_key not in owned], ignore_conflicts=True
        )
        first = InitialSet.objects.filter(sync=sync, location=sync.location).first()
        if first and any(each.why == OFFERED for each in kept):
            first.keys = {key: object_id for key, object_id in first.keys.items() if key not in names}
            first.save(update_fields=["keys"])
        audit.record(
            actor, "forget-kept-keys", sync.project_id, keys=[each.key for each in kept][:100], **audited(sync)
        )
        others = SecretSync.objects.filter(location=sync.location).exclude(pk=sync.pk)
        want(actor, others, causes=[cause_of("released", names=[sync.name])])
    return kept


def _left(sync: SecretSync, kept: KeptKey) -> ManagedSecret:
    return ManagedSecret(
        location=kept.location,
        normalized_key=kept.normalized_key,
        key=kept.key,
        sync=None,
        connection=sync.connection,
        destination=sync.destination,
        destination_config=sync.destination_config,
        state=State.OWNED,
        object_id=kept.object_id,
    )
