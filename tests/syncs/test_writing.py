"""The base classes of destinations: one bad key does not affect others, and no external write to a document is lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connections.errors import (
    Conflict,
    IntegrationError,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unavailable,
    Unreachable,
)
from connections.http.client import ApiClient
from syncs.destination.write import TRIES, Document, write_document
from syncs.engine.types import Action, Outcome, Remote, Write
from tests.contract.bases import Batches, Checked, FakeBatches, FakeDocument, FakeUnchecked, Unchecked
from tests.destinations.serving import Answer, Ask

CONFIG = {"location": "here"}


def create(key: str, value: str = "v") -> Write:
    return Write(Action.CREATE, key, key, value)


def update(key: str, before: str, value: str = "new") -> Write:
    return Write(Action.UPDATE, key, key, value, remote=Remote(key, before))


def delete(key: str, before: str) -> Write:
    return Write(Action.DELETE, key, key, remote=Remote(key, before))


@pytest.fixture
def batches() -> Iterator[tuple[FakeBatches, Batches]]:
    fake = FakeBatches()
    with fake.running() as url, ApiClient("B", url, headers={"Authorization": fake.credentials["token"]}) as client:
        yield fake, Batches(client, CONFIG, concurrency=2)


@pytest.fixture(params=[(FakeDocument, Checked), (FakeUnchecked, Unchecked)], ids=["checked", "unchecked"])
def document(request: pytest.FixtureRequest) -> Iterator[tuple[FakeDocument, Checked | Unchecked]]:
    fake = request.param[0]()
    with fake.running() as url, ApiClient("D", url, headers={"Authorization": fake.credentials["token"]}) as client:
        yield fake, request.param[1](client, CONFIG)


def errors(outcomes: list[Outcome]) -> dict[str, type[Exception]]:
    return {outcome.write.key: type(outcome.error) for outcome in outcomes if outcome.error}


def test_one_bad_key_of_a_batch_does_not_fail_its_neighbours(batches: tuple[FakeBatches, Batches]) -> None:
    fake, destination = batches
    writes = [create(f"K{number}", "refused" if number == 7 else "v") for number in range(25)]
    outcomes = list(destination.apply(iter(writes)))
    assert errors(outcomes) == {"K7": Rejected}
    assert len(outcomes) == 25
    assert fake.values.keys() == {write.key for write in writes} - {"K7"}


def test_a_bad_key_of_a_batch_is_found_by_halves(batches: tuple[FakeBatches, Batches]) -> None:
    fake, destination = batches
    list(destination.apply(iter([create(f"K{number}", "refused" if number == 7 else "v") for number in range(10)])))
    assert len(fake.exchanges) == 7  # of 10, 5 and 5, 2 and 3, 1 and 2
    assert len(fake.values) == 9


def test_the_parts_of_a_refused_batch_wait_after_the_time_limit(
    batches: tuple[FakeBatches, Batches], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, destination = batches
    monkeypatch.setattr("syncs.destination.write.SPLIT_FOR", -1.0)
    outcomes = list(destination.apply(iter([create(f"K{number}", "refused") for number in range(10)])))
    assert [type(outcome.error) for outcome in outcomes] == [Unavailable] * 10
    assert len(fake.exchanges) == 1


def test_the_parts_of_a_refused_batch_wait_when_the_vendor_asks_to(batches: tuple[FakeBatches, Batches]) -> None:
    fake, destination = batches
    fake.fault = lambda ask: Answer(429) if len(ask.body) < 10 else None
    outcomes = list(destination.apply(iter([create(f"K{number}", "refused") for number in range(10)])))
    assert [type(outcome.error) for outcome in outcomes] == [RateLimited] * 10
    assert len(fake.exchanges) == 2


def test_actions_are_never_mixed_in_one_request(batches: tuple[FakeBatches, Batches]) -> None:
    fake, destination = batches
    fake.values = {"A": "1", "C": "1", "D": "1"}
    writes = [create("B"), update("A", "1"), update("C", "1"), delete("D", "1")]
    assert errors(list(destination.apply(iter(writes)))) == {}
    assert sorted(ask.method for ask, _ in fake.exchanges) == ["DELETE", "PATCH", "POST"]


def test_a_batch_is_pulled_just_before_it_is_sent(batches: tuple[FakeBatches, Batches]) -> None:
    fake, destination = batches
    pulled = 0

    def gate() -> Iterator[Write]:
        nonlocal pulled
        while len(fake.exchanges) < 3:
            pulled += 1
            yield create(f"K{pulled}")

    outcomes = list(destination.apply(gate()))
    assert len(outcomes) == pulled <= 60


def test_a_key_missing_in_the_result_of_a_batch_is_unknown(
    batches: tuple[FakeBatches, Batches], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, destination = batches
    monkeypatch.setattr(Batches, "create_many", lambda self, writes: [Outcome(writes[0])])
    assert errors(list(destination.apply(iter([create("A"), create("B")])))) == {"B": OutcomeUnknown}


def test_external_writes_between_list_and_write_are_kept(document: tuple[FakeDocument, Checked]) -> None:
    fake, destination = document
    fake.entries = {"A": "1", "GO": "2", "PLAIN": {"deep": [1, None]}}
    destination.listing()
    fake.put(CONFIG, "FOREIGN", "theirs")
    outcomes = list(destination.apply(iter([update("A", "1"), create("B"), delete("GO", "2")])))
    assert errors(outcomes) == {}
    assert fake.entries == {"A": "new", "B": "v", "FOREIGN": "theirs", "PLAIN": {"deep": [1, None]}}


def test_a_concurrent_external_write_is_kept_if_the_vendor_checks() -> None:
    fake = FakeDocument()
    fake.entries = {"A": "1"}

    def meanwhile(ask: Ask) -> Answer | None:
        if ask.method == "POST" and "FOREIGN" not in fake.entries:
            fake.put(CONFIG, "FOREIGN", "theirs")
        return None

    with fake.running() as url, ApiClient("D", url, headers={"Authorization": fake.credentials["token"]}) as client:
        destination = Checked(client, CONFIG)
        destination.listing()
        fake.fault = meanwhile
        assert errors(list(destination.apply(iter([update("A", "1")])))) == {}
    assert fake.entries == {"A": "new", "FOREIGN": "theirs"}


def test_a_key_changed_externally_meanwhile_is_a_conflict_and_others_are_written(
    document: tuple[FakeDocument, Checked],
) -> None:
    fake, destination = document
    fake.entries = {"A": "1", "B": "1", "C": "1", "GONE": "1", "GONE2": "1"}
    destination.listing()
    for key in ("A", "B", "NEW"):
        fake.put(CONFIG, key, "theirs")
    fake.drop(CONFIG, "GONE")
    fake.drop(CONFIG, "GONE2")
    writes = [update("A", "1"), delete("B", "1"), update("C", "1"), create("NEW"), update("GONE", "1")]
    outcomes = list(destination.apply(iter([*writes, delete("GONE2", "1")])))
    assert errors(outcomes) == {"A": Conflict, "B": Conflict, "NEW": Conflict, "GONE": NotFound}
    assert fake.entries == {"A": "theirs", "B": "theirs", "C": "new", "NEW": "theirs"}


def test_a_second_round_of_writes_needs_no_second_read_if_the_vendor_checks() -> None:
    fake = FakeDocument()
    with fake.running() as url, ApiClient("D", url, headers={"Authorization": fake.credentials["token"]}) as client:
        destination = Checked(client, CONFIG)
        destination.listing()
        list(destination.apply(iter([create("A"), create("B")])))
        list(destination.apply(iter([delete("A", "v")])))
    assert [ask.method for ask, _ in fake.exchanges] == ["GET", "POST", "POST"]


def test_a_document_that_keeps_changing_ends_in_a_conflict() -> None:
    reads = 0

    def read() -> Document:
        nonlocal reads
        reads += 1
        return Document({}, version=str(reads))

    def write(before: Document, entries: Mapping[str, Any]) -> None:
        raise Conflict("changed")

    outcomes = list(
        write_document(
            iter([create("A")]), label="D", read=read, write=write, normalize_key=str, seen=Document({}, "0")
        )
    )
    assert errors(outcomes) == {"A": Conflict}
    assert reads == TRIES


def test_a_conflict_is_reported_although_the_document_cannot_be_read_again() -> None:
    def read() -> Document:
        raise Unreachable("away")

    def write(before: Document, entries: Mapping[str, Any]) -> None:
        raise Conflict("changed")

    (outcome,) = write_document(
        iter([create("A")]), label="D", read=read, write=write, normalize_key=str, seen=Document({}, "0")
    )
    assert str(outcome.error) == "changed"


@pytest.mark.parametrize(
    ("raised", "expected"), [(Unreachable("away"), Unreachable), (KeyError("canary"), OutcomeUnknown)]
)
def test_a_document_that_cannot_be_read_is_the_outcome_of_every_key(
    raised: Exception, expected: type[IntegrationError]
) -> None:
    def read() -> Document:
        raise raised

    outcomes = list(
        write_document(iter([create("A"), create("B")]), label="D", read=read, write=lambda *_: None, normalize_key=str)
    )
    assert errors(outcomes) == {"A": expected, "B": expected}
    assert "canary" not in str(outcomes[0].error)


def test_entries_are_not_shown() -> None:
    assert "canary" not in repr(Document({"A": "canary"}))


KEYS = st.sampled_from(["A", "B", "C", "D"])
VALUES = st.sampled_from(["1", "2", "3", None])
"""An external change of a key; None deletes it."""


@given(
    st.dictionaries(KEYS, st.sampled_from(["1", "2"])),
    st.dictionaries(KEYS, st.sampled_from(["ours", None])),
    st.lists(st.lists(st.tuples(KEYS, VALUES), max_size=2), max_size=8),
)
def test_the_last_external_write_wins_unless_ours_was_confirmed_later(
    listed: dict[str, str], wishes: dict[str, str | None], meanwhile: list[list[tuple[str, str | None]]]
) -> None:
    held, version, theirs = dict(listed), 0, dict(listed)
    replaced: dict[str, str] = {}
    wrote = False
    turns = iter(meanwhile)

    def others() -> None:
        nonlocal version
        for key, value in next(turns, []):
            version += 1
            for location in (held, theirs):
                location.pop(key, None)
                if value is not None:
                    location[key] = value

    def read() -> Document:
        others()
        return Document(dict(held), str(version))

    def write(before: Document, entries: Mapping[str, Any]) -> Document:
        nonlocal held, version, replaced, wrote
        others()
        if before.version != str(version):
            raise Conflict("changed")
        replaced, wrote = held, True
        held, version = dict(entries), version + 1
        return Document(dict(held), str(version))

    def planned(key: str, value: str | None) -> Write | None:
        if value is None:
            return delete(key, listed[key]) if key in listed else None
        return update(key, listed[key], value) if key in listed else create(key, value)

    writes = [one for key, value in wishes.items() if (one := planned(key, value))]
    outcomes = list(
        write_document(iter(writes), label="D", read=read, write=write, normalize_key=str, seen=Document(listed, "0"))
    )
    assert len(outcomes) == len(writes)
    arrived = {outcome.write.key: outcome.write for outcome in outcomes if outcome.error is None}
    for key in {*listed, *held, *theirs}:
        ours = arrived.get(key) if wrote else None  # else only deletes of missing keys
        expected = theirs.get(key) if ours is None else ours.value if ours.action is not Action.DELETE else None
        assert held.get(key) == expected, key
    for key, one in arrived.items():
        known = (None,) if one.action is Action.CREATE else (listed[key],)
        assert replaced.get(key) in (*known, *((None,) if one.action is Action.DELETE else ())), key
