"""The decision table of the architecture page against the planner.

Each cell of the page is one of a few phrases, and each phrase is a question about a situation. The page's table is
then carried out (the first line that fits wins) and compared with the planner: in every situation where the source has
the key, and in a large sample of the others, since conditions multiply there.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from syncs.engine.plan import Memory, Row, Rules, State
from syncs.engine.types import Desired, Remote
from tests.engine.test_plan import mac, plan, row, seen, want

from .reading import PAGES, tables

SAMPLE = 20_000
THREE_TIMES = 3


@dataclass(frozen=True)
class Situation:
    """One key: what the source wants, what the destination lists, what the ledger knows, what the policy says."""

    wants: Desired | None
    lists: Remote | None
    knows: Row | None
    unmanaged: str = "overwrite-initially"
    deletion_enabled: bool = True
    wanted_elsewhere: bool = False
    initial: bool = False
    dismissed: bool = False
    waits: bool = False
    complete: bool = True
    in_schema: bool = True

    # -- what the planner makes of it --------------------------------------------------------------------------

    def decided(self) -> tuple[str, str]:
        """Rule and action; empty strings where the planner has nothing to say."""
        memory = Memory(
            initial={"a": self.lists.object_id} if self.initial and self.lists else {},
            wanted={"a": "other"} if self.wanted_elsewhere else {},
            dismissed=frozenset({"a"} if self.dismissed else ()),
            waiting={"a": "waits for B"} if self.waits else {},
        )
        rules = Rules(unmanaged=self.unmanaged, deletion_enabled=self.deletion_enabled, max_deletions=None)
        made = plan(
            [self.wants] if self.wants else [],
            [self.lists] if self.lists else [],
            [self.knows] if self.knows else [],
            rules,
            memory,
            () if self.complete else ("an import",),
            lambda _: self.in_schema,
        )
        if not made.changes:
            return "", ""
        (change,) = made.changes
        return str(int(change.rule)), change.action.value

    # -- what the page's words mean ----------------------------------------------------------------------------

    @property
    def present(self) -> bool:
        return self.lists is not None and not self.lists.inherited

    @property
    def mine(self) -> bool:
        """Also once it was taken over."""
        return self.knows is not None and (self.knows.mine or (self.wants is not None and self.knows.released))

    @property
    def written_mac(self) -> str:
        """Of the value that this sync wrote; unknown if another sync did."""
        return self.knows.value_mac if self.knows and self.knows.mine else ""

    def is_in(self, state: State) -> bool:
        return self.knows is not None and self.knows.state is state

    @property
    def equal(self) -> bool:
        return bool(self.lists and self.wants) and self.lists.value == self.wants.value

    @property
    def same_object(self) -> bool:
        """As far as both are known."""
        ids = {self.lists and self.lists.object_id, self.knows and self.knows.object_id} - {None}
        return self.lists is not None and self.knows is not None and len(ids) < 2

    @property
    def known_foreign(self) -> bool:
        assert self.knows
        assert self.lists
        before = self.knows.claimed_object_id
        return before is not None and before != self.lists.object_id

    @property
    def known_ours(self) -> bool:
        assert self.knows
        assert self.lists
        if self.lists.object_id is not None:
            return self.knows.claimed_object_id == self.lists.object_id
        if self.lists.value is not None:
            return self.written_mac == mac("a", self.lists.value)
        return self.lists.etag is not None and self.lists.etag == self.knows.etag

    @property
    def own(self) -> bool:
        return self.mine and self.is_in(State.OWNED) and self.same_object

    @property
    def claim(self) -> bool:
        return self.mine and self.is_in(State.CLAIM)

    @property
    def source_unchanged(self) -> bool:
        return self.wants is not None and self.written_mac == mac("a", self.wants.value)

    @property
    def destination_unchanged(self) -> bool:
        assert self.lists
        assert self.knows
        if self.lists.value is not None:
            return self.written_mac == mac("a", self.lists.value)
        return None in (self.lists.etag, self.knows.etag) or self.lists.etag == self.knows.etag

    @property
    def foreign_delete_allowed(self) -> bool:
        return (
            (self.initial or self.unmanaged == "mirror")
            and self.unmanaged != "leave"
            and self.deletion_enabled
            and not self.wanted_elsewhere
            and self.in_schema
        )


Phrases = Mapping[str, Callable[[Situation], bool]]

SOURCE: Phrases = {
    "blocked": lambda s: s.wants is not None and bool(s.wants.blocked),
    "yes": lambda s: s.wants is not None and not s.wants.blocked,
    "no": lambda s: s.wants is None,
}
DESTINATION: Phrases = {
    "any": lambda s: True,
    "absent": lambda s: not s.present,
    "present": lambda s: s.present,
    "untouchable": lambda s: s.lists is not None and (bool(s.lists.locked) or not s.lists.is_secret),
    "shared": lambda s: s.lists is not None and bool(s.lists.shared),
    "unreadable": lambda s: s.present and bool(s.lists and s.lists.unreadable),
}
LEDGER: Phrases = {
    "any": lambda s: True,
    "other": lambda s: s.knows is not None and not s.knows.mine and not s.is_in(State.MISSING),
    "own": lambda s: s.own,
    "claim": lambda s: s.claim,
    "own or claim": lambda s: s.mine and not s.is_in(State.MISSING),
    "ours": lambda s: s.own or (s.claim and s.known_ours),
    "not ours": lambda s: not (s.knows and s.knows.mine and (s.own or (s.claim and not s.known_foreign))),
}
CONDITION: Phrases = {
    "": lambda s: True,
    "not released": lambda s: s.knows is not None and not s.knows.released,
    "readable and equal": lambda s: s.equal,
    "not known to be foreign": lambda s: not s.known_foreign,
    "not known to be ours": lambda s: not s.known_ours,
    "source unchanged": lambda s: s.source_unchanged,
    "destination unchanged": lambda s: s.destination_unchanged,
    "rewritten three times": lambda s: s.knows is not None and s.knows.rewrites >= THREE_TIMES,
    "policy `leave`": lambda s: s.unmanaged == "leave",
    "another live sync wants the key": lambda s: s.wanted_elsewhere,
    "deletion disabled": lambda s: not s.deletion_enabled,
    "dismissed": lambda s: s.dismissed,
    "source incomplete": lambda s: not s.complete,
    "waits for another key": lambda s: s.waits,
    "foreign delete allowed": lambda s: s.foreign_delete_allowed,
}


@dataclass(frozen=True)
class Line:
    """A line of the page's table."""

    rule: str
    source: str
    destination: str
    ledger: str
    conditions: tuple[str, ...]
    action: str

    def fits(self, s: Situation) -> bool:
        return (
            SOURCE[self.source](s)
            and DESTINATION[self.destination](s)
            and LEDGER[self.ledger](s)
            and all(CONDITION[each](s) for each in self.conditions)
        )

    @property
    def outcome(self) -> tuple[str, str]:
        return self.rule, "" if self.action == "nothing" else self.action


