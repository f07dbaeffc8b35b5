"""Actors and their rights: one table of rights by role."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from functools import cached_property
from typing import Literal
from uuid import UUID

from config.errors import NotFound, PermissionDenied

from .models import Identity, Membership, Project, Role, User

_RANK = {"": 0, Role.VIEWER: 1, Role.MEMBER: 2, Role.ADMIN: 3}


class Right(enum.Enum):
    """Action, subject (both named as in the modelled API) and the lowest role that has it in a project."""

    SEE = ("read", "projects", Role.VIEWER)
    READ_VALUES = ("read-value", "secrets", Role.MEMBER)
    WRITE_SECRETS = ("edit", "secrets", Role.MEMBER)
    MANAGE_ENVIRONMENTS = ("edit", "environments", Role.ADMIN)
    MANAGE_PROJECT = ("edit", "project", Role.ADMIN)
    MANAGE_MEMBERS = ("edit", "member", Role.ADMIN)
    SEE_SYNCS = ("read", "secret-syncs", Role.VIEWER)
    EDIT_SYNCS = ("edit", "secret-syncs", Role.MEMBER)
    RUN_SYNCS = ("sync-secrets", "secret-syncs", Role.MEMBER)
    REMOVE_SECRETS = ("remove-secrets", "secret-syncs", Role.ADMIN)
    EDIT_POLICY = ("edit-policy", "secret-syncs", Role.ADMIN)
    SEE_CONNECTIONS = ("read", "app-connections", Role.VIEWER)
    USE_CONNECTIONS = ("connect", "app-connections", Role.MEMBER)
    MANAGE_CONNECTIONS = ("edit", "app-connections", Role.ADMIN)

    @property
    def least(self) -> Role:
        return self.value[2]


# The rights of instance admins in projects that they are no members of; they never include values.
_INSTANCE_ADMIN = frozenset({Right.SEE, Right.SEE_SYNCS, Right.SEE_CONNECTIONS, Right.MANAGE_MEMBERS})


@dataclass(frozen=True)
class Actor:
    """A person, a machine, or the platform itself. Roles are read once and cached: create one actor per request."""

    kind: Literal["user", "identity", "platform"]
    id: UUID | None = None
    name: str = ""
    is_instance_admin: bool = False
    ip: str | None = None

    @cached_property
    def roles(self) -> dict[UUID, str]:
        """Project id -> role."""
        if self.kind == "platform":
            return {}
        owned = Membership.objects.filter(**{f"{self.kind}_id": self.id})
        return dict(owned.values_list("project_id", "role"))

    def role_in(self, project_id: UUID | str) -> str:
        """ "" if there is none."""
        return self.roles.get(UUID(str(project_id)), "")

    @property
    def projects(self) -> list[UUID] | None:
        """IDs of the projects that the actor may see; None means all."""
        return None if self.kind == "platform" or self.is_instance_admin else list(self.roles)

    def may(self, right: Right, project_id: UUID) -> bool:
        if self.kind == "platform" or (self.is_instance_admin and right in _INSTANCE_ADMIN):
            return True
        return _RANK[self.roles.get(project_id, "")] >= _RANK[right.least]

    def may_anywhere(self, right: Right) -> bool:
        """Whether the actor has the right in any project; required for what belongs to the organisation."""
        if self.kind == "platform" or self.is_instance_admin:
            return True
        return any(_RANK[role] >= _RANK[right.least] for role in self.roles.values())

    def require(self, right: Right, project_id: UUID) -> None:
        """Raises PermissionDenied with the action."""
        if not self.may(right, project_id):
            raise denied(right)

    def require_instance_admin(self, what: str) -> None:
        if not (self.kind == "platform" or self.is_instance_admin):
            raise PermissionDenied(f"Only an instance admin may {what}.")


PLATFORM = Actor("platform", name="Keyferry")


def denied(right: Right) -> PermissionDenied:
    """The error of a missing right, with the rule that the modelled API names."""
    action, subject, _ = right.value
    rule = {"action": action, "subject": subject, "inverted": False, "conditions": None}
    return PermissionDenied(f"You are not allowed to {action} on {subject}", [rule])


def actor_of_user(user: User, ip: str | None = None) -> Actor:
    return Actor("user", user.pk, user.get_username(), user.is_active and user.is_superuser, ip)


def actor_of_identity(identity: Identity, ip: str | None = None, roles: dict[UUID, str] | None = None) -> Actor:
    """`roles`: those of the actor if they have been read already."""
    machine = Actor("identity", identity.pk, identity.name, identity.role == Role.ADMIN, ip)
    if roles is not None:
        machine.__dict__["roles"] = roles
    return machine


def project_for(actor: Actor, project_id: str, right: Right = Right.SEE) -> Project:
    """The project by its ID, if the actor has the right. Raises NotFound if the actor may not see it."""
    try:
        found = Project.objects.filter(pk=UUID(str(project_id))).first()
    except ValueError:
        found = None
    if found is None or not actor.may(Right.SEE, found.pk):
        raise NotFound(f"Project with ID '{project_id}' not found")
    actor.require(right, found.pk)
    return found
