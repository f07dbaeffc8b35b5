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
from config.api.operations import Answer, operation
from config.conventions import timestamp
from config.schemas.answers import Name, Time, Uuid, one_of
from config.schemas.json_schema import EXAMPLE_ID
from config.schemas.model import Body
from config.schemas.types import Text

ROLES = ("no-access", "viewer", "member", "admin")


class NewIdentity(Body):
    name: Annotated[str, Text("Name", "What the machine is called.", max_length=255, example="shop-dev")]
    organizationId: Annotated[
        str | None, Text("Organisation", "There is one; it may be left out.", min_length=0, example=EXAMPLE_ID)
    ] = None
    role: Annotated[str, Text("Role", "In the instance: an admin makes projects.", choices=ROLES)] = "no-access"


class IdentityChange(Body):
    name: Annotated[str | None, Text("Name", max_length=255, example="shop-dev")] = None
    role: Annotated[str | None, Text("Role", "In the instance.", choices=ROLES)] = None


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
    """As reads show it: the modelled API answers with the identity's membership of the organisation."""

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
    shown = identity_json(row, organisation)
    inner: IdentityWithin = {
        "id": shown["id"],
        "name": shown["name"],
        "authMethods": shown["authMethods"],
        "createdAt": shown["createdAt"],
        "updatedAt": shown["updatedAt"],
    }
    return {**shown, "identityId": shown["id"], "identity": inner}


class Identities(ViewSet):
    tag = "Identities"
    lookup_url_kwarg = "identityId"

    def identity(self) -> models.Identity:
        return identities.find_identity(self.actor, self.id("identityId"))

    def one(self, row: models.Identity) -> Answer[OneIdentity]:
        return Answer({"identity": identity_json(row, str(instance().pk))})

    @operation("listIdentities", "The identities that you may manage.")
    def list(self, request: Request) -> Answer[IdentityList]:
        organisation = str(instance().pk)
        found = [_read(row, organisation) for row in identities.identities_of(self.actor)]
        return Answer({"identities": found, "totalCount": len(found)})

    @operation("createIdentity", "An identity; it signs in once it has universal auth.", body=NewIdentity)
    def create(self, request: Request) -> Answer[OneIdentity]:
        body = self.body(NewIdentity)
        return self.one(identities.register_identity(self.actor, body.name, body.role))

    @operation("getIdentity", "An identity.")
    def retrieve(self, request: Request, identityId: str) -> Answer[OneIdentityOfOrganization]:
        return Answer({"identity": _read(self.identity(), str(instance().pk))})

    @operation("updateIdentity", "Rename it, or change its role.", body=IdentityChange)
    def partial_update(self, request: Request, identityId: str) -> Answer[OneIdentity]:
        body = self.body(IdentityChange)
        return self.one(identities.update_identity(self.actor, self.identity(), name=body.name, role=body.role))

    @operation("deleteIdentity", "Delete it, with its secrets and tokens.")
    def destroy(self, request: Request, identityId: str) -> Answer[OneIdentity]:
        row = self.identity()
        answer = self.one(row)
        identities.delete_identity(self.actor, row)
        return answer


_router = router()
_router.register("v1/identities", Identities, basename="identity")
urlpatterns = _router.urls