def lines() -> list[Line]:
    (table,) = tables((PAGES / "architecture.md").read_text(), "Decision table")
    return [
        Line(rule, source, to, ledger, tuple(when.split(", ")), act) for rule, source, to, ledger, when, act in table
    ]


REMOTES: list[Remote | None] = [
    None,
    *(
        seen(object_id=object_id, etag=etag, value=value, inherited=inherited, **kind)
        for object_id, etag, value, inherited, kind in itertools.product(
            ("i1", "i2", None),
            ("s1", "s2", None),
            (None, "1", "9"),
            (False, True),
            ({}, {"is_secret": False}, {"locked": "another's"}, {"shared": "others use it"}, {"unreadable": "a 403"}),
        )
    ),
]
UNKNOWN: tuple[dict[str, Any], ...] = ({}, {"object_id": None}, {"etag": None})
ROWS: list[Row | None] = [
    None,
    *(row(mine=False, owner="other", state=state) for state in State),
    *(row(mine=False, owner="other", state=state, released=True) for state in (State.OWNED, State.CLAIM)),
    row(state=State.MISSING),
    *(row(rewrites=rewrites, **more) for rewrites in (0, THREE_TIMES) for more in UNKNOWN),
    *(row(state=State.CLAIM, claimed_object_id=claimed, **more) for claimed in (None, "i1") for more in UNKNOWN),
]
WANTS = [want(), want(value="2"), want(blocked="unreadable")]
POLICIES = ("overwrite-initially", "leave", "mirror")


def wanted() -> Iterator[Situation]:
    """Every situation in which the source has the key: nothing but the policy matters besides."""
    for wants, lists, knows, unmanaged in itertools.product(WANTS, REMOTES, ROWS, POLICIES):
        yield Situation(wants, lists, knows, unmanaged)


def unwanted() -> Iterator[Situation]:
    luck = random.Random(13)
    flags = ("deletion_enabled", "wanted_elsewhere", "initial", "dismissed", "waits", "complete", "in_schema")
    for _ in range(SAMPLE):
        given: dict[str, Any] = {name: luck.random() < 0.5 for name in flags}
        yield Situation(None, luck.choice(REMOTES), luck.choice(ROWS), luck.choice(POLICIES), **given)


def test_the_page_decides_as_the_planner_does() -> None:
    table = lines()
    used: Counter[Line] = Counter()
    for situation in itertools.chain(wanted(), unwanted()):
        fitting = next((line for line in table if line.fits(situation)), None)
        assert fitting is not None, f"no line of the page fits {situation}"
        used[fitting] += 1
        if fitting.outcome != situation.decided():
            pytest.fail(f"{fitting}\nthe planner: {situation.decided()}\n{situation}")
    assert set(table) == set(used), "lines that decide nothing"
