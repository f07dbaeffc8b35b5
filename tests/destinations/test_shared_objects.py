"""Objects that serve several targets, with a made-up vendor: single keys and batches alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import pytest

from config.schemas.model import Model
from connections.errors import Conflict, IntegrationError, NotFound, RateLimited, Rejected
from connections.http.client import ApiClient
from syncs.destination import shared_objects
from syncs.destination.options import sync_options
from syncs.destination.shared_objects import SharedObjectDestination
from syncs.engine.types import Action, Outcome, Remote, Write, Written

OWN = frozenset({"production", "staging"})


@dataclass
class Vendor:
    """Objects by id: (key, value, targets, kind). `refuses` raises that error for a request's name."""

    objects: dict[int, tuple[str, str, frozenset[str], str]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    refuses: dict[str, IntegrationError] = field(default_factory=dict)
    ids: Any = field(default_factory=lambda: count(1))

    def add(self, key: str, value: str, *targets: str, kind: str = "open") -> int:
        id = next(self.ids)
        self.objects[id] = (key, value, frozenset(targets), kind)
        return id

    def request(self, name: str) -> None:
        self.requests.append(name)
        if name in self.refuses:
            raise self.refuses[name]

    def held(self) -> dict[int, tuple[str, str, set[str]]]:
        return {id: (key, value, set(targets)) for id, (key, value, targets, _) in self.objects.items()}


class Config(Model):
    pass


class Single(SharedObjectDestination):
    slug = "made-up"
    label = "Made-up"
    provider = "made-up"
    Config = Config
    Options = sync_options("Made-up")
    vendor: Vendor

    targets = OWN  # type: ignore[assignment]

    def location(self) -> str:
        return "made-up"

    def fetch(self) -> Iterable[Remote]:
        for id, (key, value, targets, kind) in self.vendor.objects.items():
            if targets & OWN:
                yield Remote(key, value, object_id=str(id), ref=(id, targets, kind))

    def targets_of(self, remote: Remote) -> Set[str]:
        return remote.ref[1]  # type: ignore[no-any-return]

    def can_update(self, remote: Remote) -> bool:
        return bool(remote.ref[2] == "open")

    def narrow(self, remote: Remote, targets: Set[str]) -> None:
        self.vendor.request("narrow")
        id = self._id(remote)
        key, value, _, kind = self.vendor.objects[id]
        self.vendor.objects[id] = (key, value, frozenset(targets), kind)

    def create(self, write: Write) -> Written:
        self.vendor.request("create")
        if any(key == write.key and targets & OWN for key, _, targets, _ in self.vendor.objects.values()):
            raise Conflict(write.key)
        return Written(str(self.vendor.add(write.key, write.value, *OWN)))

    def update(self, write: Write) -> Written:
        self.vendor.request("update")
        id = self._id(write.remote)
        key, _, targets, kind = self.vendor.objects[id]
        assert targets == OWN
        self.vendor.objects[id] = (key, write.value, targets, kind)
        return Written(str(id))

    def delete(self, write: Write) -> None:
        self.vendor.request("delete")
        del self.vendor.objects[self._id(write.remote)]

    def _id(self, remote: Remote | None) -> int:
        assert remote is not None
        if remote.ref[0] not in self.vendor.objects:
            raise NotFound(remote.key)
        return int(remote.ref[0])


class Many(Single):
    batch = dict.fromkeys((Action.CREATE, Action.UPDATE, Action.DELETE), 10)  # type: ignore[assignment]

    def create_many(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        return [Outcome(write, self.create(write)) for write in writes]

    def update_many(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        return [Outcome(write, self.update(write)) for write in writes]

    def delete_many(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        outcomes = []
        for write in writes:
            try:
                self.delete(write)
                outcomes.append(Outcome(write))
            except NotFound as error:
                outcomes.append(Outcome(write, error=error))
        return outcomes


@pytest.fixture(params=[Single, Many])
def destination(request: pytest.FixtureRequest) -> Single:
    made: Single = request.param(ApiClient("Made-up", "http://127.0.0.1:1"), {}, concurrency=1)
    made.vendor = Vendor()
    return made


def writes_of(destination: Single, action: Action, value: str = "ours") -> list[Write]:
    return [Write(action, one.key, one.key, value, remote=one) for one in destination.listing()]


def apply(destination: Single, writes: Iterable[Write]) -> dict[str, Outcome]:
    return {outcome.write.key: outcome for outcome in destination.apply(iter(list(writes)))}


def test_an_object_of_exactly_the_syncs_targets_is_updated_and_deleted(destination: Single) -> None:
    id = destination.vendor.add("KEY", "old", *OWN)
    assert apply(destination, writes_of(destination, Action.UPDATE))["KEY"].written == Written(str(id))
    assert destination.vendor.held() == {id: ("KEY", "ours", OWN)}
    apply(destination, writes_of(destination, Action.DELETE))
    assert destination.vendor.held() == {}
    assert destination.vendor.requests == ["update", "delete"]


def test_an_update_leaves_an_object_of_more_targets_to_the_others(destination: Single) -> None:
    id = destination.vendor.add("KEY", "theirs", "preview", *OWN)
    (write,) = writes_of(destination, Action.UPDATE)
    outcome = apply(destination, [write])["KEY"]
    assert (outcome.write, outcome.error, outcome.written) == (write, None, Written(str(id + 1)))
    assert destination.vendor.held() == {id: ("KEY", "theirs", {"preview"}), id + 1: ("KEY", "ours", OWN)}


def test_a_delete_leaves_an_object_of_more_targets_to_the_others(destination: Single) -> None:
    id = destination.vendor.add("KEY", "theirs", "preview", *OWN)
    assert apply(destination, writes_of(destination, Action.DELETE))["KEY"].error is None
    assert destination.vendor.held() == {id: ("KEY", "theirs", {"preview"})}


def test_an_object_of_fewer_targets_is_replaced_by_one_of_all(destination: Single) -> None:
    id = destination.vendor.add("KEY", "old", "staging")
    assert apply(destination, writes_of(destination, Action.UPDATE))["KEY"].error is None
    assert destination.vendor.held() == {id + 1: ("KEY", "ours", OWN)}


def test_an_object_that_cannot_be_updated_is_created_anew(destination: Single) -> None:
    id = destination.vendor.add("KEY", "old", *OWN, kind="sealed")
    assert apply(destination, writes_of(destination, Action.UPDATE))["KEY"].error is None
    assert destination.vendor.held() == {id + 1: ("KEY", "ours", OWN)}


@pytest.mark.parametrize(("targets", "kind"), [(("preview", *OWN), "open"), (tuple(OWN), "sealed")])
def test_an_update_of_a_deleted_object_never_creates_it(
    destination: Single, targets: tuple[str, ...], kind: str
) -> None:
    id = destination.vendor.add("KEY", "theirs", *targets, kind=kind)
    writes = writes_of(destination, Action.UPDATE)
    del destination.vendor.objects[id]
    assert isinstance(apply(destination, writes)["KEY"].error, NotFound)
    assert destination.vendor.held() == {}


@pytest.mark.parametrize("targets", [("preview", *OWN), tuple(OWN)])
def test_a_delete_of_a_deleted_object_succeeds(destination: Single, targets: tuple[str, ...]) -> None:
    id = destination.vendor.add("KEY", "theirs", *targets)
    writes = writes_of(destination, Action.DELETE)
    del destination.vendor.objects[id]
    assert apply(destination, writes)["KEY"].error is None


def test_a_refused_narrowing_creates_nothing_and_stops_no_other_key(destination: Single) -> None:
    destination.vendor.add("A", "theirs", "preview", *OWN)
    destination.vendor.add("B", "old", *OWN)
    destination.vendor.refuses["narrow"] = Rejected("no")
    outcomes = apply(destination, writes_of(destination, Action.UPDATE))
    assert {key: type(one.error) for key, one in outcomes.items()} == {"A": Rejected, "B": type(None)}
    assert "create" not in destination.vendor.requests


def test_the_create_that_takes_the_place_knows_what_it_replaces(
    destination: Single, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination.vendor.add("KEY", "theirs", "preview", *OWN)
    seen: list[Remote | None] = []
    create = destination.create
    monkeypatch.setattr(destination, "create", lambda write: [seen.append(write.remote), create(write)][1])
    (write,) = writes_of(destination, Action.UPDATE)
    apply(destination, [write])
    assert seen == [write.remote]


def test_a_create_that_fails_is_the_outcome_of_the_update(destination: Single) -> None:
    destination.vendor.add("KEY", "theirs", "preview", *OWN)
    destination.vendor.refuses["create"] = Rejected("no room")
    (write,) = writes_of(destination, Action.UPDATE)
    outcome = apply(destination, [write])["KEY"]
    assert (outcome.write, type(outcome.error)) == (write, Rejected)


def test_a_vendor_that_asks_to_wait_gets_no_further_key_of_the_batch() -> None:
    destination = Many(ApiClient("Made-up", "http://127.0.0.1:1"), {}, concurrency=1)
    destination.vendor = Vendor(refuses={"narrow": RateLimited("slow down", 5)})
    for key in "ABC":
        destination.vendor.add(key, "theirs", "preview", *OWN)
    outcomes = apply(destination, writes_of(destination, Action.UPDATE))
    assert {type(one.error) for one in outcomes.values()} == {RateLimited}
    assert destination.vendor.requests == ["narrow"]


def test_keys_that_take_too_long_are_left_to_the_next_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    destination = Many(ApiClient("Made-up", "http://127.0.0.1:1"), {}, concurrency=1)
    destination.vendor = Vendor()
    for key in "AB":
        destination.vendor.add(key, "theirs", "preview", *OWN)
    monkeypatch.setattr(shared_objects, "SPLIT_FOR", -1.0)
    outcomes = apply(destination, writes_of(destination, Action.UPDATE))
    assert [getattr(one.error, "retryable", None) for one in outcomes.values()] == [True, True]
    assert destination.vendor.requests == []


def test_a_write_of_another_shape_is_left_as_it_is(destination: Single) -> None:
    """A restore of the vendor's history is no update of a value."""
    destination.vendor.add("KEY", "theirs", "preview", *OWN)
    (write,) = (replace(one, version="7") for one in writes_of(destination, Action.UPDATE))
    assert apply(destination, [write])["KEY"].error is not None
    assert destination.vendor.requests == []
