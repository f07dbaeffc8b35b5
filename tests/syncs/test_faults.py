"""Faults between plan and destination: every fault, every kill, at both scopes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.db.models import F
from django.utils import timezone
from pytest_django import Settings

from config.access.models import Instance
from connections.http.transport import Transport
from connections.models import AppConnection
from connections.pace import reserve_slot
from connections.sandbox import Drop
from syncs.destinations.humanitec import Humanitec
from syncs.models import Lease, ManagedSecret, SecretSync, SyncRun
from syncs.running import completion, dispatcher, leases, runner, writer
from syncs.services import syncs as services
from syncs.services.triggers import trigger
from tests.fixtures.world import APPLICATION, ENVIRONMENT, World

CONFIGS = {"application": APPLICATION, "environment": ENVIRONMENT}
SCOPES = {"application": ("acme", "shop", ""), "environment": ("acme", "shop", "development")}


@pytest.fixture(params=list(CONFIGS))
def scope(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Killed(BaseException):
    """Simulates a worker that dies: nothing catches it."""


def agrees(world: World, sync: SecretSync, scope: str) -> None:
    """The ledger says what the destination holds: the same keys, as the same objects."""
    owned = {
        row.key: (row.object_id, row.etag)
        for row in ManagedSecret.objects.filter(sync=sync, location=sync.location, state="owned")
    }
    there = {
        key: (value["created_at"], f"{value['secret_version'] or ''}|{value['updated_at']}")
        for key, value in world.sandbox.values.get(SCOPES[scope], {}).items()
    }
    assert owned == there
    assert not ManagedSecret.objects.filter(sync=sync, state="claim").exists()


def later(world: World, times: int = 6) -> None:
    """As if the waits between attempts had passed."""
    for _ in range(times):
        SyncRun.objects.filter(status__in=("pending", "running")).update(due_at=timezone.now(), queued_at=None)
        AppConnection.objects.update(retry_at=None)
        Lease.objects.update(expires_at="2001-01-01T00:00:00Z")
        if not world.due():
            return


def mixed(world: World, scope: str) -> SecretSync:
    """A sync with 20 keys to write: eight to create, eight to update, four to delete."""
    world.set(**{f"U{n}": "old" for n in range(8)}, **{f"D{n}": "old" for n in range(4)})
    sync = world.sync(config=CONFIGS[scope], is_auto_sync_enabled=False)
    services.update_policy(world.actor, sync, {"max_concurrency": 1})
    world.run(sync)
    world.set(**{f"U{n}": "new" for n in range(8)}, **{f"C{n}": "new" for n in range(8)})
    world.unset(*(f"D{n}" for n in range(4)))
    world.sandbox.asked.clear()
    return sync


WANTED = {**{f"U{n}": "new" for n in range(8)}, **{f"C{n}": "new" for n in range(8)}}


def boundaries() -> Iterator[tuple[int, str]]:
    for number in range(21):
        for moment in ("before", "after"):
            yield number, moment


@pytest.mark.parametrize("scope", ["application", pytest.param("environment", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("number", "moment"), list(boundaries()), ids=lambda value: str(value))
def test_a_worker_killed_at_any_request_is_recovered_by_the_next_run(
    world: World, scope: str, number: int, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`before` the vendor has carried out the write, or `after` it, with the response lost."""
    sync = mixed(world, scope)
    answer, asked = world.sandbox.answer, iter(range(1000))

    def killing(method: str, path: str, body: dict[str, Any]) -> Any:
        if next(asked) == number:
            if moment == "after":
                answer(method, path, body)
            monkeypatch.setattr(world.sandbox, "answer", answer)
            raise ConnectionAbortedError
        return answer(method, path, body)

    def lost(self: Any, error: Any = None) -> None:
        raise Killed

    monkeypatch.setattr(world.sandbox, "answer", killing)
    # The worker dies before it learns of the broken connection.
    monkeypatch.setattr(Transport, "handle_request", dying(number))
    run = trigger(world.actor, sync, "sync")
    with pytest.raises(Killed):
        runner.execute(run.pk)
    monkeypatch.undo()
    world.sandbox.answer = answer  # type: ignore[method-assign]
    assert SyncRun.objects.get(pk=run.pk).status == "running"
    later(world)
    assert world.held(SCOPES[scope]) == WANTED
    agrees(world, sync, scope)
    assert SyncRun.objects.get(pk=run.pk).status == "succeeded"
    # Nothing was lost on the way: what was done is not done again.
    world.sandbox.asked.clear()
    world.run(sync)
    assert [method for method, _ in world.sandbox.asked] == ["GET"]


