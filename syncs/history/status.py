"""The status of a sync as every page, the API, commands and metrics show it: its state, and the reasons as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from django.db.models import Q
from typing_extensions import TypedDict

from config.access.models import Instance
from config.conventions import timestamp
from config.responses import Time, one_of
from syncs.models import TRIES, SecretSync, Status, SyncRun, SyncState
from syncs.planning.kept import all_kept_keys

from .states import TONES, with_state
from .texts import next_try, waits_for_retry, without_link

_WAITING = "Changes wait for the next run."
LISTED = 5  # drifted keys that a reason names
RELATED = ("connection", "policy", "drift")


class SyncStatusJson(TypedDict):
    state: Annotated[str, one_of(SyncState.values)]
    reasons: list[str]
    since: Time | None
    retryAt: Time | None
    attempt: int | None
    attempts: int | None
    kept: int
    drift: int
    pausedBy: str | None


@dataclass(frozen=True)
class SyncStatus:
    """`reasons`: a sentence for each state that holds, in their order. `since`: when the state began, if known.

    `retry_at`, `attempt` and `attempts`: of the run that is tried again then, its next attempt and how many it has.
    `kept` and `drift` count keys, `pauses` the reasons about pauses. `run_id`: the run that the state is about, if any.
    """

    state: SyncState
    reasons: tuple[str, ...]
    since: datetime | None
    retry_at: datetime | None = None
    attempt: int | None = None
    attempts: int | None = None
    kept: int = 0
    drift: int = 0
    paused_by: str = ""
    pauses: int = 0
    run_id: UUID | None = None

    @property
    def besides_pauses(self) -> tuple[str, ...]:
        """The reasons without the first ones, which are about pauses."""
        return self.reasons[self.pauses :]

    @property
    def label(self) -> str:
        return str(self.state.label)

    @property
    def tone(self) -> str:
        return TONES[self.state]

    def as_json(self) -> SyncStatusJson:
        return {
            "state": self.state.value,
            "reasons": list(self.reasons),
            "since": timestamp(self.since),
            "retryAt": timestamp(self.retry_at),
            "attempt": self.attempt,
            "attempts": self.attempts,
            "kept": self.kept,
            "drift": self.drift,
            "pausedBy": self.paused_by or None,
        }


def status_of(sync: SecretSync) -> SyncStatus:
    return statuses([sync])[sync.pk]


def statuses(syncs: Iterable[Any]) -> dict[UUID, SyncStatus]:
    """Sync -> its status, in a fixed number of queries. A sync that was deleted meanwhile has none.

    Syncs of `with_state` are taken as they are; they should have RELATED loaded.
    """
    found = list(syncs)
    if any(not hasattr(sync, "state") for sync in found):
        found = list(with_state(SecretSync.objects.filter(pk__in=[sync.pk for sync in found])).select_related(*RELATED))
    runs = _Runs.of(found)
    kept = all_kept_keys() if any(sync.holds_kept for sync in found) else {}
    paused = any(sync.holds_paused for sync in found)
    instance = Instance.objects.filter(paused_at__isnull=False).first() if paused else None
    return {sync.pk: _Facts(sync, runs, len(kept.get(sync.pk, ())), instance).status() for sync in found}


@dataclass
class _Runs:
    """The runs that statuses mention: by id, and the open ones by sync."""

    by_id: Mapping[UUID, SyncRun]
    retrying: Mapping[UUID, SyncRun]
    waiting: Mapping[UUID, SyncRun]
    running: Mapping[UUID, SyncRun]

    @classmethod
    def of(cls, syncs: list[Any]) -> _Runs:
        named = {pk for sync in syncs for pk in (sync.held_run, sync.last_ended) if pk}
        is_open = Q(status__in=(Status.PENDING, Status.RUNNING), sync__in=[sync.pk for sync in syncs])
        rows = list(
            SyncRun.objects.filter(Q(pk__in=named) | is_open).defer("unchanged", "unmanaged").order_by("due_at")
        )
        retrying = [run for run in reversed(rows) if waits_for_retry(run)]
        waiting = [run for run in reversed(rows) if run.status == Status.PENDING and not waits_for_retry(run)]
        return cls(
            {run.pk: run for run in rows},
            {run.sync_id: run for run in retrying},
            {run.sync_id: run for run in waiting},
            {run.sync_id: run for run in rows if run.status == Status.RUNNING},
        )


@dataclass
class _Facts:
    """What is known of one sync, annotated by `with_state`."""

    sync: Any
    runs: _Runs
    kept: int
    instance: Instance | None

    def status(self) -> SyncStatus:
        state = SyncState(self.sync.state)
        holding = [each for each in SyncState if getattr(self.sync, f"holds_{each}", each is state)]
        said = {each: self._says(each) for each in holding}
        retry = self._retry()
        run = self._run_of(state)
        return SyncStatus(
            state=state,
            reasons=tuple(text for _, texts in said.values() for text in texts),
            since=said[state][0],
            retry_at=retry.due_at if retry else None,
            attempt=retry.options.tries + 1 if retry else None,
            attempts=TRIES if retry else None,
            kept=self.kept,
            drift=len(self._drifted()) if self.sync.holds_drifted else 0,
            paused_by=self._pauses()[0].by if self.sync.holds_paused else "",
            pauses=len(said.get(SyncState.PAUSED, (None, []))[1]),
            run_id=run.pk if run else None,
        )

    def _retry(self) -> SyncRun | None:
        return self.runs.retrying.get(self.sync.pk) if self.sync.holds_retrying else None

    def _run_of(self, state: SyncState) -> SyncRun | None:
        if state is SyncState.HELD:
            return self.runs.by_id.get(self.sync.held_run)
        if state in (SyncState.FAILING, SyncState.INCOMPLETE, SyncState.UP_TO_DATE):
            return self.runs.by_id.get(self.sync.last_ended)
        if state is SyncState.RETRYING:
            return self._retry()
        if state is SyncState.PENDING:
            return self.runs.waiting.get(self.sync.pk)
        return self.runs.running.get(self.sync.pk) if state is SyncState.RUNNING else None

    def _says(self, state: SyncState) -> tuple[datetime | None, list[str]]:
        """Since when, and why."""
        match state:
            case SyncState.PAUSED:
                pauses = self._pauses()
                return pauses[0].at, [pause.text for pause in pauses]
            case SyncState.SOURCE_MISSING:
                return None, ["The source folder was deleted: choose another one in the settings."]
            case SyncState.DRIFTED:
                return self.sync.drift.checked_at, [self._drift_text()]
            case SyncState.KEPT:
                keys = "1 key is" if self.kept == 1 else f"{self.kept} keys are"
                return None, [f"{keys} kept on request, or on offer after the first run."]
            case SyncState.NEVER_RAN:
                return self.sync.created_at, ["No run has ended yet."]
        return self._says_run(state, self._run_of(state))

    def _says_run(self, state: SyncState, run: SyncRun | None) -> tuple[datetime | None, list[str]]:
        if run is None:
            return (self.sync.last_synced_at if state is SyncState.UP_TO_DATE else None), self._without_run(state)
        message = without_link(run.message)
        match state:
            case SyncState.HELD:
                return run.created_at, [message]
            case SyncState.FAILING | SyncState.INCOMPLETE:
                return self.sync.failing_since or run.ended_at, [message or "The last run failed."]
            case SyncState.RETRYING:
                return run.started_at or run.created_at, [next_try(run)]
            case SyncState.PENDING:
                return run.created_at, [f"{_WAITING} {message}".strip()]
            case SyncState.RUNNING:
                return run.started_at, ["A run is under way."]
        return self.sync.last_synced_at or run.ended_at, []

    def _without_run(self, state: SyncState) -> list[str]:
        """Of a state whose run there is not, or no more."""
        if state is not SyncState.PENDING:
            return []
        return [_WAITING if self.sync.is_auto_sync_enabled else "Changes wait for a manual run: auto-sync is off."]

    def _pauses(self) -> list[_Pause]:
        """Of the instance, the connection and the sync."""
        found = []
        if self.instance:
            found.append(_Pause.of("All syncs are", self.instance))
        if self.sync.connection and self.sync.connection.paused_at:
            found.append(_Pause.of(f"The connection {self.sync.connection.name} is", self.sync.connection))
        if self.sync.policy.paused:
            found.append(_Pause.of("This sync is", self.sync.policy))
        return found

    def _drifted(self) -> list[Mapping[str, str]]:
        return [one for one in self.sync.drift.changes if one["state"] in ("changed", "missing")]

    def _drift_text(self) -> str:
        drifted = self._drifted()
        names = ", ".join(f"{one['key']} {one['state']}" for one in drifted[:LISTED])
        more = f" and {len(drifted) - LISTED} more" if len(drifted) > LISTED else ""
        if len(drifted) == 1:
            return f"1 key is not as the sync left it: {names}."
        return f"{len(drifted)} keys are not as the sync left them: {names}{more}."


@dataclass(frozen=True)
class _Pause:
    by: str
    at: datetime | None
    text: str

    @classmethod
    def of(cls, subject: str, row: Any) -> _Pause:
        """Of a row with the columns of a pause."""
        since = f" since {row.paused_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if row.paused_at else ""
        by = f" by {row.paused_by}" if row.paused_by else ""
        reason = f": {row.pause_reason}" if row.pause_reason else ""
        return cls(row.paused_by, row.paused_at, f"{subject} paused{by}{since}{reason}.")
