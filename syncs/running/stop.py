"""Why a run stops between keys before it is complete."""

from __future__ import annotations

import enum


class Stop(enum.Enum):
    """Code compares the members; `text` is what people read."""

    SYNC_CHANGED = "the sync was changed"
    ASKED_TO_WAIT = "the service asked to wait"
    QUOTA_USED = "the service takes no more requests for now"
    CANCELLED = "it was cancelled"
    PAUSED = "it was paused"
    OWNER_RIGHTS = "its owner's rights have changed"
    LIST_TOO_OLD = "the list is too old for deletes"
    SOURCE_CHANGED = "the source or the sync changed meanwhile"
    LOGIN_REFUSED = "the service refused the login"
    NOT_ALLOWED = "the service refused every write"
    LEASE_LOST = "the lease was lost"
    OUT_OF_TIME = "the worker's time was up"

    @property
    def text(self) -> str:
        return self.value
