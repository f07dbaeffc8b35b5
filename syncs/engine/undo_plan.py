"""What undoing a run would do: restore each key that it wrote last and that is unchanged since. Pure.

It restores ownership too: a key that the run adopted becomes unmanaged again, one that it deleted belongs to its former
owner. What cannot be restored is reported key by key, before anything is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from .error_codes import Code
from .ownership import known_ours
from .plan import Change, Effect, Plan, Row, Rule, State, Verify
from .reasons import Reason
from .types import Action, Desired, Remote, Write


@dataclass(frozen=True, slots=True)
class Before:
    """A key before the run wrote it. `value` is None if it could not be read; `owned`: it was this sync's.

    `vendor_version`: the version in the vendor's history that still holds an unreadable value.
    """

    owned: bool
    value: str | None = field(default=None, repr=False)
    comment: str = field(default="", repr=False)
    secret_id: str = ""
    version: int = 0
    etag: str | None = None
    vendor_version: str | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """What the run did to a key. `last`: no run has written it since. `before` is None if the key did not exist.

    `wrote`: False if the run only adopted the key as it was. `tried`: an earlier attempt of this undo wrote the key and
    got no response.
    """

    key: str
    normalized_key: str
    action: Action
    last: bool
    source_key: str = ""
    wrote: bool = True
    before: Before | None = None
    tried: bool = False


def plan_restore(
    pasts: Iterable[Past],
    listing: Iterable[Remote],
    ledger: Iterable[Row],
    *,
    normalize_key: Callable[[str], str],
    verify: Verify,
) -> Plan:
    """One change for each key that the run wrote; deletes last."""
    remotes = {normalize_key(remote.key): remote for remote in listing if not remote.inherited}
    rows = {row.normalized_key: row for row in ledger}
    restores = [_Restore(past, remotes.get(past.normalized_key), rows.get(past.normalized_key)) for past in pasts]
    changes = [restore.change(verify) for restore in restores]
    changes.sort(key=lambda change: (change.action is Action.DELETE, change.normalized_key))
    return Plan(tuple(changes), complete=True)


@dataclass(frozen=True, slots=True)
class _Restore:
    """One key: what the run did to it, what is listed now, and its row in the ledger."""

    past: Past
    remote: Remote | None
    row: Row | None

    def change(self, verify: Verify) -> Change:
        past, remote, row = self.past, self.remote, self.row
        if not past.last:
            return self._keep(Reason.WRITTEN_SINCE.text())
        if past.action is Action.DELETE:
            return self._after_delete()
        if row is None or not row.mine or not (row.state is State.OWNED or past.tried):
            return self._keep(Reason.OWNED_NO_MORE.text())
        if remote is None and past.tried and past.action is Action.CREATE:
            return self._change(Action.KEEP, Reason.CREATED_AND_GONE.text(), effects=(Effect.MISS,))
        if remote is None:
            return self._keep(Reason.DELETED_SINCE.text())
        if remote.untouchable:
            return self._keep(remote.locked or Reason.PLAIN_SINCE.text())
        drift = None if past.tried and known_ours(row, remote) else _drift_since(remote, row, verify)
        if drift:
            return self._keep(drift.text())
        if past.action is Action.CREATE:
            write = Write(Action.DELETE, past.key, past.normalized_key, remote=remote)
            return self._change(Action.DELETE, Reason.REVERTS_CREATE.text(), write=write)
        if not past.wrote:
            return self._change(Action.KEEP, Reason.RELEASED.text(), effects=(Effect.VOID,))
        return self._written_back(Action.UPDATE, Reason.REVERTS_UPDATE)

    def _after_delete(self) -> Change:
        if self.remote is not None:
            return self._keep(Reason.EXISTS_SINCE.text())
        if self.row is not None and self.row.state is not State.MISSING and not self.past.tried:
            return self._keep(Reason.CLAIMED_SINCE.text())
        return self._written_back(Action.CREATE, Reason.REVERTS_DELETE)

    def _written_back(self, action: Action, reason: Reason) -> Change:
        past, before = self.past, self.past.before
        if before is not None and before.value is None and before.vendor_version is not None and not before.owned:
            write = Write(action, past.key, past.normalized_key, remote=self.remote, version=before.vendor_version)
            text = f"{reason.text()}, from the destination's own history; unmanaged again"
            return self._change(action, text, write=write, effects=(Effect.RELEASE,))
        if before is None or before.value is None:
            return self._change(Action.BLOCKED, Reason.VALUE_UNKNOWN.text(), code=Code.NOT_RESTORABLE)
        desired = Desired(
            past.key,
            past.normalized_key,
            past.source_key,
            before.value,
            before.comment,
            secret_id=before.secret_id,
            version=before.version,
        )
        effects = () if before.owned else (Effect.RELEASE,)
        text = reason.text() if before.owned else f"{reason.text()}; unmanaged again"
        write = Write(action, past.key, past.normalized_key, before.value, before.comment, self.remote)
        return self._change(action, text, write=write, desired=desired, effects=effects)

    def _keep(self, reason: str) -> Change:
        return self._change(Action.KEEP, reason, code=Code.NOT_RESTORED)

    def _change(
        self,
        action: Action,
        reason: str,
        *,
        code: Code | None = None,
        write: Write | None = None,
        desired: Desired | None = None,
        effects: tuple[Effect, ...] = (),
    ) -> Change:
        return Change(
            action=action,
            key=self.past.key,
            normalized_key=self.past.normalized_key,
            rule=Rule.NONE,
            reason=reason,
            code=code,
            source_key=self.past.source_key,
            write=write,
            desired=desired,
            remote=self.remote,
            row=self.row,
            effects=effects,
        )


def _drift_since(remote: Remote, row: Row, verify: Verify) -> Reason | None:
    """Why the key must not be taken for what the run left, or None."""
    if row.object_id is not None and remote.object_id is not None and row.object_id != remote.object_id:
        return Reason.RECREATED_SINCE
    if remote.value is not None:
        return None if verify(row.normalized_key, remote.value, row.value_mac) else Reason.CHANGED_SINCE
    if row.etag is None or remote.etag is None:
        return Reason.CHANGE_UNKNOWN
    return None if row.etag == remote.etag else Reason.CHANGED_SINCE
