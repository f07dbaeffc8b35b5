"""Events of the audit log as sentences: who did what to what, and each changed field from what to what."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from config.access.audit import OBJECTS
from config.access.models import AuditEvent

LISTED = 10  # names of a list in a sentence
LONGEST = 80  # characters of a value

_VERBS = {
    "add": "added",
    "approve": "approved",
    "change": "changed",
    "create": "created",
    "delete": "deleted",
    "dismiss": "dismissed",
    "get": "read",
    "hold": "held",
    "move": "moved",
    "pause": "paused",
    "resume": "resumed",
    "revoke": "revoked",
    "set": "set",
    "test": "tested",
    "unlock": "unlocked",
    "update": "changed",
}
"""The first word of an event, as a sentence has it; events of other kinds are in `_SENTENCES`."""

_NOUNS = {
    "app connection": "connection",
    "app connections": "connections",
    "secret sync": "sync",
    "secret syncs": "syncs",
    "sync policy": "policy of the sync",
    "sync policy defaults": "sync settings of the project",
    "workspace member": "members",
}
_SENTENCES = {
    "add-workspace-member": "added {names} as {role}",
    "approve-run": "approved a run of {name}{writes_only}: {keys}",
    "begin-audit-log": "sealed the log",
    "change-password": "changed a password",
    "dismiss-run": "dismissed a run of {name} and kept {keys}",
    "fail-login-user": "failed to sign in",
    "forget-kept-keys": "left {keys} of {name} at the destination",
    "hold-run": "held a run of {name}, which would delete {deletes}",
    "import-secret-sync": "started an import of {name}",
    "lock-identity-universal-auth": "was locked out after failed logins",
    "login-identity-universal-auth": "signed in",
    "login-user": "signed in",
    "move-secrets": "moved secrets from {sourceEnvironment}:{sourceSecretPath} to "
    "{destinationEnvironment}:{destinationSecretPath}",
    "pause-everything": "paused all syncs",
    "remove-secret-sync": "started the removal of the secrets of {name}",
    "resume-everything": "resumed all syncs",
    "secret-sync-import-secrets": "ended an import: {importStatus} {importMessage}",
    "secret-sync-remove-secrets": "ended a removal: {removeStatus} {removeMessage}",
    "secret-sync-sync-secrets": "ended a sync: {syncStatus} {syncMessage}",
    "sync-secret-sync": "started a sync of {name}",
    "undo-secret-sync": "started to undo a run of {name}",
    "update-folder": "changed the folder {oldFolderPath}",
}
_NAMES = ("name", "secretKey", "folderPath", "slug", "member", "environment", "secretPath")
"""Members that name the object, the clearest first."""

_FIRST, _OF_TARGET = ("target", "name"), "destinationConfig."
_LABELS = {"isAutoSyncEnabled": "auto-sync", "disableSecretDeletion": "deletion disabled", "keySchema": "key schema"}


def sentence(event: AuditEvent) -> str:
    """Such as: ada changed the sync shop-dev: target from acme / shop to acme / web."""
    parts = [f"{event.actor_name or event.actor_kind} {_what(event)}".strip(" :"), _changes(event.metadata)]
    text = ": ".join(filter(None, parts))
    comment = _text(event.metadata.get("comment"))
    return f"{text}. Comment: {comment}" if comment else f"{text}."


def object_of(event: AuditEvent) -> tuple[str, str] | None:
    """ID and name of the object that an event is about; None if it is about none in particular."""
    for member in OBJECTS:
        own_id = event.metadata.get(member)
        if member != "project" and isinstance(own_id, str) and ID.fullmatch(own_id):
            return own_id, _name(event.metadata) or member
    return None


ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _what(event: AuditEvent) -> str:
    metadata = event.metadata
    if known := _SENTENCES.get(event.event):
        known_as = defaultdict(str, {name: _text(value) for name, value in metadata.items()})
        known_as["writes_only"] = " without its deletes" if metadata.get("writesOnly") else ""
        known_as["name"] = known_as["name"] or "a sync"
        known_as["deletes"] = f"{known_as['deletes']} keys"
        return " ".join(known.format_map(known_as).split()).rstrip(": ")
    verb, _, rest = event.event.partition("-")
    words = rest.replace("-", " ")
    many = f"{metadata['numberOfSecrets']} " if "numberOfSecrets" in metadata else ""
    article = "" if many or words.endswith("s") else "the "
    name = "" if many else f" {_name(metadata)}"
    return f"{_VERBS.get(verb, verb)} {many}{article}{_NOUNS.get(words, words)}{name}{_where(metadata)}"


def _name(metadata: Mapping[str, Any]) -> str:
    return next((text for name in _NAMES if (text := _text(metadata.get(name))) and not ID.fullmatch(text)), "")


def _where(metadata: Mapping[str, Any]) -> str:
    if "secretPath" not in metadata or not (metadata.get("secretKey") or "numberOfSecrets" in metadata):
        return ""
    return f" in {_text(metadata.get('environment'))}:{_text(metadata['secretPath'])}"


def _changes(metadata: Mapping[str, Any]) -> str:
    """Each changed field; those of a target are in the target itself."""
    found = metadata.get("changes")
    if not isinstance(found, Mapping):
        return ""
    shown = [
        (name, *pair)
        for name, pair in sorted(found.items(), key=lambda each: (each[0] not in _FIRST, each[0]))  # jsonb has no order
        if isinstance(pair, list) and len(pair) == 2 and not ("target" in found and name.startswith(_OF_TARGET))
    ]
    return "; ".join(f"{_label(name)} from {_value(before)} to {_value(after)}" for name, before, after in shown)


def _label(name: str) -> str:
    last = name.rpartition(".")[2]
    return _LABELS.get(last) or re.sub(r"[_\s]+", " ", re.sub(r"(?=[A-Z])", " ", last)).strip().lower()


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return _text(value) or "nothing"


def _text(value: Any) -> str:
    """Without IDs, and cut where it is long."""
    if isinstance(value, list):
        texts = list(filter(None, map(_text, value)))
        more = f" and {len(texts) - LISTED} more" if len(texts) > LISTED else ""
        return ", ".join(texts[:LISTED]) + more
    if isinstance(value, dict):
        named = next((value[name] for name in (*_NAMES, "key") if name in value), None)
        members = " ".join(f"{name} {each}" for name, each in sorted(value.items()))  # jsonb has no order
        return _text(members if named is None else named)
    text = "" if value is None else str(value)
    if ID.fullmatch(text):
        return ""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
