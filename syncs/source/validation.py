"""What a secret's name, value, comment and metadata may be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from config.errors import Issue, problem
from syncs.engine.references import MAX_VALUE

MAX_KEY = 512


@dataclass(frozen=True)
class SecretInput:
    """What a secret shall be; a member that is None stays as it is. `new_key` renames.

    `tags`: slugs of the project's tags, made where they are missing. `metadata`: [{"key", "value", "isEncrypted"}].
    `seen`: the version that the writer looked at; the write is refused where another has been stored since.
    """

    key: str
    value: str | None = field(default=None, repr=False)
    comment: str | None = field(default=None, repr=False)
    tags: Sequence[str] | None = None
    metadata: Sequence[Mapping[str, Any]] | None = field(default=None, repr=False)
    skip_multiline_encoding: bool | None = None
    new_key: str | None = None
    reminder_note: str | None = None
    reminder_repeat_days: int | None = None
    seen: int | None = None


def trimmed(value: str) -> str:
    """Blanks around a value go; a newline at its end stays, as one."""
    return value.strip() + ("\n" if value.endswith("\n") and value.strip() else "")


def key_issues(key: str, path: Sequence[str | int]) -> list[Issue]:
    """What is wrong with a secret's name."""
    if not key:
        return [problem(path, "Secret name cannot be empty")]
    if len(key) > MAX_KEY:
        return [problem(path, f"Secret name must be at most {MAX_KEY} characters long")]
    if ":" in key or "/" in key:
        return [problem(path, "Secret name cannot contain colon or forward slash.")]
    if re.search(r"[\x00-\x1f\x7f]", key):
        return [problem(path, f"Secret name {key!r} has a control character")]
    if not _is_unicode(key):
        return [problem(path, "Secret name is not valid Unicode")]
    return []


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def issues_of(one: SecretInput) -> list[Issue]:
    """What is wrong with one secret that is to be created or updated, whatever else is there."""
    cleaned = _cleaned(one)
    return [*key_issues(cleaned.key, ["secretKey"]), *_text_issues(cleaned, [])]


def _text_issues(one: SecretInput, path: list[str | int]) -> Iterator[Issue]:
    said = [(f"secretMetadata.{name}", str(each.get(name, ""))) for each in one.metadata or () for name in each]
    given = [("secretValue", one.value), ("secretComment", one.comment), ("secretReminderNote", one.reminder_note)]
    for name, text in [*given, *said]:
        if text is None:
            continue
        where = [*path, name.split(".")[0]]
        if "\x00" in text:
            yield problem(where, f"{one.key}: a NUL character is not allowed")
        if len(text.encode(errors="replace")) > MAX_VALUE:
            yield problem(where, f"{one.key}: it is larger than {MAX_VALUE // 1024**2} MiB")
        if not _is_unicode(text):
            yield problem(where, f"{one.key}: it is not valid Unicode")


def _cleaned(one: SecretInput) -> SecretInput:
    return replace(
        one,
        key=one.key.strip(),
        value=None if one.value is None else trimmed(one.value),
        comment=None if one.comment is None else one.comment.strip(),
        new_key=None if one.new_key is None else one.new_key.strip(),
    )
