"""Every change of tags: the labels of a project's secrets."""

from __future__ import annotations

from django.db import transaction

from config.access import audit
from config.access.models import Project
from config.access.roles import Actor, Right
from config.conventions import slug_issues
from config.errors import BadRequest, Invalid, Issue, problem
from syncs.models import Folder, Tag, cause_of

from .propagation import changed


@transaction.atomic
def create_tag(actor: Actor, project: Project, slug: str, color: str = "") -> Tag:
    """Raises PermissionDenied, or Invalid and BadRequest for a slug or colour that cannot be used."""
    actor.require(Right.WRITE_SECRETS, project.pk)
    _check(project, slug, color)
    tag = Tag.objects.create(project=project, slug=slug, color=color)
    audit.record(actor, "create-tag", project.pk, tag=tag.pk, slug=slug)
    return tag


@transaction.atomic
def update_tag(actor: Actor, tag: Tag, *, slug: str | None = None, color: str | None = None) -> Tag:
    """Rename or recolour. Syncs that filter by tags are reached by a rename."""
    actor.require(Right.WRITE_SECRETS, tag.project_id)
    tag = Tag.objects.select_for_update(no_key=True).select_related("project").get(pk=tag.pk)
    before = tag.slug
    _check(tag.project, slug if slug != before else None, color)
    tag.slug = before if slug is None else slug
    tag.color = tag.color if color is None else color
    tag.save()
    audit.record(actor, "update-tag", tag.project_id, tag=tag.pk, slug=tag.slug)
    if tag.slug != before:
        changed(actor, tag.project_id, _tagged(tag), causes=[cause_of("tags", actor, names=[before, tag.slug])])
    return tag


@transaction.atomic
def delete_tag(actor: Actor, tag: Tag) -> None:
    """Remove the tag from every secret; syncs that filter by tags are reached."""
    actor.require(Right.WRITE_SECRETS, tag.project_id)
    folders = _tagged(tag)
    audit.record(actor, "delete-tag", tag.project_id, tag=tag.pk, slug=tag.slug)
    Tag.objects.filter(pk=tag.pk).delete()
    changed(actor, tag.project_id, folders, causes=[cause_of("tags", actor, names=[tag.slug])])


def _tagged(tag: Tag) -> list[Folder]:
    return list(Folder.objects.select_related("environment").filter(secrets__tags=tag).distinct())


def _check(project: Project, slug: str | None, color: str | None) -> None:
    issues: list[Issue] = slug_issues("slug", slug) if slug is not None else []
    if color is not None and len(color) > 32:
        issues.append(problem(["color"], "A colour is at most 32 characters long, as #ff8800"))
    if issues:
        raise Invalid(issues)
    if slug is not None and Tag.objects.filter(project=project, slug=slug).exists():
        raise BadRequest(f"Tag with slug '{slug}' already exists")