def dying(number: int) -> Callable[..., httpx.Response]:
    """`Transport.handle_request` of a worker that does not survive its `number`-th request."""
    send, count = Transport.handle_request, iter(range(1000))

    def sending(self: Transport, request: httpx.Request) -> httpx.Response:
        mine = next(count)
        try:
            return send(self, request)
        except httpx.TransportError:
            if mine == number:
                raise Killed from None
            raise

    return sending


FAULTS: dict[str, tuple[int, bool]] = {
    # status: (what is answered, whether the run tries the key again by itself)
    "401": (401, False),
    "403": (403, False),
    "404": (404, True),
    "409": (409, True),
    "422": (422, False),
    "429": (429, True),
    "500": (500, True),
    "503": (503, True),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_one_key_that_fails_does_not_stop_the_rest(world: World, scope: str, method: str, fault: str) -> None:
    sync = mixed(world, scope)
    status, again = FAULTS[fault]
    key = {"POST": "C3", "PATCH": "U3", "DELETE": "D3"}[method]
    if (method, status) in (("POST", 404), ("DELETE", 404)):
        again = False
    faulty = iter([True])

    def failing(asked: str, path: str) -> tuple[int, object] | None:
        if asked == method and path.endswith(f"/{key}") | (method == "POST" and len(world.writes()) == 4):
            return (status, {"message": "no"}) if next(faulty, False) else None
        return None

    world.sandbox.fault = failing
    run = world.run(sync)
    gone = method == "DELETE" and status == 404  # a missing key is deleted: a success
    stopped = status in (401, 429)  # the login is refused; the whole connection waits
    if gone:
        assert run.status == "succeeded"
    elif again:
        assert (run.status, run.attempts) == ("pending", 1)
        assert run.due_at
        assert run.due_at > timezone.now() + timedelta(seconds=1)
    else:
        assert run.status == "failed"
        assert run.message
        assert "1 key failed: " in run.message
        assert f"answered {status}: no" in run.message
    applied = run.changes.filter(outcome="applied").count()
    if not stopped and method != "DELETE":
        assert applied >= 15
    later(world)
    world.run(sync)
    if method == "DELETE" and gone:
        world.sandbox.values[SCOPES[scope]].pop("D3", None)
    assert world.held(SCOPES[scope]) == WANTED
    later(world)
    if not gone:
        agrees(world, sync, scope)


def test_a_refused_create_is_never_turned_into_an_update(world: World, scope: str) -> None:
    world.set(A="1")
    sync = world.sync(config=CONFIGS[scope], is_auto_sync_enabled=False)
    world.sandbox.fault = lambda method, path: (409, {"message": "exists"}) if method == "POST" else None
    run = world.run(sync)
    assert (run.status, [method for method, _ in world.writes()]) == ("pending", ["POST"])
    later(world)
    assert world.again(run).status == "failed"
    assert {method for method, _ in world.writes()} == {"POST"}
    assert len(world.writes()) == completion.TRIES


def test_attempts_back_off_and_are_reported(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.sandbox.fault = lambda method, path: (503, {"message": "down"}) if method == "POST" else None
    (run,) = world.due()
    waits = []
    for _ in range(4):
        run = world.again(run)
        assert run.due_at
        assert run.message
        waits.append(round((run.due_at - timezone.now()).total_seconds()))
        assert f"the next is in {waits[-1]} s" in run.message
        shown = SecretSync.objects.get(pk=sync.pk)
        assert (shown.sync_status, shown.last_sync_message) == ("pending", run.message)
        runner.execute(run.pk)
    assert waits == [3, 6, 12, 24]
    assert world.again(run).status == "failed"
    minutes = []
    for _ in range(5):
        retry = SyncRun.objects.get(status="pending")
        assert retry.due_at
        minutes.append(round((retry.due_at - timezone.now()).total_seconds() / 60))
        for _ in range(completion.TRIES):
            runner.execute(retry.pk)
    assert minutes == [1, 5, 15, 60, 60]
    assert SecretSync.objects.get(pk=sync.pk).sync_status == "failed"
    world.sandbox.fault = None
    later(world)
    assert world.held() == {"A": "1"}


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_holds_the_whole_connection(world: World, status: int) -> None:
    world.set(A="1", B="2")
    first, other = world.sync(), world.sync("other", ENVIRONMENT)
    services.update_policy(world.actor, first, {"max_concurrency": 1})
    slow_down = (status, {"message": "slow down"}, {"Retry-After": "30"})
    world.sandbox.fault = lambda method, path: slow_down if method == "POST" else None
    run = world.run(first)
    assert (run.status, len(world.writes())) == ("pending", 1)
    assert run.due_at
    retry_at = AppConnection.objects.values_list("retry_at", flat=True).get()
    assert retry_at
    assert 28 < (retry_at - timezone.now()).total_seconds() <= 31
    (waiting,) = [each for each in world.due() if each.sync_id == other.pk]
    assert (waiting.status, waiting.attempts) == ("pending", 0)
    assert waiting.message
    assert "asked to wait" in waiting.message
    world.sandbox.fault = None
    later(world)
    assert world.held() == world.held(SCOPES["environment"]) == {"A": "1", "B": "2"}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ((401, {"message": "no"}), "answered 401"),
        ((500, {"message": "no"}), "answered 500"),
        ((200, {"not": "a list"}), "should be a valid list"),
        ((200, [{"key": "A"}]), "is_secret is missing"),
        ((302, None), "answered 302"),
    ],
)
def test_an_incomplete_list_writes_nothing(world: World, scope: str, fault: Any, said: str) -> None:
    sync = mixed(world, scope)
    before = world.held(SCOPES[scope])
    world.sandbox.fault = lambda method, path: fault if method == "GET" else None
    run = world.run(sync)
    assert run.message
    assert said in run.message
    assert (world.writes(), world.held(SCOPES[scope])) == ([], before)
    world.sandbox.fault = None
    later(world)
    world.run(sync)
    assert world.held(SCOPES[scope]) == WANTED


