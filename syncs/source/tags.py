"""Tags of secrets as they are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q

from config.access.models import Project
from config.errors import NotFound
from syncs.models import Folder, Secret, Tag

TagRow = tuple[str, str, str]
"""Id, slug, colour."""


def tags_of(chosen: Q) -> dict[Any, list[TagRow]]:
    """By secret; `chosen` selects rows of the relation between secrets and tags."""
    tags: dict[Any, list[TagRow]] = {}
    rows = Secret.tags.through.objects.filter(chosen).order_by("tag__slug")
    for pk, tag_id, slug, color in rows.values_list("secret_id", "tag_id", "tag__slug", "tag__color"):
        tags.setdefault(pk, []).append((str(tag_id), slug, color))
    return tags


def tags_by_id(project: Project, ids: Sequence[str]) -> dict[str, str]:
    """Id -> slug of tags. Raises NotFound if one is not the project's."""
    known = {str(pk): slug for pk, slug in Tag.objects.filter(project=project).values_list("pk", "slug")}
    found = {tag_id: known[tag_id] for tag_id in ids if tag_id in known}
    if len(found) != len(set(ids)):
        raise NotFound(f"Tag not found. Found {', '.join(found.values()) or 'none'}")
    return found


def require_tags(project: Project, slugs: Sequence[str]) -> None:
    """Raises NotFound if one is not the project's."""
    found = set(Tag.objects.filter(project=project, slug__in=slugs).values_list("slug", flat=True))
    if missing := sorted(set(slugs) - found):
        raise NotFound(f"Tag not found: {', '.join(missing)}. Found {', '.join(sorted(found)) or 'none'}")


def tags_at(folder: Folder) -> dict[UUID, set[str]]:
    """By a secret's id, the slugs of its tags."""
    rows = tags_of(Q(secret__folder=folder))
    return {pk: {slug for _, slug, _ in tags} for pk, tags in rows.items()}
