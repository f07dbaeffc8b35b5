"""Documented limits of vendors block keys before anything is sent, and deletes free capacity."""

from __future__ import annotations

import pytest

from syncs.destination.capabilities import Capabilities
from syncs.destination.limits import blocked_by, within
from syncs.engine.plan import Change, Plan
from syncs.engine.types import Action, Entry, Remote, Write

LIMITS = Capabilities(
    takes_empty=False,
    key_pattern="[A-Z_]+",
    key_rule="capitals and underscores",
    reserved=("OWN_*", "PATH"),
    max_key_length=8,
    max_value_bytes=4,
)


@pytest.mark.parametrize(
    ("key", "value", "code", "reason"),
    [
        ("GOOD", "ok", None, None),
        ("small", "ok", "key-refused", "Vendor takes only capitals and underscores in a name"),
        ("TOO_LONG_NAME", "ok", "key-refused", "its name has 13 bytes, Vendor takes at most 8"),
        ("OWN_KEY", "ok", "key-refused", "Vendor reserves names that begin with OWN_"),
        ("PATH", "ok", "key-refused", "Vendor reserves the name PATH"),
        ("GOOD", "", "value-empty", "its value is empty, which Vendor does not take"),
        ("GOOD", "ä✓", "value-too-large", "its 5 bytes are more than the 4 Vendor takes"),
        ("GOOD", None, "unresolved", "its value cannot be read"),
    ],
)
def test_a_key_refused_by_the_vendor_has_a_reason(
    key: str, value: str | None, code: str | None, reason: str | None
) -> None:
    assert blocked_by(LIMITS, "Vendor", Entry(key, value), key, key) == (reason, code)


def test_rules_of_the_destination_itself_block_a_key_without_showing_its_value() -> None:
    rules = {
        "refuses": lambda value: "it has a {{...}}" if "{{" in value else "",
        "refuses_key": lambda key: "it is too deep" if key.count("_") > 1 else "",
    }

    def blocked(key: str, value: str) -> tuple[str | None, str | None]:
        return blocked_by(Capabilities(), "Vendor", Entry(key, value), key, key, **rules)  # type: ignore[arg-type]

    assert blocked("A", "ok") == (None, None)
    assert blocked("A", "{{secret}}") == ("Vendor does not take its value: it has a {{...}}", "value-refused")
    assert blocked("A_B_C", "ok") == ("Vendor does not take its name: it is too deep", "key-refused")


def plan(*changes: tuple[Action, str, str, str]) -> Plan:
    """Changes as (action, key, value before, value after)."""
    made = []
    for action, key, before, after in changes:
        remote = None if action is Action.CREATE else Remote(key, before)
        made.append(Change(action, key, key, 0, "", write=Write(action, key, key, after, remote=remote), remote=remote))
    return Plan(tuple(made), complete=True)


def actions(plan: Plan) -> dict[str, str]:
    return {change.key: change.action.value for change in plan.changes}


def test_excess_keys_are_blocked_and_deletes_continue() -> None:
    listing = [Remote("A"), Remote("B"), Remote("WIDE", inherited=True)]
    wanted = plan(
        (Action.CREATE, "C", "", "x"),
        (Action.CREATE, "D", "", "x"),
        (Action.UPDATE, "A", "", "y"),
        (Action.DELETE, "B", "", ""),
    )
    found = within(wanted, listing, Capabilities(max_keys=3), "Vendor")
    assert actions(found) == {"C": "create", "D": "blocked", "A": "update", "B": "delete"}
    (blocked,) = (change for change in found.changes if change.action is Action.BLOCKED)
    assert (blocked.code, blocked.write) == ("no-room", None)
    assert blocked.reason == "Vendor takes at most 3 keys at this location"
    assert found.complete, "what makes room must not wait for the room"


def test_excess_bytes_are_blocked() -> None:
    listing = [Remote("A", "x" * 50)]
    wanted = plan((Action.CREATE, "B", "", "x" * 50), (Action.UPDATE, "A", "x" * 50, "x" * 40))
    limits = Capabilities(max_total_bytes=100)
    assert actions(within(wanted, listing, limits, "Vendor")) == {"B": "blocked", "A": "update"}
    shrunk = plan((Action.UPDATE, "A", "x" * 500, "x" * 400))
    assert actions(within(shrunk, [Remote("A", "x" * 500)], limits, "Vendor")) == {"A": "update"}


def test_without_limits_a_plan_stays_as_it_is() -> None:
    wanted = plan((Action.CREATE, "A", "", "x"))
    assert within(wanted, [], Capabilities(), "Vendor") is wanted
