"""The action after the writes of a run: once, owed until it is done, reported apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from config.access.models import User
from connections.models import AppConnection
from syncs.history.serialize import outcomes, run_with_keys
from syncs.models import ManagedSecret, OwedAction, SecretSync, SyncRun
from syncs.running import after as acting
from syncs.running.runner import execute
from syncs.services import triggers
from syncs.services.deletion import delete_sync
from syncs.services.syncs import SyncInput, update_sync
from syncs.source.selectors import syncs
from tests.contract.bases import FakeBatches
from tests.destinations.serving import Answer, Ask
from tests.fixtures.contract import Case


class Killed(BaseException):
    """A worker that dies: nothing catches it."""


@pytest.fixture
def sync(batches: Case) -> SecretSync:
    """With A and B written and deployed."""
    made = batches.sync()
    batches.policy(made, after_writes="deploy")
    batches.set(A="1", B="2")
    batches.run(made)
    assert deployed(batches) == [["A", "B"]]
    return made


def deployed(batches: Case) -> list[list[str]]:
    """The deployments since the last call, each with its keys."""
    assert isinstance(batches.fake, FakeBatches)
    found, batches.fake.deployed = batches.fake.deployed, []
    return found


def refusing(batches: Case, status: int, times: int = 10**6) -> Callable[[], None]:
    """Deployments are answered with the status, that often. Returns what ends it."""
    answer = batches.fake.answer
    left = [times]

    def refuse(ask: Ask) -> Answer:
        if ask.path == "/deploys" and left[0]:
            left[0] -= 1
            return Answer(status, {"message": "no"})
        return answer(ask)

    batches.fake.answer = refuse
    return lambda: left.__setitem__(0, 0)


def test_once_for_all_keys_and_only_if_one_changed(batches: Case, sync: SecretSync) -> None:
    run = batches.run(sync)
    assert (deployed(batches), run.after) == ([], None)
    batches.set(A="3", C="4")
    run = batches.run(sync)
    assert (run.status, deployed(batches)) == ("succeeded", [["A", "C"]])
    assert run_with_keys(run)["actions"] == [{"action": "deploy", "outcome": "applied", "error": None}]
    assert {"outcome": "applied", "action": "deploy", "key": "", "why": "after the writes"} in list(outcomes(run))
    assert not OwedAction.objects.exists()


def test_nothing_while_it_is_off(batches: Case, sync: SecretSync) -> None:
    batches.policy(sync, after_writes="off")
    batches.set(A="3")
    assert (batches.run(sync).after, deployed(batches)) == (None, [])
    batches.policy(sync, after_writes="deploy")
    assert (batches.run(sync).after, deployed(batches)) == (None, []), "owed only for changes while it was on"


def test_deletes_removals_and_undo_count(batches: Case, sync: SecretSync) -> None:
    batches.unset("B")
    deleting = batches.run(sync)
    assert deployed(batches) == [["B"]]
    triggers.undo(batches.actor, deleting)
    batches.later()
    assert deployed(batches) == [["B"]]
    triggers.remove_secrets(batches.actor, syncs().get(pk=sync.pk))
    batches.later()
    assert deployed(batches) == [["A", "B"]]


def test_deleting_a_sync_with_its_secrets_counts(batches: Case, sync: SecretSync) -> None:
    delete_sync(batches.actor, syncs().get(pk=sync.pk), with_secrets=True)
    batches.later()
    assert deployed(batches) == [["A", "B"]]
    assert not SecretSync.objects.exists()


@pytest.mark.parametrize("moment", ["before the action", "before its success is recorded"])
def test_a_killed_worker_still_owes_it(
    batches: Case, sync: SecretSync, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def killed(*_: Any) -> None:
        raise Killed

    batches.set(A="3")
    run = triggers.trigger(batches.actor, syncs().get(pk=sync.pk), "sync")
    with monkeypatch.context() as patched:
        if moment == "before the action":
            patched.setattr("tests.contract.bases.Batches.after", killed)
        else:
            patched.setattr(acting, "record_action", killed)
        with pytest.raises(Killed):
            execute(run.pk)
    deployed(batches)
    batches.later()
    assert deployed(batches) == [["A"]]
    assert SyncRun.objects.get(pk=run.pk).status == "succeeded"
    assert not OwedAction.objects.exists()


def test_a_write_that_the_next_list_confirms_counts(batches: Case, sync: SecretSync) -> None:
    """The worker dies after the vendor has handled the write and before it is recorded."""
    answer = batches.fake.answer

    def dying(ask: Ask) -> Answer:
        found = answer(ask)
        if ask.method == "DELETE":
            batches.fake.answer = answer
            return Answer(500)
        return found

    batches.unset("B")
    batches.fake.answer = dying
    batches.run(sync)
    batches.later()
    assert not ManagedSecret.objects.filter(normalized_key="B").exclude(state="missing").exists()
    assert deployed(batches) == [["B"]]


def test_it_is_tried_again_and_then_the_run_has_succeeded(batches: Case, sync: SecretSync) -> None:
    refusing(batches, 503, times=2)
    batches.set(A="3")
    run = batches.run(sync)
    assert (run.status, deployed(batches)) == ("pending", [])
    assert run.message
    assert run.message.startswith("Attempt 1 of 5 failed, the next is in 3 s: Written, not deployed: ")
    batches.later()
    run = SyncRun.objects.get(pk=run.pk)
    assert (run.status, run.message, deployed(batches)) == ("succeeded", None, [["A"]])
    assert run.counts["update"] == 0, "the last attempt wrote nothing"


@pytest.mark.parametrize("status", [403, 422, 503])
def test_one_that_fails_for_ever_is_reported_and_stays_owed(batches: Case, sync: SecretSync, status: int) -> None:
    allow = refusing(batches, status)
    batches.set(A="3")
    run = batches.run(sync)
    batches.later()
    run = SyncRun.objects.get(pk=run.pk)
    assert run.status == "failed"
    assert str(run.message).startswith("Written, not deployed: ")
    assert run.changes.get(key="A").outcome == "applied"
    (action,) = run_with_keys(run)["actions"]
    assert (action["outcome"], bool(action["error"])) == ("failed", True)
    assert OwedAction.objects.get().keys == ["A"]
    allow()
    assert (batches.run(sync).status, deployed(batches)) == ("succeeded", [["A"]])


def test_a_login_that_it_shows_to_be_refused_is_marked(batches: Case, sync: SecretSync) -> None:
    refusing(batches, 401)
    batches.set(A="3")
    assert batches.run(sync).status == "failed"
    connection = AppConnection.objects.get()
    assert connection.login_refused_at
    assert connection.check_problem.startswith("The login was refused: ")


def test_it_waits_for_keys_that_are_tried_again(batches: Case, sync: SecretSync) -> None:
    answer = batches.fake.answer
    failed = []

    def busy(ask: Ask) -> Answer:
        if ask.method == "PATCH" and not failed:
            failed.append(ask)
            return Answer(503)
        return answer(ask)

    batches.fake.answer = busy
    batches.set(A="3", C="4")
    batches.run(sync)
    assert (bool(failed), deployed(batches)) == (True, [])
    batches.later()
    assert deployed(batches) == [["A", "C"]]


def test_a_failed_key_does_not_hold_up_the_others(batches: Case, sync: SecretSync) -> None:
    batches.set(A="refused", C="4")
    run = batches.run(sync)
    assert (run.status, deployed(batches)) == ("failed", [["C"]])
    assert "deployed" not in str(run.message)


def test_a_paused_sync_owes_it_until_it_resumes(batches: Case, sync: SecretSync) -> None:
    refusing(batches, 503, times=1)
    batches.set(A="3")
    SecretSync.objects.update(is_auto_sync_enabled=True)
    batches.run(sync)
    batches.policy(sync, paused=True)
    SyncRun.objects.filter(status="pending").update(trigger="retry")
    batches.later()
    assert (deployed(batches), OwedAction.objects.get().keys) == ([], ["A"])
    batches.policy(sync, paused=False)
    batches.later()
    assert deployed(batches) == [["A"]]


def test_a_run_that_no_longer_owes_it_does_not_fail_for_it(batches: Case, sync: SecretSync) -> None:
    refusing(batches, 503)
    batches.set(A="3")
    run = batches.run(sync)
    batches.policy(sync, after_writes="off")
    batches.later()
    run = SyncRun.objects.get(pk=run.pk)
    assert (run.status, run.after) == ("succeeded", None)


def test_another_target_forgets_what_is_owed_at_the_former_one(batches: Case, sync: SecretSync) -> None:
    refusing(batches, 403)
    batches.set(A="3")
    batches.run(sync)
    update_sync(batches.actor, syncs().get(pk=sync.pk), SyncInput(destination_config={"location": "elsewhere"}))
    assert not OwedAction.objects.exists()


def test_pages_show_it(batches: Case, sync: SecretSync, client: Client) -> None:
    refusing(batches, 403)
    batches.set(A="3")
    run = batches.run(sync)
    client.force_login(User.objects.get(username="ada"))
    page = client.get(f"/admin/syncs/syncrun/{run.pk}/change/").content.decode()
    assert "Written, not deployed" in page
    assert "Deploy after the writes" in page
    overview = client.get(f"/admin/syncs/secretsync/{sync.pk}/change/").content.decode()
    assert "Deploys after a run that changed a key; a deployment is owed." in overview


def test_switching_it_off_forgets_what_is_owed(batches: Case, sync: SecretSync) -> None:
    refusing(batches, 403)
    batches.set(A="3")
    batches.run(sync)
    batches.policy(sync, after_writes="off")
    assert not OwedAction.objects.exists()
