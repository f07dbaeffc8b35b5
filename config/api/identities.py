"""Machine identities, their universal auth and client secrets.

Source: https://infisical.com/docs/api-reference/endpoints/identities/create and
https://infisical.com/docs/api-reference/endpoints/universal-auth/attach
"""

from __future__ import annotations

from typing import Any

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from config.access import identities
from config.access.models import ClientSecret, Identity
from config.access.services import instance
from config.api.base import View
from config.api.openapi import FLAG, TEXT, TIME, UUID, WHOLE, closed, described, listed
from config.conventions import timestamp
from config.schemas.schema import Flag, Id, Objects, Schema, Text, Whole

TAG = "Identities"
UA = "Universal Auth"
ROLES = ("no-access", "viewer", "member", "admin")
TEN_YEARS = 315360000
IDENTITY_ID = Schema((Id("identityId"),))
SECRET_ID = Schema((Id("clientSecretId"),))

CREATE = Schema(
    (
        Text("name", "Name", "What the machine is called.", max_length=255),
        Text("organizationId", "Organisation", "There is one; it may be left out.", required=False, min_length=0),
        Text(
            "role",
            "Role",
            "In the instance: an admin makes projects.",
            choices=ROLES,
            required=False,
            default="no-access",
        ),
    ),
    strict=False,
)
UPDATE = Schema(
    (
        Text("name", "Name", required=False, max_length=255),
        Text("role", "Role", "In the instance.", required=False, choices=ROLES),
    ),
    strict=False,
)
_RANGE = Schema((Text("ipAddress", "Address", "An address or a range, as 10.0.0.0/8.", max_length=64),), strict=False)
SETTINGS = Schema(
    (
        Whole("accessTokenTTL", "Seconds that a token lives; 0: without end.", maximum=TEN_YEARS),
        Whole("accessTokenMaxTTL", "Seconds that it lives with its renewals; 0: without end.", maximum=TEN_YEARS),
        Whole("accessTokenNumUsesLimit", "Requests that a token is good for; 0: no limit.", maximum=10**9),
        Whole("accessTokenPeriod", "Above 0: seconds that a token lives, renewable for ever.", maximum=TEN_YEARS),
        Objects("accessTokenTrustedIps", _RANGE, "Where tokens may be used from.", max_items=100),
        Objects("clientSecretTrustedIps", _RANGE, "Where logins may come from.", max_items=100),
        Flag("lockoutEnabled", help="Whether failed logins lock it."),
        Whole("lockoutThreshold", "Failed logins that lock it.", minimum=1, maximum=30),
        Whole("lockoutDurationSeconds", "How long it stays locked.", minimum=30, maximum=86400),
        Whole("lockoutCounterResetSeconds", "Failures longer apart are counted anew.", minimum=5, maximum=3600),
    ),
    strict=False,
)
NEW_SECRET = Schema(
    (
        Text("description", "Description", required=False, min_length=0, max_length=255, multiline=True),
        Whole("numUsesLimit", "Logins that it is good for; 0: no limit.", maximum=10**9),
        Whole("ttl", "Seconds that it lives; 0: without end.", maximum=TEN_YEARS),
    ),
    strict=False,
)
ID = (("identityId", "The identity's id."),)
BOTH = (*ID, ("clientSecretId", "The client secret's id."))


def _identity(row: Identity, organisation: str) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "name": row.name,
        "orgId": organisation,
        "role": row.role or "no-access",
        "authMethods": ["universal-auth"] if row.has_universal_auth else [],
        "createdAt": timestamp(row.created_at),
        "updatedAt": timestamp(row.updated_at),
    }


def _seen(row: Identity, organisation: str) -> dict[str, Any]:
    """As reads show it. The modelled API answers with the identity's place in the organisation, the identity in it."""
    shown = _identity(row, organisation)
    inner = {name: shown[name] for name in ("id", "name", "authMethods", "createdAt", "updatedAt")}
    return {**shown, "identityId": shown["id"], "identity": inner}


