"""The state of syncs, computed by the database: for one sync, a page of them, a filter or a count.

Only `with_state` decides it. `status` adds what people read beside it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import (
    BooleanField,
    Case,
    CharField,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.utils import timezone

from config.access.models import Instance
from config.access.roles import Actor
from syncs.models import SecretSync, Status, SyncRun, SyncState
from syncs.planning.kept import all_kept_keys

TONES: dict[str, str] = {
    SyncState.PAUSED: "warn",
    SyncState.SOURCE_MISSING: "bad",
    SyncState.HELD: "warn",
    SyncState.FAILING: "bad",
    SyncState.DRIFTED: "warn",
    SyncState.INCOMPLETE: "warn",
    SyncState.KEPT: "warn",
    SyncState.RETRYING: "busy",
    SyncState.PENDING: "busy",
    SyncState.RUNNING: "busy",
    SyncState.NEVER_RAN: "calm",
    SyncState.UP_TO_DATE: "good",
}

ATTENTION = (
    SyncState.PAUSED,
    SyncState.SOURCE_MISSING,
    SyncState.HELD,
    SyncState.FAILING,
    SyncState.DRIFTED,
    SyncState.INCOMPLETE,
    SyncState.KEPT,
)
"""States in which something waits for a person."""

WRITING = ("sync", "undo", "remove")
"""Operations whose outcome is the sync's; an import changes the source."""


def visible(actor: Actor, field: str = "project_id") -> Q:
    """The rows, whose project is at `field`, that the actor may see."""
    return Q() if actor.projects is None else Q(**{f"{field}__in": actor.projects})


def with_state(found: QuerySet[Any], kept: Collection[UUID] | None = None) -> QuerySet[Any]:
    """Syncs with `state` (of SyncState) and `holds_<state>` for all that hold.

    Also `held_run` and `last_ended`, the ids of the held run and of the newest that has ended at the sync's location;
    `failing_since`, when the first run failed after the last complete one. `kept`: the syncs of `all_kept_keys`,
    if they are known.
    """
    facts = found.annotate(**_runs()).annotate(
        **{
            f"holds_{state}": ExpressionWrapper(holds, BooleanField())
            for state, holds in _conditions(all_kept_keys() if kept is None else kept).items()
        }
    )
    whens = [When(**{f"holds_{state}": True}, then=Value(state.value)) for state in _ORDER]
    state = Case(*whens, default=Value(SyncState.UP_TO_DATE.value), output_field=CharField())
    marked: QuerySet[Any] = facts.annotate(state=state)
    return marked


_ORDER = [state for state in SyncState if state is not SyncState.UP_TO_DATE]


def _runs() -> dict[str, Any]:
    here = Q(location=OuterRef("location")) | Q(location="")  # without one: it ended before it had begun
    # One that a person cancelled has left keys out, also if it had not begun to write.
    cancelled = ~Q(cancelled_by="") & Q(status__in=(Status.FAILED, Status.SUPERSEDED))
    over = Q(status__in=(Status.SUCCEEDED, Status.FAILED)) | cancelled
    ended = SyncRun.objects.filter(here, over, sync=OuterRef("pk"), operation__in=WRITING).order_by("-created_at")
    outcome = Case(When(Q(is_incomplete=True) | cancelled, then=Value("incomplete")), default=F("status"))
    held = SyncRun.objects.filter(sync=OuterRef("pk"), status=Status.HELD)
    good = Coalesce(OuterRef("last_synced_at"), Value(datetime.min.replace(tzinfo=UTC)))
    failed = ended.filter(status=Status.FAILED, ended_at__gt=good).order_by("ended_at")
    return {
        "held_run": Subquery(held.values("pk")[:1]),
        "last_ended": Subquery(ended.values("pk")[:1]),
        "failing_since": Subquery(failed.values("ended_at")[:1]),
        "last_status": Subquery(ended.values_list(outcome)[:1]),
    }


def _conditions(kept: Collection[UUID]) -> dict[SyncState, Q]:
    """For each state but the last, when it holds."""
    everything = Exists(Instance.objects.filter(paused_at__isnull=False))
    own = SyncRun.objects.filter(sync=OuterRef("pk"))
    waiting = own.filter(status=Status.PENDING)
    # Between the attempts of a run, or after a run that failed. A member is stored only if it is not 0.
    retries = Q(trigger="retry") | Q(options__has_key="tries") | Q(started_at__isnull=False, due_at__gt=timezone.now())
    carrying = own.filter(
        Q(source_rev=0) | Q(source_rev__gte=OuterRef("wanted_rev")), operation="sync", status=Status.RUNNING
    )
    behind = Q(wanted_rev__gt=F("done_rev"), last_ended__isnull=False) & ~Q(Exists(carrying))
    return {
        SyncState.PAUSED: Q(policy__paused=True) | Q(connection__paused_at__isnull=False) | Q(everything),
        SyncState.SOURCE_MISSING: Q(folder__isnull=True) | Q(connection__isnull=True),
        SyncState.HELD: Q(held_run__isnull=False),
        SyncState.FAILING: Q(last_status=Status.FAILED),
        SyncState.DRIFTED: Q(drift__status="drifted"),
        SyncState.INCOMPLETE: Q(last_status="incomplete"),
        SyncState.KEPT: Q(pk__in=list(kept)),
        SyncState.RETRYING: Q(Exists(waiting.filter(retries))),
        SyncState.PENDING: Q(Exists(waiting.exclude(retries))) | behind,
        SyncState.RUNNING: Q(Exists(own.filter(status=Status.RUNNING))),
        SyncState.NEVER_RAN: Q(last_ended__isnull=True),
    }


def counted(actor: Actor, kept: Collection[UUID] | None = None) -> dict[SyncState, int]:
    """State -> how many syncs that the actor may see, for every state."""
    return overview(actor, kept)[0]


def overview(actor: Actor, kept: Collection[UUID] | None = None) -> tuple[dict[SyncState, int], bool]:
    """As `counted`, and whether one of the syncs has ever been complete. One query, if `kept` is known."""
    found = with_state(SecretSync.objects.filter(visible(actor)).order_by(), kept).values("state")
    rows = list(found.annotate(n=Count("pk"), complete=Count("last_synced_at")))
    by_state = {row["state"]: row["n"] for row in rows}
    return {state: by_state.get(state, 0) for state in SyncState}, any(row["complete"] for row in rows)


def counted_by_destination() -> list[tuple[str, str, int]]:
    """(destination, state, how many) of all syncs."""
    rows = with_state(SecretSync.objects.order_by()).values("destination", "state").annotate(n=Count("pk"))
    return [(row["destination"], row["state"], row["n"]) for row in rows]


def urgent(actor: Actor, most: int, kept: Collection[UUID] | None = None) -> list[Any]:
    """Syncs that wait for a person: the most urgent first, those that are only paused last."""
    found = with_state(SecretSync.objects.filter(visible(actor)), kept).filter(state__in=ATTENTION)
    ranks = [When(**{f"holds_{state}": True}, then=Value(n)) for n, state in enumerate(ATTENTION) if n]
    rank = Case(*ranks, default=Value(len(ATTENTION)))
    return list(found.select_related("project", "connection", "policy", "drift").order_by(rank, "name")[:most])
