"""Who has which role, as pages show it."""

from __future__ import annotations

from .models import Identity, Membership, Project, Role, User

ROLES = {Role.ADMIN: "warn", Role.MEMBER: "busy", Role.VIEWER: "calm"}


def roles_of(member: User | Identity) -> str:
    """Each project with the role there; `memberships__project` should be loaded."""
    found = sorted((one.project.name, one.role) for one in member.memberships.all())
    return ", ".join(f"{name}: {role}" for name, role in found) or "-"


def members_of(project: Project) -> list[tuple[Membership, str, str]]:
    """The project's people and machines, each with the words and the tone of its role, the mightiest first."""
    found = project.memberships.select_related("user", "identity").order_by("created_at")
    shown = [(one, Role(one.role).label, ROLES[Role(one.role)]) for one in found]
    return sorted(shown, key=lambda row: list(ROLES).index(Role(row[0].role)))
