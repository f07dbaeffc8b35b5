"""Machine identities. How they sign in is in `config.api.universal_auth`.

Source: https://infisical.com/docs/api-reference/endpoints/identities/create
"""

from __future__ import annotations

from typing import Annotated

from rest_framework.request import Request
from typing_extensions import TypedDict

from config.access import identities, models
from config.access.services import instance
from config.api.base import ViewSet, router
from config.api.operations import TypedResponse, operation
from config.conventions import timestamp
from config.responses import EXAMPLE_ID, Name, Time, Uuid, one_of
from config.schemas.model import Body
from config.schemas.types import Text

ROLES = ("no-access", "viewer", "member", "admin")


class NewIdentity(Body):
    name: Annotated[str, Text("Name", "The name of the identity.", max_length=255, example="shop-dev")]
    organizationId: Annotated[
        str | None,
        Text(
            "Organisation", "Accepted for compatibility; there is one organization.", min_length=0, example=EXAMPLE_ID
        ),
    ] = None
    role: Annotated[str, Text("Role", "Role in the organization; an admin can create projects.", choices=ROLES)] = (
        "no-access"
    )


class IdentityChange(Body):
    name: Annotated[str | None, Text("Name", max_length=255, example="shop-dev")] = None
    role: Annotated[str | None, Text("Role", "Role in the organization.", choices=ROLES)] = None


class Identity(TypedDict):
    id: Uuid
    name: Name
    orgId: Uuid
    role: Annotated[str, one_of(ROLES)]
    authMethods: list[str]
    createdAt: Time
    updatedAt: Time


class IdentityWithin(TypedDict):
    """The identity in its own membership of the organisation."""

    id: Uuid
    name: Name
    authMethods: list[str]
    createdAt: Time
    updatedAt: Time


class IdentityOfOrganization(Identity):
    """As reads show it: the modelled API returns the identity's membership of the organisation."""

    identityId: Uuid
    identity: IdentityWithin


class OneIdentity(TypedDict):
    identity: Identity


class OneIdentityOfOrganization(TypedDict):
    identity: IdentityOfOrganization


class IdentityList(TypedDict):
    identities: list[IdentityOfOrganization]
    totalCount: int


def identity_json(row: models.Identity, organisation: str) -> Identity:
    return {
        "id": str(row.pk),
        "name": row.name,
        "orgId": organisation,
        "role": row.role or "no-access",
        "authMethods": ["universal-auth"] if row.has_universal_auth else [],
        "createdAt": timestamp(row.created_at),
        "updatedAt": timestamp(row.updated_at),
    }


def _read(row: models.Identity, organisation: str) -> IdentityOfOrganization:
    plain = identity_json(row, organisation)
    inner: IdentityWithin = {
        "id": plain["id"],
        "name": plain["name"],
        "authMethods": plain["authMethods"],
        "createdAt": plain["createdAt"],
        "updatedAt": plain["updatedAt"],
    }
    return {**plain, "identityId": plain["id"], "identity": inner}


class Identities(ViewSet):
    tag = "Identities"
    lookup_url_kwarg = "identityId"

    def identity(self) -> models.Identity:
        return identities.find_identity(self.actor, self.id("identityId"))

    def one(self, row: models.Identity) -> TypedResponse[OneIdentity]:
        return TypedResponse({"identity": identity_json(row, str(instance().pk))})

    @operation("listIdentities", "List the machine identities that you may manage.")
    def list(self, request: Request) -> TypedResponse[IdentityList]:
        organisation = str(instance().pk)
        found = [_read(row, organisation) for row in identities.identities_of(self.actor)]
        return TypedResponse({"identities": found, "totalCount": len(found)})

    @operation(
        "createIdentity", "Create a machine identity. It can sign in once universal auth is attached.", body=NewIdentity
    )
    def create(self, request: Request) -> TypedResponse[OneIdentity]:
        body = self.body(NewIdentity)
        return self.one(identities.register_identity(self.actor, body.name, body.role))

    @operation("getIdentity", "Get a machine identity.")
    def retrieve(self, request: Request, identityId: str) -> TypedResponse[OneIdentityOfOrganization]:
        return TypedResponse({"identity": _read(self.identity(), str(instance().pk))})

    @operation(
        "updateIdentity", "Rename a machine identity or change its role in the organization.", body=IdentityChange
    )
    def partial_update(self, request: Request, identityId: str) -> TypedResponse[OneIdentity]:
        body = self.body(IdentityChange)
        return self.one(identities.update_identity(self.actor, self.identity(), name=body.name, role=body.role))

    @operation("deleteIdentity", "Delete a machine identity with its client secrets and tokens.")
    def destroy(self, request: Request, identityId: str) -> TypedResponse[OneIdentity]:
        row = self.identity()
        response = self.one(row)
        identities.delete_identity(self.actor, row)
        return response


_router = router()
_router.register("v1/identities", Identities, basename="identity")
urlpatterns = _router.urls
