"""Who has which role in a project: people and machines.

Source: https://infisical.com/docs/api-reference/endpoints/project-identities/add-identity-membership and
https://infisical.com/docs/api-reference/endpoints/project-users/invite-member-to-workspace
"""

from __future__ import annotations

from typing import Any

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from config.access import identities, services
from config.access.models import Membership, Project, Role
from config.access.roles import Right, project_for
from config.api.base import View
from config.api.openapi import TEXT, TIME, UUID, WHOLE, closed, described, listed
from config.conventions import timestamp
from config.errors import BadRequest
from config.schemas.schema import Flag, Id, Objects, Schema, Text, Texts

TAG = "Project Members"
IDENTITY_ID = Schema((Id("identityId"),))
NO_ACCESS = "no-access"
ROLE = Text("role", "Role", choices=(*Role.values, NO_ACCESS))
# Dropped as a stray, it would give for ever what was meant to end.
_ROLE = Schema((ROLE, Flag("isTemporary", help="Roles do not end by themselves here.", only=False)), strict=False)
ROLES = Schema(
    (
        Objects("roles", _ROLE, "One of viewer, member and admin; the strongest counts.", max_items=10),
        Text("role", "Role", "Instead of `roles`.", required=False, choices=(*Role.values, NO_ACCESS)),
    ),
    strict=False,
)
PEOPLE = Schema(
    (
        Texts("emails", "Of accounts that exist."),
        Texts("usernames", "Of accounts that exist."),
        Texts("roleSlugs", "viewer, member (default) or admin; the strongest counts.", item=ROLE),
    ),
    strict=False,
)
PATH = (("projectId", "The project's id."), ("identityId", "The identity's id."))
_ROLES = listed(closed({"id": UUID, "role": TEXT}))
IDENTITY_MEMBERSHIP = closed(
    {
        "id": UUID,
        "identityId": UUID,
        "projectId": UUID,
        "roles": _ROLES,
        "identity": closed({"id": UUID, "name": TEXT, "authMethods": listed(TEXT)}),
        "createdAt": TIME,
        "updatedAt": TIME,
    }
)
MEMBERSHIP = closed(
    {"id": UUID, "userId": UUID, "projectId": UUID, "roles": _ROLES, "createdAt": TIME, "updatedAt": TIME}
)


def _common(row: Membership) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "projectId": str(row.project_id),
        "roles": [{"id": str(row.pk), "role": row.role}],
        "createdAt": timestamp(row.created_at),
        "updatedAt": timestamp(row.updated_at),
    }


def _of_identity(row: Membership) -> dict[str, Any]:
    identity = row.identity
    assert identity
    methods = ["universal-auth"] if identity.has_universal_auth else []
    shown = {"id": str(identity.pk), "name": identity.name, "authMethods": methods}
    return {**_common(row), "identityId": str(identity.pk), "identity": shown}


def _strongest(slugs: list[str]) -> Role | None:
    """The role that counts; None for no access."""
    return next((role for role in (Role.ADMIN, Role.MEMBER, Role.VIEWER) if role in slugs), None)


class _MemberView(View):
    def project(self, project_id: str, right: Right = Right.MANAGE_MEMBERS) -> Project:
        return project_for(self.actor, project_id, right)

    def role(self) -> Role | None:
        given = self.body(ROLES)
        slugs = [each["role"] for each in given.get("roles", ())] or [given.get("role", Role.MEMBER)]
        return _strongest(slugs)


class IdentityMemberships(_MemberView):
    @described(
        "listIdentityMemberships",
        TAG,
        "The machines of a project.",
        closed({"identityMemberships": listed(IDENTITY_MEMBERSHIP), "totalCount": WHOLE}),
        path=PATH[:1],
    )
    def get(self, request: Request, projectId: str) -> Response:
        project = self.project(projectId, Right.SEE)
        rows = project.memberships.select_related("identity").filter(identity__isnull=False).order_by("identity__name")
        found = [_of_identity(row) for row in rows]
        return Response({"identityMemberships": found, "totalCount": len(found)})


class IdentityMembership(_MemberView):
    ANSWER = closed({"identityMembership": IDENTITY_MEMBERSHIP})

    def one(self, row: Membership | None) -> Response:
        assert row
        return Response({"identityMembership": _of_identity(row)})

    def _id(self, identity_id: str) -> str:
        given: str = IDENTITY_ID.validate({"identityId": identity_id})["identityId"]
        return given

    @described("getIdentityMembership", TAG, "A machine's role in a project.", ANSWER, path=PATH)
    def get(self, request: Request, projectId: str, identityId: str) -> Response:
        identity_id = self._id(identityId)
        return self.one(identities.membership_of(self.project(projectId, Right.SEE), identity_id))

    @described("createIdentityMembership", TAG, "Give a machine a role in a project.", ANSWER, body=ROLES, path=PATH)
    def post(self, request: Request, projectId: str, identityId: str) -> Response:
        identity_id, role = self._id(identityId), self.role()
        project = self.project(projectId)
        identity = identities.identity_to_add(self.actor, project, identity_id)
        if role is None:
            raise BadRequest("A member needs a role: viewer, member or admin")
        return self.one(services.set_role(self.actor, project, identity, role))

    @described("updateIdentityMembership", TAG, "Change a machine's role in a project.", ANSWER, body=ROLES, path=PATH)
    def patch(self, request: Request, projectId: str, identityId: str) -> Response:
        identity_id, role = self._id(identityId), self.role()
        project = self.project(projectId)
        row = identities.membership_of(project, identity_id)
        assert row.identity
        if role is None:
            raise BadRequest("A member needs a role: viewer, member or admin")
        return self.one(services.set_role(self.actor, project, row.identity, role))

    @described("deleteIdentityMembership", TAG, "Take a machine out of a project.", ANSWER, path=PATH)
    def delete(self, request: Request, projectId: str, identityId: str) -> Response:
        identity_id = self._id(identityId)
        project = self.project(projectId)
        row = identities.membership_of(project, identity_id)
        assert row.identity
        answer = self.one(row)
        services.set_role(self.actor, project, row.identity, None)
        return answer


class Memberships(_MemberView):
    @described(
        "inviteMembers",
        TAG,
        "Give people who have an account a role in a project.",
        closed({"memberships": listed(MEMBERSHIP)}),
        body=PEOPLE,
        path=PATH[:1],
    )
    def post(self, request: Request, projectId: str) -> Response:
        given = self.body(PEOPLE)
        role = _strongest(given.get("roleSlugs") or [Role.MEMBER])
        if role is None:
            raise BadRequest("A member needs a role: viewer, member or admin")
        project = self.project(projectId)
        made = services.add_people(
            self.actor, project, names=given.get("usernames", ()), emails=given.get("emails", ()), role=role
        )
        return Response({"memberships": [{**_common(row), "userId": str(row.user_id)} for row in made]})


_PROJECT = "v2/workspace/<str:projectId>"
urlpatterns = [
    path(f"{_PROJECT}/identity-memberships", IdentityMemberships.as_view()),
    path(f"{_PROJECT}/identity-memberships/<str:identityId>", IdentityMembership.as_view()),
    path(f"{_PROJECT}/memberships", Memberships.as_view()),
]
