"""What an import would do: destination + the folder's own secrets -> changes of the source. Pure.

The other way round from a sync, beside its decision table and never part of it: nothing is written at the destination.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from .error_codes import Code
from .plan import Change, Plan, Row, State, may_be_own
from .types import Action, Desired, Remote

Problem = Callable[[str, str], tuple[str, Code] | None]
"""(name, value) -> why the source cannot have it, or None."""


def plan_import(
    listing: Iterable[Remote],
    held: Mapping[str, str | None],
    ledger: Iterable[Row],
    *,
    overwrite: bool,
    normalize_key: Callable[[str], str],
    name_of: Callable[[str], str | None],
    problem_of: Problem,
) -> Plan:
    """One change for each key at the destination; its `desired` is what the source shall have.

    `held` are the folder's own secrets, None for a value that does not open. `overwrite`: the destination's value goes
    over one that differs. `name_of` takes the key schema off a name; None: it does not follow the schema.
    """
    rows = {row.normalized_key: row for row in ledger}
    changes = [
        _change(
            remote, normalize_key(remote.key), held, rows.get(normalize_key(remote.key)), overwrite, name_of, problem_of
        )
        for remote in listing
    ]
    return Plan(tuple(sorted(changes, key=lambda change: change.normalized_key)), complete=True)


def _change(
    remote: Remote,
    normalized_key: str,
    held: Mapping[str, str | None],
    row: Row | None,
    overwrite: bool,
    name_of: Callable[[str], str | None],
    problem_of: Problem,
) -> Change:
    def made(action: Action, reason: str, code: Code | None = None, desired: Desired | None = None) -> Change:
        return Change(
            action, remote.key, normalized_key, 0, reason, code, source_key=name or "", desired=desired, remote=remote
        )

    name = name_of(remote.key)
    if name is None:
        return made(Action.KEEP, "its name does not follow the key schema")
    if remote.inherited:
        return made(Action.KEEP, "it stands in the wider scope")
    if not remote.is_secret:
        return made(Action.KEEP, "a plain (not secret) value; it is never touched")
    if remote.locked:
        return made(Action.KEEP, f"it is never touched: {remote.locked}", Code.LOCKED)
    if row is not None and not row.mine and row.state is not State.MISSING:
        return made(Action.KEEP, f"belongs to the sync {row.owner}")
    if remote.shared and not may_be_own(row, remote):
        return made(Action.KEEP, f"it is not this sync's: {remote.shared}", Code.LOCKED)
    if remote.value is None:
        return made(Action.KEEP, "its value cannot be read", Code.UNREADABLE)
    if name in held and held[name] == remote.value:
        return made(Action.UNCHANGED, "the same")
    if name in held and not (overwrite and remote.value):
        return made(Action.KEEP, "the source has a value of its own")
    if problem := problem_of(name, remote.value):
        return made(Action.BLOCKED, *problem)
    desired = Desired(remote.key, normalized_key, name, remote.value, remote.comment or "")
    if name in held:
        return made(Action.UPDATE, "the destination's value is taken over", desired=desired)
    return made(Action.CREATE, "new in the source", desired=desired)
