"""Held runs: the deletes that they list are approved or dismissed by a person."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from config.access import audit
from config.access.models import Membership, Project, Role
from config.access.roles import Actor, Right
from config.errors import BadRequest, Forbidden, Invalid, problem
from connections.refusals import lift_wait
from syncs.engine.plan import Approval, Change, Plan
from syncs.engine.reasons import DECIDE_AT
from syncs.engine.types import Action
from syncs.models import RunOptions, SecretSync, Status, SyncDefaults, SyncPolicy, SyncRun, cause_of
from syncs.planning.memory import basis_of_dismissal
from syncs.planning.preview import preview
from syncs.planning.records import planned_row, record_changes
from syncs.source.selectors import syncs

from .propagation import enqueue, want
from .secret_rows import batches
from .triggers import audited, refuse_paused

MAX_LISTED, LENGTH = 10, 50  # keys that a hold's message names, and characters of each
MAX_COMMENT = 1024
MAX_NAMED = 5  # people that a refusal names
MAY_APPROVE = (Role.MEMBER, Role.ADMIN)
NOT_HELD = "This run is no longer held"


def refresh(held: SyncRun, plan: Plan) -> str:
    """Update a held run to the present plan; returns its message. Call it in the transaction that locked the run."""
    url = f"{settings.PUBLIC_URL}/admin/syncs/syncrun/{held.pk}/change/"
    reason = plan.held or "its deletes were not approved"
    written = "Its creates and updates were written." if held.options.wrote else "Nothing was written."
    message = f"Held: {reason}. To be deleted: {_listed(plan)}. {written}{DECIDE_AT}{url}"
    held.message = message[:1024]
    held.status, held.digest, held.counts = Status.HELD, plan.digest, plan.counts
    held.ended_at, held.due_at = timezone.now(), None
    # With object ids: a key that was recreated since is another one.
    held.options = replace(
        held.options,
        shown={change.normalized_key: _object_id(change) for change in plan.guarded},
        shown_blocked=blocked_in(plan),
    )
    # Kept with the run, so that they are known for as long as its keys are.
    changed_by = SecretSync.objects.values_list("changed_by", flat=True).get(pk=held.sync_id)
    held.authors = [*held.authors, *(author for author in changed_by if author not in held.authors)]
    held.save()
    held.changes.all().delete()
    record_changes(held, [planned_row(held, change) for change in plan.changes if change.write or change.suspended])
    return held.message


def approval_of(options: RunOptions) -> Approval | None:
    """What a person approved of the deletes of a run."""
    if options.approved is None:
        return None
    return Approval(options.approved, frozenset(options.approved_blocked), options.approved_at)


def approval_options(plan: Plan, generation: int) -> RunOptions:
    """Options of a run whose deletes were approved as this plan shows them, for a sync of this generation."""
    return RunOptions(
        approved={change.normalized_key: _object_id(change) for change in plan.guarded},
        approved_blocked=blocked_in(plan),
        approved_at=generation,
    )


def blocked_in(plan: Plan) -> tuple[str, ...]:
    """Normalized keys."""
    return tuple(change.normalized_key for change in plan.changes if change.action is Action.BLOCKED)


def _object_id(change: Change) -> str | None:
    return change.remote.object_id if change.remote else None


def _listed(plan: Plan) -> str:
    """The keys to be deleted, few enough that the link after them is not cut off."""
    keys = [change.key for change in plan.guarded]
    short = [key if len(key) <= LENGTH else f"{key[: LENGTH - 3]}..." for key in keys[:MAX_LISTED]]
    return ", ".join(short) + (f" and {len(keys) - MAX_LISTED} more" if len(keys) > MAX_LISTED else "")


def held_runs(actor: Actor) -> QuerySet[SyncRun]:
    """The held runs that the actor may decide on, the longest held first."""
    projects = [project_id for project_id in actor.roles if actor.may(Right.RUN_SYNCS, project_id)]
    runs = SyncRun.objects.filter(status=Status.HELD, sync__project__in=projects, sync__deleted_at=None)
    return runs.order_by("ended_at")


def requires_other_approver(project_id: UUID) -> bool:
    """Whether the author of a change may not approve the deletes that follow from it, so that they are held."""
    return SyncDefaults.objects.filter(project=project_id, other_approver=True).exists()


def require_approver(actor: Actor, sync: SecretSync, keys: Sequence[str]) -> None:
    """For deletes (normalized keys) that no held run lists any more. Raises Forbidden for authors of those that did."""
    if not requires_other_approver(sync.project_id):
        return
    authors = list(SecretSync.objects.values_list("changed_by", flat=True).get(pk=sync.pk))
    for batch in batches(keys):
        listing = SyncRun.objects.filter(sync=sync, changes__normalized_key__in=batch).exclude(authors=[])
        authors += [author for found in listing.values_list("authors", flat=True) for author in found]
    if actor.kind != "user" or any(own_id == str(actor.id) for _, own_id, _ in authors):
        people = _people_of([sync.project_id]).get(sync.project_id, {})
        raise Forbidden(_refusal(sync.project, authors, people))


def why_not_approve(actor: Actor, runs: Collection[SyncRun]) -> dict[UUID, str]:
    """By run, why the actor may not approve it although its role allows it. Three queries at most.

    The rule of a project: a person approves who is not an author of the changes that the run carries.
    """
    projects = {run.sync.project_id for run in runs}
    ruled = SyncDefaults.objects.filter(project__in=projects, other_approver=True)
    strict = set(ruled.values_list("project_id", flat=True))
    changed_by = dict(SecretSync.objects.filter(runs__in=runs).values_list("pk", "changed_by")) if strict else {}
    refused: dict[UUID, list[list[str]]] = {}
    for run in runs:
        authors = [*run.authors, *changed_by.get(run.sync_id, ())]
        is_author = any(own_id == str(actor.id) for _, own_id, _ in authors)
        if run.sync.project_id in strict and (actor.kind != "user" or is_author):
            refused[run.pk] = authors
    people = _people_of(strict) if refused else {}
    return {
        run.pk: _refusal(run.sync.project, refused[run.pk], people.get(run.sync.project_id, {}))
        for run in runs
        if run.pk in refused
    }


def _people_of(projects: Collection[UUID]) -> dict[UUID, dict[str, str]]:
    """By project, the people who may approve: id -> name."""
    found: dict[UUID, dict[str, str]] = {}
    rows = Membership.objects.filter(project__in=projects, user__is_active=True, role__in=MAY_APPROVE)
    for project_id, own_id, name in rows.order_by("user__username").values_list("project", "user", "user__username"):
        found.setdefault(project_id, {})[str(own_id)] = name
    return found


def _refusal(project: Project, authors: Collection[Sequence[str]], people: Mapping[str, str]) -> str:
    names = list(dict.fromkeys(name for _, _, name in authors))
    changed = f" ({', '.join(names[:MAX_NAMED])})" if names else ""
    others = [name for own_id, name in people.items() if own_id not in {each for _, each, _ in authors}]
    may = ", ".join(others[:MAX_NAMED]) + (" and others" if len(others) > MAX_NAMED else "")
    ask = f"Ask {may}." if may else "Nobody else in it may approve: add a member, or let an admin change this rule."
    rule = "requires that a held run is approved by a person who did not make its changes"
    return f"The project {project.name} {rule}{changed}. {ask}"


def require_held(run: SyncRun, digest: str = "") -> None:
    """Raises BadRequest if the run is no longer held, or lists something else than what was shown (`digest`)."""
    if run.status != Status.HELD:
        raise BadRequest(NOT_HELD)
    if digest and digest != run.digest:
        raise BadRequest("Nothing was decided: the run lists other keys now. Look again, and approve or dismiss it.")


def checked_comment(comment: str) -> str:
    """Raises Invalid if it is too long."""
    comment = comment.strip()
    if len(comment) > MAX_COMMENT:
        raise Invalid([problem(["comment"], f"A comment has at most {MAX_COMMENT} characters")])
    return comment


def approve(actor: Actor, run: SyncRun, *, writes_only: bool = False, comment: str = "", digest: str = "") -> SyncRun:
    """Approve a held run: with the deletes that it lists, or its writes alone. `digest`: of the plan that was shown.

    It is planned again first: raises BadRequest, with the held run refreshed, if it would now delete more. Raises
    Forbidden if the project requires another approver.
    """
    actor.require(Right.RUN_SYNCS, run.sync.project_id)
    comment = checked_comment(comment)
    refuse_paused(run.sync)
    require_held(run, digest)
    if why := why_not_approve(actor, [run]).get(run.pk):
        raise Forbidden(why)
    shown, options = run.options.shown, RunOptions(writes_only=True)
    if writes_only and SyncPolicy.objects.filter(sync=run.sync_id, paused=True).exists():
        raise BadRequest("The sync is paused, and until it is resumed an approval writes nothing: resume it first.")
    if not writes_only:
        # The generation from before the plan: a change meanwhile voids the approval.
        generation = SecretSync.objects.values_list("generation", flat=True).get(pk=run.sync_id)
        _require_no_more(run, shown)
        options = RunOptions(approved=dict(shown), approved_blocked=run.options.shown_blocked, approved_at=generation)
    with transaction.atomic():
        keys = list(shown)[:100]
        event = {"run": run.pk, "writesOnly": writes_only, "comment": comment, "keys": keys, **audited(run.sync)}
        audit.record(actor, "approve-run", run.sync.project_id, **event)
        updated = SyncRun.objects.filter(pk=run.pk, status=Status.HELD).update(
            status=Status.PENDING,
            trigger="approval",
            # From now on it is a run of its approver, in history and in the audit log.
            actor_kind=actor.kind,
            actor_id=str(actor.id or ""),
            actor_name=actor.name,
            comment=comment,
            options=options,
            reason=run.reason.plus([cause_of("approved", actor)]),
            started_at=None,  # the time in which it waited for a person is no time of the run
            due_at=timezone.now(),
            queued_at=None,
        )
        if not updated:
            raise BadRequest(NOT_HELD)
        SecretSync.objects.filter(pk=run.sync_id).update(sync_status=Status.PENDING)
        lift_wait(run.sync.connection.pk)
        transaction.on_commit(lambda: enqueue(run.pk))
    return SyncRun.objects.get(pk=run.pk)


def _require_no_more(run: SyncRun, shown: Mapping[str, str | None]) -> None:
    sync = syncs().get(pk=run.sync_id)
    plan = preview(sync, run.operation)
    more = [
        change
        for change in plan.guarded
        if change.normalized_key not in shown or shown[change.normalized_key] != _object_id(change)
    ]
    if not more:
        return
    with transaction.atomic():
        held = SyncRun.objects.select_for_update().filter(pk=run.pk, status=Status.HELD).first()
        if held is None:
            raise BadRequest(NOT_HELD)
        message = refresh(held, plan)
        SecretSync.objects.filter(pk=sync.pk).update(last_sync_message=message)
    names = ", ".join(change.key for change in more[:10]) + (", ..." if len(more) > 10 else "")
    raise BadRequest(
        f"Nothing was approved: the run would now delete {len(more)} more than it listed ({names}). "
        "It lists them now; look again, and approve or dismiss it."
    )


def dismiss(actor: Actor, run: SyncRun, *, comment: str = "", digest: str = "") -> SyncRun:
    """Keep the keys that a held run would delete until their source or the policy changes; other keys are synced."""
    actor.require(Right.RUN_SYNCS, run.sync.project_id)
    comment = checked_comment(comment)
    require_held(run, digest)
    with transaction.atomic():
        keys = list(run.changes.values_list("key", flat=True)[:100])
        event = {"run": run.pk, "comment": comment, "keys": keys, **audited(run.sync)}
        audit.record(actor, "dismiss-run", run.sync.project_id, **event)
        message = f"Dismissed by {actor.name}: its keys are kept."
        updated = SyncRun.objects.filter(pk=run.pk, status=Status.HELD).update(
            status=Status.DISMISSED,
            ended_at=timezone.now(),
            message=message,
            comment=comment,
            options=replace(run.options, stands_on=basis_of_dismissal(run.sync)),
        )
        if not updated:
            raise BadRequest(NOT_HELD)
        # If no run follows by itself, the sync must not still ask for a decision.
        SecretSync.objects.filter(pk=run.sync_id).update(last_sync_message=message)
        want(actor, [run.sync], is_change=False, causes=[cause_of("dismissed", actor, run=run.pk)])
    return SyncRun.objects.get(pk=run.pk)
