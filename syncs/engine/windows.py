"""Sync windows: when automatic runs may write. Times of a schedule are those of its time zone, by cron's rules.

`deny` forbids while it lasts. If there is a window that allows, runs may write in such windows only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim

ALLOW, DENY = "allow", "deny"
LOOK_AHEAD = 50  # changes of windows that are tried for the moment at which runs may write again


@dataclass(frozen=True, slots=True)
class Window:
    """It opens at each time of `schedule`, five fields of cron, for `duration` minutes."""

    kind: str
    schedule: str
    duration: int
    timezone: str = "UTC"

    def last_start(self, at: datetime) -> datetime | None:
        """The last time at which it opened, `at` included."""
        minute = at.astimezone(ZoneInfo(self.timezone)).replace(second=0, microsecond=0)
        found = next(CronSim(self.schedule, minute + timedelta(minutes=1), reverse=True), None)
        return found and found.astimezone(UTC)

    def next_start(self, at: datetime) -> datetime | None:
        """The next time after `at` at which it opens."""
        found = next(CronSim(self.schedule, at.astimezone(ZoneInfo(self.timezone))), None)
        return found and found.astimezone(UTC)

    def ends(self, at: datetime) -> datetime | None:
        """When the window that is open at that time closes; None if it is closed. Counted in UTC."""
        started = self.last_start(at)
        if started is None:
            return None
        end = started + timedelta(minutes=self.duration)
        return end if started <= at < end else None

    @property
    def text(self) -> str:
        return f"{self.kind} {self.schedule} for {self.duration} min, {self.timezone}"


def windows_of(stored: Iterable[Mapping[str, Any]]) -> list[Window]:
    """The windows of a policy."""
    return [Window(**each) for each in stored]


def forbidding(windows: list[Window], at: datetime) -> Window | None:
    """The window because of which an automatic run may not write now: one that denies, or one that will allow."""
    denying = next((each for each in windows if each.kind == DENY and each.ends(at)), None)
    allowing = [each for each in windows if each.kind == ALLOW]
    if denying or not allowing or any(each.ends(at) for each in allowing):
        return denying
    return min(allowing, key=lambda each: each.next_start(at) or datetime.max.replace(tzinfo=at.tzinfo))


def next_open(windows: list[Window], at: datetime) -> datetime | None:
    """When an automatic run may write again; None if that is not within sight."""
    for moment in _changes(windows, at):
        if forbidding(windows, moment) is None:
            return moment
    return None


def _changes(windows: list[Window], at: datetime) -> Iterator[datetime]:
    """The moments from `at` on at which a window that denies ends or one that allows begins."""
    for _ in range(LOOK_AHEAD):
        ends = [end for each in windows if each.kind == DENY and (end := each.ends(at))]
        starts = [start for each in windows if each.kind == ALLOW and (start := each.next_start(at))]
        if not ends and not starts:
            return
        at = max(ends) if ends else min(starts)
        yield at
