"""Sync windows: when automatic runs may write."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from syncs.engine.windows import Window, forbidding, next_open

OFFICE = Window("deny", "0 9 * * 1-5", 480, "Europe/Berlin")
NIGHT = Window("allow", "0 22 * * *", 120)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("windows", "moment", "may", "opens"),
    [
        ([], "2026-11-30 10:00", True, None),
        ([OFFICE], "2026-11-30 07:59:59", True, None),
        ([OFFICE], "2026-11-30 08:00", False, "2026-11-30 16:00"),  # 9:00 in Berlin, a Monday
        ([OFFICE], "2026-11-30 15:59:59", False, "2026-11-30 16:00"),
        ([OFFICE], "2026-11-30 16:00", True, None),
        ([OFFICE], "2026-11-29 10:00", True, None),  # a Sunday
        ([OFFICE], "2026-07-01 07:30", False, "2026-07-01 15:00"),  # summer time
        ([NIGHT], "2026-11-30 21:59:59", False, "2026-11-30 22:00"),
        ([NIGHT], "2026-11-30 22:00:30", True, None),
        ([NIGHT], "2026-12-01 00:00", False, "2026-12-01 22:00"),
        ([NIGHT, Window("deny", "0 22 * * 1", 60)], "2026-11-30 22:30", False, "2026-11-30 23:00"),
        ([NIGHT, Window("deny", "0 22 * * 1", 180)], "2026-11-30 22:30", False, "2026-12-01 22:00"),
        ([Window("deny", "0 0 * * *", 1440)], "2026-11-30 10:00", False, None),  # always
        ([Window("deny", "* * * * *", 1)], "2026-11-30 10:00:30", False, None),
    ],
)
def test_an_automatic_run_may_write(windows: list[Window], moment: str, may: bool, opens: str | None) -> None:
    assert (forbidding(windows, at(moment)) is None) is may
    if not may:
        assert next_open(windows, at(moment)) == (at(opens) if opens else None)


def test_a_window_is_as_long_in_a_night_in_which_the_clock_is_set_back() -> None:
    night = Window("deny", "0 1 * * *", 240, "Europe/Berlin")
    assert night.ends(at("2026-10-24 23:30")) == at("2026-10-25 03:00")  # 1:00 in Berlin is 23:00 UTC
