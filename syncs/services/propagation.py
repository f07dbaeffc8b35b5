"""The syncs that a change reaches, and their runs. The change and `wanted_rev` are committed together.

A change in a folder reaches the folder's own syncs, and those of every folder that imports it or refers to it,
however many steps away; each folder is visited once. Whatever it reaches also reaches the recursive syncs above it.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from config.access.roles import PLATFORM, Actor
from syncs.engine.addresses import Address, is_below
from syncs.models import Cause, Folder, RunReason, SecretImport, SecretReference, SecretSync, Status, SyncRun, cause_of

from .waiting import waiting_for

SPACING = timedelta(seconds=5)
"""Between the starts of two automatic runs of one sync, while edits continue."""

JITTER = 1.5
"""Seconds at most by which it is longer, so that two servers that sync to each other do not run in step."""

AT_ONCE = 10
"""Runs that the change itself queues; the dispatcher queues the rest a moment later."""


def changed(
    actor: Actor,
    project_id: UUID,
    folders: Iterable[Folder],
    also: Iterable[Address] = (),
    *,
    causes: Sequence[Cause] = (),
) -> None:
    """Schedule a run of every sync that a change in these folders reaches; `also`: addresses without a folder.

    Call it inside the transaction of the change, after the change. `causes`: the change as the runs name it.
    """
    want(actor, reached_syncs(project_id, folders, also), causes=causes)


def reached_syncs(project_id: UUID, folders: Iterable[Folder], also: Iterable[Address] = ()) -> QuerySet[SecretSync]:
    """The syncs that a change in these folders reaches."""
    folders = list(folders)
    addresses = {folder.address for folder in folders} | set(also)
    reached, known = _reached(project_id, addresses)
    reached |= {folder.pk for folder in folders}
    own = Q(folder_id__in=reached) | Q(pk__in=_recursive_above(project_id, known))
    return SecretSync.objects.filter(own, project_id=project_id)


def _recursive_above(project_id: UUID, addresses: set[Address]) -> list[UUID]:
    """Ids of the recursive syncs whose folder is above one of the addresses."""
    rows = SecretSync.objects.filter(project_id=project_id, policy__recursive=True, folder__isnull=False)
    return [
        pk
        for pk, slug, path in rows.values_list("pk", "folder__environment__slug", "folder__path")
        if any(slug == each and is_below(changed_path, path) for each, changed_path in addresses)
    ]


def _reached(project_id: UUID, addresses: set[Address]) -> tuple[set[UUID], set[Address]]:
    """The folders that import or refer to the addresses, transitively: their ids, and all addresses on the way.

    Two queries per step.
    """
    found: set[UUID] = set()
    known = set(addresses)
    pending = set(addresses)
    while pending:
        slugs, paths = {slug for slug, _ in pending}, {path for _, path in pending}
        imports = SecretImport.objects.filter(
            folder__environment__project_id=project_id, import_environment__slug__in=slugs, import_path__in=paths
        ).values_list(
            "import_environment__slug", "import_path", "folder_id", "folder__environment__slug", "folder__path"
        )
        references = (
            SecretReference.objects.filter(
                secret__folder__environment__project_id=project_id, environment__in=slugs, path__in=paths
            )
            .values_list(
                "environment", "path", "secret__folder_id", "secret__folder__environment__slug", "secret__folder__path"
            )
            .distinct()
        )
        step = set()
        for slug, path, folder_id, own_slug, own_path in [*imports, *references]:
            if (slug, path) in pending:
                found.add(folder_id)
                step.add((own_slug, own_path))
        pending = step - known
        known |= step
    return found, known


def want(
    actor: Actor,
    syncs: Iterable[SecretSync],
    trigger: str = "change",
    *,
    is_change: bool = True,
    causes: Sequence[Cause] = (),
) -> None:
    """Count a change for each sync, and schedule one automatic run of each that may run by itself.

    `is_change`: the actor is an author of what the run will write.
    """
    found = {sync.pk: sync for sync in syncs}
    if not found:
        return
    waiting = {sync.pk: sync for sync in _waiting_for_idle(found)}
    rows, new = SecretSync.objects.filter(pk__in={*found, *waiting}), authors_of(actor) if is_change else []
    with transaction.atomic():
        # In one order, so that concurrent changes cannot deadlock.
        before = list(rows.select_for_update().order_by("pk").values_list("pk", "changed_by"))
        for known, ids in _by_authors(each for each in before if each[0] in found).items():
            authors = [list(each) for each in {**dict.fromkeys(known), **dict.fromkeys(new)}]
            rows.filter(pk__in=ids).update(changed_by=authors)
        rows.update(wanted_rev=F("wanted_rev") + 1)
        schedule(actor, found.values(), trigger, causes=causes)
        if waiting:
            schedule(PLATFORM, waiting.values(), trigger, causes=causes)


_BY_ITSELF = Q(is_auto_sync_enabled=True, policy__paused=False, folder__isnull=False)


def _waiting_for_idle(found: Collection[UUID]) -> list[SecretSync]:
    """Syncs that wait for a key of one of these that does not run by itself, and may need the key no more."""
    locations = set(SecretSync.objects.filter(pk__in=found).exclude(_BY_ITSELF).values_list("location", flat=True))
    waiting = waiting_for(locations) - set(found) if locations else ()
    return list(SecretSync.objects.filter(_BY_ITSELF, pk__in=waiting)) if waiting else []


Author = tuple[str, str, str]
"""Kind, id and name."""


def authors_of(actor: Actor) -> list[Author]:
    """The author that a change of the actor's has; the platform is none."""
    return [(actor.kind, str(actor.id), actor.name)] if actor.id else []


