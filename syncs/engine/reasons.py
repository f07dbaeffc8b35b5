"""Why a plan treats a key as it does, one sentence each. For people only: code compares rules, codes and drift."""

from __future__ import annotations

import enum

DECIDE_AT = " Approve or dismiss it at "
"""Before the URL at the end of a hold's message."""


class Reason(enum.StrEnum):
    """Templates; `text` fills in the names that one of them mentions."""

    # -- sync: the decision table
    NEW = "new"
    CREATED_AGAIN = "missing at the destination, created again"
    OVERRIDES = "overrides the value of the wider scope"
    UNCHANGED = "unchanged"
    CONFIRMED = "written earlier without a response; confirmed now"
    WRITTEN_AGAIN = "an earlier write got no response"
    SOURCE_CHANGED = "changed at the source"
    DRIFTED = "changed externally at the destination"
    BOTH_CHANGED = "changed at the source, and externally at the destination"
    EQUAL = "the destination already has this value"
    OVERWRITTEN = "existed before this sync; overwritten"
    LEFT = "not written by this sync, and its policy is to leave such keys"
    MAYBE_OURS = "may be this sync's: an earlier write got no response"
    CONTESTED = "changed back externally {times} times; find out what else writes it"
    OTHER_SYNC = "owned by the sync {owner}"
    WAITS_FOR_SYNC = "owned by the sync {owner}; waiting for it"
    TAKEN_OVER = "another sync wrote it and does not need it any more; taken over"
    NOT_ARRIVED = "its secret has not arrived at the present target of the sync"
    HANDED_OVER = "handed over to the sync {owner}, which needs it"
    PLAIN = "a plain (not secret) value of this name exists {scope}; it is never touched"
    LOCKED = "a secret of this name exists {scope} and is never touched: {why}"
    COLLISION = "{count} secrets would be named {key} at the destination: {names}. Rename one."
    ALREADY_GONE = "already deleted"
    DELETION_DISABLED = "deletion is disabled for this sync"
    NOT_IN_SOURCE = "not in the source"
    REMOVED_FROM_SOURCE = "no longer in the source"
    RENAMED = "its secret was renamed to {name}"
    APPROVED = "its deletion was approved"
    FIRST_OVERWRITE = "not in the source; the first sync overwrites the destination"
    UNMANAGED = "not managed by this sync"
    DISMISSED = "its deletion was dismissed"
    SPARED = "not managed by this sync, and not deleted while a key of the run is blocked or has failed"
    HELD = "would be deleted; waits for approval"
    SUSPENDED = "would be deleted, but the source or the destination could not be read completely"
    READ_REFUSED = "its value at the destination could not be read: {why}"
    MOVED = "moved to another folder; waits until the sync {owner} has written it"
    # -- removal
    WRITTEN_BY_SYNC = "written by this sync"
    # -- import
    NOT_IN_SCHEMA = "its name does not follow the key schema"
    INHERITED = "inherited from the wider scope"
    NEVER_TOUCHED = "it is never touched: {why}"
    NEVER_TOUCHED_PLAIN = "a plain (not secret) value; it is never touched"
    NOT_OURS = "it is not this sync's: {why}"
    UNREADABLE = "its value cannot be read"
    SOURCE_HAS_VALUE = "the source has a value of its own"
    TAKEN_FROM_DESTINATION = "the destination's value replaces the source's"
    NEW_IN_SOURCE = "new in the source"
    # -- undo
    WRITTEN_SINCE = "written again since, by another run"
    OWNED_NO_MORE = "no longer this sync's"
    CREATED_AND_GONE = "the run created it; deleted meanwhile"
    DELETED_SINCE = "deleted externally since"
    PLAIN_SINCE = "a plain (not secret) value now"
    RECREATED_SINCE = "recreated externally since"
    CHANGED_SINCE = "changed externally since"
    CHANGE_UNKNOWN = "unknown whether it was changed externally since"
    EXISTS_SINCE = "exists again since"
    CLAIMED_SINCE = "needed by another write since"
    REVERTS_CREATE = "the run created it"
    REVERTS_DELETE = "the run deleted it"
    REVERTS_UPDATE = "as it was before the run"
    RELEASED = "unmanaged again; its value stays"
    VALUE_UNKNOWN = "its value before the run is unknown: the destination does not return values"
    # -- drift
    MISSING_EXTERNALLY = "deleted externally at the destination"
    NO_RESPONSE = "an earlier write got no response"
    NO_VERSION = "the destination returns neither its value nor an etag"

    def text(self, **names: object) -> str:
        """The sentence with its names filled in."""
        return self.value.format(**names)
