"""A plan as people and programs read it: per key what would happen and why; a value is never part of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from config.encryption import Undecryptable
from config.errors import BadRequest
from config.responses import members, one_of, text
from connections.errors import IntegrationError
from syncs.destination.base import Destination
from syncs.engine.plan import Approval, Change, Drift, Plan, Rule, State
from syncs.engine.reasons import Reason
from syncs.engine.types import Action
from syncs.models import SecretSync, SyncRun
from syncs.source.loader import Sources

from .builder import planned_sync, removal_for
from .imports import import_for, imports_first, list_with_values
from .opening import import_behavior, opened
from .undo import restore_for

KEEP, REMOVE = "keep", "remove"
LEAVING = (KEEP, REMOVE)
"""What can happen to the keys at a location that a sync leaves."""


def preview(
    sync: SecretSync,
    operation: str = "sync",
    undone: SyncRun | None = None,
    *,
    behavior: str = "",
    approval: Approval | None = None,
) -> Plan:
    """What a run would do now, or what undoing one would; nothing is written.

    `behavior`: which side an import prefers, if not as for the sync's first run; `approval`: as if it was given. Raises
    BadRequest if the plan cannot be made.
    """
    with opened_for_plan(sync, operation, undone) as destination:
        return planned(sync, destination, operation, undone, behavior=behavior, approval=approval)


@contextmanager
def opened_for_plan(sync: SecretSync, operation: str = "sync", undone: SyncRun | None = None) -> Iterator[Destination]:
    """The destination; within, errors of the vendor are raised as BadRequest."""
    if operation in ("sync", "import") and undone is None and sync.folder is None:
        raise BadRequest(
            "Invalid source configuration: folder no longer exists. Please configure a valid source and try again."
        )
    try:
        with opened(sync) as destination:
            yield destination
    except IntegrationError as error:
        raise BadRequest(f"Unable to plan: {error}") from error
    except Undecryptable:
        raise BadRequest("The connection's credentials cannot be decrypted; enter them again.") from None


class EstimateJson(TypedDict):
    requests: int
    seconds: int


class PlanChange(TypedDict):
    key: Annotated[str, text(example="DB_URL")]
    sourceKey: str | None
    action: Annotated[str, one_of([action.value for action in Action])]
    reason: str


class LeavingJson(TypedDict):
    location: str
    keys: list[str]
    choice: Annotated[str, one_of(LEAVING)]


class PlanJson(TypedDict):
    """`leaving`: of a change of the location, the keys at the former one and what happens to them."""

    warnings: list[str]
    estimate: EstimateJson | None
    digest: str
    complete: bool
    held: str | None
    counts: Annotated[dict[str, int], members({action.value: {"type": "integer"} for action in Action})]
    changes: list[PlanChange]
    leaving: NotRequired[LeavingJson]


class DriftChange(TypedDict):
    key: Annotated[str, text(example="DB_URL")]
    state: Annotated[str, one_of(["changed", "missing", "unmanaged", "unknown"])]
    reason: str


def planned(
    sync: SecretSync,
    destination: Destination,
    operation: str = "sync",
    undone: SyncRun | None = None,
    *,
    behavior: str = "",
    sources: Sources | None = None,
    approval: Approval | None = None,
) -> Plan:
    """As `preview`, at an opened destination. Raises IntegrationError."""
    if undone is not None:
        return restore_for(undone, destination, destination.listing())
    if operation == "remove":
        return removal_for(sync, destination, destination.listing())
    if operation == "import":
        behavior = behavior or import_behavior(sync) or "prioritize-source"
        return import_for(sync, destination, list_with_values(destination), behavior)
    first = imports_first(sync)
    after_import = import_for(sync, destination, list_with_values(destination), first) if first else None
    made = planned_sync(sync, destination, sources or Sources(), approval=approval, after_import=after_import)
    return made.plan


def plan_as_json(plan: Plan, warnings: Sequence[str] = (), estimate: EstimateJson | None = None) -> PlanJson:
    """The `plan` object of the API."""
    return {
        "warnings": list(warnings),
        "estimate": estimate,
        "digest": plan.digest,
        "complete": plan.complete,
        "held": plan.held or None,
        "counts": plan.counts,
        "changes": [change_as_json(change) for change in plan.changes],
    }


def change_as_json(change: Change) -> PlanChange:
    return {
        "key": change.key,
        "sourceKey": change.source_key or None,
        "action": change.action.value,
        "reason": change.reason,
    }


_EXTERNAL = {Drift.CHANGED: Reason.DRIFTED, Drift.MISSING: Reason.MISSING_EXTERNALLY}


def drift_of(plan: Plan) -> list[DriftChange]:
    """Keys that the destination does not hold as this sync left them."""
    found: list[DriftChange] = []
    for change in plan.changes:
        if change.drift:
            explained = change.rule in (Rule.CREATE, Rule.UPDATE)  # the reason mentions the drift
            reason = change.reason if explained else _EXTERNAL[change.drift].text()
            found.append({"key": change.key, "state": change.drift.value, "reason": reason})
        elif change.owned and change.rule is Rule.MAYBE_OURS:
            found.append({"key": change.key, "state": "unknown", "reason": change.reason})
        elif change.rule in (Rule.DELETE_FOREIGN, Rule.KEEP_FOREIGN) and change.row is None:
            found.append({"key": change.key, "state": "unmanaged", "reason": change.reason})
        elif unknown := _unknown(change):
            found.append({"key": change.key, "state": "unknown", "reason": unknown})
    return found


def _unknown(change: Change) -> str:
    """Why it is unknown whether a key of ours was changed externally, or ""."""
    row, remote = change.row, change.remote
    if row is None or remote is None or not row.mine or row.state is State.MISSING:
        return ""
    if row.state is State.CLAIM:
        return Reason.NO_RESPONSE.text()
    if remote.unreadable:
        return Reason.READ_REFUSED.text(why=remote.unreadable)
    if remote.value is None and (row.etag is None or remote.etag is None):
        return Reason.NO_VERSION.text()
    return ""


def drift_status(found: Sequence[DriftChange]) -> str:
    """Of the result of `drift_of`: drifted, unknown or none."""
    states = {one["state"] for one in found}
    if states & {"changed", "missing"}:
        return "drifted"
    return "unknown" if "unknown" in states else "none"
