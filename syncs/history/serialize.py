"""A run as people and programs read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from config.conventions import timestamp
from syncs.engine.reasons import Reason
from syncs.models import RunChange, SyncRun


def run_as_json(run: SyncRun, *, detail: bool = False) -> dict[str, Any]:
    """The `run` object of the API; `detail` adds its keys."""
    shown: dict[str, Any] = {
        "id": str(run.pk),
        "operation": run.operation,
        "trigger": run.trigger,
        "actor": {"kind": run.actor_kind, "id": run.actor_id or None, "name": run.actor_name},
        "status": run.status,
        "message": run.message,
        "attempts": run.attempts,
        "counts": run.counts,
        "createdAt": timestamp(run.created_at),
        "startedAt": timestamp(run.started_at),
        "endedAt": timestamp(run.ended_at),
    }
    if detail:
        shown["changes"] = list(changes_as_json(run))
    return shown


def changes_as_json(run: SyncRun) -> Iterator[dict[str, Any]]:
    """Every key of the run: those with something to tell first, then those that needed nothing."""
    for row in run.changes.all():
        yield {
            "key": row.key,
            "sourceKey": row.source_key or None,
            "action": row.action,
            "outcome": row.outcome or None,
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
    """One line a key for a terminal."""
    for row in run.changes.all():
        yield {
            "outcome": row.outcome,
            "action": row.action,
            "key": row.key,
            "why": row.error_message or row.reason,
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


def _error(row: RunChange) -> dict[str, str] | None:
    if row.outcome not in ("failed", "blocked"):
        return None
    return {"code": row.error_code, "message": row.error_message or row.reason}
