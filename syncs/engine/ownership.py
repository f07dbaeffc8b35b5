"""Whether a listed object is the one that a ledger row is about. Pure."""

from __future__ import annotations

from .plan import Change, Row, Rule, State
from .types import Action, Desired, Remote


def same_object(own: Row, remote: Remote) -> bool:
    return own.object_id is None or remote.object_id is None or own.object_id == remote.object_id


def may_be_own(row: Row | None, remote: Remote) -> bool:
    """A row of this sync is about that very object, as far as is known."""
    if row is None or not row.mine or row.state is State.MISSING:
        return False
    return not known_foreign(row, remote) if row.state is State.CLAIM else same_object(row, remote)


def known_ours(claim: Row, remote: Remote) -> bool:
    """An update or a delete was claimed, and the object is still the one that it was claimed for."""
    return claim.claimed_object_id is not None and claim.claimed_object_id == remote.object_id


def known_foreign(claim: Row, remote: Remote) -> bool:
    """The claim was for another object than the one that exists now; no update changes an object id."""
    return claim.claimed_object_id is not None and claim.claimed_object_id != remote.object_id


def unreadable(desired: Desired | None, remote: Remote | None, row: Row | None) -> bool:
    """The sync needs to know what the key holds, and its value could not be read this time."""
    if remote is None or not remote.unreadable or remote.inherited or remote.untouchable:
        return False
    return desired is not None or (row is not None and row.mine and row.state is not State.MISSING)


def is_settled(change: Change) -> bool:
    """A claim of ours whose write turns out to have been applied: the key is as we wrote it, or deleted."""
    claimed = change.row is not None and change.row.mine and change.row.state is State.CLAIM
    applied = change.rule in (Rule.SETTLE_CLAIM, Rule.ALREADY_GONE) and change.write is None
    return claimed and applied and change.action is not Action.BLOCKED


def holds(desired: Desired, remote: Remote) -> bool:
    """The destination is readable and has exactly the desired value and comment."""
    return remote.value is not None and remote.value == desired.value and remote.comment in (None, desired.comment)