def test_a_hanging_vendor(world: World, settings: Settings) -> None:
    settings.REQUEST_DEADLINE = 0.3
    world.set(A="1")
    sync = world.sync()
    world.sandbox.latency = 0.6
    (run,) = world.due()
    assert (run.status, world.writes()) == ("pending", [])
    assert run.message
    assert "no response within 0.3 s" in run.message
    world.sandbox.latency = 0
    later(world)
    assert world.held() == {"A": "1"}
    agrees(world, sync, "application")


# -- leases, generation, pauses --------------------------------------------------------------------------------


def during(world: World, number: int, do: Callable[[], Any]) -> None:
    """Do something while the `number`-th write is under way."""

    def hook(method: str, path: str) -> None:
        if method != "GET" and len(world.writes()) == number:
            do()

    world.sandbox.fault = hook


def test_a_lost_lease_stops_the_writer_and_keeps_claims(world: World) -> None:
    sync = mixed(world, "application")
    from django.db import connection

    def steal() -> None:
        Lease.objects.update(holder="thief", fence=F("fence") + 1)
        connection.close()

    run = trigger(world.actor, sync, "sync")
    gate = writer.Writer.gate

    def stealing(self: Any, changes: Any, pace: Any) -> Iterator[Any]:
        for number, write in enumerate(gate(self, changes, pace)):
            yield write
            if number == 2:
                Lease.objects.update(holder="thief", fence=F("fence") + 1)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(writer.Writer, "gate", stealing)
        runner.execute(run.pk)
    assert len(world.writes()) == 3
    later(world)
    assert world.held() == WANTED
    agrees(world, sync, "application")


@pytest.mark.parametrize("change", ["generation", "instance", "connection"])
def test_a_change_or_a_pause_stops_between_keys(world: World, change: str) -> None:
    sync = mixed(world, "application")
    gate = writer.Writer.gate

    def stopping(self: Any, changes: Any, pace: Any) -> Iterator[Any]:
        for number, write in enumerate(gate(self, changes, pace)):
            yield write
            if number == 2:
                now = timezone.now()
                if change == "generation":
                    SecretSync.objects.update(generation=F("generation") + 1)
                elif change == "instance":
                    Instance.objects.update(paused_at=now, paused_by="ada")
                else:
                    AppConnection.objects.update(paused_at=now, paused_by="ada")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(writer.Writer, "gate", stopping)
        patched.setattr(writer, "PAUSE_CHECK", 0.0)
        run = world.run(sync)
    assert (run.status, len(world.writes())) == ("pending", 3)
    later(world, 1)
    if change != "generation":
        assert len(world.writes()) == 3
        with pytest.raises(Exception, match="paused by ada"):
            trigger(world.actor, sync, "sync")
    Instance.objects.update(paused_at=None)
    AppConnection.objects.update(paused_at=None)
    later(world)
    assert world.held() == WANTED
    agrees(world, sync, "application")


