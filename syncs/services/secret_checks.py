"""What may be stored: names, values, tags and references of secrets, checked before or with the write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Sequence

from config.access.models import Project
from config.conventions import slug_issues
from config.errors import BadRequest, Invalid, Issue, NotFound, problem
from syncs.engine.addresses import SecretAddress, folder_text
from syncs.engine.references import references_in
from syncs.models import Folder, Secret
from syncs.source.loader import keys_reached
from syncs.source.validation import SecretInput, key_issues, text_issues

MAX_LISTED = 20  # missing references that an error names


def check_inputs(inputs: Sequence[SecretInput], mode: str) -> None:
    """Raises Invalid with every problem, BadRequest."""
    issues: list[Issue] = []
    seen: set[str] = set()
    many = len(inputs) > 1
    for index, one in enumerate(inputs):
        path: list[str | int] = ["secrets", index] if many else []
        name_path = [*path, "secretKey"] if many else ["secretName"]
        issues += key_issues(one.key, name_path) if mode in ("create", "upsert") else []
        issues += key_issues(one.new_key, [*path, "newSecretName"]) if one.new_key else []
        issues += text_issues(one, path)
        if one.key in seen:
            issues.append(problem(name_path, f"{one.key} occurs twice"))
        seen.add(one.key)
    for slug in sorted({slug for one in inputs for slug in one.tags or ()}):
        issues += slug_issues("slug", slug)
    if issues:
        raise Invalid(issues)
    if any(one.new_key == "" for one in inputs):
        raise BadRequest("New secret name cannot be empty")


def check_presence(inputs: Sequence[SecretInput], stored: Container[str], mode: str) -> None:
    """Raises BadRequest for one to be created that exists, NotFound for one to be updated that does not."""
    if mode == "create" and (existing := [one.key for one in inputs if one.key in stored]):
        raise BadRequest(f"Secret already exist: {','.join(existing)}")
    if mode == "update" and (missing := [one.key for one in inputs if one.key not in stored]):
        raise NotFound(f"Secret with name '{', '.join(missing)}' not found")


def check_new_keys(inputs: Sequence[SecretInput], stored: Container[str]) -> None:
    """Raises BadRequest for a rename to a name that is already in use."""
    renamed = Counter(one.new_key for one in inputs if one.new_key and one.new_key != one.key)
    not_renamed = {one.key for one in inputs if not one.new_key}
    clashes = sorted(key for key, count in renamed.items() if key in stored or key in not_renamed or count > 1)
    if clashes:
        raise BadRequest(f"Secret with the new name already exist: {','.join(clashes)}")


def check_versions(pairs: Iterable[tuple[SecretInput, Secret | None]]) -> None:
    """Raises BadRequest if another version was stored since the writer read the secret."""
    for one, secret in pairs:
        if secret and one.seen is not None and one.seen != secret.version:
            raise BadRequest(f"{secret.key} was changed since you looked: {secret.actor_name} wrote v{secret.version}.")


def check_references(project: Project, stored: Iterable[tuple[Folder, SecretInput]]) -> None:
    """After the batch is stored: its secrets may refer to each other. Raises BadRequest for a missing secret."""
    sources: dict[SecretAddress, str] = {}
    for folder, one in stored:
        for target in references_in(one.value or "", folder.address):
            sources[target] = one.new_key or one.key
    if not sources:
        return
    known = keys_reached(project.pk, {target.folder for target in sources}, {target.key for target in sources})
    if missing := [target for target in sources if (target.folder, target.key) not in known]:
        names = ", ".join(
            f"{each.key} in {folder_text(each.folder)} (of {sources[each]})" for each in missing[:MAX_LISTED]
        )
        raise BadRequest(f"Referenced secret(s) not found: {names}")
