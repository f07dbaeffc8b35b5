"""The decision table: what happens to one key, from the source, the destination, the ledger and the policy. Pure.

The architecture page has the same table, and `Rule` numbers its rows, so that a plan says which row decided a key and
each row has a test of its own. *Absent* means not listed, or listed only as inherited from a wider scope.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from .error_codes import Code
from .ownership import holds, known_foreign, known_ours, may_be_own, same_object, unreadable
from .plan import Change, Drift, Effect, Memory, Row, Rule, Rules, State, Verify, rest_of
from .reasons import Reason
from .types import Action, Desired, Remote, Write

CONTESTED_AFTER = 3
"""Rewrites of one unchanged source value, each reverted externally, after which a key is blocked."""


@dataclass(frozen=True, slots=True)
class DecisionTable:
    """The decision table over one set of inputs."""

    rules: Rules
    memory: Memory
    initial: Mapping[str, str | None]
    verify: Verify
    complete: bool
    in_schema: Callable[[str], bool]
    normalize_key: Callable[[str], str]

    def decide(self, desired: Desired | None, remote: Remote | None, row: Row | None) -> Change | None:
        """The change of one normalized key, with its drift; None if there is nothing to report."""
        change = self._decided(desired, remote, row)
        if change is None or change.rule in (Rule.UNCHANGED, Rule.UPDATE):  # these have their drift already
            return change
        drift = self._drift(remote, row)
        return replace(change, drift=drift) if drift else change

    def _drift(self, remote: Remote | None, row: Row | None) -> Drift:
        """What happened externally to a key of ours since it was written, whatever the source holds now."""
        if row is None or not row.mine or row.state is not State.OWNED:
            return Drift.NONE
        if remote is None or remote.inherited:
            return Drift.MISSING
        if remote.untouchable or not same_object(row, remote):
            return Drift.CHANGED
        if remote.unreadable or not row.value_mac:
            return Drift.NONE  # unknown
        if remote.value is not None:
            same = self.verify(row.normalized_key, remote.value, row.value_mac)
        else:
            same = row.etag is None or remote.etag is None or row.etag == remote.etag
        return Drift.NONE if same else Drift.CHANGED

    def _decided(self, desired: Desired | None, remote: Remote | None, row: Row | None) -> Change | None:
        present = remote is not None and not remote.inherited
        if desired and desired.blocked:
            return self._block(Rule.BLOCKED_SOURCE, desired, remote, row, desired.blocked, desired.blocked_code)
        if remote and unreadable(desired, remote, row):
            reason = Reason.READ_REFUSED.text(why=remote.unreadable)
            return self._block(Rule.BLOCKED_SOURCE, desired, remote, row, reason, Code.READ_REFUSED)
        if remote and (remote.untouchable or (remote.shared and not may_be_own(row, remote))):
            return self._untouchable(desired, remote, row)
        if row and not row.mine and row.state is not State.MISSING:
            if desired and row.released:
                taken = replace(row, mine=True, value_mac="", rest_mac="", rewrites=0, secret_id="", source_key="")
                return self._desired(desired, remote, taken)
            if desired:
                reason = Reason.WAITS_FOR_SYNC.text(owner=row.owner)
                return self._block(Rule.OTHER_SYNC, desired, remote, row, reason, Code.OWNED_BY_OTHER)
            reason = Reason.OTHER_SYNC.text(owner=row.owner)
            return self._keep(Rule.OTHER_SYNC, remote, row, reason) if present else None
        own = row if row and row.mine else None
        if desired:
            return self._desired(desired, remote, own)
        return self._surplus(remote if present else None, own)

    def _desired(self, desired: Desired, remote: Remote | None, own: Row | None) -> Change:
        if remote is not None and not remote.inherited:
            return self._desired_and_present(desired, remote, own)
        return self._desired_and_absent(desired, own, inherited=remote is not None)

    def _untouchable(self, desired: Desired | None, remote: Remote, row: Row | None) -> Change:
        effects = (Effect.VOID,) if row and row.mine else ()
        scope = "in the wider scope" if remote.inherited else "at the destination"
        code, reason = Code.PLAIN_VALUE, Reason.PLAIN.text(scope=scope)
        if remote.locked or remote.shared:
            why = remote.locked or f"{remote.shared}, and not this sync's"
            code, reason = Code.LOCKED, Reason.LOCKED.text(scope=scope, why=why)
        if desired:
            return self._block(Rule.UNTOUCHABLE, desired, remote, row, reason, code, effects)
        return self._keep(Rule.UNTOUCHABLE, remote, row, reason, effects=effects)

    # -- the source has the key --------------------------------------------------------------------------------

    def _desired_and_absent(self, desired: Desired, own: Row | None, *, inherited: bool) -> Change:
        reason = Reason.CREATED_AGAIN if own and own.state is State.OWNED else Reason.NEW
        reason = Reason.OVERRIDES if inherited else reason
        return self._change(Rule.CREATE, Action.CREATE, desired, None, own, reason.text())

    def _desired_and_present(self, desired: Desired, remote: Remote, own: Row | None) -> Change:
        if own and own.state is State.CLAIM:
            if holds(desired, remote):
                effects = (Effect.SETTLE,)
                reason = Reason.CONFIRMED.text()
                return self._change(Rule.SETTLE_CLAIM, Action.UNCHANGED, desired, remote, own, reason, effects=effects)
            if not known_foreign(own, remote):
                return self._open_claim(desired, remote, own)
        elif own and own.state is State.OWNED and same_object(own, remote):
            return self._ours(desired, remote, own)
        return self._not_ours(desired, remote, own)

    def _open_claim(self, desired: Desired, remote: Remote, own: Row) -> Change:
        if self.rules.unmanaged == "leave" and not self._known_ours(own, remote):
            return self._block(Rule.SETTLE_CLAIM, desired, remote, own, Reason.MAYBE_OURS.text(), Code.MAYBE_OURS)
        return self._change(Rule.SETTLE_CLAIM, Action.UPDATE, desired, remote, own, Reason.WRITTEN_AGAIN.text())

    def _ours(self, desired: Desired, remote: Remote, own: Row) -> Change:
        same_source = self.verify(desired.normalized_key, desired.value, own.value_mac) and self.verify(
            desired.normalized_key, rest_of(desired), own.rest_mac
        )
        drift = self._drift(remote, own)
        if same_source and not drift:
            learned = (own.etag is None and remote.etag) or (own.object_id is None and remote.object_id)
            effects = (Effect.REFRESH,) if learned else ()
            reason = Reason.UNCHANGED.text()
            return self._change(Rule.UNCHANGED, Action.UNCHANGED, desired, remote, own, reason, effects=effects)
        if same_source and own.rewrites >= CONTESTED_AFTER:
            reason = Reason.CONTESTED.text(times=own.rewrites)
            change = self._block(Rule.UPDATE, desired, remote, own, reason, Code.CONTESTED)
        else:
            why = Reason.DRIFTED if same_source else Reason.BOTH_CHANGED if drift else Reason.SOURCE_CHANGED
            why = why if own.value_mac else Reason.TAKEN_OVER
            change = self._change(Rule.UPDATE, Action.UPDATE, desired, remote, own, why.text())
        return replace(change, drift=drift)

    def _not_ours(self, desired: Desired, remote: Remote, own: Row | None) -> Change:
        effects = (Effect.VOID,) if own else ()
        if holds(desired, remote):
            both = (*effects, Effect.SETTLE)
            return self._change(Rule.ADOPT_EQUAL, Action.ADOPT, desired, remote, own, Reason.EQUAL.text(), effects=both)
        if self.rules.unmanaged == "leave":
            return self._block(Rule.ADOPT, desired, remote, own, Reason.LEFT.text(), Code.UNMANAGED, effects)
        return self._change(Rule.ADOPT, Action.ADOPT, desired, remote, own, Reason.OVERWRITTEN.text(), effects=effects)

    # -- the source does not have the key ----------------------------------------------------------------------

    def _surplus(self, remote: Remote | None, own: Row | None) -> Change | None:
        known = own is not None and own.state is not State.MISSING
        if remote is None:
            if not known:
                return None
            return self._keep(Rule.ALREADY_GONE, None, own, Reason.ALREADY_GONE.text(), effects=(Effect.MISS,))
        if own is None or not known:
            return self._foreign_surplus(remote, own, ())
        if own.state is State.CLAIM:
            ours = self._known_ours(own, remote)
            if not ours and not known_foreign(own, remote):
                return self._keep(Rule.MAYBE_OURS, remote, own, Reason.MAYBE_OURS.text())
        else:
            ours = same_object(own, remote)
        return self._own_surplus(remote, own) if ours else self._foreign_surplus(remote, own, (Effect.VOID,))

    def _known_ours(self, claim: Row, remote: Remote) -> bool:
        """If the vendor has no object ids, by what this sync is known to have written last."""
        if known_ours(claim, remote) or remote.object_id is not None:
            return known_ours(claim, remote)
        if remote.value is not None:
            return bool(claim.value_mac) and self.verify(claim.normalized_key, remote.value, claim.value_mac)
        return remote.etag is not None and claim.etag == remote.etag

    def _own_surplus(self, remote: Remote, own: Row) -> Change:
        if other := self.memory.wanted.get(own.normalized_key):
            reason = Reason.HANDED_OVER.text(owner=other)
            change = self._keep(Rule.HAND_OVER, remote, own, reason, effects=(Effect.HAND_OVER,))
            return replace(change, heir=self.memory.heirs.get(own.normalized_key, ""))
        if not self.rules.deletion_enabled:
            return self._keep(Rule.KEEP_OWN, remote, own, Reason.DELETION_DISABLED.text())
        return self._delete(Rule.DELETE_OWN, remote, own, Reason.REMOVED_FROM_SOURCE)

    def _foreign_surplus(self, remote: Remote, own: Row | None, effects: tuple[Effect, ...]) -> Change:
        normalized_key = self.normalize_key(remote.key)
        reason = self._why_deleted(normalized_key, remote)
        if reason and self.rules.deletion_enabled and normalized_key not in self.memory.wanted:
            return self._delete(Rule.DELETE_FOREIGN, remote, own, reason, effects)
        return self._keep(Rule.KEEP_FOREIGN, remote, own, Reason.UNMANAGED.text(), effects=effects)

    def _why_deleted(self, normalized_key: str, remote: Remote) -> Reason | None:
        """What gives the right to delete an unmanaged key: its first run, an approval, or the policy `mirror`."""
        if self._approved(normalized_key, remote):
            return Reason.APPROVED
        if self.rules.unmanaged == "leave" or not self.in_schema(remote.key):
            return None
        if normalized_key in self.initial and self.initial[normalized_key] == remote.object_id:
            return Reason.FIRST_OVERWRITE
        left = self.memory.left
        on_purpose = normalized_key in left and left[normalized_key] in (None, remote.object_id)
        return Reason.NOT_IN_SOURCE if self.rules.unmanaged == "mirror" and not on_purpose else None

    def _approved(self, normalized_key: str, remote: Remote) -> bool:
        approval = self.memory.approval
        return approval is not None and approval.covers(normalized_key, remote)

    def _delete(
        self, rule: Rule, remote: Remote, own: Row | None, reason: Reason, effects: tuple[Effect, ...] = ()
    ) -> Change:
        normalized_key = self.normalize_key(remote.key)
        if normalized_key in self.memory.dismissed and not self._approved(normalized_key, remote):
            return self._keep(rule, remote, own, Reason.DISMISSED.text(), effects=effects)
        if not self.complete:
            change = self._keep(Rule.KEEP_OWN, remote, own, Reason.SUSPENDED.text(), effects=effects)
            return replace(change, suspended=True)
        if wait := self.memory.waiting.get(normalized_key):
            return self._keep(rule, remote, own, wait, Code.WAITS, effects)
        return self._change(rule, Action.DELETE, None, remote, own, reason.text(), effects=effects)

    # -- changes -----------------------------------------------------------------------------------------------

    def _block(
        self,
        rule: Rule,
        desired: Desired | None,
        remote: Remote | None,
        row: Row | None,
        reason: str,
        code: Code | None,
        effects: tuple[Effect, ...] = (),
    ) -> Change:
        return self._change(rule, Action.BLOCKED, desired, remote, row, reason, code, effects)

    def _keep(
        self,
        rule: Rule,
        remote: Remote | None,
        row: Row | None,
        reason: str,
        code: Code | None = None,
        effects: tuple[Effect, ...] = (),
    ) -> Change:
        return self._change(rule, Action.KEEP, None, remote, row, reason, code, effects)

    def _change(
        self,
        rule: Rule,
        action: Action,
        desired: Desired | None,
        remote: Remote | None,
        row: Row | None,
        reason: str,
        code: Code | None = None,
        effects: tuple[Effect, ...] = (),
    ) -> Change:
        key = desired.key if desired else remote.key if remote else row.key if row else ""
        normalized_key = desired.normalized_key if desired else row.normalized_key if row else self.normalize_key(key)
        return Change(
            action=action,
            key=key,
            normalized_key=normalized_key,
            rule=rule,
            reason=reason,
            code=code,
            source_key=desired.source_key if desired else "",
            write=_write(action, key, normalized_key, desired, remote, effects),
            desired=desired,
            remote=remote,
            row=row,
            effects=effects,
        )


def _write(
    action: Action,
    key: str,
    normalized_key: str,
    desired: Desired | None,
    remote: Remote | None,
    effects: tuple[Effect, ...],
) -> Write | None:
    if action is Action.DELETE:
        return Write(Action.DELETE, key, normalized_key, remote=remote)
    if desired is None or Effect.SETTLE in effects or action not in (Action.CREATE, Action.UPDATE, Action.ADOPT):
        return None
    verb, target = (Action.CREATE, None) if action is Action.CREATE else (Action.UPDATE, remote)
    return Write(
        verb,
        key,
        normalized_key,
        desired.value,
        desired.comment,
        target,
        metadata=desired.metadata,
        tags=desired.tags,
    )
