"""Universal auth of machine identities: settings, lockouts and client secrets.

Source: https://infisical.com/docs/api-reference/endpoints/universal-auth/attach
"""

from __future__ import annotations

from typing import Annotated

from django.urls import path
from rest_framework.decorators import action
from rest_framework.request import Request
from typing_extensions import TypedDict

from config.access import identities, models
from config.api.base import View, ViewSet, router
from config.api.operations import TypedResponse, operation
from config.conventions import timestamp
from config.responses import Description, Time, Uuid, text, whole
from config.schemas.model import Body
from config.schemas.types import Flag, Items, Text, Whole

TEN_YEARS = 315360000  # seconds
MONTH = 2592000  # seconds, of an example
RANGE = "10.0.0.0/8"


class AddressRange(Body):
    ipAddress: Annotated[
        str, Text("Address", "An address or a range, such as 10.0.0.0/8.", max_length=64, example=RANGE)
    ]


class Settings(Body):
    accessTokenTTL: Annotated[int | None, Whole("Lifetime of a token in seconds; 0: no limit.", maximum=TEN_YEARS)] = (
        None
    )
    accessTokenMaxTTL: Annotated[
        int | None,
        Whole("Lifetime of a token with its renewals, in seconds; 0: no limit.", maximum=TEN_YEARS, example=MONTH),
    ] = None
    accessTokenNumUsesLimit: Annotated[
        int | None, Whole("Maximum number of requests per token; 0: no limit.", maximum=10**9)
    ] = None
    accessTokenPeriod: Annotated[
        int | None,
        Whole("If above 0: lifetime of a token in seconds; it can be renewed without limit.", maximum=TEN_YEARS),
    ] = None
    accessTokenTrustedIps: Annotated[
        list[AddressRange] | None, Items("Addresses that may use tokens.", max_items=100)
    ] = None
    clientSecretTrustedIps: Annotated[list[AddressRange] | None, Items("Addresses that may log in.", max_items=100)] = (
        None
    )
    lockoutEnabled: Annotated[bool | None, Flag(help="Whether failed logins lock the identity.")] = None
    lockoutThreshold: Annotated[
        int | None, Whole("Number of failed logins after which the identity is locked.", minimum=1, maximum=30)
    ] = None
    lockoutDurationSeconds: Annotated[
        int | None, Whole("Seconds for which the identity stays locked.", minimum=30, maximum=86400)
    ] = None
    lockoutCounterResetSeconds: Annotated[
        int | None, Whole("Seconds after which the count of failed logins is reset.", minimum=5, maximum=3600)
    ] = None


class NewClientSecret(Body):
    description: Annotated[
        str | None, Text("Description", min_length=0, max_length=255, multiline=True, example="What the shop needs")
    ] = None
    numUsesLimit: Annotated[int | None, Whole("Maximum number of logins; 0: no limit.", maximum=10**9)] = None
    ttl: Annotated[int | None, Whole("Lifetime in seconds; 0: no limit.", maximum=TEN_YEARS)] = None


class AddressRangeShown(TypedDict):
    ipAddress: Annotated[str, text(example=RANGE)]


class UniversalAuth(TypedDict):
    id: Uuid
    clientId: Uuid
    accessTokenTTL: int
    accessTokenMaxTTL: Annotated[int, whole(example=MONTH)]
    accessTokenNumUsesLimit: int
    accessTokenPeriod: int
    accessTokenTrustedIps: list[AddressRangeShown]
    clientSecretTrustedIps: list[AddressRangeShown]
    lockoutEnabled: bool
    lockoutThreshold: int
    lockoutDurationSeconds: int
    lockoutCounterResetSeconds: int
    identityId: Uuid
    createdAt: Time
    updatedAt: Time


class OneUniversalAuth(TypedDict):
    identityUniversalAuth: UniversalAuth


class LockoutsCleared(TypedDict):
    deleted: int


class ClientSecretData(TypedDict):
    id: Uuid
    createdAt: Time
    updatedAt: Time
    description: Description
    clientSecretPrefix: str
    clientSecretNumUses: int
    clientSecretNumUsesLimit: int
    clientSecretTTL: int
    identityUAId: Uuid
    isClientSecretRevoked: bool


class OneClientSecret(TypedDict):
    clientSecretData: ClientSecretData


class CreatedClientSecret(TypedDict):
    clientSecret: Annotated[str, text(example="5d0c...")]
    clientSecretData: ClientSecretData


class ClientSecretList(TypedDict):
    clientSecretData: list[ClientSecretData]


def universal_auth_json(row: models.Identity) -> UniversalAuth:
    """An identity has one universal auth, so it has the identity's own id."""
    return {
        "id": str(row.pk),
        "clientId": str(row.client_id),
        "accessTokenTTL": row.access_token_ttl,
        "accessTokenMaxTTL": row.access_token_max_ttl,
        "accessTokenNumUsesLimit": row.access_token_num_uses_limit,
        "accessTokenPeriod": row.access_token_period,
        "accessTokenTrustedIps": row.access_token_trusted_ips,
        "clientSecretTrustedIps": row.client_secret_trusted_ips,
        "lockoutEnabled": row.lockout_enabled,
        "lockoutThreshold": row.lockout_threshold,
        "lockoutDurationSeconds": row.lockout_duration,
        "lockoutCounterResetSeconds": row.lockout_counter_reset,
        "identityId": str(row.pk),
        "createdAt": timestamp(row.created_at),
        "updatedAt": timestamp(row.updated_at),
    }