_SHAPE: dict[str, Any] = {
    "id": UUID,
    "name": TEXT,
    "orgId": UUID,
    "role": {"type": "string", "enum": list(ROLES)},
    "authMethods": listed(TEXT),
    "createdAt": TIME,
    "updatedAt": TIME,
}
IDENTITY = closed(_SHAPE)
SEEN = closed(
    {
        **_SHAPE,
        "identityId": UUID,
        "identity": closed(
            {"id": UUID, "name": TEXT, "authMethods": listed(TEXT), "createdAt": TIME, "updatedAt": TIME}
        ),
    }
)

ONE = closed({"identity": IDENTITY})


def _auth(row: Identity) -> dict[str, Any]:
    # An identity has one universal auth, so it has the identity's own id.
    return {
        "id": str(row.pk),
        "clientId": str(row.client_id),
        **{name: getattr(row, field) for name, field in identities.SETTINGS.items()},
        "identityId": str(row.pk),
        "createdAt": timestamp(row.created_at),
        "updatedAt": timestamp(row.updated_at),
    }


_RANGES = listed(closed({"ipAddress": TEXT}))
AUTH = closed(
    {
        "id": UUID,
        "clientId": UUID,
        **{
            name: _RANGES if name.endswith("Ips") else FLAG if name == "lockoutEnabled" else WHOLE
            for name in identities.SETTINGS
        },
        "identityId": UUID,
        "createdAt": TIME,
        "updatedAt": TIME,
    }
)


def _secret(row: ClientSecret) -> dict[str, Any]:
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


SECRET = closed(
    {
        "id": UUID,
        "createdAt": TIME,
        "updatedAt": TIME,
        "description": TEXT,
        "clientSecretPrefix": TEXT,
        "clientSecretNumUses": WHOLE,
        "clientSecretNumUsesLimit": WHOLE,
        "clientSecretTTL": WHOLE,
        "identityUAId": UUID,
        "isClientSecretRevoked": FLAG,
    }
)


class _IdentityView(View):
    def named(self, identity_id: str) -> Identity:
        given = IDENTITY_ID.validate({"identityId": identity_id})
        return identities.find_identity(self.actor, given["identityId"])

    def secret_of(self, identity_id: str, secret_id: str) -> ClientSecret:
        given = SECRET_ID.validate({"clientSecretId": secret_id})
        return identities.find_client_secret(self.named(identity_id), given["clientSecretId"])


class Identities(_IdentityView):
    @described(
        "listIdentities",
        TAG,
        "The identities that you may manage.",
        closed({"identities": listed(SEEN), "totalCount": WHOLE}),
    )
    def get(self, request: Request) -> Response:
        organisation = str(instance().pk)
        found = [_seen(row, organisation) for row in identities.identities_of(self.actor)]
        return Response({"identities": found, "totalCount": len(found)})

    @described(
        "createIdentity",
        TAG,
        "An identity; it signs in once it has universal auth.",
        closed({"identity": IDENTITY}),
        body=CREATE,
    )
    def post(self, request: Request) -> Response:
        given = self.body(CREATE)
        made = identities.register_identity(self.actor, given["name"], given["role"])
        return Response({"identity": _identity(made, str(instance().pk))})


class OneIdentity(_IdentityView):
    @described("getIdentity", TAG, "An identity.", closed({"identity": SEEN}), path=ID)
    def get(self, request: Request, identityId: str) -> Response:
        return Response({"identity": _seen(self.named(identityId), str(instance().pk))})

    @described("updateIdentity", TAG, "Rename it, or change its role.", ONE, body=UPDATE, path=ID)
    def patch(self, request: Request, identityId: str) -> Response:
        given = self.body(UPDATE)
        changed = identities.update_identity(self.actor, self.named(identityId), **given)
        return Response({"identity": _identity(changed, str(instance().pk))})

    @described("deleteIdentity", TAG, "Delete it, with its secrets and tokens.", ONE, path=ID)
    def delete(self, request: Request, identityId: str) -> Response:
        found = self.named(identityId)
        shown = _identity(found, str(instance().pk))
        identities.delete_identity(self.actor, found)
        return Response({"identity": shown})


