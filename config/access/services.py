"""Projects and their members, and the instance itself."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.text import slugify

from config.conventions import slug_issues
from config.errors import BadRequest, Forbidden, Invalid, Issue, NotFound, problem

from . import audit
from .models import Identity, Instance, Membership, Project, Role, User
from .roles import Actor, Right

KEPT_SETTINGS: Mapping[str, Any] = {
    "secretSharing": True,
    "showSnapshotsLegacy": False,
    "defaultProduct": "secret-manager",
    "pitVersionLimit": 10,
    "secretDetectionIgnoreValues": [],
    "auditLogsRetentionDays": None,
}
"""Settings of the modelled API without effect, with their defaults."""


def instance() -> Instance:
    return Instance.objects.first() or Instance.objects.create()


@transaction.atomic
def create_project(
    actor: Actor, name: str, *, slug: str = "", description: str | None = None, protected: bool = False
) -> Project:
    """A project; its creator becomes its admin. Without a slug, one is derived from the name."""
    actor.require_instance_admin("make projects")
    name = name.strip()
    issues = [] if 1 <= len(name) <= 64 else [problem(["projectName"], "Name must be 1 to 64 characters long")]
    issues += slug_issues("slug", slug, least=5, most=36) if slug else []
    if issues:
        raise Invalid(issues)
    slug = slug or _made_slug(name)
    if Project.objects.filter(slug=slug).exists():
        raise BadRequest(f"Project with the slug '{slug}' already exists")
    project = Project.objects.create(
        name=name, slug=slug, description=description or None, has_delete_protection=protected
    )
    if actor.id:
        Membership.objects.create(project=project, role=Role.ADMIN, **{f"{actor.kind}_id": actor.id})
    audit.record(actor, "create-project", project.pk, name=name, slug=slug)
    return project


def _made_slug(name: str) -> str:
    plain = re.sub(r"[-_]+", "-", slugify(name))[:30].strip("-")
    return f"{plain or 'project'}-{secrets.token_hex(2)}"


@transaction.atomic
def set_role(actor: Actor, project: Project, member: User | Identity, role: Role | None) -> Membership | None:
    """Set the role of a person or machine in a project; None removes the member."""
    actor.require(Right.MANAGE_MEMBERS, project.pk)
    who: dict[str, Any] = {"user": member} if isinstance(member, User) else {"identity": member}
    membership = None
    before = Membership.objects.filter(project=project, **who).values_list("role", flat=True).first()
    if role is None:
        Membership.objects.filter(project=project, **who).delete()
    else:
        membership, _ = Membership.objects.update_or_create(project=project, **who, defaults={"role": role})
    changes = {"role": [before, role]} if before != role else {}
    audit.record(actor, "set-role", project.pk, member=str(member), memberId=member.pk, role=role, changes=changes)
    return membership


@transaction.atomic
def add_people(
    actor: Actor, project: Project, *, names: Iterable[str], emails: Iterable[str], role: Role
) -> list[Membership]:
    """Add people who have an account to a project, all or none; existing members keep their roles.

    Raises BadRequest with the names that have no account.
    """
    actor.require(Right.MANAGE_MEMBERS, project.pk)
    names, emails = list(names), list(emails)
    found = list(User.objects.filter(Q(username__in=names) | Q(email__in=emails)))
    known = {user.username for user in found} | {user.email for user in found}
    if missing := sorted({*names, *emails} - known):
        raise BadRequest(f"No account for: {', '.join(missing)}. Accounts are created by instance admins.")
    existing = {each.user_id for each in project.memberships.filter(user__in=found)}
    added = [user for user in found if user.pk not in existing]
    Membership.objects.bulk_create([Membership(project=project, user=user, role=role) for user in added])
    ids, known_as = sorted(str(user.pk) for user in added), sorted(user.username for user in added)
    audit.record(actor, "add-workspace-member", project.pk, members=ids, names=known_as, role=role)
    return list(project.memberships.filter(user__in=found).order_by("created_at"))


def find_project(slug: str) -> Project:
    """By slug. Raises NotFound."""
    project = Project.objects.filter(slug=slug).first()
    if project is None:
        raise NotFound(f"Project with slug '{slug}' not found")
    return project


PROJECT_SLUG = re.compile(r"[a-z0-9]+(?:[_-][a-z0-9]+)*", re.ASCII)


@transaction.atomic
def update_project(
    actor: Actor,
    project: Project,
    *,
    name: str | None = None,
    description: str | None = None,
    slug: str | None = None,
    auto_capitalization: bool | None = None,
    protected: bool | None = None,
    kept: Mapping[str, Any] | None = None,
) -> Project:
    """Change what is not None. `kept`: settings without effect, of KEPT_SETTINGS."""
    actor.require(Right.MANAGE_PROJECT, project.pk)
    issues: list[Issue] = []
    if name is not None and not 1 <= len(name.strip()) <= 64:
        issues.append(problem(["name"], "Name must be 64 or fewer characters"))
    if slug is not None and not (PROJECT_SLUG.fullmatch(slug) and len(slug) <= 64):
        issues.append(problem(["slug"], "Project slug can only contain lowercase letters, digits, and single - or _"))
    if issues:
        raise Invalid(issues)
    if slug is not None and Project.objects.exclude(pk=project.pk).filter(slug=slug).exists():
        raise BadRequest(f"Project with the slug '{slug}' already exists")
    project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    before = audit.state_of(project)
    changes = {
        "name": name.strip() if name is not None else None,
        "description": description,
        "slug": slug,
        "auto_capitalization": auto_capitalization,
        "has_delete_protection": protected,
        "kept_settings": {**project.kept_settings, **kept} if kept else None,
    }
    applied = {field: value for field, value in changes.items() if value is not None}
    for field, value in applied.items():
        setattr(project, field, value)
    project.save(update_fields=[*applied, "updated_at"])
    names = {"name": project.name, "slug": project.slug}
    audit.record(actor, "update-project", project.pk, **names, changes=audit.changes_since(before, project))
    return project


@transaction.atomic
def delete_project(actor: Actor, project: Project) -> None:
    """Delete the project and everything in it; keys at destinations remain."""
    actor.require(Right.MANAGE_PROJECT, project.pk)
    if project.has_delete_protection:
        raise Forbidden("Project delete protection is enabled")
    audit.record(actor, "delete-project", project.pk, name=project.name, slug=project.slug)
    project.delete()


_RIGHTS = {"is_active": "isActive", "is_staff": "isStaff", "is_superuser": "isSuperuser"}


@transaction.atomic
def save_user(actor: Actor, user: User, changed: Iterable[str]) -> None:
    """Store a new or changed account (`changed`: model field names)."""
    actor.require_instance_admin("manage accounts")
    event = "create-user" if user._state.adding else "update-user"
    known = User.objects.filter(pk=user.pk).first()
    before = audit.state_of(known) if known else {}
    user.save()
    rights = {wire: getattr(user, name) for name, wire in _RIGHTS.items()}
    changes = audit.changes_since(before, user) if known else {}
    names: dict[str, Any] = {"user": user.pk, "name": user.get_username()}
    audit.record(actor, event, **names, changed=sorted(changed), changes=changes, **rights)


@transaction.atomic
def delete_user(actor: Actor, user: User) -> None:
    """Delete the account with its roles; its events stay in the audit log."""
    actor.require_instance_admin("manage accounts")
    audit.record(actor, "delete-user", user=user.pk, name=user.get_username())
    user.delete()


@transaction.atomic
def pause_everything(actor: Actor, *, paused: bool, reason: str = "") -> None:
    """Pause or resume all syncs. Paused: no run starts, and running ones stop after their current key.

    `reason`: why, for people; at most 255 characters are kept. Of a resume it is only in the audit log.
    """
    actor.require_instance_admin("pause or resume all syncs")
    Instance.objects.filter(pk=instance().pk).update(
        paused_at=timezone.now() if paused else None,
        paused_by=actor.name if paused else "",
        pause_reason=reason[:255] if paused else "",
    )
    why: dict[str, Any] = {"reason": reason[:255]} if reason else {}
    audit.record(actor, "pause-everything" if paused else "resume-everything", **why)
