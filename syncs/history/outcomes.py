"""What became of the keys of runs, in numbers and words. A key has one outcome; a failed one was not written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from uuid import UUID

from django.db.models import Count, Q

from syncs.engine.types import Action
from syncs.models import RunChange, Status, SyncRun

OUTCOMES = ("failed", "blocked", "pending", "applied", "kept", "dismissed", "skipped", "unchanged")
"""In the order of display."""

Numbers = Mapping[tuple[str, str], int]
"""(outcome, action) -> how many keys."""

_OPEN = (Status.PENDING, Status.RUNNING, Status.HELD)
_DECIDED = (Action.DELETE, Action.KEEP)  # what a dismissal is about


def outcome_of(run: SyncRun, row: RunChange) -> str:
    """One of OUTCOMES. A key that its run did not come to is skipped, or dismissed with its run."""
    return _outcome(run, row.action, row.outcome)


def _outcome(run: SyncRun, action: str, outcome: str) -> str:
    if outcome:
        return outcome
    if run.status in _OPEN:
        return "pending"
    return "dismissed" if run.status == Status.DISMISSED and action in _DECIDED else "skipped"


def with_outcome(run: SyncRun, outcome: str) -> Q:
    """The rows of the run that have it."""
    chosen = Q(outcome=outcome)
    if _outcome(run, Action.DELETE, "") == outcome:
        chosen |= Q(outcome="", action__in=_DECIDED)
    if _outcome(run, Action.CREATE, "") == outcome:
        chosen |= Q(outcome="") & ~Q(action__in=_DECIDED)
    return chosen


def numbers_of(runs: Iterable[SyncRun]) -> dict[UUID, dict[tuple[str, str], int]]:
    """Run -> (outcome, action) -> how many of its recorded keys. One query."""
    known = {run.pk: run for run in runs}
    found: dict[UUID, dict[tuple[str, str], int]] = {pk: {} for pk in known}
    rows = RunChange.objects.filter(run__in=list(found)).order_by().values_list("run", "outcome", "action")
    for run_id, outcome, action, number in rows.annotate(n=Count("pk")):
        key = _outcome(known[run_id], action, outcome), action
        found[run_id][key] = found[run_id].get(key, 0) + number
    return found


def numbers_in(run: SyncRun) -> Numbers:
    """As `numbers_of`, of one run; without a query if its changes are loaded."""
    if "changes" not in getattr(run, "_prefetched_objects_cache", {}):
        return numbers_of([run])[run.pk]
    return Counter((outcome_of(run, row), row.action) for row in run.changes.all())


def by_outcome(numbers: Numbers, run: SyncRun | None = None) -> dict[str, int]:
    """Outcome -> how many keys; with `run` also those that it only listed: unchanged and unmanaged ones."""
    found: dict[str, int] = {}
    for (outcome, _), number in numbers.items():
        found[outcome] = found.get(outcome, 0) + number
    if run is not None:
        for outcome, names in (("unchanged", run.unchanged), ("kept", run.unmanaged)):
            if names:
                found[outcome] = found.get(outcome, 0) + len(names)
    return {outcome: found[outcome] for outcome in OUTCOMES if found.get(outcome)}


def in_words(run: SyncRun, numbers: Numbers) -> str:
    """Such as "3 written, 1 deleted, 2 failed"; of a run that waits or is held, what it is to do."""
    counts = by_outcome(numbers)
    deleted = numbers.get(("applied", Action.DELETE), 0)
    parts = [
        (counts.get("applied", 0) - deleted, "written"),
        (deleted, "deleted"),
        *((counts.get(outcome, 0), outcome) for outcome in ("failed", "blocked", "kept", "dismissed", "skipped")),
        (counts.get("pending", 0), "to do"),
    ]
    return ", ".join(f"{number} {word}" for number, word in parts if number)
