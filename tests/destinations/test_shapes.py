"""Sealed documents, vendors without updates, waits for a state, and dotenv texts. Without a vendor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from connections.errors import Conflict, OutcomeUnknown, Rejected, Unavailable
from connections.http.client import ApiClient
from syncs.destination.capabilities import Capabilities
from syncs.destination.document import DocumentDestination
from syncs.destination.dotenv_text import edit_dotenv, read_dotenv
from syncs.destination.key_value import KeyValueDestination
from syncs.destination.patch import PatchDestination
from syncs.destination.waiting import wait_for
from syncs.destination.write import Document, Sealed
from syncs.engine.types import Action, Remote, Write, Written
from tests.contract.bases import Target


@pytest.fixture
def client() -> Iterator[ApiClient]:
    with ApiClient("Made", "http://127.0.0.1:9") as opened:
        yield opened


def write(action: Action, key: str, value: str = "", remote: Remote | None = None) -> Write:
    return Write(action, key, key, value, remote=remote)


class SealedDocument(DocumentDestination):
    slug = "sealed-document"
    label = "Sealed document"
    Config = Target
    now: Document = Document({"A": Sealed("1", {"keep": "A"}), "B": Sealed("1", {"keep": "B"}), "PLAIN": 5})

    def read(self) -> Document:
        return self.now

    def write(self, before: Document, entries: Mapping[str, Any]) -> Document | None:
        self.now = Document(entries)
        return None


def test_sealed_entries_are_secret_and_carried_along(client: ApiClient) -> None:
    destination = SealedDocument(client, {"location": "here"})
    listed = {remote.key: remote for remote in destination.listing()}
    assert [(one.value, one.etag, one.is_secret) for one in listed.values()] == [
        (None, "1", True),
        (None, "1", True),
        (None, None, False),
    ]
    stale = Remote("B", etag="0")
    outcomes = [*destination.apply([write(Action.UPDATE, "A", "x", listed["A"]), write(Action.DELETE, "B", "", stale)])]
    assert {outcome.write.key: type(outcome.error) for outcome in outcomes} == {"A": type(None), "B": Conflict}
    assert destination.now.entries == {"A": "x", "B": Sealed("1", {"keep": "B"}), "PLAIN": 5}
    assert "keep" not in repr(Sealed("1", {"keep": "A"}))


class Replaced(KeyValueDestination):
    slug = "replaced"
    label = "Replaced"
    Config = Target
    capabilities = Capabilities(updates="replace")
    refusal: Exception | None = None

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.sent: list[str] = []

    def create(self, write: Write) -> Written:
        self.sent.append("create")
        if self.refusal:
            raise self.refusal
        return Written("2", "2")

    def delete(self, write: Write) -> None:
        self.sent.append("delete")


@pytest.mark.parametrize(
    ("refusal", "error"),
    [(None, type(None)), (Unavailable("no"), OutcomeUnknown), (Conflict("theirs"), Conflict)],
)
def test_an_update_deletes_and_creates_where_a_vendor_has_none(
    client: ApiClient, refusal: Exception | None, error: type[Exception]
) -> None:
    destination = Replaced(client, {"location": "here"})
    destination.refusal = refusal
    (outcome,) = destination.apply([write(Action.UPDATE, "A", "x", Remote("A", object_id="1"))])
    assert destination.sent == ["delete", "create"]
    assert type(outcome.error) is error
    assert outcome.written == (Written() if refusal else Written("2", "2"))


class Announced(PatchDestination):
    """Such as a webhook: it takes changes, and nothing can be listed."""

    slug = "announced"
    label = "Announced"
    Config = Target
    capabilities = Capabilities(lists=False, has_etag=False, has_object_ids=False)

    def patch(self, sets: Sequence[Write], gone: Sequence[Write]) -> None:
        assert {write.key for write in (*sets, *gone)} == {"NEW", "OLD", "GONE"}


def test_a_patch_without_a_list_is_sent_as_planned(client: ApiClient) -> None:
    destination = Announced(client, {"location": "here"})
    ours = Remote("OLD", object_id="recorded")
    writes = [write(Action.CREATE, "NEW"), write(Action.UPDATE, "OLD", "x", ours), write(Action.DELETE, "GONE")]
    assert [outcome.error for outcome in destination.apply(writes)] == [None] * 3
    assert destination.requests({Action.CREATE: 3}) == 1
    assert destination.listing() == ()


def test_a_state_is_waited_for_no_longer_than_the_lease() -> None:
    now, states = [0.0], iter(range(100))

    def sleep(seconds: float) -> None:
        now[0] += seconds

    def wait(until: int) -> int:
        return wait_for(
            lambda: next(states), lambda state: state >= until, what="Made", clock=lambda: now[0], sleep=sleep
        )

    assert wait(3) == 3
    with pytest.raises(Unavailable, match="Made takes longer"):
        wait(90)
    assert now[0] < 16


TEXT = "# top\r\nA=1 # c\r\n\r\nexport B='x'\r\nC=\"multi\nline\"\nbroken line\nA=2"


def test_foreign_lines_of_a_dotenv_text_stay_byte_for_byte() -> None:
    edited = edit_dotenv(TEXT, {"B": "new one", "NEW": "$HOME `a`"}, ["C"])
    assert edited == ("# top\r\nA=1 # c\r\n\r\nexport B='new one'\r\nbroken line\nA=2\r\nNEW='$HOME `a`'\r\n")
    assert edit_dotenv(TEXT, {}) == TEXT
    assert read_dotenv(edit_dotenv(TEXT, {"A": "9"}))["A"] == "9"


AWKWARD = [
    "",
    " ",
    "a b",
    "it's",
    'a"b',
    "a\\",
    "\\n",
    "line 1\nline 2\n",
    "#",
    "x # y",
    "$A ${B} `c`",
    "é\t✓",
    "'\"\\",
]


@pytest.mark.parametrize("value", AWKWARD)
def test_values_are_read_back_exactly_in_the_dialect(value: str) -> None:
    assert read_dotenv(edit_dotenv(TEXT, {"K": value}))["K"] == value
    assert edit_dotenv("", {"K": value}, dialect="shell").startswith("K=")


def test_what_cannot_be_read_back_is_refused_without_its_value() -> None:
    with pytest.raises(Rejected) as refused:
        edit_dotenv("", {"A B": "mArKeR"})
    assert "mArKeR" not in str(refused.value)
