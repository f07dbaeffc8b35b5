"""A refused login stops the run and marks its connection; nothing tries it again and again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.utils import timezone

from connections.admin import status_of
from connections.errors import Unauthorized
from connections.models import AppConnection
from connections.refusals import mark_if_refused, may_try
from connections.services import check_connection, update_connection
from syncs.models import SyncRun
from syncs.running import drift, runner
from syncs.running.writer import DENIALS
from tests.fixtures.world import ENVIRONMENT, TOKEN, World

REFUSED = "The login of the connection humanitec-dev was refused"
MANY = {f"K{number}": "x" for number in range(20)}


def answers(world: World, status: int, *methods: str) -> None:
    said = (status, {"message": "go away"})
    world.sandbox.fault = lambda method, path: said if method in methods else None


def stored() -> AppConnection:
    return AppConnection.objects.get()


def outcomes(run: SyncRun) -> dict[str, int]:
    found = list(run.changes.values_list("outcome", flat=True))
    return {outcome: found.count(outcome) for outcome in set(found)}


def test_a_401_on_a_write_ends_the_run(world: World) -> None:
    world.set(**MANY)
    sync = world.sync(is_auto_sync_enabled=False)
    world.policy(sync, max_concurrency=1)
    answers(world, 401, "POST")
    run = world.run(sync)
    assert (run.status, len(world.writes())) == ("failed", 1)
    assert outcomes(run) == {"failed": 1, "skipped": 19}
    assert run.message
    assert run.message.startswith(f"{REFUSED}, so nothing more was sent with it.")
    assert "K0 (Humanitec: POST" in run.message
    skipped = run.changes.filter(outcome="skipped").first()
    assert skipped
    assert skipped.error_message.startswith(REFUSED)
    connection = stored()
    assert connection.login_refused_at
    assert connection.check_problem.startswith("The login was refused: Humanitec: POST")
    assert str(status_of(connection)[0]) == "Rejected"


def test_a_401_on_a_list_marks_the_connection(world: World) -> None:
    world.set(A="1")
    sync = world.sync(is_auto_sync_enabled=False)
    answers(world, 401, "GET")
    run = world.run(sync)
    assert run.message
    assert "answered 401" in run.message
    assert stored().login_refused_at


def test_several_403_with_none_accepted_end_the_run_and_the_login_is_checked_once(world: World) -> None:
    world.set(**MANY)
    sync = world.sync(is_auto_sync_enabled=False)
    world.policy(sync, max_concurrency=1)
    answers(world, 403, "POST")
    world.sandbox.asked.clear()
    run = world.run(sync)
    assert len(world.writes()) == DENIALS
    assert [method for method, _ in world.sandbox.asked] == ["GET", *["POST"] * DENIALS, "GET"]
    assert outcomes(run) == {"failed": DENIALS, "skipped": 20 - DENIALS}
    assert run.message
    assert run.message.startswith("3 writes in a row were refused and none was accepted, so no other was sent.")
    assert stored().login_refused_at is None, "the login is good, it only lacks a right"


def test_a_403_for_some_keys_does_not_stop_the_others(world: World) -> None:
    world.set(**MANY)
    sync = world.sync(is_auto_sync_enabled=False)
    world.policy(sync, max_concurrency=1)
    count = iter(range(100))
    world.sandbox.fault = lambda method, path: (
        (403, {"message": "not yours"}) if method == "POST" and next(count) not in (0, 5) else None
    )
    run = world.run(sync)
    assert outcomes(run) == {"failed": 18, "applied": 2}


@pytest.mark.parametrize("accepts", [True, False])
def test_where_403_means_both_the_vendor_is_asked_which(world: World, accepts: bool) -> None:
    world.set(A="1")
    sync = world.sync(is_auto_sync_enabled=False)
    answers(world, 403, "GET")
    with patch("connections.providers.humanitec.Humanitec.accepts_login", return_value=accepts):
        world.run(sync)
    assert (stored().login_refused_at is None) is accepts


def test_other_runs_do_not_try_a_refused_login(world: World) -> None:
    world.set(A="1")
    world.sync()
    world.sync("other", ENVIRONMENT)
    answers(world, 401, "GET", "POST")
    world.sandbox.asked.clear()
    first, second = world.due()
    assert len(world.sandbox.asked) == 1, "the second run sends nothing"
    assert first.message != second.message
    assert second.message
    assert second.message.startswith(f"{REFUSED}, so nothing was sent with it.")
    for _ in range(3):
        world.due()  # their retries
    assert len(world.sandbox.asked) == 1
    AppConnection.objects.update(retry_at=timezone.now())
    world.due()
    assert len(world.sandbox.asked) == 2, "one run at a time tries it again"


def test_the_intervals_of_trying_grow(world: World) -> None:
    waits = []
    for minutes in (0, 10, 600):
        AppConnection.objects.update(login_refused_at=timezone.now() - timedelta(minutes=minutes), retry_at=None)
        assert may_try(stored())
        assert not may_try(stored())
        retry_at = stored().retry_at
        assert retry_at
        waits.append(round((retry_at - timezone.now()).total_seconds() / 60))
    assert waits == [1, 10, 60]


def test_a_drift_check_does_not_try_a_refused_login(world: World) -> None:
    world.set(A="1")
    sync = world.sync(is_auto_sync_enabled=False)
    answers(world, 401, "GET")
    world.run(sync)
    world.sandbox.asked.clear()
    drift.check_by_id(sync.pk)
    assert world.sandbox.asked == []


@pytest.mark.parametrize("how", ["run", "check", "credentials"])
def test_a_login_that_is_accepted_again_is_used_by_all(world: World, how: str) -> None:
    world.set(A="1")
    sync = world.sync()
    answers(world, 401, "GET", "POST")
    world.due()
    world.sandbox.fault = None
    doing: dict[str, Any] = {
        "run": lambda: world.run(sync),
        "check": lambda: check_connection(world.actor, stored()),
        "credentials": lambda: update_connection(world.actor, stored(), credentials={"apiToken": TOKEN}),
    }
    AppConnection.objects.update(credentials_hash="of another")  # so that the same token counts as new credentials
    doing[how]()
    connection = stored()
    assert (connection.login_refused_at, connection.check_problem, connection.retry_at) == (None, "", None)
    for run in SyncRun.objects.filter(status="pending"):
        runner.execute(run.pk)
    assert world.held() == {"A": "1"}


def test_credentials_that_were_replaced_meanwhile_are_not_marked(world: World) -> None:
    connection = stored()
    AppConnection.objects.update(credentials_hash="new")
    mark_if_refused(connection, None, Unauthorized("401"))  # type: ignore[arg-type]
    assert stored().login_refused_at is None
