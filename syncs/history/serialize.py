"""A run as people and programs read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

from typing_extensions import TypedDict

from config.conventions import timestamp
from config.responses import Message, Name, Time, Uuid, one_of, text
from syncs.engine.reasons import Reason
from syncs.models import AFTER_WRITES, RunChange, SyncRun

from .outcomes import OUTCOMES, Numbers, by_outcome, numbers_in, numbers_of, outcome_of
from .run_reasons import ReasonJson, reason_as_json
from .texts import waits_for_retry

OPERATIONS = ("sync", "import", "remove", "undo")
TRIGGERS = ("manual", "change", "schedule", "retry", "approval")
_Key = Annotated[str, text(example="DB_URL")]


class RunActor(TypedDict):
    kind: str
    id: str | None
    name: Name


class Run(TypedDict):
    id: Uuid
    operation: Annotated[str, one_of(OPERATIONS)]
    trigger: Annotated[str, one_of(TRIGGERS)]
    actor: RunActor
    status: str
    message: Message | None
    comment: str | None
    attempts: int
    counts: dict[str, int]
    outcomes: dict[str, int]
    retryAt: Time | None
    reason: ReasonJson
    createdAt: Time
    startedAt: Time | None
    endedAt: Time | None


class RunError(TypedDict):
    code: str
    message: Message


class RunChangeJson(TypedDict):
    key: _Key
    sourceKey: str | None
    action: str
    outcome: Annotated[str, one_of(OUTCOMES)]
    reason: str
    error: RunError | None


class RunAction(TypedDict):
    action: Annotated[str, one_of(AFTER_WRITES[1:])]
    outcome: Annotated[str, one_of(("applied", "failed"))]
    error: RunError | None


class RunWithKeys(Run):
    actions: list[RunAction]
    changes: list[RunChangeJson]


class RunInHistory(RunWithKeys):
    sync: str
    destination: str


def run_as_json(run: SyncRun, numbers: Numbers | None = None) -> Run:
    """`numbers`: of `numbers_of`, if known. `counts` is by planned action, `outcomes` by what became of the keys."""
    numbers = numbers_in(run) if numbers is None else numbers
    return {
        "id": str(run.pk),
        "operation": run.operation,
        "trigger": run.trigger,
        "actor": {"kind": run.actor_kind, "id": run.actor_id or None, "name": run.actor_name},
        "status": run.status,
        "message": run.message,
        "comment": run.comment or None,
        "attempts": run.attempts,
        "counts": run.counts,
        "outcomes": by_outcome(numbers, run),
        "retryAt": timestamp(run.due_at if waits_for_retry(run) else None),
        "reason": reason_as_json(run.reason),
        "createdAt": timestamp(run.created_at),
        "startedAt": timestamp(run.started_at),
        "endedAt": timestamp(run.ended_at),
    }


def runs_as_json(runs: Iterable[SyncRun]) -> list[Run]:
    """In two queries, whatever their number."""
    found = list(runs)
    numbers = numbers_of(found)
    return [run_as_json(run, numbers[run.pk]) for run in found]


def run_with_keys(run: SyncRun) -> RunWithKeys:
    return {**run_as_json(run), "actions": _actions(run), "changes": list(changes_as_json(run))}


def _actions(run: SyncRun) -> list[RunAction]:
    """What was done after the writes."""
    if (after := run.after) is None:
        return []
    error: RunError | None = {"code": after.code, "message": after.message} if after.outcome == "failed" else None
    return [{"action": after.action, "outcome": after.outcome, "error": error}]


def changes_as_json(run: SyncRun) -> Iterator[RunChangeJson]:
    """Every key of the run: those with an outcome of their own first, then unchanged and unmanaged ones."""
    for row in run.changes.all():
        yield {
            "key": row.key,
            "sourceKey": row.source_key or None,
            "action": row.action,
            "outcome": outcome_of(run, row),
            "reason": row.reason,
            "error": _error(row),
        }
    for names, action, outcome in ((run.unchanged, "unchanged", "unchanged"), (run.unmanaged, "keep", "kept")):
        for name in names:
            yield {
                "key": name,
                "sourceKey": None,
                "action": action,
                "outcome": outcome,
                "reason": (Reason.UNCHANGED if action == "unchanged" else Reason.UNMANAGED).text(),
                "error": None,
            }


def outcomes(run: SyncRun) -> Iterator[dict[str, str]]:
    """One line per key for a terminal."""
    for row in run.changes.all():
        yield {
            "outcome": outcome_of(run, row),
            "action": row.action,
            "key": row.key,
            "why": row.error_message or row.reason,
        }
    if run.after:
        yield {
            "outcome": run.after.outcome,
            "action": run.after.action,
            "key": "",
            "why": run.after.message or "after the writes",
        }
    if run.unchanged:
        yield {
            "outcome": "unchanged",
            "action": "",
            "key": f"{len(run.unchanged)} keys",
            "why": Reason.UNCHANGED.text(),
        }
    if run.unmanaged:
        key, why = f"{len(run.unmanaged)} keys", Reason.UNMANAGED.text()
        yield {"outcome": "kept", "action": "", "key": key, "why": why}


def _error(row: RunChange) -> RunError | None:
    if row.outcome not in ("failed", "blocked"):
        return None
    return {"code": row.error_code, "message": row.error_message or row.reason}
