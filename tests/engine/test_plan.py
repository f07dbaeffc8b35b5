"""The decision table row by row, the guard, and invariants over random histories."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncs.engine.plan import Approval, Effect, Memory, Plan, Row, Rules, State, rest_of
from syncs.engine.planner import plan_removal, plan_sync
from syncs.engine.types import Action, Desired, Remote


def mac(normalized_key: str, text: str) -> str:
    return f"mac({normalized_key},{text})"


def verify(normalized_key: str, text: str, given_mac: str) -> bool:
    return given_mac == mac(normalized_key, text)


def want(key: str = "A", value: str = "1", **more: object) -> Desired:
    return replace(Desired(key, key.lower(), key, value, secret_id=f"id-{key}", version=1), **more)


def seen(key: str = "A", **more: object) -> Remote:
    return replace(Remote(key, object_id="i1", etag="s1"), **more)


def row(key: str = "A", value: str = "1", **more: object) -> Row:
    normalized_key = key.lower()
    written = want(key, value)
    made = Row(
        key,
        normalized_key,
        mine=True,
        state=State.OWNED,
        object_id="i1",
        etag="s1",
        value_mac=mac(normalized_key, value),
        rest_mac=mac(normalized_key, rest_of(written)),
        secret_id=f"id-{key}",
    )
    return replace(made, **more)


CLAIM_OF_UPDATE = {"state": State.CLAIM, "claimed_object_id": "i1"}
CLAIM_OF_CREATE = {"state": State.CLAIM, "claimed_object_id": None, "object_id": None, "etag": None}
RELEASED = {"mine": False, "released": True}
NO_OBJECT_ID = {"object_id": None, "claimed_object_id": None, "state": State.CLAIM}
"""A claim without object id."""
OPEN = Rules(max_deletions=None)


def plan(
    wants: list[Desired],
    listing: list[Remote],
    ledger: list[Row],
    rules: Rules = OPEN,
    memory: Memory | None = None,
    gaps: tuple[str, ...] = (),
    in_schema: object = None,
) -> Plan:
    return plan_sync(
        wants,
        listing,
        ledger,
        rules=rules,
        memory=memory or Memory(initial={}),
        gaps=gaps,
        normalize_key=str.lower,
        in_schema=in_schema or (lambda name: True),  # type: ignore[arg-type]
        verify=verify,
    )


ROWS = {
    "1 blocked": (want(blocked="unreadable"), seen(), row(), {}, 1, Action.BLOCKED),
    "1 unreadable, wanted": (want(value="2"), seen(unreadable="403"), row(), {}, 1, Action.BLOCKED),
    "1 unreadable, unmanaged": (want(), seen(unreadable="403"), None, {}, 1, Action.BLOCKED),
    "1 unreadable, own claim": (want(), seen(unreadable="403"), row(**CLAIM_OF_CREATE), {}, 1, Action.BLOCKED),
    "1 unreadable, not wanted": (None, seen(unreadable="403"), row(), {}, 1, Action.BLOCKED),
    "2 unreadable and locked": (want(), seen(unreadable="403", locked="another's"), None, {}, 2, Action.BLOCKED),
    "4 unreadable, inherited only": (want(), seen(unreadable="403", inherited=True), None, {}, 4, Action.CREATE),
    "16 unreadable, unmanaged, not wanted": (None, seen(unreadable="403"), None, {}, 16, Action.KEEP),
    "2 plain, wanted": (want(), seen(is_secret=False), None, {}, 2, Action.BLOCKED),
    "2 plain in the wider scope, wanted": (want(), seen(is_secret=False, inherited=True), None, {}, 2, Action.BLOCKED),
    "2 locked, wanted": (want(), seen(locked="another's"), row(), {}, 2, Action.BLOCKED),
    "2 locked, not wanted": (None, seen(locked="another's"), row(), {}, 2, Action.KEEP),
    "2 shared, unmanaged": (want(), seen(shared="others use it"), None, {}, 2, Action.BLOCKED),
    "2 shared, not wanted, mirror": (None, seen(shared="others use it"), None, {"unmanaged": "mirror"}, 2, Action.KEEP),
    "2 shared, recreated": (want(), seen(shared="others use it", object_id="i2"), row(), {}, 2, Action.BLOCKED),
    "2 shared, another's": (want(), seen(shared="others use it"), row(mine=False), {}, 2, Action.BLOCKED),
    "2 shared, own row missing": (want(), seen(shared="x"), row(state=State.MISSING), {}, 2, Action.BLOCKED),
    "2 shared, claim known foreign": (
        want(),
        seen(shared="others use it", object_id="i2"),
        row(**CLAIM_OF_UPDATE),
        {},
        2,
        Action.BLOCKED,
    ),
    "5 shared, own claim": (want(), seen(shared="others use it"), row(**CLAIM_OF_UPDATE), {}, 5, Action.UPDATE),
    "7 shared, own": (want(value="2"), seen(shared="others use it"), row(), {}, 7, Action.UPDATE),
    "13 shared, own": (None, seen(shared="others use it"), row(), {}, 13, Action.DELETE),
    "2 plain, not wanted": (None, seen(is_secret=False), row(), {}, 2, Action.KEEP),
    "3 another's, wanted": (want(), seen(), row(mine=False, owner="other"), {}, 3, Action.BLOCKED),
    "3 another's claim, wanted, absent": (want(), None, row(mine=False, **CLAIM_OF_CREATE), {}, 3, Action.BLOCKED),
    "3 another's, not wanted": (None, seen(), row(mine=False, owner="other"), {}, 3, Action.KEEP),
    "3 another's, released, not wanted": (None, seen(), row(**RELEASED), {}, 3, Action.KEEP),
    "4 another's, released, absent": (want(), None, row(**RELEASED), {}, 4, Action.CREATE),
    "5 another's claim, released": (
        want(),
        seen(),
        row(mine=False, released=True, **CLAIM_OF_UPDATE),
        {},
        5,
        Action.UPDATE,
    ),
    "7 another's, released": (want(), seen(), row(**RELEASED), {}, 7, Action.UPDATE),
    "7 another's, released, leave": (
        want(),
        seen(),
        row(**RELEASED),
        {"unmanaged": "leave"},
        7,
        Action.UPDATE,
    ),
    "9 another's, released, recreated": (
        want(),
        seen(object_id="i2"),
        row(**RELEASED),
        {},
        9,
        Action.ADOPT,
    ),
    "4 new": (want(), None, None, {}, 4, Action.CREATE),
    "4 inherited only": (want(), seen(inherited=True), None, {}, 4, Action.CREATE),
    "4 another's, but missing": (want(), None, row(mine=False, state=State.MISSING), {}, 4, Action.CREATE),
    "4 own, gone": (want(), None, row(), {}, 4, Action.CREATE),
    "5 claim, readable and equal": (want(), seen(value="1"), row(**CLAIM_OF_CREATE), {}, 5, Action.UNCHANGED),
    "5 claim, unreadable": (want(), seen(), row(**CLAIM_OF_CREATE), {}, 5, Action.UPDATE),
    "5 claim, unreadable, leave": (want(), seen(), row(**CLAIM_OF_CREATE), {"unmanaged": "leave"}, 5, Action.BLOCKED),
    "5 claim known ours, leave": (want(), seen(), row(**CLAIM_OF_UPDATE), {"unmanaged": "leave"}, 5, Action.UPDATE),
    "5 claim known foreign": (want(), seen(object_id="i2"), row(**CLAIM_OF_UPDATE), {}, 9, Action.ADOPT),
    "6 the same": (want(), seen(), row(), {}, 6, Action.UNCHANGED),
    "6 the same, readable": (want(), seen(value="1"), row(), {}, 6, Action.UNCHANGED),
    "7 source changed": (want(value="2"), seen(), row(), {}, 7, Action.UPDATE),
    "7 comment changed": (want(comment="why"), seen(), row(), {}, 7, Action.UPDATE),
    "7 drifted": (want(), seen(etag="s2"), row(), {}, 7, Action.UPDATE),
    "7 drifted, readable": (want(), seen(value="9"), row(), {}, 7, Action.UPDATE),
    "7 contested": (want(), seen(etag="s2"), row(rewrites=3), {}, 7, Action.BLOCKED),
    "8 unmanaged, equal": (want(), seen(value="1"), None, {}, 8, Action.ADOPT),
    "9 unmanaged": (want(), seen(), None, {}, 9, Action.ADOPT),
    "9 recreated externally": (want(), seen(object_id="i2"), row(), {}, 9, Action.ADOPT),
    "9 unmanaged, leave": (want(), seen(), None, {"unmanaged": "leave"}, 9, Action.BLOCKED),
    "10 gone both sides": (None, None, row(), {}, 10, Action.KEEP),
    "12 deletion disabled": (None, seen(), row(), {"deletion_enabled": False}, 12, Action.KEEP),
    "13 delete": (None, seen(), row(), {}, 13, Action.DELETE),
    "13 claim known ours": (None, seen(), row(**CLAIM_OF_UPDATE), {}, 13, Action.DELETE),
    "14 claim unknown": (None, seen(), row(**CLAIM_OF_CREATE), {}, 14, Action.KEEP),
    "14 claim known foreign": (None, seen(object_id="i2"), row(**CLAIM_OF_UPDATE), {}, 16, Action.KEEP),
    "13 claim without object id, equal value": (
        None,
        seen(object_id=None, value="1"),
        row(**NO_OBJECT_ID),
        {},
        13,
        Action.DELETE,
    ),
    "13 claim without object id, our etag": (None, seen(object_id=None), row(**NO_OBJECT_ID), {}, 13, Action.DELETE),
    "14 claim without object id, another value": (
        None,
        seen(object_id=None, value="9"),
        row(**NO_OBJECT_ID),
        {},
        14,
        Action.KEEP,
    ),
    "14 claim without object id, another etag": (
        None,
        seen(object_id=None, etag="s2"),
        row(**NO_OBJECT_ID),
        {},
        14,
        Action.KEEP,
    ),
    "14 claim without object id, no etag": (
        None,
        seen(object_id=None, etag=None),
        row(**NO_OBJECT_ID, etag=None),
        {},
        14,
        Action.KEEP,
    ),
    "15 mirror": (None, seen(), None, {"unmanaged": "mirror"}, 15, Action.DELETE),
    "16 unmanaged": (None, seen(), None, {}, 16, Action.KEEP),
    "16 re-created, not wanted": (None, seen(object_id="i2"), row(), {}, 16, Action.KEEP),
}


@pytest.mark.parametrize("name", ROWS)
def test_decision_table(name: str) -> None:
    wanted, listed, ledger, rules, rule, action = ROWS[name]
    made = plan(
        [wanted] if wanted else [], [listed] if listed else [], [ledger] if ledger else [], replace(OPEN, **rules)
    )
    (change,) = made.changes
    assert (change.rule, change.action) == (rule, action), change.reason


HANDS = {
    "re-created": (want(), seen(object_id="i2"), row(), "changed"),
    "re-created, not wanted": (None, seen(object_id="i2"), row(), "changed"),
    "source changed too, readable": (want(value="2"), seen(value="9"), row(), "changed"),
    "source changed alone, readable": (want(value="2"), seen(value="1"), row(), ""),
    "comment changed too, readable": (want(comment="why"), seen(value="9"), row(), "changed"),
    "source changed too": (want(value="2"), seen(etag="s2"), row(), "changed"),
    "no longer wanted": (None, seen(etag="s2"), row(), "changed"),
    "no longer wanted, untouched": (None, seen(), row(), ""),
    "unreadable source": (want(blocked="unreadable"), seen(etag="s2"), row(), "changed"),
    "unreadable source, gone": (want(blocked="unreadable"), None, row(), "missing"),
    "plain now": (want(), seen(is_secret=False), row(), "changed"),
    "not wanted and gone": (None, None, row(), "missing"),
    "our own delete, gone": (None, None, row(**CLAIM_OF_UPDATE), ""),
    "another's": (want(), seen(etag="s2"), row(mine=False, owner="other"), ""),
}


@pytest.mark.parametrize("name", HANDS)
def test_drift_is_detected_whatever_the_source_contains(name: str) -> None:
    wanted, listed, ledger, drift = HANDS[name]
    (change,) = plan([wanted] if wanted else [], [listed] if listed else [], [ledger]).changes
    assert change.drift == drift, change


def test_a_key_that_another_live_sync_wants_is_handed_over() -> None:
    (change,) = plan([], [seen()], [row()], memory=Memory(initial={}, wanted={"a": "shop/other"})).changes
    assert (change.rule, change.action, change.effects) == (11, Action.KEEP, (Effect.HAND_OVER,))


def test_first_overwrite_deletes_only_the_initial_set() -> None:
    made = plan([], [seen("OLD"), seen("NEW", object_id="i2")], [], memory=Memory(initial={"old": "i1", "new": "i1"}))
    assert [change.key for change in made.deletes] == ["OLD"]


def test_the_initial_set_excludes_inherited_plain_owned_shared_and_unmatched_keys() -> None:
    listing = [seen("MINE"), seen("WIDE", inherited=True), seen("PLAIN", is_secret=False), seen("OWNED"), seen("other")]
    listing.append(seen("LINKED", shared="others use it"))
    made = plan(
        [],
        listing,
        [row("OWNED", mine=False)],
        memory=Memory(initial=None),
        in_schema=str.isupper,
    )
    assert dict(made.initial) == {"mine": "i1"}
    assert [change.key for change in made.deletes] == ["MINE"]


def test_schema_protects_unmanaged_keys_even_under_mirror() -> None:
    made = plan([], [seen("foreign")], [], replace(OPEN, unmanaged="mirror"), in_schema=str.isupper)
    assert made.deletes == ()


@pytest.mark.parametrize("gaps", [(), ("import /gone",)])
def test_an_incomplete_source_deletes_nothing_and_is_still_counted(gaps: tuple[str, ...]) -> None:
    blocked = [] if gaps else [want("BAD", blocked="unresolved")]
    rows = [row(f"K{i}") for i in range(12)]
    made = plan(blocked, [seen(f"K{i}") for i in range(12)], rows, Rules(), gaps=gaps)
    assert made.deletes == ()
    assert "12 keys" in made.held


def test_an_unreadable_key_suspends_deletes_and_nothing_else() -> None:
    wants = [want("A", value="2"), want("B", value="2")]
    listing = [seen("A", unreadable="403 on its key"), seen("B"), seen("GONE")]
    made = plan(wants, listing, [row("A"), row("B"), row("GONE")])
    assert not made.complete
    assert [(change.key, change.action) for change in made.changes] == [
        ("A", Action.BLOCKED),
        ("B", Action.UPDATE),
        ("GONE", Action.KEEP),
    ]
    assert made.changes[0].reason == "its value at the destination could not be read: 403 on its key"
    assert made.changes[0].effects == ()
    assert made.changes[2].suspended


def test_a_foreign_unreadable_key_suspends_nothing() -> None:
    made = plan([], [seen("FOREIGN", unreadable="403"), seen("GONE")], [row("GONE")])
    assert made.complete
    assert [change.key for change in made.deletes] == ["GONE"]


def test_guard_holds_above_the_limit_and_counts_the_last_hour() -> None:
    rows, listing, wants = [row("K1"), row("K2")], [seen("K1"), seen("K2")], [want("K2")]
    assert plan(wants, listing, rows, Rules()).held == ""
    assert plan(wants, listing, rows, Rules(), Memory(initial={}, recent_deletes=10)).held == (
        "it would delete 1 key after 10 within the last hour; the limit is 10"
    )


def test_guard_holds_a_run_that_leaves_the_sync_with_nothing() -> None:
    names = ["K1", "K2", "K3"]
    made = plan([], [seen(n) for n in names], [row(n) for n in names], Rules())
    assert "with none" in made.held
    assert plan([want("K1")], [seen(n) for n in names], [row(n) for n in names], Rules()).held == ""


def test_approval_holds_while_the_deletes_are_no_more_than_approved() -> None:
    names = ["K1", "K2", "K3"]
    for approved, held in (({"k1", "k2", "k3", "k4"}, False), ({"k1", "k2"}, True)):
        memory = Memory(initial={}, approval=Approval(dict.fromkeys(approved, "i1")))
        assert bool(plan([], [seen(n) for n in names], [row(n) for n in names], Rules(), memory).held) is held


def test_dismissed_deletes_are_kept() -> None:
    assert plan([], [seen()], [row()], memory=Memory(initial={}, dismissed=frozenset({"a"}))).deletes == ()


def test_colliding_secrets_are_both_blocked_and_named() -> None:
    (change,) = plan([want("A"), want("a")], [], []).changes
    assert change.action is Action.BLOCKED
    assert "A and a" in change.reason


def test_a_delete_of_a_move_names_the_other_half() -> None:
    made = plan([want("NEW", secret_id="id-OLD")], [seen("OLD")], [row("OLD")])
    assert [(change.key, change.after) for change in made.changes] == [("NEW", ""), ("OLD", "new")]


def test_removal_takes_exactly_what_the_sync_owns() -> None:
    listing = [seen("OURS"), seen("THEIRS"), seen("NOBODYS"), seen("REDONE", object_id="i2"), seen("MAYBE")]
    ledger = [row("OURS"), row("THEIRS", mine=False), row("REDONE"), row("MAYBE", **CLAIM_OF_CREATE), row("GONE")]
    made = plan_removal(listing, ledger, normalize_key=str.lower)
    assert [(change.key, change.reason) for change in made.deletes] == [("OURS", "written by this sync")]
    assert [change.key for change in made.changes if change.action is Action.BLOCKED] == ["MAYBE"]
    assert made.held == ""


def test_values_never_appear_in_a_repr() -> None:
    made = plan([want(value="canary-value")], [seen(value="canary-there")], [])
    assert "canary" not in repr(made)


keys = st.sampled_from(["A", "B", "C", "D", "E"])
remotes = st.builds(
    Remote,
    keys,
    value=st.sampled_from([None, "1", "2"]),
    object_id=st.sampled_from(["i1", "i2", None]),
    etag=st.sampled_from(["s1", "s2", None]),
    inherited=st.booleans(),
    is_secret=st.booleans(),
    shared=st.sampled_from(["", "", "others use it"]),
    unreadable=st.sampled_from(["", "", "", "403"]),
)
desires = st.builds(want, keys, st.sampled_from(["1", "2"]), blocked=st.sampled_from([None, None, None, "unreadable"]))
ledgers = st.builds(
    row,
    keys,
    mine=st.booleans(),
    state=st.sampled_from(State),
    claimed_object_id=st.sampled_from([None, "i1"]),
    rewrites=st.integers(0, 4),
)
histories = st.tuples(
    st.lists(desires, max_size=5, unique_by=lambda d: d.key),
    st.lists(remotes, max_size=5, unique_by=lambda r: r.key),
    st.lists(ledgers, max_size=5, unique_by=lambda r: r.key),
    st.builds(
        Rules,
        unmanaged=st.sampled_from(["overwrite-initially", "leave", "mirror"]),
        deletion_enabled=st.booleans(),
        max_deletions=st.sampled_from([None, 0, 2, 10]),
    ),
    st.builds(
        Memory,
        initial=st.one_of(st.none(), st.dictionaries(keys.map(str.lower), st.sampled_from(["i1", "i2"]))),
        wanted=st.dictionaries(keys.map(str.lower), st.just("other"), max_size=2),
    ),
    st.sampled_from([(), ("a gap",)]),
)


@settings(deadline=None)
@given(histories)
def test_for_any_history_nothing_unowned_is_deleted_or_plain_touched(history: tuple) -> None:  # type: ignore[type-arg]
    wants, listing, ledger, rules, memory, gaps = history
    made = plan(wants, listing, ledger, rules, memory, gaps)
    rows = {r.normalized_key: r for r in ledger}
    for change in made.changes:
        if change.write is None:
            continue
        assert change.remote is None or (change.remote.is_secret and not change.remote.inherited)
        owner = rows.get(change.normalized_key)
        assert owner is None or owner.mine or owner.state is State.MISSING
        if change.remote and change.remote.shared:
            assert owner is not None
            assert owner.mine
            assert owner.state is not State.MISSING
        assert change.write.action in (Action.CREATE, Action.UPDATE, Action.DELETE)
    for change in made.deletes:
        assert made.complete
        assert rules.deletion_enabled
        assert change.normalized_key not in memory.wanted
        assert change.remote is not None
        owned = rows.get(change.normalized_key)
        ours = owned is not None and owned.mine and owned.state is not State.MISSING
        initial = (
            change.normalized_key in made.initial and made.initial[change.normalized_key] == change.remote.object_id
        )
        assert ours or initial or rules.unmanaged == "mirror"
        if rules.unmanaged == "leave":
            assert ours


@settings(deadline=None)
@given(histories, st.randoms())
def test_the_order_of_the_inputs_does_not_matter(history: tuple, random: object) -> None:  # type: ignore[type-arg]
    wants, listing, ledger, rules, memory, gaps = history
    before = plan(wants, listing, ledger, rules, memory, gaps)
    for part in (wants, listing, ledger):
        random.shuffle(part)  # type: ignore[attr-defined]
    after = plan(wants, listing, ledger, rules, memory, gaps)
    assert (before.changes, before.digest, before.held) == (after.changes, after.digest, after.held)


@settings(deadline=None)
@given(
    st.lists(desires, max_size=5, unique_by=lambda d: d.key), st.lists(remotes, max_size=5, unique_by=lambda r: r.key)
)
def test_after_apply_the_plan_is_empty(wants: list[Desired], listing: list[Remote]) -> None:
    first = plan(wants, listing, [])
    location = {remote.key.lower(): remote for remote in listing}
    ledger = []
    for change in first.changes:
        key = change.normalized_key
        if change.action is Action.DELETE:
            del location[key]
        elif change.write or Effect.SETTLE in change.effects:
            assert change.desired
            value = change.desired.value if location.get(key, seen(value="")).value is not None else None
            location[key] = Remote(change.key, value=value, object_id="i9", etag="s9")
            ledger.append(row(change.key, change.desired.value, object_id="i9", etag="s9"))
    again = plan(wants, list(location.values()), ledger)
    assert [change for change in again.changes if change.write] == []


# -- the first run at a changed target -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("confirmed", "held"),
    [(None, False), ({}, True), ({"old": "i1"}, False), ({"old": "i2"}, True), ({"old": None}, True)],
)
@pytest.mark.parametrize("rules", [Rules(), OPEN, Rules(unmanaged="mirror")])
def test_foreign_deletes_at_a_changed_target_must_be_confirmed(
    confirmed: dict[str, str | None] | None, held: bool, rules: Rules
) -> None:
    made = plan([want()], [seen("OLD")], [], rules, Memory(confirmed=confirmed))
    assert [change.key for change in made.deletes] == ["OLD"]
    assert ("would delete 1 key" in made.held) is held
    approved = plan([want()], [seen("OLD")], [], rules, Memory(confirmed=confirmed, approval=Approval({"old": "i1"})))
    assert approved.held == ""


def test_own_deletes_at_a_changed_target_need_no_confirmation() -> None:
    assert plan([want()], [seen("B")], [row("B")], OPEN, Memory(confirmed={})).held == ""
    for void in (row("B", object_id="i0"), row("B", state=State.MISSING)):
        made = plan([want()], [seen("B")], [void], Rules(unmanaged="mirror"), Memory(confirmed={}))
        assert "1 key" in made.held


def test_foreign_deletes_that_wait_for_the_source_must_be_confirmed_too() -> None:
    made = plan([want()], [seen("OLD")], [], OPEN, Memory(confirmed={}), gaps=("a folder is missing",))
    assert not made.deletes
    assert "would delete 1 key" in made.held
