"""Why a run exists, for people and for programs."""

from __future__ import annotations

from typing_extensions import TypedDict

from syncs.models import Cause, RunReason, SyncRun

TEXTS = {
    "secrets-changed": "{by} changed {what}{where}",
    "secrets-deleted": "{by} deleted {what}{where}",
    "secrets-moved": "{by} moved {what}, which were{where}",
    "folders": "{by} changed the folder {what}",
    "environment": "{by} changed the environment {what}",
    "imports": "{by} changed the imports{where}",
    "tags": "{by} changed the tag {what}",
    "sync-created": "{by} created the sync",
    "sync-changed": "{by} changed the sync",
    "sync-deleted": "{by} deleted the sync",
    "policy": "{by} changed the policy",
    "resumed": "{by} resumed the sync",
    "requested": "{by} started it",
    "approved": "{by} approved it",
    "dismissed": "{by} dismissed a held run",
    "left": "{by} gave the sync another target, so its keys at the former one are removed",
    "retry": "run {run} failed and is tried again",
    "undo": "{by} undoes run {run}",
    "first-import": "import before the first sync, by run {run}",
    "uncarried": "changes that no run has carried yet",
    "healed": "{by} had drift corrected",
    "drift": "a drift check found differences in {what}",
    "released": "keys were released by {what}",
    "moved": "secrets that were moved have been written by {what}",
    "schedule": "a schedule",
    "change": "{by} changed something that reaches it",
}
"""Kind of a cause -> its text."""


class CauseJson(TypedDict):
    kind: str
    by: str | None
    byId: str | None
    environment: str | None
    secretPath: str | None
    names: list[str]
    more: int
    runId: str | None


class ReasonJson(TypedDict):
    text: str
    causes: list[CauseJson]
    more: int


def cause_text(cause: Cause) -> str:
    """One cause for people."""
    what = ", ".join(cause.names) + (f" and {cause.more} more" if cause.more else "")
    where = f" in {cause.environment} {cause.path}" if cause.path else ""
    text = TEXTS.get(cause.kind, TEXTS["change"])
    return text.format(by=cause.by or "Keyferry", what=what or "keys", where=where, run=cause.run)


def reason_text(reason: RunReason) -> str:
    """Every cause; "" if none is known, as of runs before this was recorded."""
    more = [f"{reason.more} more"] if reason.more else []
    return "; ".join([*map(cause_text, reason.causes), *more])


def reason_as_json(reason: RunReason) -> ReasonJson:
    return {
        "text": reason_text(reason),
        "causes": [
            {
                "kind": cause.kind,
                "by": cause.by or None,
                "byId": cause.by_id or None,
                "environment": cause.environment or None,
                "secretPath": cause.path or None,
                "names": list(cause.names),
                "more": cause.more,
                "runId": cause.run or None,
            }
            for cause in reason.causes
        ],
        "more": reason.more,
    }


def followers(run: SyncRun) -> list[SyncRun]:
    """The runs that exist because of this one, oldest first: its retries, its undo, its import."""
    later = SyncRun.objects.filter(sync_id=run.sync_id, created_at__gte=run.created_at).exclude(pk=run.pk)
    found = later.order_by("created_at").only("operation", "trigger", "status", "created_at", "reason", "sync")[:50]
    return [each for each in found if any(cause.run == str(run.pk) for cause in each.reason.causes)]
