"""The members of a project, people and machine identities, and their roles.

Source: https://infisical.com/docs/api-reference/endpoints/project-identities/add-identity-membership and
https://infisical.com/docs/api-reference/endpoints/project-users/invite-member-to-workspace
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from django.urls import path
from rest_framework.request import Request
from typing_extensions import TypedDict

from config.access import identities, models, services
from config.access.models import Project, Role
from config.access.roles import Right, project_for
from config.api.base import View
from config.api.operations import TypedResponse, operation
from config.conventions import timestamp
from config.errors import BadRequest
from config.responses import Name, Time, Uuid
from config.schemas.model import Body
from config.schemas.types import Flag, Items, Text

ROLES = (*Role.values, "no-access")


class RoleGiven(Body):
    role: Annotated[str, Text("Role", choices=ROLES)]
    # Declared so that it is refused: without it a temporary role would become a permanent one.
    isTemporary: Annotated[bool | None, Flag(help="Temporary roles are not supported.", only=False)] = None


class RoleChange(Body):
    roles: Annotated[
        list[RoleGiven] | None, Items("viewer, member or admin; the highest role is used.", max_items=10)
    ] = None
    role: Annotated[str | None, Text("Role", "Used if `roles` is left out.", choices=ROLES)] = None

    def highest(self) -> Role | None:
        return _highest([each.role for each in self.roles or ()] or [self.role or Role.MEMBER])


class Invitation(Body):
    emails: Annotated[
        list[Annotated[str, Text("emails", max_length=512, example="grace@example.com")]] | None,
        Items("Existing accounts.", max_items=100),
    ] = None
    usernames: Annotated[
        list[Annotated[str, Text("usernames", max_length=512, example="grace")]] | None,
        Items("Existing accounts.", max_items=100),
    ] = None
    roleSlugs: Annotated[
        list[Annotated[str, Text("Role", choices=ROLES)]] | None,
        Items("viewer, member (default) or admin; the highest role is used.", max_items=100),
    ] = None


class MemberRole(TypedDict):
    id: Uuid
    role: str


class MemberIdentity(TypedDict):
    id: Uuid
    name: Name
    authMethods: list[str]


class IdentityMembership(TypedDict):
    id: Uuid
    identityId: Uuid
    projectId: Uuid
    roles: list[MemberRole]
    identity: MemberIdentity
    createdAt: Time
    updatedAt: Time


class Membership(TypedDict):
    id: Uuid
    userId: Uuid
    projectId: Uuid
    roles: list[MemberRole]
    createdAt: Time
    updatedAt: Time


class OneIdentityMembership(TypedDict):
    identityMembership: IdentityMembership


class IdentityMembershipList(TypedDict):
    identityMemberships: list[IdentityMembership]
    totalCount: int


class MembershipList(TypedDict):
    memberships: list[Membership]


def identity_membership_json(row: models.Membership) -> IdentityMembership:
    identity = row.identity
    assert identity
    return {
        "id": str(row.pk),
        "identityId": str(identity.pk),
        "projectId": str(row.project_id),
        "roles": [{"id": str(row.pk), "role": row.role}],
        "identity": {
            "id": str(identity.pk),
            "name": identity.name,
            "authMethods": ["universal-auth"] if identity.has_universal_auth else [],
        },
        "createdAt": timestamp(row.created_at),
        "updatedAt": timestamp(row.updated_at),
    }


def membership_json(row: models.Membership) -> Membership:
    return {
        "id": str(row.pk),
        "userId": str(row.user_id),
        "projectId": str(row.project_id),
        "roles": [{"id": str(row.pk), "role": row.role}],
        "createdAt": timestamp(row.created_at),
        "updatedAt": timestamp(row.updated_at),
    }


def _highest(slugs: Iterable[str]) -> Role | None:
    """The highest role; None for no access."""
    known = set(slugs)
    return next((role for role in (Role.ADMIN, Role.MEMBER, Role.VIEWER) if role in known), None)


def _required(role: Role | None) -> Role:
    if role is None:
        raise BadRequest("A member needs a role: viewer, member or admin")
    return role


class _MemberView(View):
    tag = "Project Members"

    def project(self, right: Right = Right.MANAGE_MEMBERS) -> Project:
        return project_for(self.actor, self.kwargs["projectId"], right)


class IdentityMemberships(_MemberView):
    @operation("listIdentityMemberships", "List the machine identities of a project.")
    def get(self, request: Request, projectId: str) -> TypedResponse[IdentityMembershipList]:
        members = self.project(Right.SEE).memberships.select_related("identity")
        rows = members.filter(identity__isnull=False).order_by("identity__name")
        found = [identity_membership_json(row) for row in rows]
        return TypedResponse({"identityMemberships": found, "totalCount": len(found)})


class OneIdentityMembershipView(_MemberView):
    def one(self, row: models.Membership | None) -> TypedResponse[OneIdentityMembership]:
        assert row
        return TypedResponse({"identityMembership": identity_membership_json(row)})

    @operation("getIdentityMembership", "Get the role of a machine identity in a project.")
    def get(self, request: Request, projectId: str, identityId: str) -> TypedResponse[OneIdentityMembership]:
        identity_id = self.id("identityId")
        return self.one(identities.membership_of(self.project(Right.SEE), identity_id))

    @operation("createIdentityMembership", "Add a machine identity to a project with a role.", body=RoleChange)
    def post(self, request: Request, projectId: str, identityId: str) -> TypedResponse[OneIdentityMembership]:
        identity_id, role = self.id("identityId"), self.body(RoleChange).highest()
        project = self.project()
        identity = identities.identity_to_add(self.actor, project, identity_id)
        return self.one(services.set_role(self.actor, project, identity, _required(role)))

    @operation("updateIdentityMembership", "Change the role of a machine identity in a project.", body=RoleChange)
    def patch(self, request: Request, projectId: str, identityId: str) -> TypedResponse[OneIdentityMembership]:
        identity_id, role = self.id("identityId"), self.body(RoleChange).highest()
        project = self.project()
        row = identities.membership_of(project, identity_id)
        assert row.identity
        return self.one(services.set_role(self.actor, project, row.identity, _required(role)))

    @operation("deleteIdentityMembership", "Remove a machine identity from a project.")
    def delete(self, request: Request, projectId: str, identityId: str) -> TypedResponse[OneIdentityMembership]:
        identity_id = self.id("identityId")
        project = self.project()
        row = identities.membership_of(project, identity_id)
        assert row.identity
        response = self.one(row)
        services.set_role(self.actor, project, row.identity, None)
        return response


class Memberships(_MemberView):
    @operation("inviteMembers", "Add people who have an account to a project with a role.", body=Invitation)
    def post(self, request: Request, projectId: str) -> TypedResponse[MembershipList]:
        body = self.body(Invitation)
        role = _required(_highest(body.roleSlugs or [Role.MEMBER]))
        rows = services.add_people(
            self.actor, self.project(), names=body.usernames or (), emails=body.emails or (), role=role
        )
        return TypedResponse({"memberships": [membership_json(row) for row in rows]})


_PROJECT = "v2/workspace/<str:projectId>"
urlpatterns = [
    path(f"{_PROJECT}/identity-memberships", IdentityMemberships.as_view()),
    path(f"{_PROJECT}/identity-memberships/<str:identityId>", OneIdentityMembershipView.as_view()),
    path(f"{_PROJECT}/memberships", Memberships.as_view()),
]
