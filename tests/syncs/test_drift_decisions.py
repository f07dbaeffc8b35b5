"""Drift is over by itself, healed, or accepted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from config.access.models import User
from config.access.roles import actor_of_user
from config.errors import BadRequest, NotFound, PermissionDenied
from syncs.models import DriftCheck, SecretSync, SyncRun
from syncs.running import drift
from syncs.services.drift import accept, heal
from syncs.services.syncs import SyncInput, update_sync
from syncs.source.selectors import syncs
from tests.api.openapi import require_fit
from tests.contract.bases import FakeDocument
from tests.fixtures.api import Api, api_for
from tests.fixtures.contract import Case, opened
from tests.fixtures.world import ENVIRONMENT, World

APP = ("acme", "shop", "")


@pytest.fixture
def case(db: None, settings: Settings) -> Iterator[Case]:
    """At a destination whose values can be read."""
    with opened(FakeDocument(), "checked", "any", settings) as case:
        yield case


def fresh(sync: SecretSync) -> SecretSync:
    return syncs().get(pk=sync.pk)


def drifted(world: World) -> SecretSync:
    """A sync with a changed, a missing and a foreign key."""
    world.set(A="1", B="2", C="3")
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    world.sandbox.put(APP, "A", "theirs")
    del world.sandbox.values[APP]["B"]
    world.sandbox.put(APP, "FOREIGN", "x")
    drift.check(fresh(sync))
    return sync


def states() -> tuple[str, dict[str, str]]:
    check = DriftCheck.objects.get()
    return check.status, {one["key"]: one["state"] for one in check.changes}


def test_a_run_that_corrected_it_ends_drift(world: World) -> None:
    sync = drifted(world)
    assert states() == ("drifted", {"A": "changed", "B": "missing", "FOREIGN": "unmanaged"})
    world.run(sync)
    assert states() == ("none", {"FOREIGN": "unmanaged"})


def test_a_key_that_could_not_be_corrected_stays_drifted(world: World) -> None:
    sync = drifted(world)
    world.sandbox.fault = lambda method, path: (422, {"message": "no"}) if path.endswith("/A") else None
    world.run(sync)
    assert states() == ("drifted", {"A": "changed", "FOREIGN": "unmanaged"})


def test_a_check_that_finds_none_ends_drift(world: World) -> None:
    sync = drifted(world)
    world.sandbox.put(APP, "A", "1")
    world.sandbox.put(APP, "B", "2")
    world.unset("A", "B")
    world.run(sync)
    drift.check(fresh(sync))
    assert states()[0] == "none"


def test_another_target_ends_drift(world: World) -> None:
    sync = drifted(world)
    update_sync(world.actor, fresh(sync), SyncInput(destination_config=ENVIRONMENT))
    assert not DriftCheck.objects.exists()


def test_a_check_of_a_former_target_is_not_stored(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = drifted(world)
    listed = drift.preview

    def moved_meanwhile(*args: object) -> object:
        plan = listed(fresh(sync))
        update_sync(world.actor, fresh(sync), SyncInput(destination_config=ENVIRONMENT))
        return plan

    monkeypatch.setattr(drift, "preview", moved_meanwhile)
    with pytest.raises(BadRequest, match="another target now"):
        drift.check(fresh(sync))
    assert not DriftCheck.objects.exists()


def test_healing_is_a_run_that_writes_the_source_again(world: World) -> None:
    sync = drifted(world)
    run = heal(world.actor, fresh(sync))
    assert (run.trigger, run.actor_name) == ("manual", "ada")
    world.due()
    assert world.held() == {"A": "1", "B": "2", "C": "3", "FOREIGN": "x"}
    with pytest.raises(BadRequest, match="no drift"):
        heal(world.actor, fresh(sync))
    assert SyncRun.objects.count() == 2


def test_a_key_is_left(world: World) -> None:
    sync = drifted(world)
    accept(world.actor, fresh(sync), "leave", ["A"])
    assert states() == ("drifted", {"B": "missing", "FOREIGN": "unmanaged"})
    accept(world.actor, fresh(sync), "leave")
    assert (states()[0], fresh(sync).policy.exclude) == ("none", ["A", "B"])
    assert world.run(sync).status == "succeeded"
    assert world.held() == {"A": "theirs", "C": "3", "FOREIGN": "x"}


def test_a_name_with_the_characters_of_a_pattern_is_left_alone(case: Case) -> None:
    case.set(**{"A*": "1", "AB": "2"})
    sync = case.sync()
    case.run(sync)
    case.put("A*", "theirs")
    drift.check(fresh(sync))
    accept(case.actor, fresh(sync), "leave")
    case.set(AB="3")
    case.run(sync)
    assert case.holds(**{"A*": "theirs", "AB": "3"})


def test_a_value_is_taken_into_the_source(case: Case) -> None:
    case.set(A="1", B="2")
    sync = case.sync()
    case.run(sync)
    case.put("A", " theirs\n")
    drift.check(fresh(sync))
    accept(case.actor, fresh(sync), "take")
    assert (case.source(), states()[0]) == ({"A": " theirs\n", "B": "2"}, "none")
    case.run(sync)
    assert case.holds(A=" theirs\n", B="2")


def test_all_keys_are_accepted_or_none(case: Case) -> None:
    case.set(A="1", B="2", C="3", D="4")
    sync = case.sync()
    case.run(sync)
    case.put("A", "theirs")
    case.put("B", "see ${OTHER}")
    case.drop("C")
    case.put("D", "theirs")
    case.unset("D")
    drift.check(fresh(sync))
    with pytest.raises(BadRequest) as refused:
        accept(case.actor, fresh(sync), "take")
    message = str(refused.value)
    assert message.startswith("Nothing was accepted. B: its value contains ${...}")
    assert "C: it no longer exists at the destination" in message
    assert "D: its secret no longer exists" in message
    assert case.source() == {"A": "1", "B": "2", "C": "3"}
    with pytest.raises(NotFound, match="no drift of E, F"):
        accept(case.actor, fresh(sync), "take", ["A", "F", "E"])


def test_a_value_that_cannot_be_read_is_not_taken(world: World) -> None:
    sync = drifted(world)
    with pytest.raises(BadRequest, match="A: the destination does not return its value"):
        accept(world.actor, fresh(sync), "take")


def test_accepting_needs_the_rights_of_what_it_does(world: World) -> None:
    sync = drifted(world)
    nobody = actor_of_user(User.objects.create_user("eve"))
    for decide in (lambda: heal(nobody, fresh(sync)), lambda: accept(nobody, fresh(sync), "leave")):
        with pytest.raises(PermissionDenied):
            decide()
    assert states()[0] == "drifted"


def test_decisions_over_http(world: World, api: Api) -> None:
    sync = drifted(world)
    path = f"/v1/secret-syncs/humanitec/{sync.pk}"
    for method, rest, body in (
        ("GET", "/status", None),
        ("POST", "/drift/accept", {"choice": "leave", "keys": ["A"]}),
        ("POST", "/drift/heal", None),
    ):
        status, answer = api(method, path + rest, body)
        assert status == 200, answer
        require_fit(method, f"/api{path}{rest}", 200, answer)
    assert answer["run"]["trigger"] == "manual"
    assert states() == ("drifted", {"B": "missing", "FOREIGN": "unmanaged"})
    assert api("POST", f"{path}/drift/accept", {"choice": "both"})[0] == 422
    viewer = api_for("viewer", world)
    assert viewer("POST", f"{path}/drift/heal")[0] == 403
    assert viewer("GET", f"{path}/status")[1]["status"]["state"] == "drifted"
