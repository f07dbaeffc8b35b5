"""What an import would do: destination + the folder's own secrets -> changes of the source. Pure.

The opposite direction of a sync, outside of the decision table: nothing is written at the destination.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from .error_codes import Code
from .ownership import may_be_own
from .plan import Change, Plan, Row, Rule, State
from .reasons import Reason
from .types import Action, Desired, Remote

Problem = Callable[[str, Remote], tuple[str, Code] | None]
"""(name, the key with what of it would be stored) -> why the source cannot have it, or None."""


def plan_import(
    listing: Iterable[Remote],
    secrets: Mapping[str, str | None],
    ledger: Iterable[Row],
    *,
    overwrite: bool,
    normalize_key: Callable[[str], str],
    name_of: Callable[[str], str | None],
    problem_of: Problem,
) -> Plan:
    """One change for each key at the destination; its `desired` is the secret as the source shall have it.

    `secrets` are the folder's own, None for a value that cannot be decrypted. `overwrite`: the destination's value
    replaces one that differs. `name_of` removes the key schema from a name; None: the name does not follow the schema.
    """
    rows = {row.normalized_key: row for row in ledger}
    table = _Import(secrets, overwrite, name_of, problem_of)
    changes = []
    for remote in listing:
        normalized_key = normalize_key(remote.key)
        changes.append(table.change(remote, normalized_key, rows.get(normalized_key)))
    return Plan(tuple(sorted(changes, key=lambda change: change.normalized_key)), complete=True)


@dataclass(frozen=True, slots=True)
class _Import:
    secrets: Mapping[str, str | None]
    overwrite: bool
    name_of: Callable[[str], str | None]
    problem_of: Problem

    def change(self, remote: Remote, normalized_key: str, row: Row | None) -> Change:
        name = self.name_of(remote.key)
        action, reason, code = self._decided(remote, name, row)
        desired = None
        if action in (Action.CREATE, Action.UPDATE):
            desired = Desired(remote.key, normalized_key, name or "", remote.value or "", remote.comment or "")
        return Change(
            action,
            remote.key,
            normalized_key,
            Rule.NONE,
            reason,
            code,
            source_key=name or "",
            desired=desired,
            remote=remote,
        )

    def _decided(self, remote: Remote, name: str | None, row: Row | None) -> tuple[Action, str, Code | None]:
        if name is None:
            return Action.KEEP, Reason.NOT_IN_SCHEMA.text(), None
        if remote.inherited:
            return Action.KEEP, Reason.INHERITED.text(), None
        if not remote.is_secret:
            return Action.KEEP, Reason.NEVER_TOUCHED_PLAIN.text(), None
        if remote.locked:
            return Action.KEEP, Reason.NEVER_TOUCHED.text(why=remote.locked), Code.LOCKED
        if row is not None and not row.mine and row.state is not State.MISSING:
            return Action.KEEP, Reason.OTHER_SYNC.text(owner=row.owner), None
        if remote.shared and not may_be_own(row, remote):
            return Action.KEEP, Reason.NOT_OURS.text(why=remote.shared), Code.LOCKED
        if remote.unreadable:
            return Action.BLOCKED, Reason.READ_REFUSED.text(why=remote.unreadable), Code.READ_REFUSED
        if remote.value is None:
            return Action.KEEP, Reason.UNREADABLE.text(), Code.UNREADABLE
        if name in self.secrets and self.secrets[name] == remote.value:
            return Action.UNCHANGED, Reason.UNCHANGED.text(), None
        if name in self.secrets and not (self.overwrite and remote.value):
            return Action.KEEP, Reason.SOURCE_HAS_VALUE.text(), None
        exists = name in self.secrets
        if problem := self.problem_of(name, replace(remote, comment=None) if exists else remote):
            return Action.BLOCKED, *problem
        if exists:
            return Action.UPDATE, Reason.TAKEN_FROM_DESTINATION.text(), None
        return Action.CREATE, Reason.NEW_IN_SOURCE.text(), None
