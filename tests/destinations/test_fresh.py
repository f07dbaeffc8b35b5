"""Upserts in batches and merge patches: a fresh list before each request, and what it leaves out. Without a vendor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from connections.errors import Conflict, IntegrationError, NotFound, Unavailable
from connections.http.client import ApiClient
from syncs.destination.base import Destination
from syncs.destination.patch import PatchDestination
from syncs.destination.upsert import UpsertDestination
from syncs.engine.types import Action, Outcome, Remote, Write
from tests.contract.bases import Target

SENT = list[tuple[str, list[str]]]


class Vendor(Destination):
    """Object ids by key, and the requests that were sent."""

    Config = Target

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.ids: dict[str, str] = {}
        self.sent: SENT = []
        self.broken = False

    def fetch(self) -> Iterable[Remote]:
        self.sent.append(("list", []))
        if self.broken:
            raise Unavailable("no list")
        return [Remote(key, object_id=id) for key, id in self.ids.items()]

    def send(self, verb: str, writes: Sequence[Write]) -> None:
        self.sent.append((verb, [write.key for write in writes]))


class Upserted(Vendor, UpsertDestination):
    slug = "upserted"
    label = "Upserted"
    batch = dict.fromkeys((Action.CREATE, Action.UPDATE, Action.DELETE), 10)

    def look(self, key: str) -> Any:
        raise AssertionError("one list goes before a batch")

    def put_many(self, writes: Sequence[Write]) -> None:
        self.send("put", writes)

    def remove_many(self, writes: Sequence[Write]) -> None:
        self.send("remove", writes)


class Patched(Vendor, PatchDestination):
    slug = "patched"
    label = "Patched"
    size = 2

    def patch(self, sets: Sequence[Write], gone: Sequence[Write]) -> Mapping[str, Any] | None:
        self.send("patch", [*sets, *gone])
        return None


@pytest.fixture
def client() -> Iterator[ApiClient]:
    with ApiClient("Made", "http://127.0.0.1:9") as opened:
        yield opened


def made(kind: type[Any], client: ApiClient, **ids: str) -> Any:
    destination = kind(client, {"location": "here"})
    destination.ids = ids
    return destination


def write(action: Action, key: str, id: str = "", after: str = "") -> Write:
    return Write(action, key, key, "x", remote=Remote(key, object_id=id) if id else None, after=after)


def errors(outcomes: Iterable[Outcome]) -> dict[str, type[Exception] | None]:
    return {outcome.write.key: type(outcome.error) if outcome.error else None for outcome in outcomes}


def test_a_batch_of_upserts_leaves_out_what_has_changed(client: ApiClient) -> None:
    vendor = made(Upserted, client, HERE="1", THEIRS="2", AGAIN="4")
    creates = [write(Action.CREATE, "NEW"), write(Action.CREATE, "THEIRS")]
    updates = [write(Action.UPDATE, "HERE", "1"), write(Action.UPDATE, "GONE", "9"), write(Action.UPDATE, "AGAIN", "3")]
    deletes = [write(Action.DELETE, "LOST", "9"), write(Action.DELETE, "AGAIN", "3")]
    assert errors(vendor.apply([*creates, *updates])) == {
        "NEW": None,
        "THEIRS": Conflict,
        "HERE": None,
        "GONE": NotFound,
        "AGAIN": Conflict,
    }
    assert errors(vendor.apply(deletes)) == {"LOST": None, "AGAIN": Conflict}
    assert sorted(vendor.sent) == [("list", [])] * 3 + [("put", ["HERE"]), ("put", ["NEW"])]
    assert vendor.requests({Action.CREATE: 11, Action.DELETE: 1}) == 6


def test_patches_have_the_deletes_last_and_without_those_that_wait_for_a_failed_write(client: ApiClient) -> None:
    vendor = made(Patched, client, OLD="1", MOVED="2", TAKEN="3")
    outcomes = vendor.apply(
        [
            write(Action.CREATE, "NEW"),
            write(Action.CREATE, "TAKEN"),
            write(Action.UPDATE, "OLD", "1"),
            write(Action.DELETE, "MOVED", "2", after="TAKEN"),
            write(Action.DELETE, "LOST", "9"),
        ]
    )
    assert errors(outcomes) == {"NEW": None, "TAKEN": Conflict, "OLD": None, "LOST": None}
    assert [sent for sent in vendor.sent if sent[0] == "patch"] == [("patch", ["NEW"]), ("patch", ["OLD"])]


def test_nothing_is_sent_without_a_fresh_list(client: ApiClient) -> None:
    for kind in (Upserted, Patched):
        vendor = made(kind, client)
        vendor.broken = True
        (outcome,) = vendor.apply([write(Action.CREATE, "NEW")])
        assert isinstance(outcome.error, IntegrationError)
        assert vendor.sent == [("list", [])]


def test_a_vendor_that_checks_needs_no_list(client: ApiClient) -> None:
    class Checking(Patched):
        slug = "checking"
        label = "Checking"
        checks = True

    vendor = made(Checking, client)
    assert errors(vendor.apply([write(Action.CREATE, "NEW")])) == {"NEW": None}
    assert vendor.sent == [("patch", ["NEW"])]
    assert vendor.requests({Action.CREATE: 3}) == 2
