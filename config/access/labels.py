"""Roles of people and machine identities as pages show them."""

from __future__ import annotations

from .models import Identity, Membership, Project, Role, User

ROLES = {Role.ADMIN: "warn", Role.MEMBER: "busy", Role.VIEWER: "calm"}


def roles_of(member: User | Identity) -> str:
    """Each project with the role in it; `memberships__project` should be loaded."""
    found = sorted((one.project.name, one.role) for one in member.memberships.all())
    return ", ".join(f"{name}: {role}" for name, role in found) or "-"


def members_of(project: Project) -> list[tuple[Membership, str, str]]:
    """The members of a project, each with the label and the tone of its role, highest role first."""
    found = project.memberships.select_related("user", "identity").order_by("created_at")
    rows = [(one, Role(one.role).label, ROLES[Role(one.role)]) for one in found]
    return sorted(rows, key=lambda row: list(ROLES).index(Role(row[0].role)))
