"""Whether another attempt may help."""

from __future__ import annotations

from connections.errors import Conflict, NotFound
from syncs.engine.plan import Change
from syncs.engine.types import Action, Outcome
from syncs.running.ledger_entries import is_unknown


def may_retry(change: Change, outcome: Outcome) -> bool:
    """Whether listing and planning the key again may help. A conflict or a missing key is settled by the next list."""
    error = outcome.error
    if isinstance(error, Conflict) or (error is not None and is_unknown(error)):
        return True
    if isinstance(error, NotFound):
        return change.action is not Action.CREATE
    return bool(getattr(error, "retryable", False))
