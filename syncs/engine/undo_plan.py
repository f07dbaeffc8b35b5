"""What taking a run back would do: for each key that it wrote last and nobody touched since, the state before. Pure.

It restores ownership too: a key that the run took over is nobody's again, one that it deleted belongs to whom it
belonged to. What cannot be restored is said, key by key, before anything is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from .error_codes import Code
from .plan import Change, Effect, Plan, Row, State, Verify, known_ours
from .types import Action, Desired, Remote, Write


@dataclass(frozen=True, slots=True)
class Before:
    """A key before the run wrote it. `value` is None where it could not be read; `owned`: it was this sync's.

    `stamp` is the vendor's, `kept` the version of the vendor's own history that still holds an unreadable value.
    """

    owned: bool
    value: str | None = field(default=None, repr=False)
    comment: str = field(default="", repr=False)
    secret_id: str = ""
    version: int = 0
    etag: str | None = None
    kept: str | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """What the run did to a key. `last`: no run has written it since. `before` is None where there was no such key.

    `tried`: an earlier attempt of this undoing wrote it and was never answered.
    """

    key: str
    normalized_key: str
    action: Action
    last: bool
    source_key: str = ""
    wrote: bool = True  # not where the run only took the key over as it was
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
    seen = {normalize_key(remote.key): remote for remote in listing}
    rows = {row.normalized_key: row for row in ledger}
    changes = [_change(past, seen.get(past.normalized_key), rows.get(past.normalized_key), verify) for past in pasts]
    changes.sort(key=lambda change: (change.action is Action.DELETE, change.normalized_key))
    return Plan(tuple(changes), complete=True)


def _change(past: Past, seen: Remote | None, row: Row | None, verify: Verify) -> Change:
    if seen is not None and seen.inherited:
        seen = None
    if not past.last:
        return _kept(past, seen, row, "written again since, by another run")
    if past.action is Action.DELETE:
        return _undeleted(past, seen, row)
    if row is None or not row.mine or not (row.state is State.OWNED or past.tried):
        return _kept(past, seen, row, "not this sync's any more")
    if seen is None and past.tried and past.action is Action.CREATE:
        return _made(past, Action.KEEP, None, row, "the run created it; gone now", effects=(Effect.MISS,))
    if seen is None:
        return _kept(past, seen, row, "gone by other hands since")
    if seen.untouchable:
        return _kept(past, seen, row, seen.locked or "a plain (not secret) value stands there now")
    touched = "" if past.tried and known_ours(row, seen) else _touched(seen, row, verify)
    if touched:
        return _kept(past, seen, row, touched)
    if past.action is Action.CREATE:
        write = Write(Action.DELETE, past.key, past.normalized_key, remote=seen)
        return _made(past, Action.DELETE, seen, row, "the run created it", write=write)
    if not past.wrote:
        reason = "released: it is nobody's again, as it stands"
        return _made(past, Action.KEEP, seen, row, reason, effects=(Effect.VOID,))
    return _written_back(past, Action.UPDATE, seen, row, "as it was before the run")


def _undeleted(past: Past, seen: Remote | None, row: Row | None) -> Change:
    if seen is not None:
        return _kept(past, seen, row, "there again since")
    if row is not None and row.state is not State.MISSING and not past.tried:
        return _kept(past, seen, row, "wanted by another write since")
    return _written_back(past, Action.CREATE, None, row, "the run deleted it")


def _written_back(past: Past, action: Action, seen: Remote | None, row: Row | None, reason: str) -> Change:
    before = past.before
    if before is not None and before.value is None and before.kept is not None and not before.owned:
        write = Write(action, past.key, past.normalized_key, remote=seen, version=before.kept)
        reason = f"{reason}, out of the destination's own history; nobody's again"
        return _made(past, action, seen, row, reason, write=write, effects=(Effect.RELEASE,))
    if before is None or before.value is None:
        reason = "its value before the run is not known: the destination does not tell values"
        return _made(past, Action.BLOCKED, seen, row, reason, code=Code.NOT_RESTORABLE)
    want = Desired(
        past.key,
        past.normalized_key,
        past.source_key,
        before.value,
        before.comment,
        secret_id=before.secret_id,
        version=before.version,
    )
    effects = () if before.owned else (Effect.RELEASE,)
    reason = reason if before.owned else f"{reason}; nobody's again"
    write = Write(action, past.key, past.normalized_key, before.value, before.comment, seen)
    return _made(past, action, seen, row, reason, write=write, desired=want, effects=effects)


def _touched(seen: Remote, row: Row, verify: Verify) -> str:
    """Why the key must not be taken for what the run left there, or ""."""
    if row.object_id is not None and seen.object_id is not None and row.object_id != seen.object_id:
        return "made anew by other hands since"
    if seen.value is not None:
        return "" if verify(row.normalized_key, seen.value, row.value_mac) else "changed by other hands since"
    if row.etag is None or seen.etag is None:
        return "it cannot be told whether other hands changed it since"
    return "" if row.etag == seen.etag else "changed by other hands since"


def _kept(past: Past, seen: Remote | None, row: Row | None, reason: str) -> Change:
    return _made(past, Action.KEEP, seen, row, reason, code=Code.NOT_RESTORED)


def _made(
    past: Past,
    action: Action,
    seen: Remote | None,
    row: Row | None,
    reason: str,
    *,
    code: Code | None = None,
    write: Write | None = None,
    desired: Desired | None = None,
    effects: tuple[Effect, ...] = (),
) -> Change:
    return Change(
        action=action,
        key=past.key,
        normalized_key=past.normalized_key,
        rule=0,
        reason=reason,
        code=code,
        source_key=past.source_key,
        write=write,
        desired=desired,
        remote=seen,
        row=row,
        effects=effects,
    )
