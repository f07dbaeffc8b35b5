"""The policy of a sync over the API, in forms and as model fields."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any
from zoneinfo import available_timezones

from cronsim import CronSim, CronSimError
from pydantic import create_model

from config.errors import BadRequest, Invalid, problem
from config.schemas.issues import refused
from config.schemas.json_schema import JsonSchema, described
from config.schemas.member import About
from config.schemas.model import Model, revealed
from config.schemas.types import Flag, Items, Text, Whole
from syncs.destination.base import Destination
from syncs.engine.windows import ALLOW, DENY
from syncs.models import AFTER_WRITES, NO_ACTION, UNMANAGED, WHILE_HELD, SyncPolicy


class SyncWindow(Model):
    """A time in which automatic runs may write, or may not."""

    kind: Annotated[str, Text("Kind", "deny: nothing is written; allow: only then.", choices=(ALLOW, DENY))]
    schedule: Annotated[str, Text("Schedule", "When it opens, as cron.", max_length=100, example="0 22 * * 1-5")]
    duration: Annotated[int, Whole("Minutes for which it is open.", minimum=1, maximum=10_080, example=480)]
    timezone: Annotated[str, Text("Time zone", max_length=64, example="Europe/Berlin")] = "UTC"


class Policy(Model):
    """The members of a policy that a request changes; those of `SyncPolicy` have the same names, in snake case."""

    unmanaged: Annotated[
        str | None, Text("Unmanaged keys", "What a run does with keys it did not write.", choices=UNMANAGED)
    ] = None
    maxDeletions: Annotated[
        int | None,
        Whole("Deletes that a run may do without approval; null: no limit.", nullable=True, maximum=1_000_000),
    ] = None
    include: Annotated[
        list[Annotated[str, Text("include", max_length=512)]] | None,
        Items("Globs of the source's keys; empty: all.", max_items=100, example=["DB_*"]),
    ] = None
    exclude: Annotated[
        list[Annotated[str, Text("exclude", max_length=512)]] | None,
        Items("Globs of the source's keys.", max_items=100, example=["*_LOCAL"]),
    ] = None
    tags: Annotated[
        list[Annotated[str, Text("tags", max_length=512)]] | None,
        Items("Slugs; a secret needs one of them. Empty: all.", max_items=100, example=["db"]),
    ] = None
    recursive: Annotated[bool | None, Flag(help="Include the folders below.")] = None
    driftCheckMinutes: Annotated[int | None, Whole("0: off.", maximum=525_600)] = None
    heal: Annotated[bool | None, Flag(help="Run when a drift check finds something.")] = None
    paused: Annotated[bool | None, Flag(help="Stop automatic work.")] = None
    windows: Annotated[
        list[SyncWindow] | None,
        Items("When automatic runs may write; empty: always. Manual runs do not wait.", max_items=20),
    ] = None
    whileHeld: Annotated[
        str | None, Text("While held", "What goes ahead while deletes wait for approval.", choices=WHILE_HELD)
    ] = None
    maxConcurrency: Annotated[
        int | None,
        Whole("Requests side by side; null: the default.", nullable=True, minimum=1, maximum=32),
    ] = None
    pacePercent: Annotated[
        int | None,
        Whole(
            "Pace and quota in percent of the documented ones, for an account with other limits; null: 100.",
            nullable=True,
            minimum=1,
            maximum=10_000,
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Action(Text):
    """An action after writes, one of `choices`. `at`: the label of the destination, for the message."""

    at: str

    def check(self, value: object) -> object:
        if value in AFTER_WRITES and value not in self.choices:
            raise refused(problem([], f"{self.at} has no action {value} after writes: afterWrites can only be off"))
        return Text.check(self, value)


_OWN = ("after_writes", "destination")
"""Members of `SyncPolicy` that depend on the destination, so a project has no default of them."""


@cache
def policy_of(found: type[Destination]) -> type[Policy]:
    """`Policy` with `destination`, whose members the adapter declares."""
    action = _Action(
        "After writes",
        "What to do after a run that changed a key.",
        choices=(NO_ACTION, *found.after_writes),
        at=found.label,
    )
    own = About(help="Options that only this destination has. A change replaces them all.")
    # The base class stays the plain one: a project's defaults are for syncs of every destination.
    declared: Any = Annotated[found.Policy, own]
    members: dict[str, Any] = {
        "afterWrites": (Annotated[str | None, action], None),
        "destination": (declared, None),
    }
    return create_model("Policy", __base__=Policy, **members)


@cache
def policy_change_of(found: type[Destination]) -> type[Policy]:
    """`policy_of` as the body of a change: with the reason of a pause, which is no member of the policy."""
    reason = Text("Reason", "Why it is paused, or resumed; only together with paused.", max_length=255)
    members: dict[str, Any] = {"pauseReason": (Annotated[str | None, reason], None)}
    return create_model("PolicyChange", __base__=policy_of(found), **members)


def policy_schema(shape: type[Policy] = Policy) -> JsonSchema:
    """Every member of a policy, as `policy_as_json` returns it."""
    found = dict(described(shape)["properties"])
    if own := found.get("destination"):
        found["destination"] = {name: value for name, value in own.items() if name != "nullable"}
    return {"type": "object", "properties": found, "required": list(found), "additionalProperties": False}


def policy_as_json(policy: SyncPolicy, found: type[Destination] | None = None) -> dict[str, Any]:
    """Every member; with `destination` if it is the policy of one."""
    shown = {name: getattr(policy, _field(name)) for name in Policy.model_fields}
    if found is None:
        return shown
    return {**shown, "afterWrites": policy.after_writes, "destination": own_members(found, policy)}


def own_members(found: type[Destination], policy: SyncPolicy) -> dict[str, Any]:
    """`policy.destination` with the defaults of members that are not stored."""
    return {name: revealed(value) for name, value in found.Policy.restored(policy.destination)}


def checked_policy(data: Mapping[str, Any], found: type[Destination] | None = None) -> dict[str, Any]:
    """Changes of a policy (model field names) as they are stored; of a project's defaults without `found`.

    Raises Invalid, and BadRequest for a window that no schema can describe.
    """
    _require_windows(data.get("windows") or ())
    if data.get("unmanaged", UNMANAGED[0]) not in UNMANAGED:
        raise Invalid([problem(["unmanaged"], f"It must be one of {', '.join(UNMANAGED)}")])
    own = {_wire(name): data[name] for name in _OWN if name in data}
    if not own:
        return dict(data)
    if found is None:
        why = "It belongs to the policy of a sync, not to a project's defaults"
        raise Invalid([problem([name], why) for name in own])
    return {**data, **policy_changes(policy_of(found).parse(own))}


def _require_windows(windows: Iterable[Mapping[str, Any]]) -> None:
    """Raises BadRequest for a schedule that is no cron or never opens, and for an unknown time zone."""
    for number, window in enumerate(windows):
        schedule, zone = str(window["schedule"]), window.get("timezone") or "UTC"
        try:
            opens = next(CronSim(schedule, datetime(2026, 1, 1, tzinfo=UTC)), None)
        except CronSimError:
            opens = None
        if opens is None or len(schedule.split()) != 5:
            raise BadRequest(
                f"windows[{number}].schedule must have the five fields of cron, such as 0 22 * * 1-5, and a time at all"
            )
        if zone not in available_timezones():
            raise BadRequest(f"windows[{number}].timezone must be a time zone such as UTC or Europe/Berlin")


def policy_changes(policy: Policy) -> dict[str, Any]:
    """The members that were sent, by their names in `SyncPolicy`."""
    known = {*Policy.model_fields, *map(_wire, _OWN), "pauseReason"}
    return {_field(name): value for name, value in policy.sent().items() if name in known}


def _wire(name: str) -> str:
    return re.sub(r"_(.)", lambda found: found[1].upper(), name)


def _field(name: str) -> str:
    return re.sub(r"(?=[A-Z])", "_", name).lower()
