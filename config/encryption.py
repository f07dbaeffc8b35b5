"""Encryption: a root keyset wraps one data keyset per project and one for the instance. Ciphertexts are bound to rows.

Tink does the cryptography (AES-256-GCM; HMAC-SHA-256 for keyed fingerprints). `context`, such as
"secret:<id>:value", is the associated data: a ciphertext moved to another row or field cannot be decrypted. A MAC
contains the id of its key (Tink's prefix), so that rotating a keyset rewrites nothing.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import secrets
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

import tink
from django.conf import settings
from django.db import IntegrityError, transaction
from tink import aead, mac, secret_key_access

from config.installation import DataKeyset, Instance

aead.register()
mac.register()


class Undecryptable(Exception):
    """The ciphertext cannot be decrypted: damaged, moved to another row, or encrypted with another keyset."""


class WrongKeyset(Exception):
    """The root keyset does not belong to this database; the message says which one does."""


@dataclass(frozen=True)
class _Keys:
    aead: aead.Aead
    mac: mac.Mac


def seal(project_id: UUID | None, context: str, text: str) -> bytes:
    """The ciphertext of `text` under the project's keyset (None: the instance's), bound to `context`."""
    return bytes(_keys(project_id).aead.encrypt(text.encode(), context.encode()))


def unseal(project_id: UUID | None, context: str, data: bytes | memoryview) -> str:
    """The text that was passed to `seal`. Raises Undecryptable."""
    try:
        return str(_keys(project_id).aead.decrypt(bytes(data), context.encode()).decode())
    except tink.TinkError:
        raise Undecryptable(f"{context} cannot be decrypted") from None


def fingerprint(project_id: UUID | None, context: str, text: str) -> str:
    """A keyed MAC of `text` in `context`, base64. Equal texts have different MACs in different contexts."""
    return base64.b64encode(_keys(project_id).mac.compute_mac(_framed(context, text))).decode()


def fingerprint_matches(project_id: UUID | None, context: str, text: str, expected: str) -> bool:
    """Whether `expected` is a fingerprint of `text` in `context`, under any key of the keyset."""
    try:
        _keys(project_id).mac.verify_mac(base64.b64decode(expected, validate=True), _framed(context, text))
    except (tink.TinkError, ValueError):
        return False
    return True


def forget() -> None:
    """Drop the cached keys: after a rotation, and between tests."""
    _keys.cache_clear()
    _root.cache_clear()


def _framed(context: str, text: str) -> bytes:
    return f"{len(context)}:{context}{text}".encode()


@lru_cache(maxsize=1024)
def _keys(project_id: UUID | None) -> _Keys:
    root = _root()
    # One row per owner, by primary key: of two concurrent first uses one creates the row and the other reads it.
    owner = project_id or UUID(int=0)
    bound = str(owner).encode()
    row = DataKeyset.objects.filter(pk=owner).first()
    if row is None:
        created = DataKeyset(
            pk=owner,
            project_id=project_id,
            wrapped_aead=_wrapped(aead.aead_key_templates.AES256_GCM, root, bound),
            wrapped_mac=_wrapped(mac.mac_key_templates.HMAC_SHA256_256BITTAG, root, bound),
        )
        with contextlib.suppress(IntegrityError), transaction.atomic():
            created.save(force_insert=True)
        row = DataKeyset.objects.get(pk=owner)
    return _Keys(
        _unwrapped(bytes(row.wrapped_aead), root, bound).primitive(aead.Aead),
        _unwrapped(bytes(row.wrapped_mac), root, bound).primitive(mac.Mac),
    )


def _wrapped(template: Any, root: aead.Aead, bound: bytes) -> bytes:
    handle = tink.new_keyset_handle(template)
    return bytes(tink.proto_keyset_format.serialize_encrypted(handle, root, bound))


def _unwrapped(data: bytes, root: aead.Aead, bound: bytes) -> tink.KeysetHandle:
    try:
        return tink.proto_keyset_format.parse_encrypted(data, root, bound)
    except tink.TinkError:
        raise WrongKeyset(
            f"{settings.KEYSET_FILE} cannot decrypt the keysets of this database; use the file that it was created with"
        ) from None


@lru_cache(maxsize=1)
def _root() -> aead.Aead:
    """The AEAD of the root keyset, which is created on first start. Raises WrongKeyset."""
    path = Path(settings.KEYSET_FILE)
    instance = Instance.objects.first()
    expected = instance.keyset_fingerprint if instance else ""
    if not path.exists():
        if expected:
            raise WrongKeyset(f"{path} is missing; restore the keyset file with the fingerprint {expected}")
        _create_root(path)
    text = path.read_text()
    found = hashlib.sha256(json.dumps(json.loads(text)["primaryKeyId"]).encode()).hexdigest()[:16]
    if expected and expected != found:
        raise WrongKeyset(f"{path} has the fingerprint {found}; use the keyset file with the fingerprint {expected}")
    if instance is None:
        Instance.objects.create(keyset_fingerprint=found)
    elif not expected:
        Instance.objects.filter(pk=instance.pk, keyset_fingerprint="").update(keyset_fingerprint=found)
    handle = tink.json_proto_keyset_format.parse(text, secret_key_access.TOKEN)
    primitive: aead.Aead = handle.primitive(aead.Aead)
    return primitive


def _create_root(path: Path) -> None:
    """Write a new root keyset (0600); if two starts race, the first file stays."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = tink.new_keyset_handle(aead.aead_key_templates.AES256_GCM)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    fresh.touch(mode=0o600)
    fresh.write_text(tink.json_proto_keyset_format.serialize(handle, secret_key_access.TOKEN))
    try:
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(fresh)
    finally:
        fresh.unlink()
