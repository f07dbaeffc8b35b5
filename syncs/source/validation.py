"""Rules for a secret's name, value, comment and metadata."""

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
    """A secret as it is to be stored; a member that is None stays as it is. `new_key` renames.

    `tags`: slugs of the project's tags, created if missing. `metadata`: [{"key", "value", "isEncrypted"}].
    `seen`: the version that the writer read; the write is refused if another has been stored since. `exact`: a machine
    gave the texts, so that blanks around them are a part of them; those of people and of the modelled API are trimmed.
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
    exact: bool = False


def trimmed(value: str) -> str:
    """Without blanks around the value; a newline at its end stays, as one."""
    return value.strip() + ("\n" if value.endswith("\n") and value.strip() else "")


def key_issues(key: str, path: Sequence[str | int]) -> list[Issue]:
    """Problems of a secret's name."""
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
    """Problems of one secret that is to be created or updated, regardless of other secrets."""
    secret = cleaned(one)
    if secret.key != secret.key.strip():
        return [problem(["secretKey"], "Secret name begins or ends with a blank")]
    return [*key_issues(secret.key, ["secretKey"]), *text_issues(secret, [])]


def text_issues(one: SecretInput, path: list[str | int]) -> Iterator[Issue]:
    """Problems of a secret's texts."""
    metadata = [(f"secretMetadata.{name}", str(each.get(name, ""))) for each in one.metadata or () for name in each]
    texts = [("secretValue", one.value), ("secretComment", one.comment), ("secretReminderNote", one.reminder_note)]
    for name, text in [*texts, *metadata]:
        if text is None:
            continue
        member = [*path, name.split(".")[0]]
        if "\x00" in text:
            yield problem(member, f"{one.key}: a NUL character is not allowed")
        if len(text.encode(errors="replace")) > MAX_VALUE:
            yield problem(member, f"{one.key}: it is larger than {MAX_VALUE // 1024**2} MiB")
        if not _is_unicode(text):
            yield problem(member, f"{one.key}: it is not valid Unicode")


def cleaned(one: SecretInput) -> SecretInput:
    """Without blanks around its texts, unless they are exact."""
    if one.exact:
        return one
    return replace(
        one,
        key=one.key.strip(),
        value=None if one.value is None else trimmed(one.value),
        comment=None if one.comment is None else one.comment.strip(),
        new_key=None if one.new_key is None else one.new_key.strip(),
    )
