"""Sealed parts of secrets: each is bound to its secret and its member, so that it opens nowhere else."""

from __future__ import annotations

from uuid import UUID

from config.encryption import Undecryptable, seal, unseal

VALUE, COMMENT = "value", "comment"
Sealed = bytes | memoryview


def metadata_member(name: str) -> str:
    """The member of an encrypted metadata entry."""
    return f"metadata:{name}"


def _context(secret_id: UUID, member: str) -> str:
    return f"secret:{secret_id}:{member}"


def seal_member(project_id: UUID, secret_id: UUID, member: str, text: str) -> bytes:
    return seal(project_id, _context(secret_id, member), text)


def open_member(project_id: UUID, secret_id: UUID, member: str, sealed: Sealed | None) -> str:
    """ "" for a member that is not set. Raises Undecryptable."""
    return "" if sealed is None else unseal(project_id, _context(secret_id, member), sealed)


def open_or_none(project_id: UUID, secret_id: UUID, member: str, sealed: Sealed | None) -> str | None:
    """As `open_member`; None if it cannot be decrypted."""
    try:
        return open_member(project_id, secret_id, member, sealed)
    except Undecryptable:
        return None