class UniversalAuth(_IdentityView):
    ANSWER = closed({"identityUniversalAuth": AUTH})

    def one(self, row: Identity) -> Response:
        return Response({"identityUniversalAuth": _auth(row)})

    @described("getUniversalAuth", UA, "How an identity signs in.", ANSWER, path=ID)
    def get(self, request: Request, identityId: str) -> Response:
        return self.one(identities.with_universal_auth(self.named(identityId)))

    @described("attachUniversalAuth", UA, "Let an identity sign in.", ANSWER, body=SETTINGS, path=ID)
    def post(self, request: Request, identityId: str) -> Response:
        return self.one(identities.add_universal_auth(self.actor, self.named(identityId), self.body(SETTINGS)))

    @described("updateUniversalAuth", UA, "Change how it signs in.", ANSWER, body=SETTINGS, path=ID)
    def patch(self, request: Request, identityId: str) -> Response:
        return self.one(identities.update_universal_auth(self.actor, self.named(identityId), self.body(SETTINGS)))

    @described("revokeUniversalAuth", UA, "It signs in no more; secrets and tokens end.", ANSWER, path=ID)
    def delete(self, request: Request, identityId: str) -> Response:
        return self.one(identities.remove_universal_auth(self.actor, self.named(identityId)))


class Lockouts(_IdentityView):
    @described("clearUniversalAuthLockouts", UA, "Unlock an identity.", closed({"deleted": WHOLE}), path=ID)
    def post(self, request: Request, identityId: str) -> Response:
        found = self.named(identityId)
        identities.unlock(self.actor, found)
        return Response({"deleted": int(found.locked_until is not None)})


class ClientSecrets(_IdentityView):
    @described(
        "listClientSecrets", UA, "An identity's client secrets.", closed({"clientSecretData": listed(SECRET)}), path=ID
    )
    def get(self, request: Request, identityId: str) -> Response:
        rows = self.named(identityId).client_secrets.order_by("-created_at")
        return Response({"clientSecretData": [_secret(row) for row in rows]})

    @described(
        "createClientSecret",
        UA,
        "Another client secret; it is shown in this answer and never again.",
        closed({"clientSecret": TEXT, "clientSecretData": SECRET}),
        body=NEW_SECRET,
        path=ID,
    )
    def post(self, request: Request, identityId: str) -> Response:
        given = self.body(NEW_SECRET)
        row, text = identities.create_client_secret(
            self.actor,
            self.named(identityId),
            given.get("description", ""),
            ttl=given.get("ttl", 0),
            num_uses_limit=given.get("numUsesLimit", 0),
        )
        return Response({"clientSecret": text, "clientSecretData": _secret(row)})


class OneClientSecret(_IdentityView):
    @described("getClientSecret", UA, "A client secret's data.", closed({"clientSecretData": SECRET}), path=BOTH)
    def get(self, request: Request, identityId: str, clientSecretId: str) -> Response:
        return Response({"clientSecretData": _secret(self.secret_of(identityId, clientSecretId))})


class RevokedClientSecret(_IdentityView):
    @described(
        "revokeClientSecret",
        UA,
        "It, and the tokens given for it, stop working.",
        closed({"clientSecretData": SECRET}),
        path=BOTH,
    )
    def post(self, request: Request, identityId: str, clientSecretId: str) -> Response:
        row = identities.revoke_client_secret(self.actor, self.secret_of(identityId, clientSecretId))
        return Response({"clientSecretData": _secret(row)})


_AUTH = "v1/auth/universal-auth/identities/<str:identityId>"
urlpatterns = [
    path("v1/identities", Identities.as_view()),
    path("v1/identities/<str:identityId>", OneIdentity.as_view()),
    path(_AUTH, UniversalAuth.as_view()),
    path(f"{_AUTH}/clear-lockouts", Lockouts.as_view()),
    path(f"{_AUTH}/client-secrets", ClientSecrets.as_view()),
    path(f"{_AUTH}/client-secrets/<str:clientSecretId>", OneClientSecret.as_view()),
    path(f"{_AUTH}/client-secrets/<str:clientSecretId>/revoke", RevokedClientSecret.as_view()),
]
