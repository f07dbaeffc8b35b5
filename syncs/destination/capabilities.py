"""Limits and abilities that a vendor documents, as data."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal


@dataclass(frozen=True, slots=True)
class Verified:
    """A check of an adapter: on which day and `against` what; `note` is what it did not cover, or what is special."""

    on: date
    against: str
    note: str = ""

    def __str__(self) -> str:
        return f"{self.on.isoformat()}: {self.against}{f' ({self.note})' if self.note else ''}."


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a vendor documents: planning, pace, pages and contract tests follow from it. Sizes in bytes of UTF-8.

    Keys. `key_pattern` with `key_rule` as text; `reserved` are names that the vendor reserves, as globs of normalized
    keys. `max_keys` counts everything in scope, `max_total_bytes` all keys and values as one JSON object.
    `updates`: "replace" of a vendor that changes no value: an update deletes the key and creates it again.
    `lists` False: the vendor cannot say which keys there are. Then the ledger is all that is known: its keys count as
    present with unknown values, no other key is seen, so none is deleted or imported, and drift is unknown.
    Drift. `has_etag`: the list has an etag that every write changes. `has_object_ids`: a recreated key has another
    object id. Without both, and without readable values, only missing keys are detected.
    Pace. `pace` in requests per second; `quota` so many requests in so many seconds; `concurrency` is the default
    number of parallel requests: a policy may exceed it, but never `concurrency_limit`.
    For people: `note`, what the login needs (`rights`), and against what and when all this was checked (`verified`).
    """

    lists: bool = True
    can_read_values: bool = False
    can_import: bool = False
    has_etag: bool = True
    has_object_ids: bool = True
    takes_empty: bool = True
    holds_comments: bool = True
    key_pattern: str = ""
    key_rule: str = ""
    reserved: tuple[str, ...] = ()
    max_key_length: int | None = None
    max_value_bytes: int | None = None
    max_comment_length: int | None = None  # characters
    max_keys: int | None = None
    max_total_bytes: int | None = None
    pace: float | None = None
    quota: tuple[int, float] | None = None
    concurrency: int = 8
    concurrency_limit: int | None = None
    updates: Literal["in-place", "replace"] = "in-place"
    keeps_versions: bool = False  # in a history of the vendor's own; see `Destination.version_of`
    note: str = ""
    rights: str = ""
    verified: tuple[Verified, ...] = ()
    docs_url: str = ""

    def paced(self, percent: int | None) -> Capabilities:
        """With pace and quota of an account whose limits are so many percent of the documented ones."""
        if percent is None:
            return self
        pace = self.pace and self.pace * percent / 100
        quota = self.quota and (max(1, self.quota[0] * percent // 100), self.quota[1])
        return replace(self, pace=pace, quota=quota)

    def in_document(self, max_total_bytes: int | None = None) -> Capabilities:
        """The same where all keys are members of one document: only its size has a limit, and members have no etags."""
        free = replace(self, key_pattern="", key_rule="", max_key_length=None, max_value_bytes=None, takes_empty=True)
        return replace(
            free, has_etag=False, has_object_ids=False, holds_comments=False, max_total_bytes=max_total_bytes
        )

    def allows(self, name: str) -> bool:
        """Whether a key's name has only what `key_pattern` allows."""
        return not self.key_pattern or re.fullmatch(self.key_pattern, name, re.ASCII) is not None

    def has_room(self, name: str) -> bool:
        """Whether a key's name is within `max_key_length`."""
        return self.max_key_length is None or len(name.encode()) <= self.max_key_length
