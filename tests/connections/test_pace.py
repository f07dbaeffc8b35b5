"""The slots of a connection, as the database has them: nothing here waits."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from django.utils import timezone

from connections.models import AppConnection
from connections.pace import reserve_slot


@pytest.fixture
def connection(db: None) -> AppConnection:
    return AppConnection.objects.create(name="c", app="bases", method="token", credentials_sealed=b"")


def slots(connection: AppConnection, count: int, **given: object) -> list[int]:
    """Seconds until each of so many requests, rounded."""
    return [round(reserve_slot(connection.pk, **{"pace": None, **given})) for _ in range(count)]  # type: ignore[arg-type]


def test_a_pace_has_equal_gaps(connection: AppConnection) -> None:
    assert slots(connection, 3, pace=0.1) == [0, 10, 20]
    assert slots(connection, 2, pace=0.1, requests=2.0) == [30, 50]


def test_a_quota_lets_so_many_through_and_then_waits_its_time(connection: AppConnection) -> None:
    assert slots(connection, 7, quota=(3, 100.0)) == [0, 0, 0, 100, 100, 100, 200]


def test_a_quota_and_a_pace_hold_together(connection: AppConnection) -> None:
    assert slots(connection, 5, pace=0.1, quota=(3, 100.0)) == [0, 10, 20, 120, 130]


def test_requests_that_go_together_count_as_what_they_take(connection: AppConnection) -> None:
    assert slots(connection, 5, quota=(1, 100.0), requests=0.5) == [0, 0, 100, 100, 200]
    assert slots(connection, 1, quota=(1, 100.0), requests=5.0) == [300], "more than the quota at once goes alone"


def test_an_unused_quota_is_full_again(connection: AppConnection) -> None:
    assert slots(connection, 3, quota=(3, 100.0)) == [0, 0, 0]
    AppConnection.objects.update(quota_slot_at=timezone.now() - timedelta(seconds=101))
    assert slots(connection, 4, quota=(3, 100.0)) == [0, 0, 0, 100]


def test_no_period_has_more_than_the_quota_wherever_it_begins(connection: AppConnection) -> None:
    sent = slots(connection, 40, pace=0.1, quota=(4, 35.0))
    assert all(later - sooner >= 35 for sooner, later in zip(sent, sent[4:], strict=False))
    assert all(later >= sooner for sooner, later in pairwise(sent))


def test_nothing_is_reserved_beyond_what_the_caller_would_wait(connection: AppConnection) -> None:
    slots(connection, 3, quota=(3, 100.0))
    before = AppConnection.objects.values().get()
    assert slots(connection, 2, quota=(3, 100.0), at_most=5.0) == [100, 100]
    assert AppConnection.objects.values().get() == before
