"""The catalogue of reasons why a key was not written: a code for programs, meaning and remedy for people."""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """Codes of blocked and failed keys. `connections.errors` has those of vendors' errors under the same names."""

    # -- detected by the planner, before anything is sent
    UNRESOLVED = "unresolved"
    KEY_REFUSED = "key-refused"
    VALUE_TOO_LARGE = "value-too-large"
    VALUE_EMPTY = "value-empty"
    VALUE_REFUSED = "value-refused"
    METADATA_REFUSED = "metadata-refused"
    NO_ROOM = "no-room"
    UNREADABLE = "unreadable"
    READ_REFUSED = "read-refused"
    NAME_NOT_ALLOWED = "name-not-allowed"
    TEXT_NOT_ALLOWED = "text-not-allowed"
    LOOKS_LIKE_REFERENCE = "looks-like-reference"
    COLLISION = "collision"
    PLAIN_VALUE = "plain-value"
    LOCKED = "locked"
    OWNED_BY_OTHER = "owned-by-other"
    UNMANAGED = "unmanaged"
    MAYBE_OURS = "maybe-ours"
    CONTESTED = "contested"
    WAITS = "waits"
    SPARED = "spared"
    NOT_RESTORABLE = "not-restorable"
    NOT_RESTORED = "not-restored"
    # -- reported by the vendor, or by the connection to it
    UNREACHABLE = "unreachable"
    UNAVAILABLE = "unavailable"
    RATE_LIMITED = "rate-limited"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
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
        "The value could not be resolved: a reference is missing or circular, or decryption failed.",
        "Set the secret that the reason names, or change the reference. The key follows by itself.",
    ),
    Code.KEY_REFUSED: (
        "The destination does not accept such a name.",
        "Rename the secret, or leave it out with the policy's `exclude`. A key schema helps if a prefix is missing.",
    ),
    Code.VALUE_TOO_LARGE: (
        "The value is larger than the destination accepts.",
        "Shorten or split the value, or leave the secret out with the policy's `exclude`.",
    ),
    Code.VALUE_EMPTY: (
        "The destination does not accept an empty value.",
        "Give the secret a value, or leave it out with the policy's `exclude`.",
    ),
    Code.VALUE_REFUSED: (
        "The destination does not accept such a value; the reason says why, and never shows it.",
        "Change the value, or leave the secret out with the policy's `exclude`.",
    ),
    Code.METADATA_REFUSED: (
        "The destination does not accept the secret's metadata, such as too many tags; the reason says why.",
        "Change the secret's metadata, or switch the option off that sends it.",
    ),
    Code.NO_ROOM: (
        "The destination is full: it accepts no more keys, or no more bytes in all of them together.",
        "Delete keys there that are not needed, split the folder over several destinations, or use `exclude`.",
    ),
    Code.UNREADABLE: (
        "The destination does not return this value, so it cannot be imported.",
        "Set the secret in the source by hand.",
    ),
    Code.READ_REFUSED: (
        "The destination refused to return the value of this key, so it is unknown what it holds.",
        "Give the connection's account the right that the reason names, or leave the secret out with `exclude`.",
    ),
    Code.NAME_NOT_ALLOWED: (
        "A key at the destination has a name that no secret can have, so it is not imported; the others are.",
        "Rename it at the destination, or set the secret in the source under another name.",
    ),
    Code.TEXT_NOT_ALLOWED: (
        "A value or comment at the destination cannot be stored exactly as it is, so the key is not imported.",
        "Change it at the destination, or set the secret in the source by hand.",
    ),
    Code.LOOKS_LIKE_REFERENCE: (
        "A value at the destination contains ${...}, which in the source would be a reference to another secret.",
        "Set the secret in the source by hand, as a reference or as text.",
    ),
    Code.COLLISION: (
        "Two secrets would have the same name at the destination.",
        "Rename one of them; some destinations treat upper and lower case as equal.",
    ),
    Code.PLAIN_VALUE: (
        "A plain, not secret, value of this name exists at the destination. Such values are never touched.",
        "Delete the plain value at the destination, or rename the secret.",
    ),
    Code.LOCKED: (
        "A secret of this name exists at the destination that this sync must not touch; the reason says why.",
        "Rename the secret, or have the owner of the other one delete it.",
    ),
    Code.OWNED_BY_OTHER: (
        "Another sync wrote this key and owns it.",
        "Take the key out of one of the two syncs, by filter or key schema, or delete the other sync.",
    ),
    Code.UNMANAGED: (
        "The key existed before this sync, whose policy is to leave such keys.",
        "Delete the key at the destination, or set the policy `unmanaged` to overwrite-initially.",
    ),
    Code.MAYBE_OURS: (
        "An earlier write got no response, and it is unknown whether it created this key.",
        "Check the key at the destination; delete it there, or set the policy `unmanaged` to overwrite-initially.",
    ),
    Code.CONTESTED: (
        "The key was changed back externally three times.",
        "Find out what else writes it (another tool, a pipeline, a person) and stop one of the two.",
    ),
    Code.WAITS: (
        "The deletion is half of a move, and waits until the key was written at its new location.",
        "Nothing; it follows when the other half is done.",
    ),
    Code.SPARED: (
        "The key is not this sync's, and such keys are deleted only by a run in which no key is blocked or fails.",
        "Resolve what blocks the other keys or lets them fail; then delete it from the list of kept keys, or by hand.",
    ),
    Code.NOT_RESTORABLE: (
        "The run overwrote or deleted a value that could not be read, so it cannot be restored.",
        "Set the value at the destination by hand.",
    ),
    Code.NOT_RESTORED: (
        "Undo leaves the key alone: it was written or changed again since the run.",
        "Undo the later run first, or set the key by hand.",
    ),
    Code.UNREACHABLE: (
        "The service could not be reached, or did not respond in time.",
        "Usually nothing: the request is repeated. If it lasts, check the network and the service's status page.",
    ),
    Code.UNAVAILABLE: (
        "The service reports that it is temporarily unavailable, and did nothing.",
        "Usually nothing: the request is repeated. If it lasts, check the service's status page.",
    ),
    Code.RATE_LIMITED: (
        "The service received too many requests.",
        "Nothing: the waiting time is obeyed. If it happens often, lower the policy's `maxConcurrency`.",
    ),
    Code.UNAUTHORIZED: (
        "The connection's credentials are wrong or expired.",
        "Check the connection, and enter new credentials.",
    ),
    Code.FORBIDDEN: (
        "The connection's account lacks a permission. Some services say so of wrong credentials, too.",
        "Give the account the permission that the message or the destination's page names, then check the connection.",
    ),
    Code.NOT_FOUND: (
        "The target of the sync does not exist.",
        "Create it at the destination again, or correct the sync's destination.",
    ),
    Code.CONFLICT: (
        "The key was created or changed externally at the same moment.",
        "Nothing: the key is listed and planned again.",
    ),
    Code.REJECTED: (
        "The service permanently refuses this key or value.",
        "Read the service's reason in the message and change the name or the value.",
    ),
    Code.ADDRESS_REFUSED: (
        "The connection's address resolves to a network that this server must not call.",
        "Correct the address, or ask the operator to allow its range with KEYFERRY_ALLOWED_PRIVATE_CIDRS.",
    ),
    Code.BAD_RESPONSE: (
        "Unexpected response: invalid format, truncated or redirected.",
        "Check the connection's address; a proxy between this server and the service may have responded instead.",
    ),
    Code.OUTCOME_UNKNOWN: (
        "The write was sent but its response was lost, so the key may have been written.",
        "Nothing: the next list shows it, and the key is written only if it is missing.",
    ),
    Code.INTEGRATION_ERROR: (
        "The service did not carry out the request.",
        "Read the message.",
    ),
}
