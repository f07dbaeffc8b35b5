"""The status of a sync: the same word everywhere, the most urgent first."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.html import escape

from config.access.models import Instance
from config.access.services import pause_everything
from connections.services import pause_connection
from syncs.admin.editor.base import address
from syncs.history.outcomes import in_words, numbers_in
from syncs.history.states import ATTENTION, counted, with_state
from syncs.history.status import status_of, statuses
from syncs.history.texts import active
from syncs.models import SecretSync, SyncRun, SyncState
from syncs.planning.kept import kept_keys
from syncs.running import drift
from syncs.services import approvals
from syncs.services.cancellation import cancel
from syncs.services.kept import forget_kept
from syncs.services.syncs import SyncInput, update_sync
from syncs.services.triggers import trigger
from syncs.source.selectors import syncs
from tests.admin.test_admin import url
from tests.admin.test_pages import copies
from tests.fixtures.api import Api
from tests.fixtures.world import ENVIRONMENT, World

APP = ("acme", "shop", "")
Step = Callable[[World, SecretSync], None]


def fresh(sync: SecretSync) -> SecretSync:
    return syncs().get(pk=sync.pk)


def arrived(world: World, sync: SecretSync) -> None:
    world.set(A="1", B="2", C="3", D="4", E="5")
    world.run(sync)


def everything_paused(world: World, sync: SecretSync) -> None:
    pause_everything(world.actor, paused=True, reason="the vendor moves")


def connection_paused(world: World, sync: SecretSync) -> None:
    pause_connection(world.actor, world.connection, paused=True)


def paused(world: World, sync: SecretSync) -> None:
    world.policy(sync, paused=True)


def folder_deleted(world: World, sync: SecretSync) -> None:
    SecretSync.objects.filter(pk=sync.pk).update(folder=None)


def held(world: World, sync: SecretSync) -> None:
    world.unset("A", "B", "C", "D", "E")
    world.run(sync)


def failed(world: World, sync: SecretSync) -> None:
    world.set(A="another")
    world.sandbox.fault = lambda method, path: (422, {"message": "too long"}) if method == "PATCH" else None
    world.run(sync)
    world.sandbox.fault = None


def drifted(world: World, sync: SecretSync) -> None:
    world.sandbox.put(APP, "A", "theirs")
    drift.check(fresh(sync))


def blocked(world: World, sync: SecretSync) -> None:
    world.set(BROKEN="${NOWHERE}")
    world.run(sync)


def dismissed(world: World, sync: SecretSync) -> None:
    world.unset("A", "B", "C", "D", "E")
    approvals.dismiss(world.actor, world.run(sync))
    world.run(sync)


def on_offer(world: World, sync: SecretSync) -> None:
    world.set(A="1", BROKEN="${NOWHERE}")
    world.sandbox.put(APP, "FOREIGN", "x")
    world.run(sync)
    world.unset("BROKEN")
    world.run(sync)


def forgotten(world: World, sync: SecretSync) -> None:
    forget_kept(world.actor, fresh(sync))


def unreachable(world: World, sync: SecretSync) -> None:
    world.set(A="once more")
    world.sandbox.fault = lambda method, path: (503, {})
    world.run(sync)
    world.sandbox.fault = None


def cancelled(world: World, sync: SecretSync) -> None:
    world.set(A="not sent")
    cancel(world.actor, trigger(world.actor, fresh(sync), "sync"))


def changed(world: World, sync: SecretSync) -> None:
    world.set(A="not sent")


def started(world: World, sync: SecretSync) -> None:
    due = timezone.now() + timedelta(seconds=15)
    SyncRun.objects.create(sync=sync, operation="sync", trigger="manual", status="running", due_at=due, started_at=due)


CASES: list[tuple[str, list[Step], list[str]]] = [
    ("neverRan", [], []),
    ("upToDate", [arrived], []),
    ("running", [arrived, started], []),
    ("pending", [arrived, changed], []),
    ("running", [arrived, changed, started], []),
    ("retrying", [arrived, unreachable], ["pending"]),
    ("kept", [arrived, dismissed], []),
    ("kept", [arrived, dismissed, changed], ["pending"]),
    ("kept", [on_offer], []),
    ("upToDate", [on_offer, forgotten], []),
    ("incomplete", [arrived, blocked], []),
    ("incomplete", [arrived, cancelled], []),
    ("drifted", [arrived, drifted], []),
    ("drifted", [arrived, blocked, drifted], ["incomplete"]),
    ("failing", [arrived, failed], []),
    ("failing", [arrived, failed, drifted], ["drifted"]),
    ("failing", [arrived, failed, unreachable], ["retrying", "pending"]),
    ("held", [arrived, held], []),
    ("held", [arrived, failed, held], ["failing"]),
    ("sourceMissing", [arrived, folder_deleted], []),
    ("sourceMissing", [arrived, held, folder_deleted], ["held"]),
    ("paused", [arrived, everything_paused], []),
    ("paused", [arrived, connection_paused], []),
    ("paused", [arrived, paused], []),
    ("paused", [arrived, held, paused, connection_paused, everything_paused], ["held"]),
    ("paused", [arrived, failed, drifted, everything_paused], ["failing", "drifted"]),
    ("paused", [arrived, folder_deleted, paused], ["sourceMissing"]),
]


def named(case: tuple[str, list[Step], list[str]]) -> str:
    return "-".join(step.__name__ for step in case[1]) or "new"


@pytest.mark.parametrize(("state", "steps", "also"), CASES, ids=map(named, CASES))
def test_every_place_says_the_same(
    world: World, browser: Client, api: Api, state: str, steps: list[Step], also: list[str]
) -> None:
    sync = world.sync(is_auto_sync_enabled=False)
    for step in steps:
        step(world, sync)
    status, label = status_of(sync), str(SyncState(state).label)
    row = with_state(SecretSync.objects.filter(pk=sync.pk)).get()
    holding = [each for each in SyncState if getattr(row, f"holds_{each}", False)]
    assert (row.state, holding[:1] or ["upToDate"]) == (state, [state])
    assert [each for each in holding if each != state] == also
    assert len(status.reasons) >= len(holding)
    assert status.kept == len(kept_keys(fresh(sync)))
    # the API
    answer = api("GET", f"/v1/secret-syncs/humanitec/{sync.pk}/status")
    assert answer == (200, {"status": status.as_json()})
    # the command
    out = StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.exit", lambda code: None)
        call_command("status", "--json", stdout=out)
    assert json.loads(out.getvalue())["syncs"][0]["status"] == status.as_json()
    # metrics, filters and counts
    assert f'keyferry_syncs{{destination="humanitec",status="{state}"}} 1.0' in browser.get("/metrics").content.decode()
    assert counted(world.actor)[SyncState(state)] == 1
    listed = browser.get(url(SecretSync, "changelist") + f"?state={state}")
    assert [one.status for one in listed.context["cl"].result_list] == [status]
    # the pages
    badge = f">{label}</span>"
    assert badge in listed.content.decode()
    page = browser.get(url(SecretSync, "change", sync.pk)).content.decode()
    assert badge in page
    for reason in status.besides_pauses:
        assert escape(reason) in page
    assert "is paused" in page or "are paused" in page or state != "paused"
    overview = browser.get("/admin/").content.decode()
    assert (badge in overview) == (SyncState(state) in ATTENTION)
    assert f"?state={state}" in overview
    assert ("No problems" in overview) == (SyncState(state) not in ATTENTION)
    if sync.folder_id and folder_deleted not in steps:
        assert badge in browser.get(address(world.environment(), "/")).content.decode()


def test_the_number_of_queries_is_fixed(world: World) -> None:
    sync = world.sync(is_auto_sync_enabled=False)
    for step in (arrived, failed, unreachable, drifted, paused):
        step(world, sync)

    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            statuses(SecretSync.objects.all())
        return len(queries)

    one = asked()
    copies(sync, 20)
    assert asked() <= one <= 7
    with CaptureQueriesContext(connection) as queries:
        counted(world.actor)
    assert len(queries) <= 3


def test_a_pause_names_who_when_and_why(world: World) -> None:
    sync = world.sync()
    everything_paused(world, sync)
    connection_paused(world, sync)
    status = status_of(sync)
    assert (status.paused_by, status.since) == ("ada", Instance.objects.get().paused_at)
    assert [reason.partition(" since")[0] for reason in status.reasons[:2]] == [
        "All syncs are paused by ada",
        "The connection humanitec-dev is paused by ada",
    ]
    assert status.reasons[0].endswith("UTC: the vendor moves.")


def test_a_retry_says_when_and_which_attempt_is_next(world: World) -> None:
    sync = world.sync(is_auto_sync_enabled=False)
    arrived(world, sync)
    unreachable(world, sync)
    run = SyncRun.objects.get(status="pending")
    status = status_of(sync)
    assert (status.retry_at, status.attempt, status.attempts) == (run.due_at, 2, 5)
    assert run.due_at
    assert status.reasons[0].startswith(f"Next try {run.due_at:%H:%M:%S} UTC (2 of 5)")


def test_a_failing_sync_says_when_it_is_tried_again(world: World) -> None:
    sync = world.sync()
    arrived(world, sync)
    failed(world, sync)
    status = status_of(sync)
    assert (status.state, status.attempt) == (SyncState.FAILING, 1)
    assert status.retry_at == SyncRun.objects.get(status="pending", trigger="retry").due_at
    assert status.since == SyncRun.objects.filter(status="failed").latest("created_at").ended_at


def test_another_target_ends_what_was_wrong_at_the_former_one(world: World) -> None:
    sync = world.sync(is_auto_sync_enabled=False)
    for step in (arrived, failed, drifted):
        step(world, sync)
    update_sync(world.actor, fresh(sync), SyncInput(destination_config=ENVIRONMENT))
    status = status_of(sync)
    assert (status.state, status.reasons) == (SyncState.NEVER_RAN, ("No run has ended yet.",))


def test_the_time_of_a_run_is_not_that_of_a_decision(world: World) -> None:
    sync = world.sync(is_auto_sync_enabled=False)
    arrived(world, sync)
    held(world, sync)
    run = SyncRun.objects.get(status="held")
    assert active(run)[1] is None
    approvals.approve(world.actor, run)
    approved_at = timezone.now()
    world.due()
    began, ended = active(world.again(run))
    assert began
    assert ended
    assert approved_at <= began <= ended


def test_a_failed_key_is_not_written_and_a_dismissed_one_not_to_do(world: World) -> None:
    sync = world.sync(is_auto_sync_enabled=False)
    arrived(world, sync)
    world.set(A="2", B="3")
    world.unset("C")
    world.sandbox.fault = lambda method, path: (422, {"message": "no"}) if method == "PATCH" and "/A" in path else None
    run = world.run(sync)
    world.sandbox.fault = None
    assert in_words(run, numbers_in(run)) == "1 written, 1 deleted, 1 failed"
    world.unset("A", "B", "D", "E")
    dismissed_run = world.run(sync)
    assert in_words(dismissed_run, numbers_in(dismissed_run)) == "4 to do"
    approvals.dismiss(world.actor, dismissed_run)
    after = world.again(dismissed_run)
    assert in_words(after, numbers_in(after)) == "4 dismissed"


def test_a_message_names_each_reason_once(world: World) -> None:
    world.set(**{f"KEY_{number:03}": "1" for number in range(40)}, ODD="${NOWHERE}")
    sync = world.sync(is_auto_sync_enabled=False)
    world.sandbox.fault = lambda method, path: (
        (422, {"message": f"too long: {path.rpartition('/')[2]}"}) if method == "POST" else None
    )
    message = str(world.run(sync).message)
    assert message.startswith("40 keys failed: Humanitec: POST ")
    assert "(KEY_000, KEY_001, KEY_002 and 37 more). 1 key blocked: ODD (" in message


def test_the_first_run_is_waited_for_before_anything_has_run(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    status = status_of(sync)
    assert (status.state, status.run_id is not None) == (SyncState.PENDING, True)
    assert counted(world.actor)[SyncState.PENDING] == 1
