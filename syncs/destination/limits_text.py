"""The limits of a destination as sentences: once, for the catalogue, the documentation and the wizard."""

from __future__ import annotations

from collections.abc import Mapping

from syncs.destination.capabilities import Capabilities

UNLISTED = (
    "It cannot be listed: only keys that Keyferry wrote are known. Others are not seen, so they are never deleted or"
    " imported, and drift is unknown."
)


def size(number: int) -> str:
    """A size in bytes for people: `48 KiB`, `512 bytes`."""
    return f"{number // 1024} KiB" if number >= 1024 and number % 1024 == 0 else f"{number} bytes"


def limits_as_text(by_scope: Mapping[str, Capabilities]) -> list[str]:
    """A sentence per limit; one that differs between the scopes of a config is repeated with the scope's name."""
    texts = {scope: _sentences(limits) for scope, limits in by_scope.items()}
    found = []
    for position in range(max(map(len, texts.values()), default=0)):
        of_scopes = {scope: sentences[position] for scope, sentences in texts.items()}
        if len(set(of_scopes.values())) == 1:
            found += list(of_scopes.values())[:1]
        else:
            found += [f"{sentence} ({scope})" for scope, sentence in of_scopes.items() if sentence]
    return [sentence for sentence in found if sentence]


def _sentences(limits: Capabilities) -> list[str]:
    """One per kind of limit, "" if there is none."""
    return [
        "" if limits.lists else UNLISTED,
        f"Names: {limits.key_rule.rstrip(',')}." if limits.key_rule else "",
        f"Names of at most {size(limits.max_key_length)}." if limits.max_key_length is not None else "",
        f"Reserved names: {', '.join(limits.reserved)}." if limits.reserved else "",
        "" if limits.takes_empty else "No empty values.",
        f"Values of at most {size(limits.max_value_bytes)}." if limits.max_value_bytes is not None else "",
        f"At most {limits.max_keys} keys." if limits.max_keys is not None else "",
        f"At most {size(limits.max_total_bytes)} in all keys and values together."
        if limits.max_total_bytes is not None
        else "",
        "Comments are not written." if not limits.holds_comments else _comments(limits.max_comment_length),
    ]


def _comments(most: int | None) -> str:
    return f"Comments of at most {most} characters." if most is not None else ""
