"""What a file of secrets would change in a folder, before anything is stored: per key an action, never a value."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from syncs.engine.addresses import SecretAddress, folder_text
from syncs.engine.references import references_in
from syncs.models import Folder, Secret
from syncs.source.formats import Line, Parsed, Problem
from syncs.source.loader import keys_reached
from syncs.source.references import referrers_as_text, referrers_of
from syncs.source.selectors import value_or_none
from syncs.source.validation import SecretInput, issues_of, trimmed

Action = Literal["create", "update", "delete", "keep", "unchanged"]


@dataclass(frozen=True, slots=True)
class Difference:
    """The change of one key. `number` is its line, 0 if the file does not have it."""

    key: str
    action: Action
    number: int = 0
    version: int = 0
    referrers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Any of `problems` prevents storing; `digest` identifies what was shown."""

    differences: tuple[Difference, ...]
    problems: tuple[Problem, ...]
    digest: str
    inputs: tuple[SecretInput, ...] = field(repr=False)

    @property
    def counts(self) -> Mapping[str, int]:
        found = Counter(each.action for each in self.differences)
        return {name: found[name] for name in ("create", "update", "delete", "keep", "unchanged") if found[name]}

    @property
    def deletes(self) -> list[str]:
        return [each.key for each in self.differences if each.action == "delete"]

    @property
    def writes(self) -> bool:
        return any(each.action in ("create", "update", "delete") for each in self.differences)


def compare(folder: Folder, parsed: Parsed, *, overwrite: bool = True, prune: bool = False) -> Comparison:
    """`overwrite`: the file's values replace stored ones. `prune`: keys that are not in the file are deleted."""
    stored: dict[str, Secret] = {}
    for secret in folder.secrets.all():
        secret.folder = folder
        stored[secret.key] = secret
    found = [_difference(line, stored.get(line.key.strip()), overwrite) for line in parsed.lines]
    keys = {each.key for each in found}
    removed = [secret for key, secret in sorted(stored.items()) if prune and key not in keys]
    if removed:
        ids = {str(secret.pk) for secret in removed}
        texts = referrers_as_text(referrers_of(folder, [secret.key for secret in removed]), ids)
        found += [Difference(each.key, "delete", 0, each.version, tuple(texts.get(each.key, ()))) for each in removed]
    written = {each.key for each in found if each.action in ("create", "update")}
    lines = [line for line in parsed.lines if line.key.strip() in written]
    problems = [*parsed.problems, *_refused(parsed.lines), *_unresolved(folder, lines, keys)]
    differences = json.dumps([[each.key, each.action, each.version] for each in found])
    return Comparison(
        tuple(found),
        tuple(sorted(problems, key=lambda each: each.number)),
        hashlib.sha256(f"{folder.address}{differences}".encode(errors="replace")).hexdigest(),
        tuple(SecretInput(line.key, line.value) for line in lines),
    )


def _difference(line: Line, secret: Secret | None, overwrite: bool) -> Difference:
    key = line.key.strip()
    if secret is None:
        return Difference(key, "create", line.number)
    action: Action = "update" if overwrite else "keep"
    if value_or_none(secret) == trimmed(line.value):
        action = "unchanged"
    return Difference(key, action, line.number, secret.version)


def _refused(lines: tuple[Line, ...]) -> list[Problem]:
    return [
        Problem(line.number, str(issue["message"]))
        for line in lines
        for issue in issues_of(SecretInput(line.key, line.value))
    ]


def _unresolved(folder: Folder, lines: list[Line], keys: set[str]) -> list[Problem]:
    references = {line: references_in(line.value, folder.address) for line in lines if "${" in line.value}
    targets = {target for found in references.values() for target in found}
    if not targets:
        return []
    known = keys_reached(
        folder.environment.project_id, {target.folder for target in targets}, {target.key for target in targets}
    )

    def exists(target: SecretAddress) -> bool:
        in_file = target.folder == folder.address and target.key in keys
        return in_file or (target.folder, target.key) in known

    return [
        Problem(line.number, f"{line.key} refers to {each.key} in {folder_text(each.folder)}, which does not exist")
        for line, found in references.items()
        for each in sorted(found)
        if not exists(each)
    ]