def client_secret_json(row: models.ClientSecret) -> ClientSecretData:
    return {
        "id": str(row.pk),
        "createdAt": timestamp(row.created_at),
        "updatedAt": timestamp(row.updated_at),
        "description": row.description,
        "clientSecretPrefix": row.prefix,
        "clientSecretNumUses": row.num_uses,
        "clientSecretNumUsesLimit": row.num_uses_limit,
        "clientSecretTTL": row.ttl,
        "identityUAId": str(row.identity_id),
        "isClientSecretRevoked": row.is_revoked,
    }


class _OfIdentity(View):
    tag = "Universal Auth"

    def identity(self) -> models.Identity:
        return identities.find_identity(self.actor, self.id("identityId"))


class UniversalAuthView(_OfIdentity):
    def one(self, row: models.Identity) -> TypedResponse[OneUniversalAuth]:
        return TypedResponse({"identityUniversalAuth": universal_auth_json(row)})

    @operation("getUniversalAuth", "Get the universal auth settings of an identity.")
    def get(self, request: Request, identityId: str) -> TypedResponse[OneUniversalAuth]:
        return self.one(identities.with_universal_auth(self.identity()))

    @operation("attachUniversalAuth", "Attach universal auth, so that the identity can sign in.", body=Settings)
    def post(self, request: Request, identityId: str) -> TypedResponse[OneUniversalAuth]:
        identity = self.identity()
        return self.one(identities.add_universal_auth(self.actor, identity, self.body(Settings).sent()))

    @operation("updateUniversalAuth", "Change the universal auth settings of an identity.", body=Settings)
    def patch(self, request: Request, identityId: str) -> TypedResponse[OneUniversalAuth]:
        identity = self.identity()
        return self.one(identities.update_universal_auth(self.actor, identity, self.body(Settings).sent()))

    @operation("revokeUniversalAuth", "Remove universal auth. The identity's client secrets and tokens become invalid.")
    def delete(self, request: Request, identityId: str) -> TypedResponse[OneUniversalAuth]:
        return self.one(identities.remove_universal_auth(self.actor, self.identity()))


class Lockouts(_OfIdentity):
    @operation("clearUniversalAuthLockouts", "Unlock an identity that was locked after failed logins.")
    def post(self, request: Request, identityId: str) -> TypedResponse[LockoutsCleared]:
        found = self.identity()
        identities.unlock(self.actor, found)
        return TypedResponse({"deleted": int(found.locked_until is not None)})


class ClientSecrets(ViewSet, _OfIdentity):
    lookup_url_kwarg = "clientSecretId"

    def secret(self) -> models.ClientSecret:
        client_secret_id = self.id("clientSecretId")
        return identities.find_client_secret(self.identity(), client_secret_id)

    @operation("listClientSecrets", "List the client secrets of an identity.")
    def list(self, request: Request, identityId: str) -> TypedResponse[ClientSecretList]:
        rows = self.identity().client_secrets.order_by("-created_at")
        return TypedResponse({"clientSecretData": [client_secret_json(row) for row in rows]})

    @operation(
        "createClientSecret",
        "Create a client secret. It is returned only once.",
        body=NewClientSecret,
    )
    def create(self, request: Request, identityId: str) -> TypedResponse[CreatedClientSecret]:
        body = self.body(NewClientSecret)
        row, clear = identities.create_client_secret(
            self.actor,
            self.identity(),
            body.description or "",
            ttl=body.ttl or 0,
            num_uses_limit=body.numUsesLimit or 0,
        )
        return TypedResponse({"clientSecret": clear, "clientSecretData": client_secret_json(row)})

    @operation("getClientSecret", "Get the data of a client secret.")
    def retrieve(self, request: Request, identityId: str, clientSecretId: str) -> TypedResponse[OneClientSecret]:
        return TypedResponse({"clientSecretData": client_secret_json(self.secret())})

    @action(detail=True, methods=["post"])
    @operation("revokeClientSecret", "Revoke a client secret and the tokens that were issued for it.")
    def revoke(self, request: Request, identityId: str, clientSecretId: str) -> TypedResponse[OneClientSecret]:
        row = identities.revoke_client_secret(self.actor, self.secret())
        return TypedResponse({"clientSecretData": client_secret_json(row)})


_IDENTITY = "v1/auth/universal-auth/identities/<str:identityId>"
_router = router()
_router.register(f"{_IDENTITY}/client-secrets", ClientSecrets, basename="client-secret")
urlpatterns = [
    path(_IDENTITY, UniversalAuthView.as_view()),
    path(f"{_IDENTITY}/clear-lockouts", Lockouts.as_view()),
    *_router.urls,
]