def test_leases(db: None, settings: Settings) -> None:
    first = leases.acquire("location")
    assert first
    assert leases.acquire("location") is None
    assert first.renew()
    first.release()
    second = leases.acquire("location")
    assert second
    assert second.fence == first.fence + 1
    assert not first.renew()
    assert not first.is_ours()
    Lease.objects.update(expires_at=timezone.now() - timedelta(seconds=settings.REQUEST_DEADLINE - 2))
    assert leases.acquire("location") is None
    Lease.objects.update(expires_at=timezone.now() - timedelta(seconds=settings.REQUEST_DEADLINE + 1))
    third = leases.acquire("location")
    assert third
    assert not second.renew()


def test_the_dispatcher_enqueues_due_and_lost_runs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr("django_q.tasks.async_task", lambda name, run_id, **_: sent.append(run_id))
    sync = world.sync()
    run = SyncRun.objects.get()
    assert dispatcher.dispatch() == 1
    assert dispatcher.dispatch() == 0
    SyncRun.objects.update(queued_at=timezone.now() - timedelta(seconds=61))
    assert dispatcher.dispatch() == 1
    now = timezone.now()
    SyncRun.objects.update(status="running", due_at=now + timedelta(seconds=1), queued_at=now - timedelta(seconds=9))
    assert dispatcher.dispatch() == 0
    SyncRun.objects.update(due_at=now - timedelta(seconds=1))
    assert dispatcher.dispatch() == 1
    assert sent == [str(run.pk)] * 3
    SyncRun.objects.all().delete()
    dispatcher.sweep()
    assert SyncRun.objects.get().trigger == "schedule"
    assert SecretSync.objects.get(pk=sync.pk).sync_status == "pending"


# -- lost and unexpected responses -----------------------------------------------------------------------------


def once(do: Callable[[], Any]) -> Callable[[str, str], Any]:
    """A fault of the first write only."""
    left = iter([True])

    def fault(method: str, path: str) -> Any:
        return do() if method != "GET" and next(left, False) else None

    return fault


def drop() -> None:
    raise Drop


def hang() -> None:
    time.sleep(1.2)


@pytest.mark.parametrize("moment", ["fault", "late_fault"], ids=["before", "after"])
@pytest.mark.parametrize("lost", [drop, hang])
def test_a_lost_response_is_settled_by_the_next_list(
    world: World, scope: str, lost: Callable[[], Any], moment: str, settings: Settings
) -> None:
    """Whether the write was carried out is unknown until the next list."""
    settings.REQUEST_DEADLINE = 0.5
    sync = mixed(world, scope)
    setattr(world.sandbox, moment, once(lost))
    run = world.run(sync)
    assert (run.status, run.changes.filter(outcome="failed", error_code="outcome-unknown").count()) == ("pending", 1)
    assert ManagedSecret.objects.filter(sync=sync, state="claim").count() == 1
    world.sandbox.fault = world.sandbox.late_fault = None
    later(world)
    assert world.again(run).status == "succeeded"
    assert world.held(SCOPES[scope]) == WANTED
    agrees(world, sync, scope)


@pytest.mark.parametrize("body", [b"<html>hello</html>", b'{"key": "A", "cre', b"", b"[]"])
def test_an_unexpected_response_after_a_write(world: World, scope: str, body: bytes) -> None:
    sync = mixed(world, scope)
    world.sandbox.late_fault = once(lambda: (200, body))
    run = world.run(sync)
    assert run.status in ("succeeded", "failed", "pending")
    world.sandbox.late_fault = None
    later(world)
    world.run(sync)
    later(world)
    assert world.held(SCOPES[scope]) == WANTED
    world.run(sync)
    agrees(world, sync, scope)


def test_retry_after_is_read_from_the_response(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.sandbox.fault = once(lambda: (429, {"message": "slow"}, {"Retry-After": "17"}))
    run = world.run(sync)
    retry_at = AppConnection.objects.values_list("retry_at", flat=True).get()
    assert retry_at
    assert 15 < (retry_at - timezone.now()).total_seconds() <= 17
    assert run.due_at
    assert run.due_at > timezone.now() + timedelta(seconds=10)


def test_all_runs_of_a_connection_share_one_pace(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 50 requests per second twelve writes of two syncs take eleven gaps of 20 ms, whatever their concurrency."""
    monkeypatch.setattr(Humanitec, "capabilities", replace(Humanitec.capabilities, pace=50.0))
    world.set(**{f"K{n}": "x" for n in range(6)})
    syncs = [world.sync("one"), world.sync("two", ENVIRONMENT)]
    began = time.monotonic()
    for sync in syncs:
        assert world.run(sync).status == "succeeded"
    assert time.monotonic() - began >= 11 / 50
    reserve_slot(world.connection.pk, 0.1)
    assert reserve_slot(world.connection.pk, 0.1) > 5
