"""The catalogue of what can keep a key from arriving: a code for programs, its meaning and the way out for people."""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """Codes of blocked and failed keys. Those of vendors' errors are in `connections.errors` under the same names."""

    # -- found by the planner, before anything is sent
    UNRESOLVED = "unresolved"
    KEY_REFUSED = "key-refused"
    VALUE_TOO_LARGE = "value-too-large"
    VALUE_EMPTY = "value-empty"
    NO_ROOM = "no-room"
    UNREADABLE = "unreadable"
    NAME_NOT_ALLOWED = "name-not-allowed"
    LOOKS_LIKE_REFERENCE = "looks-like-reference"
    COLLISION = "collision"
    PLAIN_VALUE = "plain-value"
    LOCKED = "locked"
    OWNED_BY_OTHER = "owned-by-other"
    UNMANAGED = "unmanaged"
    MAYBE_OURS = "maybe-ours"
    CONTESTED = "contested"
    WAITS = "waits"
    NOT_RESTORABLE = "not-restorable"
    NOT_RESTORED = "not-restored"
    # -- said by the vendor, or by the way there
    UNREACHABLE = "unreachable"
    UNAVAILABLE = "unavailable"
    RATE_LIMITED = "rate-limited"
    UNAUTHORIZED = "unauthorized"
    NOT_FOUND = "not-found"
    CONFLICT = "conflict"
    REJECTED = "rejected"
    ADDRESS_REFUSED = "address-refused"
    BAD_RESPONSE = "bad-response"
    OUTCOME_UNKNOWN = "outcome-unknown"
    INTEGRATION_ERROR = "integration-error"

    @property
    def meaning(self) -> str:
        return _CATALOGUE[self][0]

    @property
    def remedy(self) -> str:
        return _CATALOGUE[self][1]


_CATALOGUE: dict[Code, tuple[str, str]] = {
    Code.UNRESOLVED: (
        "The value cannot be made whole: a reference leads nowhere or in a circle, or the value cannot be decrypted.",
        "Set the secret that the reason names, or change the reference. The key follows by itself.",
    ),
    Code.KEY_REFUSED: (
        "The destination does not take such a name.",
        "Rename the secret, leave it out with the policy's `exclude`, or give the sync a key schema.",
    ),
    Code.VALUE_TOO_LARGE: (
        "The value is larger than the destination takes.",
        "Shorten or split the value, or leave the secret out with the policy's `exclude`.",
    ),
    Code.VALUE_EMPTY: (
        "The destination does not take an empty value.",
        "Give the secret a value, or leave it out with the policy's `exclude`.",
    ),
    Code.NO_ROOM: (
        "The destination is full: it takes no more keys, or no more bytes in all of them together.",
        "Delete keys there that are not needed, split the folder over several destinations, or use `exclude`.",
    ),
    Code.UNREADABLE: (
        "The destination does not tell this value, so it cannot be imported.",
        "Set the secret in the source by hand, from where the value came from.",
    ),
    Code.NAME_NOT_ALLOWED: (
        "A key at the destination has a name that no secret can have, so it is not imported; the others are.",
        "Rename it at the destination, or set the secret in the source under another name.",
    ),
    Code.LOOKS_LIKE_REFERENCE: (
        "A value at the destination holds ${...}; in the source that would be a reference to another secret.",
        "Set the secret in the source by hand, in the way that is meant.",
    ),
    Code.COLLISION: (
        "Two secrets would have one name at the destination.",
        "Rename one of them; some destinations hold upper and lower case for the same.",
    ),
    Code.PLAIN_VALUE: (
        "A plain, not secret, value of this name stands at the destination. Such values are never touched.",
        "Delete the plain value at the destination, or rename the secret.",
    ),
    Code.LOCKED: (
        "A secret of this name stands at the destination that is not for this sync to touch; the reason says why.",
        "Rename the secret, or let whoever owns the other one take it away.",
    ),
    Code.OWNED_BY_OTHER: (
        "Another sync wrote this key and owns it.",
        "Take the key out of one of the two syncs, by filter or schema, or delete the other sync.",
    ),
    Code.UNMANAGED: (
        "The key was there before this sync, whose policy is to leave such keys.",
        "Delete the key at the destination, or set the policy `unmanaged` to overwrite-initially.",
    ),
    Code.MAYBE_OURS: (
        "An earlier write got no answer, and it cannot be told whether this key is its work.",
        "Look at the key at the destination; delete it there, or set the policy `unmanaged` to overwrite-initially.",
    ),
    Code.CONTESTED: (
        "Other hands have changed the key back three times.",
        "Find who else writes it (another tool, a pipeline, a person) and let one of the two go.",
    ),
    Code.WAITS: (
        "The deletion is half of a move, and waits until the key has arrived at its new place.",
        "Nothing; it follows when the other half is done.",
    ),
    Code.NOT_RESTORABLE: (
        "The run overwrote or deleted a value that could not be read, so it cannot be brought back.",
        "Set the value at the destination by hand, from where it came from.",
    ),
    Code.NOT_RESTORED: (
        "Undoing leaves the key alone: it was written or changed again since the run.",
        "Undo the later run first, or set the key by hand.",
    ),
    Code.UNREACHABLE: (
        "The service could not be reached, or did not answer in time.",
        "Usually nothing: it is tried again. If it lasts, look at the network and the service's status page.",
    ),
    Code.UNAVAILABLE: (
        "The service says that it is down for now, and did nothing.",
        "Usually nothing: it is tried again. If it lasts, look at the service's status page.",
    ),
    Code.RATE_LIMITED: (
        "The service asks for fewer requests.",
        "Nothing: the waiting time is obeyed. If it happens often, lower the policy's `maxConcurrency`.",
    ),
    Code.UNAUTHORIZED: (
        "The connection's credentials are wrong, expired, or lack a right.",
        "Check the connection, give its account the right that the message names, or enter new credentials.",
    ),
    Code.NOT_FOUND: (
        "What the sync writes to is not there.",
        "Make it at the destination again, or correct the sync's destination.",
    ),
    Code.CONFLICT: (
        "The key was made or changed by somebody else in the same moment.",
        "Nothing: the key is listed and planned anew.",
    ),
    Code.REJECTED: (
        "The service refuses this key or value for good.",
        "Read its words in the message and change the name or the value.",
    ),
    Code.ADDRESS_REFUSED: (
        "The connection's address leads to a place that this server must not call.",
        "Correct the address, or ask the operator to allow its range with KEYFERRY_ALLOWED_PRIVATE_CIDRS.",
    ),
    Code.BAD_RESPONSE: (
        "The answer cannot be believed: not what the service documents, cut off, or redirected.",
        "Check the connection's address; something between here and the service may answer in its place.",
    ),
    Code.OUTCOME_UNKNOWN: (
        "The write was sent and its answer lost, so the key may have arrived.",
        "Nothing: the next listing tells, and the key is written only if it is not there.",
    ),
    Code.INTEGRATION_ERROR: (
        "The service did not do what was asked.",
        "Read the message.",
    ),
}
