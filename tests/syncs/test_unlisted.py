"""A destination that cannot list: the ledger is all that is known."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from syncs.models import ManagedSecret
from syncs.planning.preflight import checked_plan
from syncs.planning.preview import drift_of, drift_status, preview
from syncs.running.drift import check
from syncs.source.selectors import syncs
from tests.fixtures.contract import Case, fake_of, opened


@pytest.fixture
def unlisted(db: None, settings: Settings, no_pace: None) -> Iterator[Case]:
    with opened(fake_of("unlisted")(), "unlisted", "any", settings) as case:
        yield case


def states() -> dict[str, str]:
    return dict(ManagedSecret.objects.values_list("key", "state"))


def test_own_keys_count_as_present_and_no_request_is_sent_for_them(unlisted: Case) -> None:
    unlisted.set(A="1", B="2")
    sync = unlisted.sync()
    unlisted.run(sync)
    unlisted.fake.asked()
    plan = preview(syncs().get(pk=sync.pk))
    assert {change.key: change.action for change in plan.changes} == {"A": "unchanged", "B": "unchanged"}
    assert drift_status(drift_of(plan)) == "unknown"
    assert check(syncs().get(pk=sync.pk)).status == "unknown"
    unlisted.set(A="3")
    found = checked_plan(unlisted.actor, syncs().get(pk=sync.pk))
    assert found.estimate.requests == 1
    assert unlisted.fake.asked() == []


@pytest.mark.parametrize("unmanaged", ["overwrite-initially", "leave", "mirror"])
@pytest.mark.parametrize("applied", [True, False])
def test_a_creation_without_response_is_settled_by_trying(unlisted: Case, unmanaged: str, applied: bool) -> None:
    """If it was applied, a second one is a conflict. Whose it is then, is unknown: `leave` does not overwrite it."""
    unlisted.set(A="1")
    sync = unlisted.sync()
    unlisted.policy(sync, unmanaged=unmanaged)
    if applied:
        unlisted.fake.lose(True)
    else:
        unlisted.fake.fail("POST", 503)
    unlisted.run(sync)
    assert states() == {"A": "claim"}
    unlisted.fake.lose(False)
    unlisted.fake.fail(None)
    unlisted.set(A="2")
    for _ in range(2):
        unlisted.run(sync)
    kept = applied and unmanaged == "leave"
    assert unlisted.holds(A="1" if kept else "2")
    assert states() == {"A": "claim" if kept else "owned"}


def test_a_key_that_the_vendor_does_not_find_is_created_by_the_next_attempt(unlisted: Case) -> None:
    unlisted.set(A="1", B="2")
    sync = unlisted.sync()
    unlisted.run(sync)
    unlisted.drop("A")
    unlisted.set(A="3")
    run = unlisted.run(sync)
    assert states() == {"A": "missing", "B": "owned"}
    unlisted.later()
    run.refresh_from_db()
    assert run.status == "succeeded"
    assert unlisted.holds(A="3", B="2")


def test_removal_deletes_what_the_ledger_has(unlisted: Case) -> None:
    unlisted.set(A="1", B="2")
    sync = unlisted.sync()
    unlisted.run(sync)
    unlisted.put("FOREIGN", "x")
    unlisted.drop("B")
    assert unlisted.run(sync, "remove").status == "succeeded"
    assert unlisted.holds(FOREIGN="x")
    assert not ManagedSecret.objects.exists()
