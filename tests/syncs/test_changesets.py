"""Writes and deletes of a run in one request, where the vendor takes both: one write, one version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from pytest_django import Settings

from connections.errors import IntegrationError, OutcomeUnknown, RateLimited, Rejected
from syncs.destination.write import write_changeset
from syncs.engine.types import Action, Outcome, Write
from syncs.models import ManagedSecret, SyncRun
from syncs.running import operations
from syncs.running.runner import execute
from syncs.services import triggers
from syncs.services.secrets import set_secrets
from syncs.source.validation import SecretInput
from tests.destinations.serving import Answer, Ask, Served
from tests.fixtures.contract import Case, fake_of, opened

DOCUMENTS = [
    ("checked", "any"),
    ("unchecked", "any"),
    ("hashicorp-vault", "version-2"),
    ("aws-secrets-manager", "many-to-one"),
]


@pytest.fixture(params=DOCUMENTS, ids=[slug for slug, _ in DOCUMENTS])
def document(request: pytest.FixtureRequest, db: None, settings: Settings, no_pace: None) -> Iterator[Case]:
    slug, variant = request.param
    fake = fake_of(slug)()
    fake.serves(fake.configs[variant])
    with opened(fake, slug, variant, settings) as case:
        yield case


def rename(case: Case, key: str, new_key: str) -> None:
    set_secrets(case.actor, case.folder, [SecretInput(key, new_key=new_key)], resolved=False)


def test_a_renamed_key_is_one_write_and_so_is_its_undo(document: Case) -> None:
    document.set(OLD="1", KEPT="1")
    sync = document.sync()
    document.run(sync)
    rename(document, "OLD", "NEW")
    document.fake.asked()
    run = document.run(sync)
    assert run.status == "succeeded"
    assert len(document.writes()) == document.fake.writes_an_update
    assert document.holds(NEW="1", KEPT="1")
    execute(triggers.undo(document.actor, SyncRun.objects.select_related("sync").get(pk=run.pk)).pk)
    assert len(document.writes()) == document.fake.writes_an_update
    assert document.holds(OLD="1", KEPT="1")
    assert not ManagedSecret.objects.filter(state="claim").exists()


@pytest.mark.parametrize("document", DOCUMENTS[:3], indirect=True, ids=[slug for slug, _ in DOCUMENTS[:3]])
def test_the_old_key_stays_while_the_new_one_cannot_be_written(document: Case) -> None:
    document.set(OLD="1", KEPT="1")
    sync = document.sync()
    document.policy(sync, unmanaged="leave")
    document.run(sync)
    rename(document, "OLD", "NEW")
    fake = document.fake
    assert isinstance(fake, Served)
    seen: list[str] = []

    def meanwhile(ask: Ask) -> Answer | None:
        """NEW is created externally after the run has listed."""
        seen.append(ask.method)
        if len(seen) == 2 and "NEW" not in fake.held(document.config):
            fake.put(document.config, "NEW", "theirs")
        return None

    fake.fault = meanwhile
    run = document.run(sync)
    assert document.holds(OLD="1", NEW="theirs", KEPT="1")
    assert dict(run.changes.values_list("key", "outcome")) == {"NEW": "failed", "OLD": ""}
    owned = ManagedSecret.objects.order_by("key").values_list("key", "state")
    assert list(owned) == [("KEPT", "owned"), ("OLD", "owned")]
    document.later()
    assert document.holds(OLD="1", NEW="theirs", KEPT="1")
    fake.drop(document.config, "NEW")
    document.run(sync)
    assert document.holds(NEW="1", KEPT="1")


def test_deletes_that_must_wait_do_not_stop_the_writes(document: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    document.set(A="1", B="1")
    sync = document.sync()
    document.run(sync)
    document.set(A="2")
    document.unset("B")
    with monkeypatch.context() as patch:
        patch.setattr(operations, "LIST_FRESH", -1.0)
        run = document.run(sync)
    assert (run.status, run.message) == (
        "pending",
        "Stopped between keys because the list is too old for deletes; the rest follows.",
    )
    assert document.holds(A="2", B="1")
    document.later()
    assert document.holds(A="2")


class Vendor:
    """Takes up to `size` keys in a request, and refuses one with a bad key as a whole."""

    def __init__(self, *bad: str, error: IntegrationError | None = None) -> None:
        self.bad, self.error = set(bad), error or Rejected("no")
        self.requests: list[str] = []

    def send(self, writes: Sequence[Write]) -> list[Outcome]:
        self.requests.append(" ".join(("-" if one.action is Action.DELETE else "") + one.key for one in writes))
        if self.bad & {one.key for one in writes}:
            raise self.error
        return [Outcome(one) for one in writes]


def sets(*keys: str) -> list[Write]:
    return [Write(Action.UPDATE, key, key, "v") for key in keys]


def gone(key: str, after: str = "") -> Write:
    return Write(Action.DELETE, key, key, after=after)


def sent(vendor: Vendor, writes: Sequence[Write], size: int, whole: bool = True) -> dict[str, bool]:
    """The keys that have an outcome, and whether they were written."""
    outcomes = write_changeset(
        iter(writes), vendor.send, label="V", size=size, whole=whole, split_on=(Rejected,) if size > 2 else ()
    )
    return {outcome.write.key: outcome.error is None for outcome in outcomes}


def test_a_changeset_that_fits_is_one_request() -> None:
    vendor = Vendor()
    assert sent(vendor, [*sets("A", "B"), gone("C", after="A")], 3) == dict.fromkeys("ABC", True)
    assert vendor.requests == ["A B -C"]


def test_deletes_go_with_the_last_writes() -> None:
    vendor = Vendor()
    assert all(sent(vendor, [*sets("A", "B", "C"), gone("D", after="A"), gone("E", after="C")], 2).values())
    assert vendor.requests == ["A B", "C -D", "-E"]


def test_deletes_are_a_request_of_their_own_where_one_may_fail_in_part() -> None:
    vendor = Vendor()
    assert all(sent(vendor, [*sets("A", "B", "C"), gone("D", after="A"), gone("E")], 4, whole=False).values())
    assert vendor.requests == ["A B C", "-D -E"]


@pytest.mark.parametrize("error", [Rejected("no"), OutcomeUnknown("lost"), RateLimited("wait")])
def test_no_delete_follows_a_write_that_failed_before_it(error: IntegrationError) -> None:
    vendor = Vendor("A", error=error)
    writes = [*sets("A", "B", "C"), gone("D", after="A"), gone("E", after="C")]
    assert sent(vendor, writes, 2) == {"A": False, "B": False, "C": True, "E": True}
    assert vendor.requests == ["A B", "C", "-E"]


def test_a_split_changeset_deletes_nothing_whose_write_was_refused() -> None:
    vendor = Vendor("B")
    writes = [*sets("A", "B"), gone("C", after="A"), gone("D", after="B")]
    assert sent(vendor, writes, 4) == {"A": True, "B": False, "C": True}
    assert vendor.requests == ["A B -C -D", "A B", "A", "B", "-C"]


def test_the_caller_stops_between_requests() -> None:
    vendor = Vendor()

    def gate() -> Iterator[Write]:
        for write in [*sets("A", "B", "C"), gone("D")]:
            if len(vendor.requests) == 1:
                return
            yield write

    outcomes = list(write_changeset(gate(), vendor.send, label="V", size=2))
    assert [outcome.write.key for outcome in outcomes] == ["A", "B"]
