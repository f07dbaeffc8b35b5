"""Cancelling a run: no request begins afterwards, what was written stays recorded, and nothing is retried by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from config.access.models import AuditEvent
from config.errors import BadRequest
from syncs.destinations.humanitec import Humanitec
from syncs.models import SecretSync, SyncRun
from syncs.running import attempt, writer
from syncs.services.cancellation import cancel
from syncs.services.triggers import remove_secrets, trigger
from syncs.source.selectors import syncs
from tests.api.test_syncs import SYNCS
from tests.fixtures.api import Api, api_for
from tests.fixtures.world import World

KEYS = 30


def cancels_after(world: World, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Somebody cancels the run that is under way once it has sent some writes."""
    gate = writer.Writer.gate

    def cancelling(self: Any, changes: Any, pace: Any) -> Iterator[Any]:
        for count, write in enumerate(gate(self, changes, pace)):
            yield write
            if count == number:
                cancel(world.actor, self.run)

    monkeypatch.setattr(writer.Writer, "gate", cancelling)
    monkeypatch.setattr(writer, "PAUSE_CHECK", 0.0)


def shown(sync: SecretSync) -> tuple[str | None, str | None]:
    found = syncs().get(pk=sync.pk)
    return found.sync_status, found.last_sync_message


def test_a_cancelled_run_stops_between_keys(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.set(**{f"K{number:02}": "x" for number in range(KEYS)})
    sync = world.sync()
    with monkeypatch.context() as patched:
        cancels_after(world, patched, 8)
        run = world.due()[0]
    written = len(world.held())
    assert 8 < written < KEYS
    assert run.status == "failed"
    assert run.message == f"Cancelled by ada: {written} keys were written, {KEYS - written} skipped."
    assert set(run.changes.values_list("outcome", "reason").exclude(outcome="applied")) == {
        ("skipped", "cancelled by ada")
    }
    assert shown(sync) == ("failed", run.message)
    # No run follows by itself; the next change runs as usual, and knows what was written.
    assert not SyncRun.objects.filter(status="pending").exists()
    assert syncs().get(pk=sync.pk).done_rev == syncs().get(pk=sync.pk).wanted_rev
    world.sandbox.asked.clear()
    world.set(NEW="x")
    SyncRun.objects.filter(status="pending").update(due_at=None)
    world.due()
    assert len(world.held()) == KEYS + 1
    assert len(world.writes()) == KEYS + 1 - written
    assert shown(sync) == ("succeeded", None)


def test_a_run_that_waits_ends_at_once_and_the_status_stays(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.due()
    world.set(A="2")
    waiting = SyncRun.objects.get(status="pending")
    assert shown(sync)[0] == "pending"
    run = cancel(world.actor, waiting)
    assert (run.status, run.message) == ("superseded", "Cancelled by ada, before it wrote anything.")
    assert shown(sync) == ("succeeded", None)
    world.due()
    assert world.held() == {"A": "1"}
    assert syncs().get(pk=sync.pk).done_rev == syncs().get(pk=sync.pk).wanted_rev  # so no sweep brings it back
    assert AuditEvent.objects.get(event="cancel-run").metadata["run"] == str(run.pk)


def test_a_retry_that_waits_ends_the_row_of_retries(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.sandbox.fault = lambda method, path: (422, {}) if method != "GET" else None
    world.due()
    world.sandbox.fault = None
    retry = SyncRun.objects.get(status="pending", trigger="retry")
    cancel(world.actor, retry)
    assert not SyncRun.objects.filter(status="pending").exists()
    assert shown(sync)[0] == "failed"


def test_a_run_between_two_attempts_is_cancelled(world: World) -> None:
    world.set(A="1")
    world.sync()
    world.sandbox.fault = lambda method, path: (503, {}) if method != "GET" else None
    run = world.due()[0]
    assert run.status == "pending"
    world.sandbox.fault = None
    cancel(world.actor, run)
    world.due()
    assert world.held() == {}
    assert world.again(run).status == "failed"  # a request was sent
    assert not SyncRun.objects.filter(status="pending").exists()


def test_a_failing_run_that_is_cancelled_is_not_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.set(A="1", B="2")
    world.sync()
    world.sandbox.fault = lambda method, path: (503, {}) if method != "GET" else None
    cancels_after(world, monkeypatch, 1)
    run = world.due()[0]
    assert run.status == "failed"
    assert "Cancelled by ada" in (run.message or "")
    assert not SyncRun.objects.filter(status="pending").exists()


def test_a_run_that_lists_is_cancelled_before_its_next_request(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.set(A="1")
    world.sync()
    run = SyncRun.objects.select_related("sync").get()
    fetch = Humanitec.fetch

    def cancelling(self: Humanitec) -> Any:
        cancel(world.actor, run)
        return fetch(self)

    monkeypatch.setattr(Humanitec, "fetch", cancelling)
    monkeypatch.setattr(attempt, "PAUSE_CHECK", 0.0)
    world.sandbox.asked.clear()
    world.due()
    assert (world.again(run).status, world.sandbox.asked, world.held()) == ("superseded", [], {})


def test_a_run_whose_worker_died_is_not_resumed(world: World) -> None:
    world.set(A="1")
    world.sync()
    run = SyncRun.objects.get()
    SyncRun.objects.filter(pk=run.pk).update(status="running", started_at=run.created_at)
    assert cancel(world.actor, run).status == "running"  # a worker may hold it
    world.sandbox.asked.clear()
    world.due()
    assert (world.again(run).status, world.sandbox.asked) == ("superseded", [])


def test_a_held_run_is_closed_without_keeping_its_keys(world: World) -> None:
    world.set(A="1", B="2", C="3")
    sync = world.sync()
    world.due()
    world.unset("A", "B", "C")
    held = world.run(sync)
    assert held.status == "held"
    assert cancel(world.actor, held).status == "superseded"
    assert shown(sync) == ("succeeded", None)
    assert world.run(sync).status == "held"  # the next run asks again


@pytest.mark.parametrize("operation", ["remove", "import"])
def test_a_removal_and_an_import_are_cancelled(world: World, operation: str) -> None:
    world.set(A="1")
    sync = world.sync()
    world.due()
    request = remove_secrets if operation == "remove" else lambda actor, sync: trigger(actor, sync, "import")
    run = request(world.actor, syncs().get(pk=sync.pk))
    cancel(world.actor, run)
    world.due()
    assert world.held() == {"A": "1"}
    found = syncs().get(pk=sync.pk)
    assert getattr(found, f"{operation}_status") is None
    assert found.policy.paused is (operation == "remove")


def test_a_run_that_has_ended_cannot_be_cancelled(world: World) -> None:
    world.set(A="1")
    world.sync()
    run = world.due()[0]
    with pytest.raises(BadRequest, match="it is succeeded"):
        cancel(world.actor, run)


def test_cancelling_over_the_api(world: World, api: Api) -> None:
    world.set(A="1")
    sync = world.sync()
    run = SyncRun.objects.get()
    where = f"{SYNCS}/{sync.pk}/runs/{run.pk}/cancel"
    assert api_for("viewer", world)("POST", where)[0] == 403
    status, answer = api("POST", where)
    assert (status, answer["run"]["status"]) == (200, "superseded")
    assert api("POST", where)[0] == 400
    assert api("POST", f"{SYNCS}/{sync.pk}/runs/{sync.pk}/cancel")[0] == 404
