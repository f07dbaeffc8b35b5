"""A vendor that refuses to return one value: its key is blocked, the others are synced, nothing is deleted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from pytest_django import Settings

from syncs.destination.base import destinations
from syncs.destination.capabilities import Capabilities
from syncs.destination.options import sync_options
from syncs.engine.types import Remote
from syncs.models import ManagedSecret, SyncRun
from syncs.planning.preflight import checked_plan
from syncs.planning.preview import drift_of, preview
from syncs.services import triggers
from syncs.source.selectors import syncs
from tests.contract.bases import Batches, BatchOptions, FakeBatches
from tests.fixtures.contract import Case, opened

REFUSED: set[str] = set()
WHY = "the login may not use the KMS key of this value"


class Guarded(Batches):
    """Returns values, except those of the keys in REFUSED."""

    Options = sync_options("Batches", BatchOptions, can_import=True)
    capabilities = Capabilities(
        can_read_values=True, can_import=True, has_etag=False, has_object_ids=False, holds_comments=False
    )
    values: dict[str, str]

    def read_values(self, remotes: Sequence[Remote], *, values: bool) -> Sequence[Remote]:
        return [
            replace(remote, unreadable=WHY) if remote.key in REFUSED else replace(remote, value=self.values[remote.key])
            for remote in remotes
        ]


@pytest.fixture
def case(db: None, settings: Settings, no_pace: None) -> Iterator[Case]:
    REFUSED.clear()
    fake = FakeBatches()
    with opened(fake, "batches", "any", settings) as case, destinations.override(Guarded):
        Guarded.values = fake.values
        case.found = Guarded
        yield case


def outcomes(run: SyncRun) -> dict[str, tuple[str, str]]:
    return {row.key: (row.outcome, row.error_code) for row in run.changes.all()}


def test_one_unreadable_key_is_blocked_and_the_others_are_written(case: Case) -> None:
    case.set(A="1", B="1", GONE="1")
    sync = case.sync()
    case.run(sync)
    before = ManagedSecret.objects.get(key="A")
    case.set(A="2", B="2", C="2")
    case.unset("GONE")
    REFUSED.add("A")
    run = case.run(sync)
    assert run.status == "failed"
    assert outcomes(run) == {
        "A": ("blocked", "read-refused"),
        "B": ("applied", ""),
        "C": ("applied", ""),
        "GONE": ("kept", ""),
    }
    assert case.holds(A="1", B="2", C="2", GONE="1")
    assert ManagedSecret.objects.get(key="A").value_mac == before.value_mac
    assert run.message == (
        f"1 key blocked: A (its value at the destination could not be read: {WHY}). "
        "1 key was kept, because nothing is deleted while a value at the destination cannot be read"
    )
    REFUSED.clear()
    assert case.run(sync).status == "succeeded"
    assert case.holds(A="2", B="2", C="2")


def test_a_plan_names_it_and_a_drift_check_does_not_know(case: Case) -> None:
    case.set(A="1", B="1")
    sync = case.sync()
    case.run(sync)
    REFUSED.add("A")
    sync = syncs().get(pk=sync.pk)
    (warning,) = checked_plan(case.actor, sync).warnings
    assert warning.startswith(f"1 key cannot be written (A): its value at the destination could not be read: {WHY}.")
    assert [(one["key"], one["state"]) for one in drift_of(preview(sync))] == [("A", "unknown")]


def test_an_import_names_it_and_takes_the_others(case: Case) -> None:
    case.put("A", "theirs")
    case.put("B", "theirs")
    REFUSED.add("A")
    sync = case.sync()
    run = triggers.import_secrets(case.actor, sync, "prioritize-destination")
    case.later()
    run = SyncRun.objects.get(pk=run.pk)
    assert outcomes(run) == {"A": ("blocked", "read-refused"), "B": ("applied", "")}
    assert run.message == f"1 key blocked: A (its value at the destination could not be read: {WHY})"
    assert case.source() == {"B": "theirs"}


def test_a_first_run_that_imports_neither_overwrites_nor_deletes_it(case: Case) -> None:
    case.put("A", "theirs")
    case.put("B", "theirs")
    case.set(A="ours", C="ours")
    REFUSED.add("A")
    sync = case.sync(initialSyncBehavior="import-prioritize-destination")
    case.run(sync)
    assert case.holds(A="theirs", B="theirs", C="ours")
    assert case.source() == {"A": "ours", "B": "theirs", "C": "ours"}


def test_a_removal_leaves_it_and_takes_the_others(case: Case) -> None:
    case.set(A="1", B="1")
    sync = case.sync()
    case.run(sync)
    REFUSED.add("A")
    run = case.run(sync, "remove")
    assert outcomes(run) == {"A": ("blocked", "read-refused"), "B": ("applied", "")}
    assert case.holds(A="1")
    assert ManagedSecret.objects.filter(key="A", state="owned").exists()