def record_author(actor: Actor, sync: SecretSync) -> None:
    """Of a change that `want` does not count, such as one of the policy. Call it in the transaction of the change."""
    known = SecretSync.objects.select_for_update().values_list("changed_by", flat=True).get(pk=sync.pk)
    new = [list(author) for author in authors_of(actor) if list(author) not in known]
    if new:
        SecretSync.objects.filter(pk=sync.pk).update(changed_by=[*known, *new])


def _by_authors(rows: Iterable[tuple[UUID, list[list[str]]]]) -> dict[tuple[Author, ...], list[UUID]]:
    """The ids of syncs with the same authors; nearly always all have the same."""
    found: dict[tuple[Author, ...], list[UUID]] = {}
    for pk, authors in rows:
        found.setdefault(tuple((kind, own_id, name) for kind, own_id, name in authors), []).append(pk)
    return found


def schedule(
    actor: Actor,
    syncs: Iterable[SecretSync],
    trigger: str,
    *,
    at: datetime | None = None,
    causes: Sequence[Cause] = (),
) -> None:
    """Schedule one automatic run of each sync with auto-sync, a source and no pause; at most one every SPACING.

    A run that waits already has `causes` added to its reason.
    """
    now = timezone.now()
    causes = causes or [cause_of(trigger, actor)]
    ready = {
        sync.pk: sync
        for sync in SecretSync.objects.filter(
            pk__in=[sync.pk for sync in syncs],
            is_auto_sync_enabled=True,
            folder__isnull=False,
            policy__paused=False,
        )
    }
    # A waiting retry is moved forward: it carries the newest change.
    waiting = SyncRun.objects.filter(
        sync_id__in=ready, status=Status.PENDING, operation="sync", started_at__isnull=True
    ).exclude(trigger="manual")
    covered = set()
    for run in waiting:
        covered.add(run.sync_id)
        run.reason = run.reason.plus(causes)
        due = max(at or now, _earliest(ready[run.sync_id], now))
        if run.due_at is None or run.due_at > due:
            run.due_at, run.queued_at, run.trigger = due, None, trigger
    SyncRun.objects.bulk_update(waiting, ["due_at", "queued_at", "trigger", "reason"])
    fresh = [
        SyncRun(
            sync=sync,
            operation="sync",
            trigger=trigger,
            reason=RunReason().plus(causes),
            actor_kind=actor.kind,
            actor_id=str(actor.id or ""),
            actor_name=actor.name,
            due_at=max(at or now, _earliest(sync, now)),
        )
        for sync in ready.values()
        if sync.pk not in covered
    ]
    SyncRun.objects.bulk_create(fresh)
    SecretSync.objects.filter(pk__in=ready).exclude(sync_status=Status.RUNNING).update(sync_status=Status.PENDING)
    for ready_run in [run for run in fresh if run.due_at and run.due_at <= now][:AT_ONCE]:
        transaction.on_commit(partial(enqueue, ready_run.pk))


def _earliest(sync: SecretSync, now: datetime) -> datetime:
    if sync.started_at is None or sync.started_at + SPACING <= now:
        return now
    return sync.started_at + SPACING + timedelta(seconds=random.uniform(0, JITTER))


def enqueue(run_id: UUID) -> None:
    """Queue the task of a run, unless it was just queued. The queue is a hint; a lost task is queued again."""
    from django_q.tasks import async_task

    now = timezone.now()
    claimed = SyncRun.objects.filter(pk=run_id, queued_at__isnull=True).update(queued_at=now)
    if claimed:
        async_task("syncs.tasks.run", str(run_id), task_name=f"run {run_id}")
